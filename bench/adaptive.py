"""Adaptive thinking: thinking tokens saved against nDCG@10, for several budgets, beside fixed ones.

    python bench/adaptive.py --model reasoner/thinking --collection wide/dials    # needs matplotlib for the plot

Every passage is judged once with and once without a thought (replies are kept); all settings are then ranked from those
replies. Fixed budgets: no thought; a thought for the first t of the order without thoughts; for t at random; for all.
The two noises of the adaptive rule are measured on the first half of the queries, all figures on the second.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from pathlib import Path
from typing import Any

from ponderank import Reranker
from ponderank.data.beir import Collection
from ponderank.formats.rank1 import Rank1
from ponderank.metrics.ranked import per_query
from ponderank.recipe import Recipe
from ponderank.retrieval.runs import candidates
from ponderank.strategies.adaptive import AdaptiveThinking
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Ask, Candidates, Judgement

HERE = Path(__file__).parent


class Known:
    """Every passage's judgement at both levels."""

    def __init__(self, model: Path, many: list[Candidates], most: int) -> None:
        self.at: dict[tuple[str, int, int], Judgement] = {}
        for level, form in ((1, Rank1(most, think=False)), (0, Rank1(most))):
            with Reranker(Recipe("known", str(model), form, Pointwise())) as reranker:
                for ranking in reranker.rank_many(many):
                    for step in ranking.trace:
                        self.at[ranking.query.id, step.group[0], level] = step.judgement

    def driven(self, strategy: Any, one: Candidates) -> tuple[list[float], int]:
        """Scores, and the tokens that were written."""
        plan, tokens = strategy.plan(len(one.docs)), 0
        try:
            asked = next(plan)
            while True:
                asks = [a if isinstance(a, Ask) else Ask(a) for a in asked]
                found = [self.at[one.query.id, a.group[0], a.level] for a in asks]
                tokens += sum(j.usage.output_tokens for j in found)
                asked = plan.send(found)
        except StopIteration as stop:
            return stop.value, tokens


def fixed(known: Known, one: Candidates, picked: list[int]) -> tuple[list[float], int]:
    """Thoughts for some, chosen beforehand; the others keep their direct scores."""
    scores, tokens = [], 0
    for i in range(len(one.docs)):
        judgement = known.at[one.query.id, i, 0 if i in picked else 1]
        scores.append(judgement.scores[0])
        tokens += judgement.usage.output_tokens
    return scores, tokens


def noises(known: Known, many: list[Candidates], qrels: Any) -> tuple[float, float]:
    """Deviation of each level's log-odds from the truth's side: root mean square of how far they are on the wrong side of 0."""
    out = []
    for level in (1, 0):
        wrong = []
        for one in many:
            for i, doc in enumerate(one.docs):
                score = known.at[one.query.id, i, level].scores[0]
                sign = 1 if doc.id in qrels[one.query.id] else -1
                wrong.append(max(0.0, -sign * score))
        out.append(max(0.3, statistics.fmean(w * w for w in wrong) ** 0.5))
    return out[0], out[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--most", type=int, default=96)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "adaptive.json")
    args = parser.parse_args()
    collection = Collection.open(args.collection)
    qrels = collection.qrels("test")
    many = list(candidates(collection, args.collection / "first.trec", collection.judged_queries("test"), 100))
    known = Known(args.model, many, args.most)
    half = len(many) // 2
    direct_noise, thought_noise = noises(known, many[:half], qrels)
    print(f"noise: direct {direct_noise:.2f}, thought {thought_noise:.2f} (log-odds)")
    tested = many[half:]
    rng = random.Random(0)
    settings: dict[str, Any] = {}
    for share in (0, 0.1, 0.2, 0.3, 0.5, 0.75, 1):
        n = round(share * len(tested[0].docs))
        adaptive = AdaptiveThinking(args.k, n, direct_noise, thought_noise, doubt=0.0, batch=4)
        settings[f"adaptive {n}"] = [known.driven(adaptive, one) for one in tested]
        order = {
            one.query.id: sorted(range(len(one.docs)), key=lambda i, q=one.query.id: -known.at[q, i, 1].scores[0])
            for one in tested
        }
        settings[f"first {n}"] = [fixed(known, one, order[one.query.id][:n]) for one in tested]
        settings[f"random {n}"] = [fixed(known, one, rng.sample(range(len(one.docs)), n)) for one in tested]
    for doubt in (0.4, 0.3, 0.2, 0.1, 0.05, 0.01):
        for within, name in ((True, "doubt"), (False, "membership only, doubt")):
            adaptive = AdaptiveThinking(args.k, None, direct_noise, thought_noise, doubt=doubt, batch=4, within=within)
            settings[f"adaptive, {name} {doubt:g}"] = [known.driven(adaptive, one) for one in tested]
    whole = sum(tokens for _, tokens in settings[f"random {len(tested[0].docs)}"])
    rows = {}
    for name, results in settings.items():
        run = {}
        for one, (scores, _) in zip(tested, results, strict=True):
            best = sorted(range(len(scores)), key=lambda i, s=scores: (-s[i], i))
            run[one.query.id] = [(one.docs[i].id, float(-rank)) for rank, i in enumerate(best)]
        measures = per_query({one.query.id: qrels[one.query.id] for one in tested}, run, ["nDCG@10"])["nDCG@10"]
        rows[name] = {
            "nDCG@10": round(statistics.fmean(measures.values()), 4),
            "tokens": sum(t for _, t in results) / max(whole, 1),
        }
        print(f"{name:<22} nDCG@10 {rows[name]['nDCG@10']:.4f}  thinking tokens {rows[name]['tokens']:.1%}")
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps({"noise": [direct_noise, thought_noise], "settings": rows}, indent=1) + "\n")
    plot(rows, args.out.with_suffix(".svg"))


def plot(rows: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "ponderank"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2))
    kinds = (
        ("adaptive ", "o-"),
        ("first ", "s--"),
        ("random ", "^:"),
        ("adaptive, doubt", "*"),
        ("adaptive, membership only", "x"),
    )
    for kind, mark in kinds:
        points = sorted((row["tokens"] * 100, row["nDCG@10"]) for name, row in rows.items() if name.startswith(kind))
        label = {
            "first ": "the first by direct score",
            "random ": "at random",
            "adaptive ": "adaptive, so many thoughts at most",
            "adaptive, doubt": "adaptive, down to a doubt of .4 … .01",
            "adaptive, membership only": "the same, top 10 as a set",
        }[kind]
        axes.plot(*zip(*points, strict=True), mark, label=label, markersize=9 if mark == "*" else 5)
    axes.set_xlabel("thinking tokens, % of thinking about every passage")
    axes.set_ylabel("nDCG@10")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
