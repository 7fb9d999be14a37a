"""Model steps for many queries: one query at a time, barrier batches, and ours. The real engine on a backend with 64 slots.

    python bench/interleaving.py

Even answers: a step answers up to 64 waiting calls. Uneven answers: a call occupies a slot for as many steps as its answer is
long (drawn from a log-normal law, median 64, sigma 1, the same for the same call), and a free slot takes the next call at once.
A barrier instead hands back all that waits together, worked off in batches of up to 64, each as long as its longest answer. Work / 64
is all steps of all answers, divided by the slots: no schedule takes fewer.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import time
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.backends.adapters import WordTokenizer
from ponderank.engine import Engine
from ponderank.laboratory.named import contender
from ponderank.recipe import Recipe
from ponderank.types import Candidates, Doc, Generate, Judgement, Part, Query, Reply

HERE = Path(__file__).parent
NAMES = (
    "pointwise", "window", "self-consistency", "setwise-heapsort", "setwise-bubble", "prp-heapsort", "prp-sliding", "pairs-all", "top-down",
    "tourrank", "tournament-sort", "jointrank",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """One call a judgement; the answer is in the texts: each document's utility, which noise has changed."""

    widest = 1 << 30
    absolute = True
    needs = frozenset({Generate})

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Any) -> Any:
        yield [Generate((Part(f"{query.text} {' '.join(doc.id for doc in docs)}", True),), 1)]
        if len(docs) == 2:
            return Judgement((1.0, 0.0) if float(docs[0].text) > float(docs[1].text) else (0.0, 1.0))
        return Judgement(tuple(float(doc.text) for doc in docs))


class Slots:
    """A model with room for so many answers at once; ``steps`` counts its steps."""

    can = frozenset({Generate})
    fingerprint = "slots"

    def __init__(self, slots: int, *, even: bool, barrier: bool = False) -> None:
        self.slots, self.even, self.barrier = slots, even, barrier
        self.tokenizer = WordTokenizer()
        self.steps = self.work = self.calls = 0
        self._waiting: deque[tuple[int, int]] = deque()
        self._running: list[tuple[int, int]] = []

    def add(self, call: Generate) -> int:
        self.calls += 1
        length = 1 if self.even else _length(call)
        self.work += length
        self._waiting.append((self.calls, length))
        return self.calls

    def step(self) -> list[tuple[int, Reply]]:
        """Work until there is progress: to the end of the shortest answer, or of all that waits behind a barrier."""
        if self.barrier:
            done, self._waiting = list(self._waiting), deque()
            for at in range(0, len(done), self.slots):
                self.steps += max(length for _, length in done[at : at + self.slots])
            return [(ticket, Reply()) for ticket, _ in done]
        while self._waiting and len(self._running) < self.slots:
            ticket, length = self._waiting.popleft()
            heapq.heappush(self._running, (self.steps + length, ticket))
        if not self._running:
            return []
        self.steps = self._running[0][0]
        out = []
        while self._running and self._running[0][0] == self.steps:
            out.append((heapq.heappop(self._running)[1], Reply()))
        return out

    def close(self) -> None:
        """Nothing to give back."""


def _length(call: Generate) -> int:
    return max(1, round(64 * math.exp(random.Random(zlib.crc32(call.prompt[0].text.encode())).gauss(0.0, 1.0))))


def many(queries: int, k: int) -> list[Candidates]:
    """Candidates in the order of a noisy first stage."""
    rng = random.Random(0)
    out = []
    for query in range(queries):
        utilities = [rng.gauss(0.0, 1.0) for _ in range(k)]
        order = sorted(range(k), key=lambda i: -utilities[i] - rng.gauss(0.0, 1.0))
        out.append(Candidates(Query(str(query), f"q{query}"), tuple(Doc(str(i), str(utilities[i])) for i in order)))
    return out


def steps(
    name: str, candidates: list[Candidates], slots: int, *, even: bool, ahead: int, barrier: bool = False
) -> Slots:
    backend = Slots(slots, even=even, barrier=barrier)
    recipe = Recipe("slots", "none", Known(), contender(name, len(candidates[0].docs)).strategy)
    for _ in Engine(recipe, backend).run(candidates, ahead=ahead):
        pass
    return backend


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("-k", type=int, default=100)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "interleaving.json")
    args = parser.parse_args()
    candidates, rows = many(args.queries, args.k), {}
    print(
        "| strategy | calls | one query at a time | ours | ratio | uneven: one query | barrier | ours | ratio | to barrier | work / 64 |"
    )
    for name in NAMES:
        start = time.perf_counter()
        row: dict[str, Any] = {}
        for kind, even in (("even", True), ("uneven", False)):
            alone = steps(name, candidates, args.slots, even=even, ahead=1)
            ours = steps(name, candidates, args.slots, even=even, ahead=args.queries)
            barred = steps(name, candidates, args.slots, even=even, ahead=args.queries, barrier=True)
            row["calls"] = ours.calls
            row[kind] = {"one_query": alone.steps, "barrier": barred.steps, "ours": ours.steps,
                         "bound": math.ceil(ours.work / args.slots)}  # fmt: skip
        rows[name] = row
        e, u = row["even"], row["uneven"]
        print(
            f"| {name} | {row['calls']:,} | {e['one_query']:,} | {e['ours']:,} | {e['one_query'] / e['ours']:.1f} | {u['one_query']:,} | "
            f"{u['barrier']:,} | {u['ours']:,} | {u['one_query'] / u['ours']:.1f} | {u['barrier'] / u['ours']:.1f} | {u['bound']:,} |"
            f"  {time.perf_counter() - start:.0f} s", flush=True,
        )  # fmt: skip
    args.out.parent.mkdir(exist_ok=True)
    told = {"queries": args.queries, "k": args.k, "slots": args.slots, "strategies": rows}
    args.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
