"""Effectiveness: BM25, the bi-encoder that the default model starts from, and ours, on the same candidates.

    python bench/quality.py --data FOLDER --base MINILM_FOLDER scifact:test:60 wikiqa:dev

Each set is COLLECTION:SPLIT[:QUERIES[:HALF]]; with a number of queries a sample is drawn (seed 0). HALF, "a" or "b", takes
the queries whose relevant documents belong to every other article (title), so that what was tuned on one half of a
collection's articles is reported on the other. All rerank the same BM25 top 100 (k1 0.9, b 0.4). Differences to the
bi-encoder come with a paired t-test over queries. "bi-encoder + BM25" has the first stage's score at the default's weight.
Seconds are those of the first recipe of a model; later ones find its replies kept.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from ponderank import Candidates, Query, Ranking, Reranker
from ponderank.data.beir import Collection
from ponderank.metrics.ranked import per_query
from ponderank.recipes import find
from ponderank.retrieval.bm25 import BM25Index
from ponderank.strategies.pointwise import Pointwise, interpolate

HERE = Path(__file__).parent
MEASURES = ["nDCG@10", "RR@10"]


def bi_encoder(base: Path, collection: Collection, found: list[Candidates]) -> dict[str, list[tuple[str, float]]]:
    """Cosine of sentence-transformers' embeddings; documents are embedded once and kept."""
    import numpy as np
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(base), device="cpu")
    path = HERE / ".cache" / f"embeddings-{collection.fingerprint()[:16]}.npz"
    known = dict(np.load(path)) if path.is_file() else {}
    wanted = {doc.id: doc.full_text for c in found for doc in c.docs if doc.id not in known}
    if wanted:
        vectors = model.encode(list(wanted.values()), normalize_embeddings=True, show_progress_bar=False)
        known |= dict(zip(wanted, vectors, strict=True))
        path.parent.mkdir(exist_ok=True)
        np.savez(path, **known)
    queries = model.encode([c.query.text for c in found], normalize_embeddings=True, show_progress_bar=False)
    return {c.query.id: [(d.id, float(known[d.id] @ q)) for d in c.docs] for c, q in zip(found, queries, strict=True)}


def fused(run: dict[str, list[tuple[str, float]]], found: list[Candidates]) -> dict[str, list[tuple[str, float]]]:
    """The bi-encoder with the first stage added as the default recipe adds it; 20 × cosine is the default's start."""
    strategy = find("default").strategy
    assert isinstance(strategy, Pointwise)
    return {
        c.query.id: [(doc, 20 * s + offset) for (doc, s), offset in zip(run[c.query.id], offsets, strict=True)]
        for c in found
        for offsets in [interpolate([0.0] * len(c.docs), c.scores, strategy.prior_weight)]
    }


def as_run(rankings: list[Ranking]) -> dict[str, list[tuple[str, float]]]:
    return {r.query.id: [(d.id, float(-i)) for i, d in enumerate(r.docs)] for r in rankings}


def one(spec: str, args: argparse.Namespace) -> dict[str, Any]:
    collection, qrels, queries = chosen(spec, args.data)
    found = BM25Index.build(collection.corpus()).search(queries, args.depth)
    runs = {"BM25": {c.query.id: list(zip((d.id for d in c.docs), c.scores or (), strict=True)) for c in found}}
    if args.base:
        runs["bi-encoder"] = bi_encoder(args.base, collection, found)
        runs["bi-encoder + BM25"] = fused(runs["bi-encoder"], found)
    seconds = {}
    with tempfile.TemporaryDirectory() as scratch:
        for label in args.recipes:
            recipe, _, model = label.partition("@")
            kept = Path(scratch) / "replies"  # recipes of one model share what it said
            with Reranker(recipe, model=model or None, cache=kept) as reranker:
                start = time.perf_counter()
                runs[label] = as_run(list(reranker.rank_many(found)))
                seconds[label] = time.perf_counter() - start
    judged = {q.id: qrels[q.id] for q in queries}
    return summary(
        spec, {label: per_query(judged, run, MEASURES) for label, run in runs.items()}, seconds, len(queries)
    )


def chosen(spec: str, data: Path) -> tuple[Collection, dict[str, dict[str, int]], list[Query]]:
    """A set's collection, judgements, and the queries to use."""
    name, split, limit, half = (*spec.split(":"), "", "")[:4]
    collection = Collection.open(data / name)
    qrels = collection.qrels(split)
    relevant = {query: {doc for doc, grade in docs.items() if grade > 0} for query, docs in qrels.items()}
    queries = [q for q in collection.judged_queries(split) if relevant[q.id]]
    if half:
        titles = {doc.id: doc.title for doc in collection.corpus()}
        wanted = set(sorted({titles[doc] for docs in relevant.values() for doc in docs})["ab".index(half) :: 2])
        queries = [q for q in queries if all(titles[doc] in wanted for doc in relevant[q.id])]
    if limit:
        queries = random.Random(0).sample(queries, min(int(limit), len(queries)))
    return collection, qrels, queries


def summary(spec: str, values: dict[str, Any], seconds: dict[str, float], n: int) -> dict[str, Any]:
    from scipy.stats import ttest_rel

    base = values.get("bi-encoder", values["BM25"])
    rows = {}
    for label, measures in values.items():
        row = {m: statistics.fmean(v.values()) for m, v in measures.items()}
        mine, theirs = (list(v["nDCG@10"].values()) for v in (measures, base))
        row["p"] = float(ttest_rel(mine, theirs).pvalue) if mine != theirs else 1.0
        rows[label] = row
        cost = f"{seconds[label]:6.0f} s" if label in seconds else ""
        print(
            f"{spec:28s} {label:24s} nDCG@10 {row['nDCG@10']:.4f}  RR@10 {row['RR@10']:.4f}  p {row['p']:.3f} {cost}",
            flush=True,
        )
    return {"set": spec, "queries": n, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--recipes", nargs="*", default=["default"], help="RECIPE or RECIPE@MODEL_FOLDER")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "quality.json")
    args = parser.parse_args()
    results = []
    for spec in args.sets:
        results.append(one(spec, args))
        args.out.parent.mkdir(exist_ok=True)
        args.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
