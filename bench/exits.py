"""Early exit: speed against quality, on real candidates.

    python bench/exits.py --data FOLDER wikiqa:dev:60 scifact:test:60

For each set the default recipe reranks BM25's top 100, once in full and once for each margin. Quality is measured on all
queries (replies are kept, so that only the first setting asks); speed on the first few, from nothing, every contestant in
turn on the same query, as ratios to `CrossEncoder.predict` with its defaults on the same pairs and a model of the same
size (`prepare.py`). "asked in full" is the share of candidates that reached the whole model.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from quality import chosen

from ponderank import Candidates, Ranking, Recipe, Reranker
from ponderank.metrics.ranked import per_query
from ponderank.recipes import find
from ponderank.retrieval.bm25 import BM25Index
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise

HERE = Path(__file__).parent
Rank = Callable[[list[Candidates]], object]


def settings(base: Recipe, k: int, margins: list[float], level: int, priors: bool) -> dict[str, Recipe]:
    assert isinstance(base.strategy, Pointwise)
    weight = base.strategy.prior_weight if priors else 0.0
    table = {"in full": replace(base, strategy=Pointwise(weight))}
    for margin in margins:
        table[f"margin {margin:g}"] = replace(base, strategy=LayeredExit(k, ((level, margin),), weight))
    return table


def nDCG(rankings: list[Ranking], qrels: dict[str, dict[str, int]]) -> float:
    run = {r.query.id: [(d.id, float(-i)) for i, d in enumerate(r.docs)] for r in rankings}
    judged = {r.query.id: qrels[r.query.id] for r in rankings}
    return statistics.fmean(per_query(judged, run, ["nDCG@10"])["nDCG@10"].values())


def predict() -> Rank:
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(HERE / ".cache" / "torch"), device="cpu", max_length=512)

    def rank(chunk: list[Candidates]) -> object:
        for one in chunk:
            model.predict([(one.query.text, d.full_text) for d in one.docs], show_progress_bar=False)
        return None

    return rank


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", help="as in quality.py")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", help="a folder in place of the embedded model")
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--margins", type=float, nargs="+", default=[4.0, 3.0, 2.0, 1.5, 1.0, 0.5, 0.0])
    parser.add_argument("--timed", type=int, default=4, help="queries a set for the speed, 0: none")
    parser.add_argument("--no-priors", action="store_true", help="without the first stage's scores")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "exits.json")
    args = parser.parse_args()
    base = find("default")
    recipes = settings(base, args.k, args.margins, args.level, not args.no_priors)
    rows: dict[str, dict[str, Any]] = {name: {"nDCG@10": {}, "x": [], "full": []} for name in recipes}
    theirs = predict() if args.timed else None
    with tempfile.TemporaryDirectory() as scratch:
        warm = {name: Reranker(r, model=args.model, cache=Path(scratch) / "replies") for name, r in recipes.items()}
        cold = {name: Reranker(r, model=args.model) for name, r in recipes.items()} if args.timed else {}
        for spec in args.sets:
            collection, qrels, queries = chosen(spec, args.data)
            found = BM25Index.build(collection.corpus()).search(queries, 100)
            for label, reranker in warm.items():
                rankings = list(reranker.rank_many(found))
                rows[label]["nDCG@10"][spec] = nDCG(rankings, qrels)
                total = sum(r.usage.calls for r in rankings)
                size = sum(r.usage.calls for r in rankings) if label == "in full" else None
                whole = rows["in full"].setdefault("calls", {}).setdefault(spec, size)
                rows[label]["full"].append(1.0 if size else (total - whole) / whole)
            if theirs:
                for one in found[: args.timed + 1]:
                    begun = time.perf_counter()
                    theirs([one])
                    reference = time.perf_counter() - begun
                    for label, reranker in cold.items():
                        begun = time.perf_counter()
                        list(reranker.rank_many([one]))
                        if one is not found[0]:  # the first warms up
                            rows[label]["x"].append(reference / (time.perf_counter() - begun))
            show(rows, spec)
            args.out.parent.mkdir(exist_ok=True)
            args.out.write_text(json.dumps(rows, indent=1) + "\n")
    print("\nover all sets")
    for label, row in rows.items():
        speed = f"x{statistics.median(row['x']):.2f}" if row["x"] else ""
        print(f"{label:12s} nDCG@10 {statistics.fmean(row['nDCG@10'].values()):.4f}  asked in full "
              f"{statistics.fmean(row['full']):.2f}  {speed}")  # fmt: skip
    for reranker in (*warm.values(), *cold.values()):
        reranker.close()


def show(rows: dict[str, dict[str, Any]], spec: str) -> None:
    for label, row in rows.items():
        off = row["nDCG@10"][spec] - rows["in full"]["nDCG@10"][spec]
        print(
            f"{spec:28s} {label:12s} nDCG@10 {row['nDCG@10'][spec]:.4f} ({off:+.4f})  asked in full {row['full'][-1]:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
