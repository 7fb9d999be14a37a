"""Speed of cross-encoders on the CPU: one process a contestant, all in turn on the same pairs, ratios a round.

    python bench/speed.py --rounds 5 --pairs 96            # writes bench/results/speed.json and prints the table

Every contestant runs the same weights: MiniLM-L6 with a one-logit head (`prepare.py` makes them). In each round each
contestant scores the same pairs, one after another, so that a busy machine slows all of them; the ratio to
`CrossEncoder.predict` is taken within the round, and its median is reported. Peak memory is the process's own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORK = HERE / ".cache"
Score = Callable[[list[tuple[str, str]]], list[float]]


def sentence_transformers(batch: int) -> Score:
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(WORK / "torch"), device="cpu", max_length=512)
    return lambda pairs: [float(x) for x in model.predict(pairs, batch_size=batch, show_progress_bar=False)]


def rerankers() -> Score:
    from rerankers import Reranker

    model = Reranker(str(WORK / "torch"), model_type="cross-encoder", verbose=0, device="cpu")

    def score(pairs: list[tuple[str, str]]) -> list[float]:
        out: list[float] = []
        for query, texts in by_query(pairs):
            results = model.rank(query=query, docs=texts, doc_ids=list(range(len(texts))))
            found = {r.doc_id: float(r.score) for r in results.results}
            out += [found[i] for i in range(len(texts))]
        return out

    return score


def flashrank() -> Score:
    from flashrank import Ranker, RerankRequest

    # the package itself, on our graph: a model's folder that exists is not downloaded (prepare.py puts it there)
    ranker = Ranker(model_name="ms-marco-MiniLM-L-12-v2", cache_dir=str(WORK / "flashrank"), log_level="ERROR")

    def score(pairs: list[tuple[str, str]]) -> list[float]:
        out: list[float] = []
        for query, texts in by_query(pairs):
            passages = [{"id": number, "text": text} for number, text in enumerate(texts)]
            found = {r["id"]: float(r["score"]) for r in ranker.rerank(RerankRequest(query=query, passages=passages))}
            out += [found[number] for number in range(len(texts))]
        return out

    return score


def ours(folder: str, file: str = "model.onnx", level: int = 0) -> Score:
    from ponderank.backends.onnx import OnnxClassifier
    from ponderank.types import Classify

    backend = OnnxClassifier(WORK / folder, file=file)

    def score(pairs: list[tuple[str, str]]) -> list[float]:
        tickets = [backend.add(Classify(query, text, level)) for query, text in pairs]
        found: dict[int, float] = {}
        while len(found) < len(tickets):
            found.update((ticket, reply.scores[0]) for ticket, reply in backend.step())
        return [found[ticket] for ticket in tickets]

    return score


def default_model(recipe: str) -> Score:
    from ponderank import Reranker

    reranker = Reranker(recipe)

    def score(pairs: list[tuple[str, str]]) -> list[float]:
        out: list[float] = []
        for query, texts in by_query(pairs):
            ranking = reranker.rank(query, texts)
            found = {int(doc.id): s for doc, s in zip(ranking.docs, ranking.scores, strict=True)}
            out += [found[i] for i in range(len(texts))]
        return out

    return score


CONTESTANTS: dict[str, Callable[[], Score]] = {
    "CrossEncoder.predict, batch 32 (default)": lambda: sentence_transformers(32),
    "CrossEncoder.predict, batch 8": lambda: sentence_transformers(8),
    "CrossEncoder.predict, batch 1": lambda: sentence_transformers(1),
    "rerankers": rerankers,
    "FlashRank": flashrank,
    "ponderank fp32": lambda: ours("fp32"),
    "ponderank int8": lambda: ours("fp32", "model.int8.onnx"),
    "ponderank default model": lambda: default_model("default"),
    "ponderank default model, early exit": lambda: default_model("default-fast"),
}


def by_query(pairs: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    groups: list[tuple[str, list[str]]] = []
    for query, text in pairs:
        if not groups or groups[-1][0] != query:
            groups.append((query, []))
        groups[-1][1].append(text)
    return groups


def work(name: str, pipe: Connection) -> None:
    try:
        score = CONTESTANTS[name]()
        pipe.send("ready")
        while (pairs := pipe.recv()) is not None:
            start = time.perf_counter()
            scores = score(pairs)
            pipe.send((time.perf_counter() - start, scores))
        pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    except ImportError as error:
        pipe.send(f"not installed: {error}")


def gemm_limit() -> float:
    """GFLOP/s of one large fp32 product on all cores, the best of five."""
    import numpy as np

    a = np.random.default_rng(0).standard_normal((2048, 2048), dtype=np.float32)
    best = min(_timed(lambda: a @ a) for _ in range(5))
    return 2 * 2048**3 / best / 1e9


def _timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def texts(kind: str, queries: int, each: int) -> list[tuple[str, str]]:
    """`short`: passages of about 60 words. `long`: 50 to 400 words."""
    import random

    rows = [json.loads(line) for line in (WORK / "texts.jsonl").open(encoding="utf-8")]
    rng = random.Random(0)
    words = [w for row in rows for w in row["text"].split()]
    pairs = []
    for number in range(queries):
        query = rows[number]["query"]
        for _ in range(each):
            size = rng.randint(50, 70) if kind == "short" else rng.randint(50, 400)
            at = rng.randrange(len(words) - size)
            pairs.append((query, " ".join(words[at : at + size])))
    return pairs


def flop(pairs: list[tuple[str, str]]) -> float:
    """GFLOP of the full model over the pairs: 6 layers, hidden 384, ffn 1536."""
    from ponderank.backends.pairs import PairTokenizer

    tokenizer = PairTokenizer.load(WORK / "fp32")
    total = 0.0
    for query, text in pairs:
        t = len(tokenizer.pair(query, text)[0])
        total += 6 * (2 * t * (4 * 384**2 + 2 * 384 * 1536) + 4 * t * t * 384)
    return total / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queries", type=int, default=32)
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--per-round", type=int, default=3, help="queries a round")
    parser.add_argument("--kinds", nargs="*", default=["short", "long"])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--out", default="speed.json", help="file under results/")
    args = parser.parse_args()
    names = [n for n in CONTESTANTS if not args.only or any(o in n for o in args.only)]
    report: dict[str, Any] = {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"}
    for kind in args.kinds:
        report[kind] = contest(names, texts(kind, args.queries, args.each), args)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / args.out).write_text(json.dumps(report, indent=1) + "\n")


def contest(names: list[str], pairs: list[tuple[str, str]], args: argparse.Namespace) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    running: dict[str, tuple[Any, Connection]] = {}
    for name in names:
        ours_end, theirs = context.Pipe()
        process = context.Process(target=work, args=(name, theirs), daemon=True)
        process.start()
        if (answer := ours_end.recv()) == "ready":
            running[name] = (process, ours_end)
        else:
            print(f"{name}: {answer}")
    groups = by_query(pairs)
    per_round = [groups[i * args.per_round : (i + 1) * args.per_round] for i in range(args.rounds + 1)]
    seconds: dict[str, list[float]] = {name: [] for name in running}
    limit, work_done, sizes = [], [], []
    for number, chunk in enumerate(per_round):
        batch = [(query, text) for query, group in chunk for text in group]
        if not batch:
            break
        for name, (_, pipe) in running.items():
            pipe.send(batch)
            seconds[name].append(pipe.recv()[0])
        if number:  # round 0 warms up
            sizes.append(len(batch))
            limit.append(gemm_limit())
            work_done.append(flop(batch) / limit[-1])
    return table(running, seconds, limit, work_done, sizes)


def table(
    running: dict[str, Any], seconds: dict[str, list[float]], limit: list[float], ideal: list[float], sizes: list[int]
) -> dict[str, Any]:
    base = next(iter(seconds))
    rows = {}
    for name, (process, pipe) in running.items():
        pipe.send(None)
        memory = pipe.recv()
        process.join()
        own = seconds[name][1:]
        rows[name] = {
            "pairs_per_s": statistics.median(n / o for n, o in zip(sizes, own, strict=True)),
            "x_base": statistics.median(b / o for b, o in zip(seconds[base][1:], own, strict=True)),
            "of_limit": statistics.median(i / o for i, o in zip(ideal, own, strict=True)),
            "peak_mb": memory,
        }
        print(
            f"{name:42s} {rows[name]['pairs_per_s']:8.1f}/s  x{rows[name]['x_base']:.2f}  {rows[name]['of_limit']:.0%}  {memory:.0f} MB"
        )
    print(f"GEMM limit {statistics.median(limit):.0f} GFLOP/s")
    return {"gemm_gflops": statistics.median(limit), "rows": rows}


if __name__ == "__main__":
    main()
