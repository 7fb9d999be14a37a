"""Reinforcement of a tiny reasoner: the reward's curve, and nDCG@10 and right verdicts before and after, for two rewards.

    python examples/tiny_reasoner.py --out start --steps 220 --only thinking    # a model that thinks, not well yet
    python bench/reinforce.py --start start/thinking --work work                # needs the extra [train]; half an hour a reward

GRPO on freshly made problems (train: 400 queries, dev: 20, test: 40, of different seeds, 20 passages each), one thread: the verdict
alone (exact-match), and a reward that compares a query's rollouts with each other (retro-star; 20 of its 100 points are .2 of a
verdict's 0 or 1). Test figures are of the best checkpoint by dev nDCG@10. ``--only`` trains one of them; the same command again goes
on, and gathers what is finished. Preference learning on the start's own thoughts (``--only dpo``) is measured alike.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from ponderank import Reranker
from ponderank.data.beir import Collection
from ponderank.distill.pairs import Pair
from ponderank.distill.prefer import of_student, write_preferences
from ponderank.metrics.ranked import evaluate
from ponderank.retrieval.runs import candidates
from ponderank.train.grpo import train
from ponderank.train.grpo_config import Reinforce
from ponderank.train.preference import train as learn_preferences
from ponderank.train.preference_config import Preference

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "examples"))
TOKENS = 96
CONSTANTS = {"exact-match": (), "retro-star": (("unread", -1.0), ("threshold", 0.2))}


def problems(work: Path) -> dict[str, Path]:
    """The three collections, made once."""
    from tiny_reasoner import write_collection

    out = {}
    for name, seed, queries in (("train", 1000, 400), ("dev", 2000, 40), ("test", 3000, 40)):
        out[name] = work / name
        if not (out[name] / "first.trec").is_file():
            write_collection(out[name], random.Random(seed), queries=queries)
    return out


def settings(start: Path, dev: Path, reward: str, steps: int, rate: float) -> Reinforce:
    return Reinforce(
        str(start), reward=reward, constants=CONSTANTS[reward], full=True, learning_rate=rate, kl=0.001, samples=8, queries=4,
        documents=5, relevant=1, batch=40, tokens=TOKENS, steps=steps, save_every=10, dev=(str(dev),), dev_queries=40,
        dev_depth=20, dev_tokens=TOKENS, threads=1,
    )  # fmt: skip


def prefer(start: Path, made: dict[str, Path], work: Path, steps: int) -> None:
    """DPO on thoughts of the start's own: eight of each of two relevant and two other passages of 60 queries."""
    collection, rng = Collection.open(made["train"]), random.Random(0)
    qrels, pairs = collection.qrels("test"), []
    for one in candidates(collection, made["train"] / "first.trec", collection.judged_queries("test")[:60], 100):
        for label in (1, 0):
            docs = [doc for doc in one.docs if (doc.id in qrels[one.query.id]) == bool(label)]
            pairs += [Pair(one.query, doc, "drawn", label) for doc in rng.sample(docs, 2)]
    if not (work / "preferences.jsonl").is_file():
        with Reranker("rank1", model=start, think_tokens=TOKENS, threads=1) as asked:
            form: Any = asked.recipe.format
            many = of_student(pairs, asked.backend, form, samples=8, temperature=1.0)
            print(write_preferences(many, work / "preferences.jsonl"))
    config = Preference(
        str(start), full=True, learning_rate=5e-5, sft=1.0, batch=16, effective_batch=16, steps=steps, save_every=10,
        dev=(str(made["dev"]),), dev_queries=40, dev_depth=20, dev_tokens=TOKENS, threads=1,
    )  # fmt: skip
    learn_preferences(config, work / "preferences.jsonl", work / "dpo")


def tested(model: Path, folder: Path) -> dict[str, float]:
    """nDCG@10, the share of right verdicts, of relevant and of other passages, and of flaws, of the recipe ``rank1``."""
    collection = Collection.open(folder)
    qrels = collection.qrels("test")
    many = candidates(collection, folder / "first.trec", collection.judged_queries("test"), 100)
    with Reranker("rank1", model=model, think_tokens=TOKENS, threads=1) as reranker:
        rankings = list(reranker.rank_many(many))
    run = {r.query.id: [(doc.id, float(-i)) for i, doc in enumerate(r.docs)] for r in rankings}
    right: dict[bool, list[bool]] = {True: [], False: []}
    for r in rankings:
        for doc, score in zip(r.docs, r.scores, strict=True):
            relevant = doc.id in qrels[r.query.id]
            right[relevant].append((score > 0) == relevant)
    every = [*right[True], *right[False]]
    return {
        "nDCG@10": round(evaluate(qrels, {"run": run}, ["nDCG@10"])["run"]["nDCG@10"], 4),
        "right": round(sum(every) / len(every), 4),
        "right of relevant": round(sum(right[True]) / len(right[True]), 4),
        "right of others": round(sum(right[False]) / len(right[False]), 4),
        "flaws": round(sum(sum(r.flaws().values()) for r in rankings) / len(every), 4),
        "tokens a thought": round(sum(r.usage.output_tokens for r in rankings) / len(every), 1),
    }


def curve(out: Path) -> list[dict[str, Any]]:
    """Of every step: the mean reward, flaws, length, KL; of every checkpoint the dev measure."""
    names = {
        "reward": "reward",
        "flaws": "flaws",
        "completions/mean_length": "tokens",
        "kl": "kl",
        "eval_measure": "dev",
    }
    names |= {"rewards/accuracies": "accuracy", "loss": "loss"}
    rows = [json.loads(line) for line in (out / "training" / "log.jsonl").read_text().splitlines()]
    kept = (
        {"step": row["step"], **{new: round(row[old], 4) for old, new in names.items() if old in row}} for row in rows
    )
    return [row for row in kept if len(row) > 1]


def plot(results: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "ponderank"
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(2, 1, figsize=(7, 6), sharex=True)
    for name, one in results.items():
        rewards = [(row["step"], row["reward"]) for row in one["curve"] if "reward" in row]
        dev = [(row["step"], row["dev"]) for row in one["curve"] if "dev" in row]
        if rewards:
            (line,) = above.plot(*zip(*rewards, strict=True), alpha=0.3)
            smooth = [
                (s, sum(r for _, r in rewards[max(0, i - 4) : i + 1]) / min(i + 1, 5))
                for i, (s, _) in enumerate(rewards)
            ]
            above.plot(*zip(*smooth, strict=True), label=f"{name}, mean of 5 steps", color=line.get_color())
        if dev:
            below.plot(*zip(*dev, strict=True), "o-", label=name)
    above.set_ylabel("mean reward of a step")
    below.set_ylabel("dev nDCG@10")
    below.set_xlabel("step")
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--only", choices=(*CONSTANTS, "dpo", "none"))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "reinforce.json")
    args = parser.parse_args()
    made = problems(args.work)
    for reward in CONSTANTS:
        if args.only in (None, reward):
            began = time.perf_counter()
            train(settings(args.start, made["dev"], reward, args.steps, args.rate), made["train"], args.work / reward)
            print(f"{reward}: {time.perf_counter() - began:.0f} s")
    if args.only in (None, "dpo"):
        prefer(args.start, made, args.work, args.steps)
    if args.only not in (None, "none"):
        return
    results: dict[str, Any] = {"start": {"test": tested(args.start, made["test"]), "curve": []}}
    for name in (*CONSTANTS, "dpo"):
        if (args.work / name / "config.json").is_file():
            results[name] = {"test": tested(args.work / name, made["test"]), "curve": curve(args.work / name)}
    for name, one in results.items():
        print(f"{name:<12}", *(f"{key} {value}" for key, value in one["test"].items()), sep="  ")
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps({"steps": args.steps, "rate": args.rate, "models": results}, indent=1) + "\n")
    plot(results, args.out.with_suffix(".svg"))


if __name__ == "__main__":
    main()
