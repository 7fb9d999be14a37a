"""Two at a time (PRP, duoT5, duoBERT): all pairs, or a sort that asks only about those it needs.

With ``both_orders`` each pair is asked twice in one round, once in each order: a document wins if both answers say so, and
everything else is a tie, which moves nothing. Without, the one that leads is shown first, at half the calls, and the model's
liking for a place in the prompt stays in the result. No pair is asked about twice in a plan.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ponderank.contracts import Plan
from ponderank.strategies.duels import Duels, Pair, share, shown
from ponderank.strategies.sorting import Ties, bubbled, check_ties, heap_top
from ponderank.strategies.swiss import SwissRounds
from ponderank.strategies.tools import Steps, placed, together
from ponderank.types import Judgement

__all__ = ["AllPairs", "PairHeapsort", "PairMergesort", "PairQuicksort", "PairSliding", "SwissRounds"]

Aggregate = Literal["wins", "sum", "first"]


@dataclass(frozen=True, slots=True)
class AllPairs:
    """Ask about every pair in one round: ``n * (n - 1)`` calls, half of that without ``both_orders``.

    ``aggregate``: what a document's score is the sum of.
    ``"wins"``: 1 for each pair won, one half for each that is tied or in which the two orders disagree (PRP).
    ``"sum"``: what each judgement gave it, shown first or second: with scores (p, 1 − p) the rule of duoT5.
    ``"first"``: what it got where it was shown first: duoBERT's SUM.
    A judgement that is not a number gives one half to both.

    Source: PRP (arXiv 2306.17563), ``llmrankers/pairwise.py`` ``allpair``; duoT5: pygaggle ``DuoT5.rescore``, and rank_llm
    ``PairwiseRankLLM.rerank_batch`` without ``both_orders``; duoBERT (arXiv 1910.14424): ``run_duobert_msmarco.py``.
    Differs: equal scores keep first-stage order, in ``llmrankers`` that in which documents first scored; duoBERT's BINARY,
    MIN, MAX and SAMPLE are left out.

    >>> next(AllPairs().plan(2))
    [(0, 1), (1, 0)]
    """

    both_orders: bool = True
    aggregate: Aggregate = "wins"

    widest = 2
    absolute = False

    def __post_init__(self) -> None:
        if self.aggregate not in get_args(Aggregate):
            raise ValueError(f"aggregate {self.aggregate!r}: need one of {', '.join(get_args(Aggregate))}")
        if self.aggregate == "first" and not self.both_orders:
            raise ValueError("aggregate 'first' needs both_orders: the last candidate would never be shown first")

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """One round of all pairs."""
        pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
        if not pairs:
            return [0.0] * n
        judgements = yield shown(pairs, both_orders=self.both_orders)
        each = 2 if self.both_orders else 1
        parts: list[list[float]] = [[] for _ in range(n)]
        for at, (a, b) in enumerate(pairs):
            for i, part in zip((a, b), self._parts(judgements[each * at : each * (at + 1)]), strict=True):
                parts[i].append(part)
        return [math.fsum(part) for part in parts]

    def _parts(self, judgements: Sequence[Judgement]) -> tuple[float, float]:
        """What the first and the second of a pair get."""
        if self.aggregate == "wins":
            won = share(judgements)
            return won, 1.0 - won
        sides = [_numbers(one) if not at else _numbers(one)[::-1] for at, one in enumerate(judgements)]
        if self.aggregate == "first":
            return sides[0][0], sides[1][1]
        return math.fsum(first for first, _ in sides), math.fsum(second for _, second in sides)


def _numbers(judgement: Judgement) -> tuple[float, float]:
    first, second = judgement.scores
    return (first, second) if math.isfinite(first) and math.isfinite(second) else (0.5, 0.5)


@dataclass(frozen=True, slots=True)
class PairHeapsort:
    """Find the top ``k`` with a binary heap; the rest keep first-stage order.

    At a node the left child is compared with the parent, then the right one with the better of the two. ``ties``: who leads
    after a tie, the ``"parent"`` as published or the ``"earlier"`` of the first stage, see ``setwise.SetwiseHeapsort``.
    ``remember``: False asks again what was asked before, as the published loop does: for judges that answer anew each time.

    Source: PRP (arXiv 2306.17563), ``llmrankers/pairwise.py`` ``heapify`` and ``heapSort``.
    Differs: the same comparisons and the same result in a fraction of the rounds (``sorting.heap_top``); with ``remember``
    without those that were made before. The authors' duoT5 heapsort lets the greater of two probabilities win where ours
    wants both answers to agree.

    >>> next(PairHeapsort().plan(3))
    [(0, 1), (1, 0)]
    """

    k: int = 10
    both_orders: bool = True
    ties: Ties = "parent"
    remember: bool = True

    widest = 2
    absolute = False

    def __post_init__(self) -> None:
        _positive("k", self.k)
        check_ties(self.ties)

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """The top ``k`` from a heap."""
        duels = Duels(both_orders=self.both_orders, ties=self.ties, remember=self.remember)
        top = yield from heap_top(n, self.k, 2, duels.champion)
        return placed(top, n)


@dataclass(frozen=True, slots=True)
class PairSliding:
    """Let ``passes`` go up from the bottom; each changes neighbours where the lower one wins, and so brings the best up.

    At most ``n - 1 - p`` comparisons in pass ``p``, counted from 0. The passes run two comparisons behind one another, with
    the same result as in turn. ``remember``: as in ``PairHeapsort``.

    Source: PRP-Sliding-K (arXiv 2306.17563); ``llmrankers/pairwise.py`` ``bubblesort``.
    Differs: with ``remember`` what was compared before is not asked again, which in the paper it is, and in the code where not
    at the bottom.
    The rest keep the order that the passes left them in, as in the paper; in the code they go back to first-stage order.

    >>> next(PairSliding().plan(3))
    [(1, 2), (2, 1)]
    """

    passes: int = 10
    both_orders: bool = True
    remember: bool = True

    widest = 2
    absolute = False

    def __post_init__(self) -> None:
        _positive("passes", self.passes)

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """``n + 2 * passes`` rounds at most."""
        duels = Duels(both_orders=self.both_orders, remember=self.remember)
        order = yield from bubbled(n, self.passes, 1, duels.champion)
        return placed(order, n)


@dataclass(frozen=True, slots=True)
class PairQuicksort:
    """Find the top ``k`` by dividing: compare all with a pivot at once, then divide only where the top ``k`` is undecided.

    Who beats the pivot goes above it, who loses goes below; who ties stays on the side where it was. Pivots are drawn with
    ``seed``. The rest keep the order in which they were divided.

    Source: partial quicksort (Martínez, ANALCO 2004) with the comparisons of PRP (arXiv 2306.17563).
    Differs: nothing.

    >>> len(next(PairQuicksort().plan(10)))
    18
    """

    k: int = 10
    seed: int = 0
    both_orders: bool = True

    widest = 2
    absolute = False

    def __post_init__(self) -> None:
        _positive("k", self.k)

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """All parts that are open are divided in one round."""
        order, dice = list(range(n)), random.Random(self.seed)
        duels = Duels(both_orders=self.both_orders)
        parts = [(0, n)]
        while parts := [(start, end) for start, end in parts if end - start > 1 and start < self.k]:
            pivots = [dice.randrange(start, end) for start, end in parts]
            fought = yield from together(
                [_divided(order[s:e], p - s, duels) for (s, e), p in zip(parts, pivots, strict=True)]
            )
            inner = []
            for (start, end), (above, pivot, below) in zip(parts, fought, strict=True):
                order[start:end] = [*above, pivot, *below]
                inner += [(start, start + len(above)), (start + len(above) + 1, end)]
            parts = inner
        return placed(order, n)


def _divided(part: Sequence[int], at: int, duels: Duels) -> Steps[tuple[list[int], int, list[int]]]:
    """Who belongs above the one at ``at``, this one, and who belongs below."""
    pivot, before, behind = part[at], part[:at], part[at + 1 :]
    pairs: list[Pair] = [(one, pivot) for one in before] + [(pivot, one) for one in behind]
    won = yield from duels.fought(pairs)
    lost = [first == 0.0 for first in won]
    above = [one for one, down in zip(before, lost, strict=False) if not down]
    above += [one for one, up in zip(behind, lost[at:], strict=True) if up]
    below = [one for one, down in zip(before, lost, strict=False) if down]
    below += [one for one, up in zip(behind, lost[at:], strict=True) if not up]
    return above, pivot, below


@dataclass(frozen=True, slots=True)
class PairMergesort:
    """Sort all by merging what is in order already: neighbours are compared at once, then runs are merged two by two.

    The first round finds the runs: a new one begins where the lower of two neighbours wins. Runs of one level are merged side
    by side, a comparison each a round. A list that is in order costs one round of ``n - 1`` comparisons.

    Source: natural merge sort (Knuth, The Art of Computer Programming 3, 5.2.4) with the comparisons of PRP (arXiv 2306.17563).
    Differs: nothing.

    >>> next(PairMergesort().plan(3))
    [(0, 1), (1, 0), (1, 2), (2, 1)]
    """

    both_orders: bool = True

    widest = 2
    absolute = False

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """About ``n * log2(number of runs)`` comparisons after the first round."""
        if n == 0:
            return []
        duels = Duels(both_orders=self.both_orders)
        won = yield from duels.fought([(i, i + 1) for i in range(n - 1)])
        starts = [i for i in range(n) if i == 0 or won[i - 1] == 0.0]
        runs = [list(range(start, end)) for start, end in zip(starts, [*starts[1:], n], strict=True)]
        while len(runs) > 1:
            merged = yield from together([_merged(a, b, duels) for a, b in zip(runs[::2], runs[1::2], strict=False)])
            runs = merged + runs[2 * len(merged) :]
        return placed(runs[0], n)


def _merged(upper: Sequence[int], lower: Sequence[int], duels: Duels) -> Steps[list[int]]:
    merged: list[int] = []
    a = b = 0
    while a < len(upper) and b < len(lower):
        (kept,) = yield from duels.fought([(upper[a], lower[b])])
        if kept == 0.0:
            merged.append(lower[b])
            b += 1
        else:
            merged.append(upper[a])
            a += 1
    return [*merged, *upper[a:], *lower[b:]]


def _positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} {value}: need 1 or more")
