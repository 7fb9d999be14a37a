"""Groups that are graded together, shuffled and graded again, and the mean of the grades."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ponderank.contracts import Plan
from ponderank.strategies.pointwise import interpolate
from ponderank.types import Group


@dataclass(frozen=True, slots=True)
class Groups:
    """Grade groups of at most ``size``, drawn anew for each of ``repeats``, all in one round; a score is the mean of its grades.

    A grade that is missing is left out of the mean; a candidate without any has the lowest of all scores given.
    ``repeats · ceil(n / size)`` judgements: 20 of 100 candidates with the defaults.

    ``prior_weight`` as in ``Pointwise``, in units of the grades. Published is 0.6 · grade / 10 + 0.4 · the retriever's score as it
    is: the order is that of ``prior_weight = 0.4 / 0.6 · 10 ≈ 6.7`` times the standard deviation of the retriever's scores within
    the query, 0.3 where cosines lie within a few hundredths.

    Source: GroupRank (arXiv 2511.11653; AQ-MedAI/Diver, ``Reranker/rerank_groupwise.py``).
    Differs: groups are of even sizes, where the published last one may be a single document; an answer that cannot be read does not
    count as grades of 0; first-stage scores are standardised.

    >>> plan = Groups(size=2, repeats=1, seed=1).plan(3)
    >>> next(plan)
    [(1, 2), (0,)]
    """

    size: int = 10
    repeats: int = 2
    seed: int = 0
    prior_weight: float = 0.0

    absolute = True

    def __post_init__(self) -> None:
        if self.size < 1 or self.repeats < 1:
            raise ValueError(f"size {self.size}, repeats {self.repeats}: need 1 or more of both")

    @property
    def widest(self) -> int:
        """A whole group."""
        return self.size

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """One round, of all groups."""
        if n == 0:
            return []
        groups = self._groups(n)
        judgements = yield list(groups)
        grades: list[list[float]] = [[] for _ in range(n)]
        for group, judgement in zip(groups, judgements, strict=True):
            if judgement.flaw not in ("unparsed", "refused", "late") or len(set(judgement.scores)) > 1:
                for i, grade in zip(group, judgement.scores, strict=True):
                    grades[i] += [grade] * math.isfinite(grade)
        means = [math.fsum(given) / len(given) if given else math.nan for given in grades]
        lowest = min((mean for mean in means if not math.isnan(mean)), default=0.0)
        return interpolate([lowest if math.isnan(mean) else mean for mean in means], priors, self.prior_weight)

    def _groups(self, n: int) -> list[Group]:
        rng, order, groups = random.Random(self.seed), list(range(n)), list[Group]()
        count = math.ceil(n / self.size)
        for _ in range(self.repeats):
            rng.shuffle(order)
            ends = [-(-n * at // count) for at in range(count + 1)]
            groups += [tuple(order[start:end]) for start, end in pairwise(ends)]
        return groups
