"""Tournaments in stages, as in sports: groups, then knock-out, and a point for each stage that is survived."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan
from ponderank.strategies.tools import Steps, ordered, together
from ponderank.types import Group

GROUP = 20
RUNGS = (50, 20, 10, 5, 2)


@dataclass(frozen=True, slots=True)
class TourRank:
    """Play ``tournaments`` side by side: in each stage the better part of each group goes on, and gets a point.

    100 candidates are 5 groups of 20, from each of which 10 go on; 5 groups of 10, 4 each; then one group of 20, 10 and 5, from which 10, 5
    and 2 go on: 13 judgements in five rounds. The score is the sum of the points; the best two always win all with a judge
    without errors. A group takes every g-th candidate, so that groups are of equal strength, and is shown shuffled.

    Other numbers enter at the first of … 200, 100, 50, 20, 10, 5, 2 that is at most two thirds of them; groups hold at most 20, or 10
    where 20 go on.

    Source: TourRank (arXiv 2406.11678; chenyiqun/TourRank, ``TourRank_multiprocessing.py``, ``filter_processing``).
    Differs: seeded; any number of candidates, where the published code needs 100; exactly as many go on as there are places,
    whatever the model answered.

    >>> plan = TourRank(seed=2).plan(3)
    >>> next(plan)
    [(2, 0, 1)]
    """

    tournaments: int = 1
    seed: int = 0

    widest = GROUP
    absolute = False

    def __post_init__(self) -> None:
        if self.tournaments < 1:
            raise ValueError(f"tournaments {self.tournaments}: need 1 or more")

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """A round for each stage, for all tournaments together."""
        if n < 2:
            return [0.0] * n
        points = yield from together([self._tournament(n, number) for number in range(self.tournaments)])
        return [float(sum(won)) for won in zip(*points, strict=True)]

    def _tournament(self, n: int, number: int) -> Steps[list[int]]:
        rng, points, playing = random.Random(f"{self.seed} {number}"), [0] * n, list(range(n))
        for count, places in stages(n):
            groups = [playing[at::count] for at in range(count)]
            shown: list[Group] = [tuple(rng.sample(group, len(group))) for group in groups]
            judgements = yield list(shown)
            through: list[int] = []
            for at, (group, order, judgement) in enumerate(zip(groups, shown, judgements, strict=True)):
                scores = dict(zip(order, judgement.scores, strict=True))
                own = places // count + (at < places % count)
                through += ordered(group, [scores[i] for i in group])[:own]  # equal ones in first-stage order
            for i in through:
                points[i] += 1
            playing = sorted(through)
        return points


def stages(n: int) -> Iterator[tuple[int, int]]:
    """Of each stage the number of groups and how many go on in all.

    >>> list(stages(100)), list(stages(21))
    ([(5, 50), (5, 20), (1, 10), (1, 5), (1, 2)], [(2, 10), (1, 5), (1, 2)])
    """
    while True:
        rungs = [RUNGS[0] << doubled for doubled in range(n.bit_length(), 0, -1)] + [*RUNGS, 1]
        places = next(rung for rung in rungs if 3 * rung <= 2 * n)
        yield math.ceil(n / (GROUP // 2 if places == GROUP else GROUP)), places
        n = places
        if n <= RUNGS[-1]:
            return
