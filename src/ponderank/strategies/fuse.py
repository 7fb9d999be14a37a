"""Fusion: several strategies side by side, each with a judge of its own; their score lists become one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ponderank.contracts import Plan, Strategy
from ponderank.strategies.tools import among, judges_of, numbered, together

How = Literal["rrf", "comb-sum", "comb-mnz", "z-score", "borda", "interpolate"]


@dataclass(frozen=True, slots=True)
class Fuse:
    """Rank with every strategy at once and combine what they say; each asks a judge, or several, of its own.

    Args:
        strategies: what to run; the first asks judge 0, the next the first judge that nobody before it asks.
        how: ``"rrf"``, reciprocal rank fusion with k = 60; ``"comb-sum"`` and ``"comb-mnz"``, on a scale from 0 to 1
            each; ``"z-score"``, the sum of standardised scores; ``"borda"``, points for places; ``"interpolate"``, the
            weighted mean of the scores as they are, for strategies whose scores have one scale.
        weights: one a strategy; None for equal ones.
        first_stage_weight: above 0 the first stage's scores, when they are known, are one more list, with this weight.

    Source: rankers combined by Borda as in LLM-RankFusion (arXiv 2406.00231); ``first_stage_weight`` as GroupRank
    (arXiv 2511.11653) mixes 0.6 to 0.4; the others as in ``aggregate.scores``.
    Differs: the rankers run side by side; weights.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> next(Fuse((Pointwise(), Pointwise())).plan(1))
    [(0,), Ask(group=(0,), level=0, judge=1)]
    """

    strategies: tuple[Strategy, ...]
    how: How = "rrf"
    weights: tuple[float, ...] | None = None
    first_stage_weight: float = 0.0

    levels = 1

    def __post_init__(self) -> None:
        if not self.strategies:
            raise ValueError("no strategies; give one or more")
        if self.how not in get_args(How):
            raise ValueError(f"how is {self.how!r}; give one of {', '.join(get_args(How))}")
        given = [*(self.weights or ()), self.first_stage_weight]
        if self.weights is not None and len(self.weights) != len(self.strategies):
            raise ValueError(f"{len(self.strategies)} strategies but {len(self.weights)} weights; give one weight each")
        if not all(weight >= 0 and math.isfinite(weight) for weight in given) or (self.weights and not any(given)):
            raise ValueError(f"weights {given}, the first stage's last: need finite ones of 0 or more, and not all 0")

    @property
    def parts(self) -> tuple[tuple[int, Strategy], ...]:
        """Each strategy with the number of its first judge."""
        return numbered(self.strategies)

    @property
    def judges(self) -> int:
        """All strategies' judges."""
        return sum(judges_of(strategy) for strategy in self.strategies)

    @property
    def widest(self) -> int:
        """Of the widest strategy."""
        return max(strategy.widest for strategy in self.strategies)

    @property
    def absolute(self) -> bool:
        """Whether one of them compares across prompts."""
        return any(strategy.absolute for strategy in self.strategies)

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """As many rounds as the strategy with the most."""
        lists = yield from together(
            [among(range(n), strategy.plan(n, priors), judge=judge) for judge, strategy in self.parts]
        )
        weights = list(self.weights or [1.0] * len(lists))
        if self.first_stage_weight and priors is not None:
            lists, weights = [*lists, list(priors)], [*weights, self.first_stage_weight]
        return self._combined(lists, weights) if n else []

    def _combined(self, lists: list[list[float]], weights: list[float]) -> list[float]:
        from ponderank.aggregate.scores import comb_mnz, comb_sum, rrf

        if self.how == "rrf":
            return rrf(lists, weights)
        if self.how == "comb-mnz":
            return comb_mnz(lists, weights)
        if self.how == "interpolate":
            return comb_sum(lists, [weight / (sum(weights) or 1.0) for weight in weights], scale="none")
        return comb_sum(lists, weights, scale={"comb-sum": "min-max"}.get(self.how, self.how))
