"""Calls and rounds of every strategy for 100 candidates and a judge without errors: the table of docs/strategies.md.

    python bench/calls.py [--lists 100] [--out bench/results/calls.json]

Lists are in random order, and in the order of a first stage: relevance is uniform on [0, 1], the first stage sees it with normal
noise of .34, with which published counts for "real first stages" are met best (LOG.md). No model, no clock: counts only.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from statistics import fmean

from ponderank.strategies.blocks import Blocks
from ponderank.strategies.elimination import Elimination
from ponderank.strategies.groups import Groups
from ponderank.strategies.pairs import AllPairs, PairHeapsort, PairMergesort, PairQuicksort, PairSliding, SwissRounds
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.repeat import Repeat
from ponderank.strategies.setwise import SetwiseBubble, SetwiseHeapsort
from ponderank.strategies.tools import driven
from ponderank.strategies.top_down import TopDown
from ponderank.strategies.tournament import TournamentSort
from ponderank.strategies.tourrank import TourRank
from ponderank.strategies.window import Window
from ponderank.types import Ask, Judgement

N, NOISE = 100, 0.34
STRATEGIES = (
    Pointwise(), Groups(), Window(), Window(size=100, stride=50), TopDown(), TopDown(sequential=True), Blocks(), TourRank(),
    TournamentSort(), SetwiseHeapsort(), SetwiseHeapsort(children=9), SetwiseHeapsort(children=19), SetwiseBubble(),
    SetwiseBubble(children=9), AllPairs(), PairHeapsort(), PairQuicksort(), PairMergesort(), PairSliding(), SwissRounds(),
    Elimination(size=20), Repeat(Window(), times=20, aggregate="borda"),
)  # fmt: skip


def spent(strategy, relevance):
    """Calls, rounds, and the share of the best ten that are among the first ten."""
    asked = []

    def answer(asks):
        asked.append([ask.group if isinstance(ask, Ask) else ask for ask in asks])
        return [Judgement(tuple(relevance[i] for i in group)) for group in asked[-1]]

    scores = driven(strategy.plan(len(relevance)), answer)
    head, right = ({*sorted(range(len(by)), key=lambda i: -by[i])[:10]} for by in (scores, relevance))
    return sum(map(len, asked)), len(asked), len(head & right) / 10


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("bench/results/calls.json"))
    options = parser.parse_args()
    rows = []
    for strategy in STRATEGIES:
        row = {"strategy": str(strategy)}
        for order in ("random", "first stage"):
            found = []
            for seed in range(options.lists):
                dice = random.Random(seed)
                relevance = [dice.random() for _ in range(N)]
                if order == "first stage":
                    relevance.sort(key=lambda value, dice=dice: -(value + dice.gauss(0, NOISE)))
                found.append(spent(strategy, relevance))
            calls, rounds, head = (round(fmean(values), 2) for values in zip(*found, strict=True))
            row[order] = {"calls": calls, "rounds": rounds, "of the best ten": head}
        rows.append(row)
        print(f"{row['strategy']:90} {row['random']}  {row['first stage']}", flush=True)
    told = {"candidates": N, "lists": options.lists, "noise": NOISE, "rows": rows}
    options.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
