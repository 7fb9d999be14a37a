"""From several score lists of the same items to one: CombSUM, CombMNZ, reciprocal rank fusion, interpolation.

A list holds one score an item, higher is better; None or not-a-number is a missing one. Infinite scores count as the
nearest finite one. Pure Python: lists are short, and a strategy that fuses should not wait for numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev
from types import MappingProxyType
from typing import TypeAlias

Scores: TypeAlias = Sequence[float | None]
"""One score an item; None or not-a-number where it is missing."""


def comb_sum(lists: Sequence[Scores], weights: Sequence[float] | None = None, *, scale: str = "min-max") -> list[float]:
    """Weighted sum of the scores, each list first brought to a common ``scale`` (a name in ``SCALES``).

    Source: Fox and Shaw, TREC-2 (1993). Differs: weights; what a missing score counts as is the scale's to say, and
    it is 0 only where no present score is below that.

    >>> comb_sum([[4.0, 2.0, None], [0.5, 0.0, 1.0]])
    [1.5, 0.0, 1.0]
    """
    scaled = [scaler(scale)(scores) for scores in lists]
    total = [0.0] * (len(lists[0]) if lists else 0)
    for scores, weight in zip(scaled, _weights(lists, weights), strict=True):
        total = [so_far + weight * score for so_far, score in zip(total, scores, strict=True)]
    return total


def comb_mnz(lists: Sequence[Scores], weights: Sequence[float] | None = None, *, scale: str = "min-max") -> list[float]:
    """CombSUM times the number of lists that hold the item.

    Source: Fox and Shaw, TREC-2 (1993). Differs: as ``comb_sum``; scales with numbers below 0 are refused, as there
    each further list would push an item down.

    >>> comb_mnz([[4.0, 2.0, None], [0.5, 0.0, 1.0]])
    [3.0, 0.0, 1.0]
    """
    if scale in ("z-score", "max", "none"):
        raise ValueError(
            f"CombMNZ multiplies, so it needs scores of 0 or more; {scale!r} has lower ones: use min-max, sum or rank"
        )
    holders = [sum(1 for scores in lists if _given(scores[i])) for i in range(len(lists[0]) if lists else 0)]
    return [count * score for count, score in zip(holders, comb_sum(lists, weights, scale=scale), strict=True)]


def rrf(lists: Sequence[Scores], weights: Sequence[float] | None = None, *, k: int = 60) -> list[float]:
    """Sum of ``weight / (k + rank)``, ranks from 1; a missing score adds 0, equal scores keep the items' order.

    Source: Cormack, Clarke and Büttcher, SIGIR 2009. Differs: weights.

    >>> rrf([[0.9, 0.1], [None, 7.0]], k=1)
    [0.5, 0.8333333333333333]
    """
    total = [0.0] * (len(lists[0]) if lists else 0)
    for scores, weight in zip(lists, _weights(lists, weights), strict=True):
        for rank, i in enumerate(_order(scores), 1):
            total[i] += weight / (k + rank)
    return total


def interpolated(one: Scores, other: Scores, weight: float, *, scale: str = "none") -> list[float]:
    """``weight * one + (1 - weight) * other``, by default on the scores' own scales.

    Source: Fast-Forward indexes (arXiv 2110.06051), with lexical scores as ``one``; on ``"min-max"`` the convex
    combination of Bruch et al. (arXiv 2210.11934), whose lowest score may also be the theoretical one.
    Differs: a missing score counts as its list's lowest.

    >>> interpolated([4.0, 2.0], [0.0, 1.0], 0.25)
    [1.0, 1.25]
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight {weight}: it is the first list's share, 0 to 1")
    return comb_sum([one, other], [weight, 1 - weight], scale=scale)


def unscaled(scores: Scores) -> list[float]:
    """The scores as they are; a missing one counts as the lowest.

    >>> unscaled([5.0, None, 3.0])
    [5.0, 3.0, 3.0]
    """
    kept = _finite(scores)
    low = min((score for score in kept if score is not None), default=0.0)
    return [low if score is None else score for score in kept]


def min_max(scores: Scores) -> list[float]:
    """The lowest is 0, the highest 1; a missing score is 0, as the lowest is. Where all are equal all are 1.

    One outlier takes the whole range and leaves the others close together.

    >>> min_max([5.0, None, 3.0, 4.0])
    [1.0, 0.0, 0.0, 0.5]
    """
    kept = _finite(scores)
    present = [score for score in kept if score is not None]
    low, high = min(present, default=0.0), max(present, default=0.0)
    spread = high / 2 - low / 2  # halves: the difference of two huge numbers would be infinite
    return [0.0 if s is None else (s / 2 - low / 2) / spread if spread else 1.0 for s in kept]


def z_score(scores: Scores) -> list[float]:
    """Mean 0, deviation 1; a missing score counts as the list's lowest, since 0 would make it an average one.

    >>> z_score([3.0, None, 1.0])
    [1.0, -1.0, -1.0]
    """
    kept = _finite(scores)
    present = [score for score in kept if score is not None]
    size = max((abs(score) for score in present), default=0.0)
    unit = size if size > 1e100 else 1.0  # huge numbers have no finite mean
    present = [score / unit for score in present]
    mean, spread = (fmean(present), pstdev(present)) if present else (0.0, 0.0)
    scaled = [None if s is None else (s / unit - mean) / spread if spread > 1e-12 else 0.0 for s in kept]
    low = min((score for score in scaled if score is not None), default=0.0)
    return [low if score is None else score for score in scaled]


def share(scores: Scores) -> list[float]:
    """What each is above the lowest, as a share of the sum of that; a missing score is 0.

    >>> share([5.0, None, 3.0, 4.0])
    [0.6666666666666666, 0.0, 0.0, 0.3333333333333333]
    """
    above = min_max(scores)
    total = math.fsum(above)
    return [value / total if total else 0.0 for value in above]


def of_largest(scores: Scores) -> list[float]:
    """Divided by the largest size; a missing score is 0, or the lowest one if that is below 0.

    >>> of_largest([4.0, None, 1.0])
    [1.0, 0.0, 0.25]
    """
    kept = _finite(scores)
    present = [score for score in kept if score is not None]
    size = max((abs(score) for score in present), default=0.0) or 1.0
    low = min(0.0, min(present, default=0.0))
    return [(low if score is None else score) / size for score in kept]


def by_rank(scores: Scores) -> list[float]:
    """1 for the best, ``1 / held`` for the last of those held, 0 for a missing one. Equal scores keep the items' order.

    >>> by_rank([0.2, 9.0, None])
    [0.5, 1.0, 0.0]
    """
    order = _order(scores)
    ranked = [0.0] * len(scores)
    for at, i in enumerate(order):
        ranked[i] = 1.0 - at / len(order)
    return ranked


def by_points(scores: Scores) -> list[float]:
    """Borda's points as a share of ``n``: 1 for the best, ``1 / n`` less for each next; missing ones share the rest.

    >>> by_points([0.2, 9.0, None, None])
    [0.75, 1.0, 0.375, 0.375]
    """
    order = _order(scores)
    left_over = (len(scores) - len(order) + 1) / 2
    points = [left_over / len(scores) for _ in scores]
    for at, i in enumerate(order):
        points[i] = 1.0 - at / len(scores)
    return points


SCALES: Mapping[str, Callable[[Scores], list[float]]] = MappingProxyType({
    "none": unscaled, "min-max": min_max, "z-score": z_score, "sum": share, "max": of_largest, "rank": by_rank,
    "borda": by_points,
})  # fmt: skip
"""Ways to bring score lists to a common scale, by name.

Source: the normalisations of ranx 0.3.21 (2cae52f). Differs: there a missing score adds 0 under every scale but
Borda's, which under z-scores is an average one; equal scores are 1 under min-max and not 0, like a missing one; sums
and maxima below 0 are safe.
"""


def scaler(name: str) -> Callable[[Scores], list[float]]:
    """The scale of that name.

    >>> scaler("min-max")([2.0, 1.0])
    [1.0, 0.0]
    """
    if name not in SCALES:
        raise ValueError(f"no scale is named {name!r}; known: {', '.join(SCALES)}")
    return SCALES[name]


def _given(score: float | None) -> bool:
    return score is not None and not math.isnan(score)


def _finite(scores: Scores) -> list[float | None]:
    """None for what is missing, the nearest finite score for an infinite one, 0 where there is none."""
    finite = [score for score in scores if score is not None and math.isfinite(score)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    return [None if score is None or math.isnan(score) else min(max(score, low), high) for score in scores]


def _order(scores: Scores) -> list[int]:
    """The items that have a score, best first; equal scores keep the items' order."""
    present = [(i, score) for i, score in enumerate(scores) if score is not None and not math.isnan(score)]
    return [i for i, _ in sorted(present, key=lambda pair: -pair[1])]


def _weights(lists: Sequence[Scores], weights: Sequence[float] | None) -> list[float]:
    weights = [1.0] * len(lists) if weights is None else list(weights)
    if len(weights) != len(lists):
        raise ValueError(f"{len(lists)} lists but {len(weights)} weights; give one weight a list")
    if len({len(scores) for scores in lists}) > 1:
        raise ValueError(
            f"the lists have {sorted({len(scores) for scores in lists})} scores; give each all items, None if missing"
        )
    return weights
