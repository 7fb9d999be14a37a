"""Sorting by comparisons: a heap for the top k, bubbles, and what in them can be asked at the same time.

Both sort as if one comparison followed the other, and ask together what the order of comparisons cannot change.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from ponderank.strategies.tools import Steps, together
from ponderank.types import Ask, Group, Judgement

Contest: TypeAlias = Callable[[Group], Steps[int]]
"""Compares candidates, of which the first leads; ends with the place of the winner among them, 0 if none beats the leader."""

Ties: TypeAlias = Literal["parent", "earlier"]
"""Which of equal ones is the greater in a heap: the one above, or the earlier of the first stage."""

Span: TypeAlias = tuple[int, int]
"""A stretch of the current order, ``[start, end)``."""


def check_ties(ties: str) -> None:
    """Refuse what is no rule for ties."""
    if ties not in get_args(Ties):
        raise ValueError(f"ties {ties!r}: need one of {', '.join(get_args(Ties))}")


def heap_top(n: int, k: int, children: int, contest: Contest) -> Steps[list[int]]:
    """The best ``k`` of ``n``, best first, from a heap in which each node has ``children`` children.

    The comparisons, and so the result, are those of a heap that is built from the last parent to the first, and whose root
    is taken ``k`` times, the last leaf sinking from its place. An element that sinks looks at its node and that node's
    children; it waits only while one before it may still touch them. So the nodes of a level are compared together, a node
    as soon as its children are settled, and the next root is taken while the last leaf still sinks.

    >>> next(heap_top(5, 1, 2, lambda group: (yield [group])))
    [(1, 3, 4)]
    """
    heap, top = list(range(n)), min(k, n)
    sinking = [_Sinking(at, n) for at in range((n - 2) // children, -1, -1)]
    sinking += [_Sinking(0, n - 1 - taken, takes_root=True) for taken in range(top)]
    for one in sinking:
        one.steps = _sink(heap, one, children, contest, last=one.size == n - top)
    while sinking:
        held: set[int] = set()
        for one in sinking:
            while not one.done and not one.asks and held.isdisjoint(one.needs):
                one.go_on([])
            if not one.done:
                held.add(one.at)
        sinking = [one for one in sinking if not one.done]
        asking = [one for one in sinking if one.asks]
        if asking:
            answers = iter((yield [ask for one in asking for ask in one.asks]))
            for one in asking:
                one.go_on([next(answers) for _ in one.asks])
    return heap[n - top :][::-1]


@dataclass(slots=True)
class _Sinking:
    """An element on its way down: its node, the heap's size for it, what it waits for or asks."""

    at: int
    size: int
    takes_root: bool = False
    steps: Generator[list[Group | Ask] | set[int], list[Judgement], None] = field(init=False)
    needs: set[int] = field(default_factory=set)  # no earlier element may be at these nodes
    asks: list[Group | Ask] = field(default_factory=list)
    done: bool = False
    begun: bool = False

    def go_on(self, answers: list[Judgement]) -> None:
        """On to what it asks or needs next, or to its end."""
        try:
            said = self.steps.send(answers) if self.begun else next(self.steps)
        except StopIteration:
            self.done, self.asks = True, []
            return
        self.begun = True
        self.needs, self.asks = (said, []) if isinstance(said, set) else (set(), said)


def _sink(
    heap: list[int], one: _Sinking, children: int, contest: Contest, *, last: bool
) -> Generator[list[Group | Ask] | set[int], list[Judgement], None]:
    """Yields the nodes where no earlier element may be, or asks; an element at a node may touch all below it."""
    if one.takes_root:
        yield set(_to_root(one.size, children))
        heap[0], heap[one.size] = heap[one.size], heap[0]
        if last:
            return
    while (first := children * one.at + 1) < one.size:
        nodes = [one.at, *range(first, min(first + children, one.size))]
        yield {*nodes, *_to_root(one.at, children)}
        winner = yield from contest(tuple(heap[node] for node in nodes))
        if not winner:
            return
        heap[one.at], heap[nodes[winner]] = heap[nodes[winner]], heap[one.at]
        one.at = nodes[winner]


def _to_root(node: int, children: int) -> Iterator[int]:
    yield node
    while node:
        node = (node - 1) // children
        yield node


def bubbled(n: int, passes: int, children: int, contest: Contest) -> Steps[list[int]]:
    """The order after ``passes`` passes from the bottom up, each of which brings the best of what is left to its place.

    A pass goes up in spans of ``children + 1`` that share one candidate with the next; the winner of a span changes places
    with its first. The result is as if one pass followed the other; they are asked two spans behind one another.

    >>> next(bubbled(5, 1, 2, lambda group: (yield [group])))
    [(2, 3, 4)]
    """
    order = list(range(n))
    ways = [list(spans(n, children + 1, children, top)) for top in range(min(passes, n - 1))]
    for now in rounds(ways, 2):
        winners = yield from together([contest(tuple(order[start:end])) for start, end in now])
        for (start, _), winner in zip(now, winners, strict=True):
            order[start], order[start + winner] = order[start + winner], order[start]
    return order


def remembered(contest: Contest) -> Contest:
    """The same, but what was compared once, in the same order, is not asked again: a model that does not roll dice repeats itself.

    >>> once = remembered(lambda group: (yield [group]))
    >>> next(once((0, 1)))
    [(0, 1)]
    """
    known: dict[Group, int] = {}

    def once(group: Group) -> Steps[int]:
        if group not in known:
            known[group] = yield from contest(group)
        return known[group]

    return once


def spans(n: int, size: int, stride: int, top: int = 0) -> Iterator[Span]:
    """Spans of ``size`` from the bottom of ``n`` up to ``top``, each ``stride`` above the last; the topmost may be shorter.

    >>> list(spans(25, 20, 10))
    [(5, 25), (0, 15)]
    """
    end = n
    while end - top > 1:
        start = max(end - size, top)
        yield start, end
        if start == top:
            return
        end -= stride


def rounds(passes: Sequence[Sequence[Span]], lag: int) -> Iterator[list[Span]]:
    """What can be asked together when each pass follows ``lag`` spans behind the one before it.

    With spans ``stride`` apart, a lag of ``ceil(size / stride)`` leaves the result as if the passes followed one another.

    >>> list(rounds([[(2, 4), (1, 3), (0, 2)], [(2, 4), (1, 3)]], 2))
    [[(2, 4)], [(1, 3)], [(0, 2), (2, 4)], [(1, 3)]]
    """
    for moment in range(max((len(way) + lag * at for at, way in enumerate(passes)), default=0)):
        now = [way[moment - lag * at] for at, way in enumerate(passes) if 0 <= moment - lag * at < len(way)]
        if now:
            yield now
