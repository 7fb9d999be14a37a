"""Layered early exit: candidates that cannot reach the top k leave after a few layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan
from ponderank.strategies.pointwise import interpolate
from ponderank.types import Ask


@dataclass(frozen=True, slots=True)
class LayeredExit:
    """Judge all at the shallowest exit, then only those that can still reach the top ``k``, deeper and deeper.

    ``margins[i]`` bounds how far the exit at level ``len(margins) - i`` may be from the full score, in units of the
    score. After an exit, a candidate leaves if its score plus the margin
    is below the k-th largest score minus the margin: with true bounds the top k is that of the full model. Those that
    left rank below all that stayed, in the order of their last scores.

    Where as few as ``k`` are left, nobody can leave any more and the full model is asked at once.

    ``prior_weight`` as in ``Pointwise``; the first stage's scores count at every exit.

    Source: the bound is the rank-safe form of Cascade Transformer (arXiv 2005.02534) style pruning.
    Differs: margins are quantiles measured on held-out queries, so safety holds as often as they were chosen to.

    >>> plan = LayeredExit(k=1, margins=(0.5,)).plan(2)
    >>> next(plan)
    [Ask(group=(0,), level=1), Ask(group=(1,), level=1)]
    """

    k: int
    margins: tuple[float, ...]
    prior_weight: float = 0.0

    widest = 1

    def __post_init__(self) -> None:
        if self.k < 1 or not all(margin >= 0 for margin in self.margins):
            raise ValueError(f"k {self.k}, margins {self.margins}: need k >= 1 and margins of 0 or more")

    @property
    def levels(self) -> int:
        """How many levels it asks at, the full model included."""
        return len(self.margins) + 1

    @property
    def absolute(self) -> bool:
        """Scores of different prompts are compared."""
        return True

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """At most ``len(margins) + 1`` rounds, each with fewer candidates."""
        if n == 0:
            return []
        offset = interpolate([0.0] * n, priors, self.prior_weight)
        alive: list[int] = list(range(n))
        left: list[list[int]] = []
        current: dict[int, float] = {}
        for level in range(len(self.margins), -1, -1):
            if level and len(alive) <= self.k:
                continue
            judgements = yield [Ask((i,), level) for i in alive]
            current = {i: j.scores[0] + offset[i] for i, j in zip(alive, judgements, strict=True)}
            if level:
                bar = _kth_largest(current.values(), self.k) - 2 * self.margins[len(self.margins) - level]
                leavers = [i for i in alive if current[i] < bar]  # not-a-number stays: nothing shows that it must leave
                left.append(sorted(leavers, key=lambda i: (-current[i], i)))
                alive = [i for i in alive if not current[i] < bar]
        return _below(n, {i: current[i] for i in alive}, left)


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
