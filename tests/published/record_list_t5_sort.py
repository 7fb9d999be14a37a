"""Record what the authors' tournament sort asks and answers.

python tests/published/record_list_t5_sort.py CLONE_OF_LISTT5

Their loop runs whole; in place of the model stands a judge. Where a group holds a candidate twice, the judge puts the second one last,
as ours does not show it. Groups are recorded as the candidates in them.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

from cases_b import BLOCK, KINDS, SIZES, digest, order

SETTINGS = ((5, 2, 10), (5, 1, 10), (5, 2, 3), (10, 2, 10), (4, 2, 30))
STUBS = ("transformers", "torch", "tqdm", "jsonlines", "numpy", "pandas", "FiDT5", "beir_eval", "beir_length_mapping")


def run(module, n, kind, seed, group, keep, k):
    judge = module.ListT5Evaluator.__new__(module.ListT5Evaluator)
    calls = []

    def answer(index):
        calls.append(sorted(set(index)))
        best = order(kind, seed, calls[-1])
        first = [index.index(i) for i in best]
        return [at for at in range(len(index)) if at not in first] + first[::-1]  # least relevant first

    judge.args = SimpleNamespace(
        topk=10**6, listwise_k=group, out_k=keep, rerank_topk=k, dummy_number=21, verbose=False, bsize=20,
        skip_no_candidate=False, skip_issubset=False, output_path="", question_text_key="q", title_key="title", text_key="text",
        firststage_result_key="found", score_key="score", qrels_key="qrels", pid_key="id",
    )  # fmt: skip
    judge.make_listwise_text = lambda question, texts: [int(text) for text in texts]
    judge.make_input_tensors = lambda index: {"index": index}
    judge.run_inference = lambda tensors: answer(tensors["index"])
    judge.get_rel_index = lambda places, k=-1: [[at + 1 for at in places][-(keep if k == -1 else k) :]]
    judge.write_jsonl_file = lambda *_: None
    found = [{"title": "", "text": str(i), "score": -i} for i in range(n)]
    judge.test_file = [{"q": "q", "found": found}]
    judge.run_tournament_sort()
    return [int(doc["text"]) for doc in judge.test_file[0]["found"]], calls


def main(clone):
    sys.modules |= {name: MagicMock() for name in STUBS}
    sys.modules["tqdm"].tqdm = lambda things, **_: things
    sys.path.insert(0, clone)
    module = importlib.import_module("run_listt5")
    commit = subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    record = {"repository": "soyoung97/ListT5", "commit": commit, "settings": SETTINGS, "cases": {}}
    for setting in SETTINGS:
        for kind in KINDS:
            for n in SIZES:
                with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                    cases = [run(module, n, kind, seed, *setting) for seed in range(BLOCK)]
                calls = sum(len(asked) for _, asked in cases)
                record["cases"]["/".join(map(str, (*setting, kind, n)))] = [digest(cases), calls]
    Path(__file__).with_name("list_t5_sort.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
