"""What mteb says about synthetic tasks in the shapes of FollowIR and NevIR; ``mteb_reference.json`` holds its answers.

    python tests/metrics/mteb_reference.py [folder of an unpacked mteb wheel]

writes that file: with mteb's own functions, imported where mteb is installed, else taken from that folder one by one, so that
neither torch nor transformers are needed. Made with mteb 2.26.24, pytrec-eval-terrier 0.5.11, pandas 3.1.1.
"""

import ast
import json
import logging
import random
import sys
from pathlib import Path
from types import SimpleNamespace

ANSWERS = Path(__file__).with_suffix(".json")
_NEEDED = {"get_rank_from_dict", "calculate_pmrr", "rank_score", "paired_accuracy"}


def followir(seed):
    """qrels, run, and the documents that changed: short lists with ties, missing documents, and a query that lacks a list."""
    rng = random.Random(seed)
    qrels, run = {}, {}
    docs = [f"d{n}" for n in range(8)]
    for query in "abc":
        relevant = rng.sample(docs, 4)
        gone = rng.sample(relevant, rng.choice([1, 2]))
        qrels[f"{query}-og"] = {doc: int(doc in relevant) for doc in docs}
        qrels[f"{query}-changed"] = {doc: int(doc in relevant and doc not in gone) for doc in docs}
        for version in ("og", "changed"):
            if query != "c" or version == "og" or seed % 4:
                listed = rng.sample(docs, rng.choice([6, 8]))
                run[f"{query}-{version}"] = {doc: float(rng.randrange(5)) for doc in listed}
    return qrels, run


def nevir(seed):
    """qrels and run of eight pairs; four scores, so that many tie."""
    rng = random.Random(seed)
    qrels, run = {}, {}
    for pair in range(8):
        docs = [f"{pair}_doc1", f"{pair}_doc2"]
        for at, query in enumerate((f"{pair}_q1", f"{pair}_q2")):
            qrels[query] = {docs[at]: 1, docs[1 - at]: 0}
            run[query] = {doc: rng.randrange(3) + 2.0 * (doc == docs[at]) * rng.random() // 1 for doc in docs}
    return qrels, run


def answers(metrics, seeds):
    """What mteb's functions in ``metrics`` say of the tasks of so many seeds."""
    import pytrec_eval

    out = {"p-MRR": [], "paired_accuracy": []}
    for seed in range(seeds):
        qrels, run = followir(seed)
        changed = {
            query: [d for d, grade in qrels[f"{query}-og"].items() if grade and not qrels[f"{query}-changed"][d]]
            for query in "abc"
        }
        og = {query: docs for query, docs in run.items() if query.endswith("-og")}
        new = {query: docs for query, docs in run.items() if not query.endswith("-og")}
        out["p-MRR"].append(float(metrics.calculate_pmrr(og, new, changed)))
        qrels, run = nevir(seed)
        scores = pytrec_eval.RelevanceEvaluator(qrels, {"recall.1"}).evaluate(run)
        out["paired_accuracy"].append(metrics.paired_accuracy(qrels, run, scores))
    return out


def _metrics(folder):
    if folder is None:
        from mteb._evaluators import retrieval_metrics

        return retrieval_metrics
    import pandas

    tree = ast.parse((Path(folder) / "mteb/_evaluators/retrieval_metrics.py").read_text())
    tree.body = [ast.ImportFrom("__future__", [ast.alias("annotations")], 0)] + [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in _NEEDED
    ]
    names = {"pd": pandas, "logger": logging.getLogger("mteb")}
    exec(compile(ast.fix_missing_locations(tree), "retrieval_metrics.py", "exec"), names)
    return SimpleNamespace(**{name: names[name] for name in _NEEDED})


if __name__ == "__main__":
    found = answers(_metrics(sys.argv[1] if len(sys.argv) > 1 else None), 100)
    rows = ",\n".join(f'"{name}": {json.dumps(values)}' for name, values in found.items())
    ANSWERS.write_text("{\n" + rows + "\n}\n")
