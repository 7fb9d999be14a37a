"""The best of a few at a time (Setwise, Rank-R1): a heap or bubbles find the top k."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan
from ponderank.strategies.sorting import Contest, Ties, bubbled, check_ties, heap_top, remembered
from ponderank.strategies.tools import Steps, best, placed
from ponderank.types import Group


@dataclass(frozen=True, slots=True)
class SetwiseHeapsort:
    """Find the top ``k`` with a heap: each comparison shows a node and its ``children``, and the best of them moves up.

    After the top ``k`` the rest keep first-stage order. ``shuffle``: a seed; the documents of each call are shown in random
    order, so that no place in the prompt is favoured. ``ties``: of equal scores, also where nothing could be read, the
    ``"parent"`` stays and else the first child moves up, as published; or the ``"earlier"`` of the first stage does. The parent
    is often the last leaf on its way down from the root, which a tie leaves at the top: where answers are missing or tied,
    ``"earlier"`` keeps the better list. ``remember``: False asks again what was asked before, as the published loop does:
    for judges that answer anew each time.

    Source: Setwise (arXiv 2310.09497), ``llmrankers/setwise.py`` ``heapify`` and ``heapSort``; Rank-R1 (arXiv 2503.06034)
    for ``shuffle``, there always on, with 19 children.
    Differs: the same comparisons and the same result in a fraction of the rounds (``sorting.heap_top``), with ``remember`` none twice. The
    authors' vote over several shuffles of one comparison is left out.

    >>> next(SetwiseHeapsort(children=2).plan(7))
    [(2, 5, 6), (1, 3, 4)]
    """

    children: int = 2
    k: int = 10
    shuffle: int | None = None
    ties: Ties = "parent"
    remember: bool = True

    absolute = False

    def __post_init__(self) -> None:
        _check(self.children, self.k)
        check_ties(self.ties)

    @property
    def widest(self) -> int:
        """A node and its children."""
        return self.children + 1

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """The top ``k`` from a heap; about ``n / children`` comparisons to build it, ``log(n)`` for each taken."""
        top = yield from heap_top(n, self.k, self.children, _chosen(self.shuffle, self.ties, remember=self.remember))
        return placed(top, n)


@dataclass(frozen=True, slots=True)
class SetwiseBubble:
    """Find the top ``k`` with ``k`` passes from the bottom up: each comparison's best moves to its front and into the next.

    A comparison shows ``children + 1`` documents, of which the last is the front of the one before. Where nothing has a
    higher score than the front, it stays. A comparison of the same documents in the same order is not asked again, unless
    ``remember`` is False.

    Source: Setwise (arXiv 2310.09497), ``llmrankers/setwise.py`` ``rerank`` with ``bubblesort``.
    Differs: the passes run two comparisons behind one another, with the same result as in turn. The authors' short cut past
    what stayed as it was is wrong: when the topmost, shorter comparison of a pass is the first to change anything, the next
    pass leaves out documents, and after a pass without any change it asks about one document or none; a perfect judge then
    ends with a wrong top. Ours remembers instead, asks less, and ends as the plain sort does.

    >>> next(SetwiseBubble(children=2).plan(7))
    [(4, 5, 6)]
    """

    children: int = 2
    k: int = 10
    shuffle: int | None = None
    remember: bool = True

    absolute = False

    def __post_init__(self) -> None:
        _check(self.children, self.k)

    @property
    def widest(self) -> int:
        """One candidate and its ``children`` rivals."""
        return self.children + 1

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """At most ``ceil((n - 1 - p) / children)`` comparisons in pass ``p``, counted from 0."""
        order = yield from bubbled(n, self.k, self.children, _chosen(self.shuffle, remember=self.remember))
        return placed(order[: self.k], n)


def _check(children: int, k: int) -> None:
    if children < 1 or k < 1:
        raise ValueError(f"children {children}, k {k}: need 1 or more of each")


def _chosen(shuffle: int | None, ties: Ties = "parent", *, remember: bool = True) -> Contest:
    """One call for a group."""
    dice = None if shuffle is None else random.Random(shuffle)

    def chosen(group: Group) -> Steps[int]:
        shown = list(range(len(group)))
        if dice:
            dice.shuffle(shown)
        (judgement,) = yield [tuple(group[place] for place in shown)]
        scores = dict(zip(shown, judgement.scores, strict=True))
        places = sorted(scores, key=group.__getitem__ if ties == "earlier" else None)
        return best(places, [scores[place] for place in places])

    return remembered(chosen) if remember else chosen
