"""Record the prompts, spans and scores of In-Context-Reranking on the cases of ``cases_attention``.

    python tests/published/record_icr.py CLONE > tests/published/icr.json

The clone is https://github.com/OSU-NLP-Group/In-Context-Reranking; its models need transformers 4.44. The code is run as it is but
for what ties it to a GPU: float32 for float16, the CPU for CUDA, and attention computed without FlashAttention from the same
queries and keys.
"""

import contextlib
import importlib.util
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from cases_attention import FAMILIES, PLACES, SEEDS, TASKS, case, digest, make, recorded_vectors

INSTEAD = {
    "torch.float16": "torch.float32",
    "device_map='auto'": "device_map='cpu'",
    '"flash_attention_2"': '"eager"',
    "'cuda:0'": "'cpu'",
}


def published(clone):
    """Their module, for the CPU."""
    sys.path.insert(0, str(clone))
    path = clone / "src" / "in_context_reranker.py"
    source = path.read_text()
    for old, new in INSTEAD.items():
        assert old in source, old
        source = source.replace(old, new)
    spec = importlib.util.spec_from_file_location("src.in_context_reranker", path)
    module = importlib.util.module_from_spec(spec)
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


def passages(docs):
    """As ``experiments.py`` makes them, with 300 words."""
    return [(title + "\n" + " ".join(text.split(" ")[:300])).strip() for title, text in docs]


def whole(reranker, seed):
    """One case through all of their code."""
    query, docs = case(seed)
    shown = passages(docs)[::-1]
    prompt, spans, start, end = reranker._prepare_input_for_document_retrieval(query, shown)
    nothing = reranker._prepare_input_for_document_retrieval("N/A", shown)[0]
    _, scores, _ = reranker.get_sorted_docs(query, list(shown), order="none")
    (order, _), _ = reranker.rerank(query, passages(docs))
    return {
        "prompt": digest(prompt), "nothing": digest(nothing), "spans": [list(span) for span in spans], "query": [start, end],
        "scores": [round(float(score), 7) for score in scores][::-1], "order": order,
    }  # fmt: skip


def by_vectors(reranker, seed):
    """Their scores on recorded attention."""
    paid, bias = recorded_vectors(seed)
    answers = iter([bias, paid])

    def scored(*args, return_cache=False, **kwargs):
        rows = [[None, torch.tensor(row, dtype=torch.float64)] for row in next(answers)]
        return (None, rows, Cache()) if return_cache else (None, rows)

    reranker.score_documents = scored
    _, scores, _ = reranker.get_sorted_docs("who", ["x"] * len(paid), order="none")
    return [round(float(score), 6) for score in scores]


class Cache:
    key_cache = value_cache = ()


def main(clone):
    module = published(clone)
    commit = subprocess.run(
        ["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    found = {"repository": "OSU-NLP-Group/In-Context-Reranking", "commit": commit.strip(), "cases": {}}
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            path = make(family, Path(folder) / PLACES[family])
            for task in TASKS:
                reranker = module.InContextReranker(
                    str(path), scoring_strategy="masked_NA_calibration", retrieval_type=task, reverse_doc_order=True,
                )  # fmt: skip
                for seed in SEEDS:
                    reranker.sliding_window_size = -1
                    found["cases"][f"{family} {task} {seed}"] = whole(reranker, seed)
        found["vectors"] = [by_vectors(reranker, seed) for seed in range(60)]
    return found


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        found = main(Path(sys.argv[1]))
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in found.pop("cases").items())
    print(json.dumps(found)[:-1] + ',\n"cases": {\n' + rows + "\n}}")
