"""Several rankings of one query become one. Functions of ids and scores; the sums themselves are in ``aggregate``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ponderank.aggregate import scores

Scored: TypeAlias = Sequence[tuple[str, float]]
"""(document id, score), best first."""


def reciprocal_rank(runs: Sequence[Scored], *, k: int = 60) -> list[tuple[str, float]]:
    """Sum of ``1 / (k + rank)`` over the runs that hold a document; its rank is its place in the run.

    Source: Cormack, Clarke and Büttcher, SIGIR 2009. Differs: nothing.

    >>> reciprocal_rank([[("a", 9.0), ("b", 8.0)], [("b", 1.0)]])[0][0]
    'b'
    """
    by_place = [[(name, -float(place)) for place, (name, _) in enumerate(run)] for run in runs]
    names, lists = _table(by_place)
    return _best(names, scores.rrf(lists, k=k))


def standard_sum(runs: Sequence[Scored], weights: Sequence[float] | None = None) -> list[tuple[str, float]]:
    """Weighted sum of z-scores; a document that a run lacks gets that run's lowest.

    >>> standard_sum([[("a", 2.0), ("b", 0.0)], [("b", 5.0), ("a", 1.0)]], [1.0, 0.5])[0]
    ('a', 0.5)
    """
    return comb_sum(runs, weights, scale="z-score")


def comb_sum(
    runs: Sequence[Scored], weights: Sequence[float] | None = None, *, scale: str = "min-max"
) -> list[tuple[str, float]]:
    """Weighted sum of scores on a common scale, CombSUM; see ``aggregate.scores.comb_sum``.

    >>> comb_sum([[("a", 9.0), ("b", 8.0)], [("b", 1.0), ("c", 0.0)]])
    [('a', 1.0), ('b', 1.0), ('c', 0.0)]
    """
    names, lists = _table(runs)
    return _best(names, scores.comb_sum(lists, _checked(runs, weights), scale=scale))


def comb_mnz(
    runs: Sequence[Scored], weights: Sequence[float] | None = None, *, scale: str = "min-max"
) -> list[tuple[str, float]]:
    """CombSUM times the number of runs that hold the document; see ``aggregate.scores.comb_mnz``.

    >>> comb_mnz([[("a", 9.0), ("b", 8.0)], [("b", 1.0), ("c", 0.0)]])
    [('b', 2.0), ('a', 1.0), ('c', 0.0)]
    """
    names, lists = _table(runs)
    return _best(names, scores.comb_mnz(lists, _checked(runs, weights), scale=scale))


def interpolated(one: Scored, other: Scored, weight: float, *, scale: str = "none") -> list[tuple[str, float]]:
    """``weight * one + (1 - weight) * other``; a document that a run lacks gets that run's lowest.

    >>> interpolated([("a", 9.0), ("b", 8.0)], [("b", 4.0), ("a", 0.0)], 0.5)
    [('b', 6.0), ('a', 4.5)]
    """
    names, (first, second) = _table([one, other])
    return _best(names, scores.interpolated(first, second, weight, scale=scale))


def _table(runs: Sequence[Scored]) -> tuple[list[str], list[list[float | None]]]:
    """The documents as they first come, and each run's scores of all of them."""
    names = list(dict.fromkeys(name for run in runs for name, _ in run))
    held = [dict(run) for run in runs]
    return names, [[scored.get(name) for name in names] for scored in held]


def _checked(runs: Sequence[Scored], weights: Sequence[float] | None) -> Sequence[float] | None:
    if weights and len(weights) != len(runs):
        raise ValueError(f"{len(runs)} runs but {len(weights)} weights; give one weight a run")
    return weights or None


def _best(names: Sequence[str], total: Sequence[float]) -> list[tuple[str, float]]:
    return sorted(zip(names, total, strict=True), key=lambda item: -item[1])
