"""Layered early exit: candidates that cannot reach the top k leave after a few layers."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan
from ponderank.strategies.pointwise import interpolate
from ponderank.types import Ask, Group, Judgement


@dataclass(frozen=True, slots=True)
class LayeredExit:
    """Judge all at the shallowest exit, then only those that can still reach the top ``k``, deeper and deeper.

    ``exits`` are pairs ``(level, margin)``, cheapest first (the largest level; level 0 is the full model): ``margin``
    bounds how far the score at that level may be from the full score, in units of the score. After an exit, a candidate
    leaves if its score plus the margin is below the k-th largest score minus the margin: with true bounds the top k is
    that of the full model. Those that left rank below all that stayed, in the order of their last scores.

    Where as few as ``k`` are left, nobody can leave any more and the full model is asked at once.

    ``prior_weight`` as in ``Pointwise``; the first stage's scores count at every exit.

    Source: the bound is the rank-safe form of Cascade Transformer (arXiv 2005.02534) style pruning.
    Differs: no margin bounds a learned exit for certain; shipped ones are chosen from measured curves (LOG.md).

    >>> plan = LayeredExit(k=1, exits=((1, 0.5),)).plan(2)
    >>> next(plan)
    [Ask(group=(0,), level=1, judge=0), Ask(group=(1,), level=1, judge=0)]
    """

    k: int
    exits: tuple[tuple[int, float], ...]
    prior_weight: float = 0.0

    widest = 1

    def __post_init__(self) -> None:
        levels = [level for level, _ in self.exits]
        if self.k < 1 or not all(margin >= 0 for _, margin in self.exits):
            raise ValueError(f"k {self.k}, exits {self.exits}: need k >= 1 and margins of 0 or more")
        if levels != sorted(set(levels), reverse=True) or not all(level > 0 for level in levels):
            raise ValueError(f"exits {self.exits}: need levels above 0, each once, the cheapest (largest) first")

    @property
    def levels(self) -> int:
        """How many levels the model must have, the full one included."""
        return max((level for level, _ in self.exits), default=0) + 1

    @property
    def absolute(self) -> bool:
        """Scores of different prompts are compared."""
        return True

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """At most ``len(exits) + 1`` rounds, each with fewer candidates."""
        if n == 0:
            return []
        offset = interpolate([0.0] * n, priors, self.prior_weight)
        alive: list[int] = list(range(n))
        left: list[list[int]] = []
        for level, margin in self.exits:
            if len(alive) <= self.k:
                break
            scores = yield from self._scores(alive, level, offset)
            bar = _kth_largest(scores.values(), self.k) - 2 * margin
            leavers = [i for i in alive if scores[i] < bar]  # not-a-number stays: nothing shows that it must leave
            left.append(sorted(leavers, key=lambda i: (-scores[i], i)))
            alive = [i for i in alive if not scores[i] < bar]
        scores = yield from self._scores(alive, 0, offset)
        return _below(n, scores, left)

    def _scores(
        self, alive: list[int], level: int, offset: list[float]
    ) -> Generator[list[Group | Ask], list[Judgement], dict[int, float]]:
        judgements = yield [Ask((i,), level) for i in alive]
        return {i: j.scores[0] + offset[i] for i, j in zip(alive, judgements, strict=True)}


def _kth_largest(scores: Iterable[float], k: int) -> float:
    return sorted((-math.inf if math.isnan(score) else score for score in scores), reverse=True)[k - 1]


def _below(n: int, scores: dict[int, float], left: list[list[int]]) -> list[float]:
    """Scores ``[n]``: those that left get values one by one under the worst that stayed, latest leavers first."""
    floor = min((score for score in scores.values() if math.isfinite(score)), default=0.0)
    for leavers in reversed(left):
        for i in leavers:
            floor -= max(1.0, abs(floor) * 1e-9)  # a step that is still felt where scores are huge
            scores[i] = floor
    return [scores[i] for i in range(n)]
