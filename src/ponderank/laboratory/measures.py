"""Measures of one order, quick enough for many thousands of trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ponderank.laboratory.judges import Floats

_DISCOUNTS = 1.0 / np.log2(np.arange(2, 1026))


def dcg(gains: Sequence[float] | Floats, k: int = 10) -> float:
    """Discounted cumulative gain of grades in ranked order, with linear gains, as trec_eval has it; below 0 counts 0.

    >>> dcg([1, 0, 1])
    1.5
    """
    top = np.maximum(np.asarray(gains[:k], dtype=float), 0.0)
    return float(top @ _DISCOUNTS[: len(top)])


def ideal_dcg(grades: Sequence[float] | Floats, k: int = 10) -> float:
    """The highest possible: of the grades in descending order.

    >>> ideal_dcg([0, 1, 0, 1, 1], 2) == dcg([1, 1])
    True
    """
    return dcg(np.sort(np.asarray(grades, dtype=float))[::-1], k)


def found(order: Sequence[int], utilities: Floats, k: int = 10) -> float:
    """Share of the ``k`` candidates of highest utility that are among the first ``k`` of the order.

    >>> found([2, 0, 1], np.array([0.5, 0.0, 1.0]), 2)
    1.0
    """
    k = min(k, len(order))
    if not k:
        return 1.0
    best = np.argsort(-utilities, kind="stable")[:k]
    return len(set(order[:k]) & set(best.tolist())) / k


def tau(order: Sequence[int], utilities: Floats) -> float:
    """Kendall's tau between the order and that of the utilities; 1 where there is nothing to order.

    >>> tau([0, 1, 2], np.array([0.0, 1.0, 2.0]))
    -1.0
    """
    if len(order) < 2:
        return 1.0
    ranked = utilities[np.asarray(order, dtype=np.intp)]
    above = np.sign(ranked[:, None] - ranked[None, :])
    pairs = len(order) * (len(order) - 1) / 2
    return float(np.triu(above, 1).sum() / pairs)
