"""Measures of one query that ir-measures leaves to programs few have: Perl's gdeval, and cwl-eval.

``grades`` are a query's judgements, ``ranked`` its document ids, best first. What is not judged has grade 0, and so has
what is judged below 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ponderank.errors import DataError

HIGHEST = 4
"""gdeval's highest grade: it refuses higher ones."""


def ndcg(grades: Mapping[str, int], ranked: Sequence[str], k: int | None = None, *, judged_only: bool = False) -> float:
    """Normalised discounted cumulative gain with gains of 2^grade − 1; in [0, 1], 0 where nothing is relevant.

    The ideal is made of all judgements. ``judged_only`` drops what is not judged before ranks are counted.

    Source: Burges et al., ICML 2005; gdeval.pl of the TREC Web track, what ir-measures calls for
    ``nDCG(dcg='exp-log2')``. Differs: any query id, any grade (gdeval takes numbers, and grades up to 4), no rounding.

    >>> round(ndcg({"a": 2, "b": 1}, ["b", "a"]), 4)
    0.7967
    """
    if judged_only:
        ranked = [doc for doc in ranked if doc in grades]
    ideal = _dcg(sorted(grades.values(), reverse=True)[:k])
    return _dcg([grades.get(doc, 0) for doc in ranked[:k]]) / ideal if ideal else 0.0


def _dcg(grades: Sequence[int]) -> float:
    return math.fsum((2.0 ** max(grade, 0) - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def err(grades: Mapping[str, int], ranked: Sequence[str], k: int | None = None) -> float:
    """Expected reciprocal rank: a reader stops at a document with probability (2^grade − 1) / 2^4.

    Source: Chapelle et al., CIKM 2009; gdeval.pl, where the highest grade is 4 whatever the judgements hold. Differs: any
    query id, no rounding.

    Raises:
        DataError: a grade above 4.

    >>> err({"a": 4}, ["b", "a"])
    0.46875
    """
    if max(grades.values(), default=0) > HIGHEST:
        raise DataError(f"ERR knows grades up to {HIGHEST}; the judgements hold {max(grades.values())}")
    total, reading = 0.0, 1.0
    for rank, doc in enumerate(ranked[:k], 1):
        stops = (2.0 ** max(grades.get(doc, 0), 0) - 1) / 2.0**HIGHEST
        total += reading * stops / rank
        reading *= 1 - stops
    return total


def rbp(
    grades: Mapping[str, int], ranked: Sequence[str], k: int | None = None, *, p: float = 0.8, rel: int = 1
) -> float:
    """Rank-biased precision: (1 − p) Σ p^(rank − 1) over the relevant documents (grade ``rel`` or above).

    Source: Moffat and Zobel, TOIS 2008. Differs: binary gains only.

    >>> round(rbp({"a": 1}, ["a", "b"], p=0.5), 4)
    0.5
    """
    if not 0 <= p < 1:
        raise DataError(f"RBP's persistence p is {p}; it lies in [0, 1)")
    return (1 - p) * math.fsum(p**at for at, doc in enumerate(ranked[:k]) if grades.get(doc, 0) >= rel)
