"""Diversity: the best that do not say the same again, by maximal marginal relevance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan, Strategy
from ponderank.strategies.tools import among, judges_of, ordered, placed


@dataclass(frozen=True, slots=True)
class MarginalRelevance:
    """Choose ``k`` one by one, by relevance less likeness to those chosen already.

    Relevance counts ``trade_off``; likeness, to the most alike of those chosen, counts against it by the rest.

    The candidates' order and ``priors`` say how relevant they are, the judge how alike: shown a group, it gives the
    likeness of the first to each, between 0 and 1. Each pair of the best ``pool`` is asked for once, all in one
    round; where it cannot change anything, nothing is. A likeness that is not a number counts as 0.

    Source: Carbonell and Goldstein, SIGIR 1998. Differs: relevance is scaled to 0 … 1 within the pool, so that both
    are on one scale.

    >>> next(MarginalRelevance(k=2, pool=3).plan(4))
    [(0, 1, 2), (1, 2)]
    """

    k: int = 10
    trade_off: float = 0.7
    pool: int = 30

    absolute = True

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.pool or not 0 <= self.trade_off <= 1:
            raise ValueError(
                f"k {self.k}, pool {self.pool}, trade_off {self.trade_off}: "
                "need 1 <= k <= pool and a trade_off of 0 to 1"
            )

    @property
    def widest(self) -> int:
        """The first of the pool beside all others."""
        return self.pool

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """At most one round of ``pool - 1`` groups."""
        from ponderank.aggregate.scores import min_max

        pool = min(n, self.pool)
        if pool < 2 or self.k == 1 or self.trade_off == 1:
            return placed(range(n), n)
        judgements = yield [tuple(range(first, pool)) for first in range(pool - 1)]
        alike = [[0.0] * pool for _ in range(pool)]
        for first, judgement in enumerate(judgements):
            for other, likeness in zip(range(first, pool), judgement.scores, strict=True):
                alike[first][other] = alike[other][first] = 0.0 if math.isnan(likeness) else likeness
        relevance = min_max([float(-place) for place in range(pool)] if priors is None else list(priors[:pool]))
        return placed(self._chosen(relevance, alike), n)

    def _chosen(self, relevance: Sequence[float], alike: Sequence[Sequence[float]]) -> list[int]:
        chosen: list[int] = []
        rest = list(range(len(relevance)))
        nearest = [0.0] * len(relevance)
        while rest and len(chosen) < self.k:
            worth = [self.trade_off * relevance[i] - (1 - self.trade_off) * nearest[i] for i in rest]
            pick = rest.pop(worth.index(max(worth)))
            nearest = [alike[pick][i] if not chosen else max(nearest[i], alike[pick][i]) for i in range(len(relevance))]
            chosen.append(pick)
        return chosen


@dataclass(frozen=True, slots=True)
class Diverse:
    """Run the strategy, then put ``k`` of its best on top that are unlike each other; the rest keep its order.

    How alike documents are, one more judge says, behind those of the strategy: see ``MarginalRelevance``.

    Args:
        strategy: what says how relevant each is.
        k: how many are chosen.
        trade_off: what relevance counts, 0 to 1; likeness counts the rest. 1 leaves the strategy's order and asks for
            no likeness.
        pool: how many of the strategy's best can be chosen; None for three times ``k``.

    Source: Carbonell and Goldstein, SIGIR 1998. Differs: as ``MarginalRelevance``.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> Diverse(Pointwise()).judges
    2
    """

    strategy: Strategy
    k: int = 10
    trade_off: float = 0.7
    pool: int | None = None

    levels = 1

    def __post_init__(self) -> None:
        self._choice()

    @property
    def parts(self) -> tuple[tuple[int, Strategy], ...]:
        """The strategy, and behind its judges the one that says how alike documents are."""
        return (0, self.strategy), (judges_of(self.strategy), self._choice())

    @property
    def judges(self) -> int:
        """The strategy's, and one."""
        return judges_of(self.strategy) + 1

    @property
    def widest(self) -> int:
        """Of the wider part."""
        return max(self.strategy.widest, self._choice().widest)

    @property
    def absolute(self) -> bool:
        """Likenesses of different groups are compared."""
        return True

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """The strategy's rounds, and one."""
        scores = yield from self.strategy.plan(n, priors)
        order = ordered(range(n), scores)
        choice = self._choice().plan(n, [scores[i] for i in order])
        chosen = yield from among(order, choice, judge=judges_of(self.strategy))
        return placed(ordered(order, chosen), n)

    def _choice(self) -> MarginalRelevance:
        return MarginalRelevance(self.k, self.trade_off, 3 * self.k if self.pool is None else self.pool)
