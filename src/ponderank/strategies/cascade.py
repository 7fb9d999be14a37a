"""A cascade: each stage reranks the best of the one before it, with a judge of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan, Strategy
from ponderank.strategies.tools import among, judges_of, numbered, ordered, placed


@dataclass(frozen=True, slots=True)
class Cascade:
    """Rank all with the first stage, its best ``keep[0]`` with the second, of these ``keep[1]`` with the third.

    A stage is given its candidates in the order of the stage before it, and that stage's scores as first-stage
    scores. Those that it leaves alike keep that order. Those that were not admitted rank below all that were, in
    their last stage's order.

    Source: multi-stage ranking with BERT (arXiv 1910.14424): monoBERT, then duoBERT on its best.
    Differs: any strategies, any number of them.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> plan = Cascade((Pointwise(), Pointwise()), keep=(1,)).plan(2)
    >>> next(plan)
    [(0,), (1,)]
    """

    stages: tuple[Strategy, ...]
    keep: tuple[int, ...]

    levels = 1

    def __post_init__(self) -> None:
        if not self.stages or len(self.keep) != len(self.stages) - 1:
            raise ValueError(
                f"{len(self.stages)} stages, keep {self.keep}: need at least one stage, a number for each but the last"
            )
        if not all(kept >= 1 for kept in self.keep) or list(self.keep) != sorted(self.keep, reverse=True):
            raise ValueError(f"keep {self.keep}: need numbers of 1 or more, none above the one before it")

    @property
    def parts(self) -> tuple[tuple[int, Strategy], ...]:
        """Each stage with the number of its first judge."""
        return numbered(self.stages)

    @property
    def judges(self) -> int:
        """All stages' judges."""
        return sum(judges_of(stage) for stage in self.stages)

    @property
    def widest(self) -> int:
        """Of the widest stage."""
        return max(stage.widest for stage in self.stages)

    @property
    def absolute(self) -> bool:
        """Whether one of them compares across prompts."""
        return any(stage.absolute for stage in self.stages)

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """The stages one after the other."""
        alive, left, given = list(range(n)), [], priors
        scores: dict[int, float] = {}
        for at, (judge, stage) in enumerate(self.parts):
            told = yield from among(alive, stage.plan(len(alive), given), judge=judge)
            scores = dict(zip(alive, told, strict=True))
            alive = ordered(alive, told)
            if at < len(self.keep):
                alive, leavers = alive[: self.keep[at]], alive[self.keep[at] :]
                left.append(leavers)
                given = [scores[i] for i in alive]
        return falling(n, alive, scores, [i for leavers in reversed(left) for i in leavers])


def falling(n: int, order: Sequence[int], scores: dict[int, float], below: Sequence[int]) -> list[float]:
    """Scores ``[n]`` that fall along ``order``, then ``below``: those given where they do, else just under the last.

    >>> falling(4, [2, 0], {2: 1.0, 0: 1.0}, [1, 3])
    [0.9999999999999999, 0.0, 1.0, -1.0]
    """
    finite = [scores[i] for i in order if math.isfinite(scores[i])]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    result, floor = [0.0] * n, math.inf
    for i in order:
        score = low if math.isnan(scores[i]) else min(max(scores[i], low), high)
        floor = score if score < floor else math.nextafter(floor, -math.inf)
        result[i] = floor
    floor = floor if order else 0.0
    for i in below:
        floor = math.ceil(floor) - 1.0 if abs(floor) < 1e9 else floor - abs(floor) * 1e-9
        result[i] = floor
    return result if math.isfinite(floor) else placed([*order, *below], n)
