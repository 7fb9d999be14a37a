"""Each candidate alone: the default way, and the cheapest that sees every candidate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan


@dataclass(frozen=True, slots=True)
class Pointwise:
    """Judge every candidate alone, all at once: ``n`` judgements in one round.

    ``prior_weight`` > 0 adds the first stage's scores, when they are known: the score is then
    ``judged + prior_weight * z(prior)``, ``z`` (zero mean, unit deviation) taken over this query's candidates, so the
    weight is in units of the judged scores. Without first-stage scores the judged scores stand alone.

    Source: monoBERT (arXiv 1901.04085) for the loop; interpolation as in Bruch et al. (arXiv 2210.11934).
    Differs: nothing with ``prior_weight`` 0; only the first stage is standardised, so that scores of an early exit and
    of the full model stay on one scale.

    >>> plan = Pointwise().plan(2)
    >>> next(plan)
    [(0,), (1,)]
    """

    prior_weight: float = 0.0

    widest = 1

    @property
    def absolute(self) -> bool:
        """Scores of different prompts are compared."""
        return True

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """One round of ``n`` groups of one."""
        if n == 0:
            return []
        judgements = yield [(i,) for i in range(n)]
        return interpolate([j.scores[0] for j in judgements], priors, self.prior_weight)


def interpolate(scores: Sequence[float], priors: Sequence[float] | None, weight: float) -> list[float]:
    """``scores + weight * z(priors)``; the scores themselves without priors or weight.

    >>> interpolate([1.0, 3.0], [4.0, 2.0], 0.5)
    [1.5, 2.5]
    """
    if not weight or priors is None:
        return list(scores)
    return [score + weight * prior for score, prior in zip(scores, standardised(priors), strict=True)]


def standardised(values: Sequence[float]) -> list[float]:
    """Zero mean, unit deviation; all zeros where nothing varies.

    Infinite values count as the nearest finite one, not-a-number as the lowest.

    >>> standardised([1.0, 3.0])
    [-1.0, 1.0]
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return [0.0] * len(values)
    low, high = min(finite), max(finite)
    values = [min(max(value, low), high) if value == value else low for value in values]
    mean = math.fsum(value / len(values) for value in values)
    spread = math.hypot(*(value - mean for value in values)) / math.sqrt(len(values))
    return [(value - mean) / spread if 1e-12 < spread < math.inf else 0.0 for value in values]
