"""What strategies are built of: reading an order, placing candidates, and running plans inside plans."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TypeAlias, TypeVar

from ponderank.contracts import Strategy
from ponderank.types import Ask, Group, Judgement

Result = TypeVar("Result")
Steps: TypeAlias = Generator[list[Group | Ask], list[Judgement], Result]
"""A plan, or a part of one, that ends with a result of its own."""


def ordered(group: Sequence[int], scores: Sequence[float]) -> list[int]:
    """The group, best first; equal scores keep the group's order, not-a-number is last.

    >>> ordered((4, 7, 2), (0.5, 1.0, 0.5))
    [7, 4, 2]
    """
    places = range(len(group))
    rank = sorted(places, key=lambda at: (1, 0.0) if math.isnan(scores[at]) else (0, -scores[at]))
    return [group[at] for at in rank]


def best(group: Sequence[int], scores: Sequence[float]) -> int:
    """The group's best; of equals, or where nothing was answered, the first.

    >>> best((4, 7), (0.0, 0.0))
    4
    """
    return ordered(group, scores)[0]


def placed(order: Iterable[int], n: int) -> list[float]:
    """Scores ``[n]`` from an order, best first: ``n`` for the first, one less for each next; the rest follow in first-stage order.

    >>> placed([2, 0], 4)
    [3.0, 2.0, 4.0, 1.0]
    """
    order = list(dict.fromkeys(order))
    given = set(order)
    order += [i for i in range(n) if i not in given]
    scores = [0.0] * n
    for rank, i in enumerate(order):
        scores[i] = float(n - rank)
    return scores


def driven(plan: Steps[Result], answer: Callable[[list[Group | Ask]], list[Judgement]]) -> Result:
    """Run a plan to its end: each round is handed to ``answer``, which gives a judgement for each ask.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> driven(Pointwise().plan(2), lambda asks: [Judgement((float(len(asks)),)) for _ in asks])
    [2.0, 2.0]
    """
    try:
        asks = next(plan)
        while True:
            asks = plan.send(answer(asks))
    except StopIteration as stop:
        result: Result = stop.value
        return result


def together(plans: Sequence[Steps[Result]]) -> Steps[list[Result]]:
    """Run independent plans side by side: each round asks what all of them ask. Their results, in order.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> next(together([Pointwise().plan(1), Pointwise().plan(2)]))
    [(0,), (0,), (1,)]
    """
    results: dict[int, Result] = {}
    waiting: dict[int, list[Group | Ask]] = {}
    for at, plan in enumerate(plans):
        try:
            waiting[at] = next(plan)
        except StopIteration as stop:
            results[at] = stop.value
    while waiting:
        answers = iter((yield [ask for asks in waiting.values() for ask in asks]))
        asked, waiting = waiting, {}
        for at, asks in asked.items():
            try:
                waiting[at] = plans[at].send([next(answers) for _ in asks])
            except StopIteration as stop:
                results[at] = stop.value
    return [results[at] for at in range(len(plans))]


def among(members: Sequence[int], plan: Steps[Result], *, judge: int = 0) -> Steps[Result]:
    """A plan for ``len(members)`` candidates, asked about these members; its asks go to judges ``judge`` further on.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> next(among([5, 3], Pointwise().plan(2)))
    [(5,), (3,)]
    """
    answers: list[Judgement] | None = None
    while True:
        try:
            asks = next(plan) if answers is None else plan.send(answers)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        answers = yield [_moved(ask, members, judge) for ask in asks]


def _moved(ask: Group | Ask, members: Sequence[int], judge: int) -> Group | Ask:
    if not isinstance(ask, Ask):
        group = tuple(members[i] for i in ask)
        return Ask(group, judge=judge) if judge else group
    return Ask(tuple(members[i] for i in ask.group), ask.level, ask.judge + judge)


def judges_of(strategy: Strategy) -> int:
    """How many judges a strategy asks.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> judges_of(Pointwise())
    1
    """
    return int(getattr(strategy, "judges", 1))


def numbered(strategies: Sequence[Strategy]) -> tuple[tuple[int, Strategy], ...]:
    """Each strategy with the number of its first judge, where each asks judges of its own.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> [judge for judge, _ in numbered([Pointwise(), Pointwise()])]
    [0, 1]
    """
    starts, start = [], 0
    for strategy in strategies:
        starts.append(start)
        start += judges_of(strategy)
    return tuple(zip(starts, strategies, strict=True))
