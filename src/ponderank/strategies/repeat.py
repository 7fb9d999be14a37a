"""Permutation self-consistency: a strategy on many shuffles, and the order that agrees best with all of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ponderank.contracts import Plan, Strategy
from ponderank.strategies.tools import Steps, among, ordered, placed, together
from ponderank.types import Judgement

Aggregate = Literal["kemeny", "borda", "rrf"]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Run the strategy ``times`` over, side by side, each time on candidates shuffled anew, and aggregate the orders.

    What a judge's place in the prompt does to a candidate cancels out. In one run equal scores keep the order shown
    there; a run in which no answer said anything would be nothing but its shuffle, and does not count. Where none counts, the
    first stage's order is kept.

    Args:
        strategy: what to run; it is told the first stage's scores of the candidates it is shown, when they are known.
        times: how often; published gains flatten after five to ten.
        aggregate: ``"kemeny"``, the order with the fewest disagreements with all runs, exact as far as that is quick
            (see ``aggregate.kemeny``); ``"borda"``, mean ranks; ``"rrf"``, mean reciprocal ranks.
        seed: of the shuffles; they are the same for all queries with as many candidates.
        first_as_given: show the first run the candidates in first-stage order, the others shuffled.

    Source: permutation self-consistency (arXiv 2310.07712), castorini/perm-sc.
    Differs: around any strategy; the Kemeny order is the same up to ties, which here go to the first stage's order;
    their reading of the solver's numbers can go wrong, see ``aggregate.kemeny.kemeny``.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> next(Repeat(Pointwise(), times=1).plan(3))
    [(0,), (2,), (1,)]
    """

    strategy: Strategy
    times: int = 20
    aggregate: Aggregate = "kemeny"
    seed: int = 0
    first_as_given: bool = False

    def __post_init__(self) -> None:
        if self.times < 1:
            raise ValueError(f"times is {self.times}; give 1 or more")
        if self.aggregate not in get_args(Aggregate):
            raise ValueError(f"aggregate is {self.aggregate!r}; give one of {', '.join(get_args(Aggregate))}")

    @property
    def widest(self) -> int:
        """As the strategy's."""
        return self.strategy.widest

    @property
    def absolute(self) -> bool:
        """As the strategy's."""
        return self.strategy.absolute

    @property
    def levels(self) -> int:
        """As the strategy's."""
        return int(getattr(self.strategy, "levels", 1))

    @property
    def judges(self) -> int:
        """As the strategy's: all runs ask the same."""
        return int(getattr(self.strategy, "judges", 1))

    @property
    def parts(self) -> tuple[tuple[int, Strategy], ...] | None:
        """As the strategy's; None if it has one judge only."""
        parts: tuple[tuple[int, Strategy], ...] | None = getattr(self.strategy, "parts", None)
        return parts

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """``times`` as many groups as the strategy asks, in as many rounds; it runs once for a single candidate."""
        if n < 2:
            return (yield from self.strategy.plan(n, priors))
        shown = self._shuffles(n)
        plans = [self.strategy.plan(n, None if priors is None else [priors[i] for i in members]) for members in shown]
        runs = yield from together([_heard(among(members, plan)) for members, plan in zip(shown, plans, strict=True)])
        rankings = [ordered(members, scores) for members, (scores, said) in zip(shown, runs, strict=True) if said]
        return self._aggregated(rankings, n) if rankings else placed(range(n), n)

    def _shuffles(self, n: int) -> list[list[int]]:
        shuffle = random.Random(self.seed).shuffle
        shown = [list(range(n)) for _ in range(self.times)]
        for members in shown[1:] if self.first_as_given else shown:
            shuffle(members)
        return shown

    def _aggregated(self, rankings: list[list[int]], n: int) -> list[float]:
        if self.aggregate == "kemeny":
            from ponderank.aggregate.kemeny import kemeny_or_local

            return placed(kemeny_or_local(rankings, n).order, n)
        from ponderank.aggregate.rankings import borda, reciprocal_rank

        return borda(rankings, n) if self.aggregate == "borda" else reciprocal_rank(rankings, n, missing="ignored")


def _heard(plan: Steps[list[float]]) -> Steps[tuple[list[float], bool]]:
    """A plan's scores, and whether any answer preferred one document, or graded one alone; true where nothing was asked."""
    said, asked = False, False
    answers: list[Judgement] | None = None
    while True:
        try:
            asks = next(plan) if answers is None else plan.send(answers)
        except StopIteration as stop:
            return stop.value, said or not asked
        answers = yield asks
        asked = asked or bool(asks)
        said = said or any(len(set(one.scores)) > 1 or (len(one.scores) == 1 and one.flaw is None) for one in answers)
