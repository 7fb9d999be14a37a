"""Two candidates against each other, shown in both orders, and what each of them gets for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ponderank.strategies.sorting import Ties
from ponderank.strategies.tools import Steps
from ponderank.types import Ask, Group, Judgement

Pair: TypeAlias = tuple[int, int]


def shown(pairs: Sequence[Pair], *, both_orders: bool) -> list[Group | Ask]:
    """What is asked about these pairs: each as it is and, with ``both_orders``, right after it the other way round.

    >>> shown([(0, 1)], both_orders=True)
    [(0, 1), (1, 0)]
    """
    return [group for a, b in pairs for group in (((a, b), (b, a)) if both_orders else ((a, b),))]


def share(judgements: Sequence[Judgement]) -> float:
    """What the first of a pair gets: 1 if it won each time, 0 if it lost each time, else (a tie, a disagreement) one half.

    ``judgements`` are of the pair as it is and, if there is a second, the other way round.

    >>> share([Judgement((1.0, 0.0)), Judgement((0.0, 1.0))])
    1.0
    >>> share([Judgement((1.0, 0.0)), Judgement((1.0, 0.0))])
    0.5
    """
    sides = [one.scores if not at else one.scores[::-1] for at, one in enumerate(judgements)]
    if all(first > second for first, second in sides):
        return 1.0
    return 0.0 if all(first < second for first, second in sides) else 0.5


class Duels:
    """Remembers what it asked: in one plan no pair is asked about twice, unless ``remember`` is False.

    ``ties``: what a tie means to a leader, see ``sorting.Ties``.

    >>> next(Duels(both_orders=True).fought([(0, 1)]))
    [(0, 1), (1, 0)]
    """

    def __init__(self, *, both_orders: bool, ties: Ties = "parent", remember: bool = True) -> None:
        self.both_orders, self.ties, self.remember = both_orders, ties, remember
        self.known: dict[Pair, float] = {}

    def fought(self, pairs: Sequence[Pair]) -> Steps[list[float]]:
        """What the first of each pair got; nothing is asked if all is known."""
        unknown = [pair for pair in dict.fromkeys(pairs) if not self.remember or pair not in self.known]
        if unknown:
            judgements = yield shown(unknown, both_orders=self.both_orders)
            each = 2 if self.both_orders else 1
            for at, (a, b) in enumerate(unknown):
                self.known[a, b] = share(judgements[each * at : each * (at + 1)])
                self.known[b, a] = 1.0 - self.known[a, b]
        return [self.known[pair] for pair in pairs]

    def champion(self, group: Group) -> Steps[int]:
        """The place of who is left when each in turn must beat the leader to lead: a ``Contest``."""
        leader = 0
        for at in range(1, len(group)):
            (kept,) = yield from self.fought([(group[leader], group[at])])
            if kept == 0.0 or (kept == 0.5 and self.ties == "earlier" and group[at] < group[leader]):
                leader = at
        return leader
