"""Record which groups the authors' TourRank and GroupRank make, and TourRank's points.

python tests/published/record_groups.py CLONE_OF_TOURRANK CLONE_OF_DIVER   (numpy)

TourRank's functions run as they are, one process after the other; in place of the model stands a judge. Its shuffles have no seed, so
groups are recorded as the candidates in them. GroupRank's shuffles are seeded here.
"""

import importlib.util
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

from cases_b import BLOCK, KINDS, SIZES, digest, order


def load(path, stubs):
    sys.modules |= {name: MagicMock() for name in stubs.split()}
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Inline:
    def __init__(self, target, args):
        self.start, self.join = lambda: target(*args), lambda: None


class Lists:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def list(self):
        return []


def tournament(module, kind, seed):
    asked = []

    def answer(messages):
        group = [
            int(re.search(r"text (\d+)", m["content"]).group(1))
            for m in messages
            if m["content"].startswith("Document")
        ]
        most = int(re.search(r"output the top (\d+)", messages[-1]["content"]).group(1))
        asked.append(sorted(group))
        best = order(kind, seed, sorted(group))[:most]
        return ", ".join(f"Document {group.index(i) + 1}" for i in best)

    module.Process, module.Manager, module.get_response = Inline, Lists, answer
    points = []
    module.filter_processing(0, "q", list(range(100)), {i: f"text {i}" for i in range(100)}, points)
    return [asked, [points[0][i] for i in range(100)]]


def epochs(module, n, seed):
    """The order in which each repeat goes through the documents, and its groups' sizes."""
    judge = module.GroupReranker.__new__(module.GroupReranker)
    judge.tokenizer, judge.group_user_prompt, judge.group_system_prompt = MagicMock(), "", ""
    docs = {"q": [{"id": i, "text": ""} for i in range(n)]}
    random.seed(seed)
    made = [judge.prepare_groups_one_epoch([{"qid": "q", "query": "q"}], docs, 10, 10, 10)[1] for _ in range(2)]
    return [[[i for _, group in groups for i in group], [len(group) for _, group in groups]] for groups in made]


def commit(clone):
    return subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()


def main(tourrank, diver):
    record = {"commits": {"chenyiqun/TourRank": commit(tourrank), "AQ-MedAI/Diver": commit(diver)}}
    module = load(Path(tourrank) / "TourRank_multiprocessing.py", "openai tqdm")
    record["tourrank"] = {kind: digest([tournament(module, kind, seed) for seed in range(40)]) for kind in KINDS[:3]}
    module = load(Path(diver) / "Reranker/rerank_groupwise.py", "vllm torch datasets tqdm utils utils.eval_util")
    made = {n: [epochs(module, n, seed) for seed in range(BLOCK)] for n in SIZES}
    record["orders"] = {n: digest([[order for order, _ in one] for one in cases]) for n, cases in made.items()}
    record["sizes"] = {n: cases[0][0][1] for n, cases in made.items()}
    Path(__file__).with_name("groups.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
