"""Several rankings of one query become one. Pure functions of ids and scores."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, pstdev

Scored = Sequence[tuple[str, float]]
"""(document id, score), best first."""


def reciprocal_rank(runs: Sequence[Scored], *, k: int = 60) -> list[tuple[str, float]]:
    """Sum of ``1 / (k + rank)`` over the runs that hold a document.

    Source: Cormack, Clarke and Büttcher, SIGIR 2009. Differs: nothing.

    >>> reciprocal_rank([[("a", 9.0), ("b", 8.0)], [("b", 1.0)]])[0][0]
    'b'
    """
    total: dict[str, float] = {}
    for run in runs:
        for rank, (name, _) in enumerate(run, 1):
            total[name] = total.get(name, 0.0) + 1.0 / (k + rank)
    return _best(total)


def standard_sum(runs: Sequence[Scored], weights: Sequence[float] | None = None) -> list[tuple[str, float]]:
    """Weighted sum of z-scores; a document that a run lacks gets that run's lowest.

    >>> standard_sum([[("a", 2.0), ("b", 0.0)], [("b", 5.0), ("a", 1.0)]], [1.0, 0.5])[0]
    ('a', 0.5)
    """
    weights = weights or [1.0] * len(runs)
    if len(weights) != len(runs):
        raise ValueError(f"{len(runs)} runs but {len(weights)} weights; give one weight a run")
    total = dict.fromkeys((name for run in runs for name, _ in run), 0.0)
    for run, weight in zip(runs, weights, strict=True):
        values = [score for _, score in run]
        spread = pstdev(values) if values else 0.0
        z = {name: (score - fmean(values)) / spread if spread > 1e-12 else 0.0 for name, score in run}
        low = min(z.values(), default=0.0)
        for name in total:
            total[name] += weight * z.get(name, low)
    return _best(total)


def _best(total: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(total.items(), key=lambda item: -item[1])
