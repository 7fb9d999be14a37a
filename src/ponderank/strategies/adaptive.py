"""Adaptive thinking: a cheap score for all, thoughts only where the top k is in doubt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan
from ponderank.strategies.pointwise import interpolate
from ponderank.types import Ask


@dataclass(frozen=True, slots=True)
class AdaptiveThinking:
    """Judge all at level 1 (no thought), then think (level 0) about those that may or may not belong to the top ``k``.

    Both scores estimate the same log-odds, each with its noise. A candidate's belief is a normal distribution: around its
    direct score with deviation ``direct_noise``, and once it was thought about around the mean of the two scores, weighted by
    their precisions. In each round the cut is placed where ``k`` candidates are expected above it, and the ``batch`` candidates
    most in doubt, those whose chance to be above it is nearest to one half, are thought about; until no untouched candidate
    has a chance between ``doubt`` and ``1 - doubt``, or ``thoughts`` were spent. The order is that of the beliefs' means,
    so it is right at any time.

    Args:
        k: the size of the top that matters.
        thoughts: the most thoughts a query; None for no limit but the candidates.
        direct_noise: standard deviation of the direct score, in log-odds.
        thought_noise: that of a thought's.
        doubt: chances below this and above one minus this count as sure.
        batch: thoughts asked for together; what one teaches, the next batch knows.
        within: False settles who is among the top ``k`` only, not their places there: fewer thoughts, and enough where all
            of them are read.
        prior_weight: as in ``Pointwise``, added to every belief's mean.

    Source: the test for doubt is AcuRank's (arXiv 2505.18512), its cut found by bisection.
    Differs: cuts within the top k; pointwise judgements in place of listwise games; two judges of one candidate are
    combined by their precisions; the noise is given, not learnt: measure it where it matters (LOG.md has an example).

    >>> plan = AdaptiveThinking(k=1).plan(2)
    >>> next(plan)
    [Ask(group=(0,), level=1, judge=0), Ask(group=(1,), level=1, judge=0)]
    """

    k: int = 10
    thoughts: int | None = None
    direct_noise: float = 2.0
    thought_noise: float = 2.0
    doubt: float = 0.05
    batch: int = 8
    within: bool = True
    prior_weight: float = 0.0

    widest = 1
    absolute = True
    levels = 2

    def __post_init__(self) -> None:
        if self.k < 1 or self.batch < 1 or (self.thoughts is not None and self.thoughts < 0):
            raise ValueError(f"k {self.k}, batch {self.batch}, thoughts {self.thoughts}: need 1, 1 and 0 or more")
        if not (self.direct_noise > 0 and self.thought_noise > 0 and 0 <= self.doubt < 0.5):
            raise ValueError(
                f"direct_noise {self.direct_noise}, thought_noise {self.thought_noise}, doubt {self.doubt}: "
                "need noises above 0 and 0 <= doubt < 0.5"
            )

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """One round without thoughts, then rounds of at most ``batch`` thoughts."""
        if n == 0:
            return []
        offset = interpolate([0.0] * n, priors, self.prior_weight)
        judgements = yield [Ask((i,), 1) for i in range(n)]
        direct = _filled([j.scores[0] + o for j, o in zip(judgements, offset, strict=True)])
        means, untouched = list(direct), set(range(n))
        noise = [self.direct_noise] * n
        left = n if self.thoughts is None else self.thoughts
        while left > 0:
            doubtful = self._doubtful(means, noise, untouched)[: min(self.batch, left)]
            if not doubtful:
                break
            judgements = yield [Ask((i,), 0) for i in doubtful]
            for i, judgement in zip(doubtful, judgements, strict=True):
                untouched.discard(i)
                means[i], noise[i] = self._combined(direct[i], judgement.scores[0] + offset[i])
            left -= len(doubtful)
        return means

    def _doubtful(self, means: Sequence[float], noise: Sequence[float], untouched: set[int]) -> list[int]:
        """Those that were not thought about and are in doubt at the widest cut that is not settled, the most doubtful first."""
        cut = self.k
        while cut:
            chances = chances_above(means, noise, cut)
            doubtful = [i for i in untouched if self.doubt < chances[i] < 1 - self.doubt]
            if doubtful:
                return sorted(doubtful, key=lambda i: (abs(chances[i] - 0.5), i))
            cut = cut // 2 if self.within else 0
        return []

    def _combined(self, direct: float, thought: float) -> tuple[float, float]:
        """Mean and deviation of the belief from both scores; a thought without a score changes nothing."""
        if not math.isfinite(thought):
            return direct, self.direct_noise
        a, b = self.direct_noise**-2, self.thought_noise**-2
        return (a * direct + b * thought) / (a + b), (a + b) ** -0.5


def chances_above(means: Sequence[float], noise: Sequence[float], k: int) -> list[float]:
    """Each belief's chance to lie above a cut that ``k`` beliefs are expected to exceed; all 1 where there are no more than k.

    >>> [round(chance, 2) for chance in chances_above([3.0, 0.0, 0.0], [1.0, 1.0, 1.0], 1)]
    [0.91, 0.05, 0.05]
    """
    if len(means) <= k:
        return [1.0] * len(means)
    low = min(m - 10 * s for m, s in zip(means, noise, strict=True))
    high = max(m + 10 * s for m, s in zip(means, noise, strict=True))
    chances: list[float] = []
    for _ in range(60):
        cut = (low + high) / 2
        chances = [0.5 * math.erfc((cut - m) / (s * math.sqrt(2))) for m, s in zip(means, noise, strict=True)]
        low, high = (cut, high) if math.fsum(chances) > k else (low, cut)
    return chances


def _filled(scores: Sequence[float]) -> list[float]:
    """The scores, the lowest in place of those that are no numbers."""
    finite = [score for score in scores if math.isfinite(score)]
    lowest = min(finite, default=0.0)
    return [score if math.isfinite(score) else lowest for score in scores]
