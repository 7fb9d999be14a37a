"""Measures of one list that rewards are made of: gains, overlap, divergence, ranks. Documents are places 0 … n-1 as shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Gain = Literal["linear", "exponential"]
"""What a grade ``g`` above 0 is worth: ``g`` itself, or ``2**g - 1``. Grades of 0 and less are worth nothing."""


def order_of(scores: Sequence[float]) -> tuple[int, ...]:
    """The documents best first; of equal scores the one shown first is first.

    >>> order_of((1.0, 3.0, 1.0))
    (1, 0, 2)
    """
    return tuple(sorted(range(len(scores)), key=lambda place: -scores[place]))


def minimum_ranks(scores: Sequence[float]) -> tuple[int, ...]:
    """Each score's rank from 1: one more than there are higher scores, so that equal ones share the best of their ranks.

    >>> minimum_ranks((7.0, 9.0, 7.0, 1.0))
    (2, 1, 2, 4)
    """
    ranks: dict[float, int] = {}
    for rank, score in enumerate(sorted(scores, reverse=True), start=1):
        ranks.setdefault(score, rank)
    return tuple(ranks[score] for score in scores)


def dcg(order: Sequence[int], grades: Sequence[float], *, k: int = 10, gain: Gain = "linear") -> float:
    """Sum of ``gain(grade) / log2(rank + 1)`` over the first ``k`` of ``order``.

    >>> dcg((1, 0), (1, 3)), dcg((1, 0), (0, 2), gain="exponential")
    (3.6309297535714578, 3.0)
    """
    worth = [max(0.0, grades[place]) for place in order[:k]]
    if gain == "exponential":
        worth = [2.0**grade - 1.0 for grade in worth]
    return math.fsum(value / math.log2(rank + 1) for rank, value in enumerate(worth, start=1))


def ndcg(order: Sequence[int], grades: Sequence[float], *, k: int = 10, gain: Gain = "linear") -> float:
    """DCG as a share of the best order's, in [0, 1] where no document is named twice; 0 where no grade is above 0.

    >>> ndcg((0, 1), (0, 1)), ndcg((1, 0), (0, 1)), ndcg((), (1,)), ndcg((0,), (0,))
    (0.6309297535714575, 1.0, 0.0, 0.0)
    """
    ideal = dcg(order_of(grades), grades, k=k, gain=gain)
    return min(1.0, dcg(order, grades, k=k, gain=gain) / ideal) if ideal > 0 else 0.0


def recall(order: Sequence[int], grades: Sequence[float], *, k: int = 10) -> float:
    """Share of the documents with a grade above 0 that are among the first ``k``; 0 where there is none.

    >>> recall((2, 0, 1), (1, 1, 0), k=2), recall((0,), (0,))
    (0.5, 0.0)
    """
    relevant = {place for place, grade in enumerate(grades) if grade > 0}
    return len(relevant.intersection(order[:k])) / len(relevant) if relevant else 0.0


def overlap(first: Sequence[int], second: Sequence[int], *, p: float) -> float:
    """Rank-biased overlap down to the shorter list's end, not extrapolated; at ``p`` 1 the average overlap.

    With ``a(d)`` the share that the first ``d`` of both have in common: ``(1 - p) * sum(p**(d - 1) * a(d))``, which for equal
    lists of ``n`` is ``1 - p**n``, not 1; at ``p`` 1 the mean of ``a(d)``, for equal lists 1. In [0, 1]; 0 of an empty list.

    Source: Webber et al. 2010 (rank-biased overlap), equation 7; average overlap, Fagin et al. 2003.

    Raises:
        ValueError: ``p`` outside (0, 1].

    >>> overlap((0, 1, 2), (1, 0, 2), p=1.0), round(overlap((0, 1), (0, 1), p=0.9), 3)
    (0.6666666666666666, 0.19)
    """
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}; give more than 0, and 1 or less")
    depth = min(len(first), len(second))
    if not depth:
        return 0.0
    left: set[int] = set()
    right: set[int] = set()
    shares = []
    for d, (one, other) in enumerate(zip(first, second, strict=False), start=1):
        left.add(one)
        right.add(other)
        shares.append(len(left & right) / d)
    if p == 1:
        return math.fsum(shares) / depth
    return (1 - p) * math.fsum(share * p**d for d, share in enumerate(shares))


def divergence(scores: Sequence[float], others: Sequence[float]) -> float:
    """Jensen–Shannon divergence in bits, in [0, 1], of two lists of scores, each taken as shares of its sum.

    Scores under 0 count as 0; a list without any score above 0 says nothing of its documents, and its shares are equal.

    Raises:
        ValueError: lists of different lengths.

    >>> divergence((1, 0), (0, 5)), divergence((1, 2), (2, 4)), divergence((0, 0), (3, 3)), divergence((), ())
    (1.0, 0.0, 0.0, 0.0)
    """
    if len(scores) != len(others):
        raise ValueError(f"{len(scores)} and {len(others)} scores; give two of each document")
    p, q = _shares(scores), _shares(others)
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return min(1.0, max(0.0, (_relative(p, middle) + _relative(q, middle)) / 2))


def _shares(scores: Sequence[float]) -> list[float]:
    top = max(scores, default=0.0)
    if top <= 0:
        return [1 / len(scores) for _ in scores]
    kept = [max(0.0, score) / top for score in scores]  # by the top first, or a sum could overflow
    total = math.fsum(kept)
    return [score / total for score in kept]


def _relative(p: Sequence[float], middle: Sequence[float]) -> float:
    """Kullback–Leibler divergence in bits."""
    return math.fsum(a * math.log2(a / m) for a, m in zip(p, middle, strict=True) if a > 0 and m > 0)
