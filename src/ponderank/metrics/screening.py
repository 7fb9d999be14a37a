"""Measures of total recall: how much must be read until (nearly) everything relevant is found, as in systematic reviews.

``grades`` are a query's judgements, ``ranked`` its document ids, best first. The run is taken to be the whole list to
screen: N is its length plus the relevant documents that it lacks, which nobody finds before all N are read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class _Screened(NamedTuple):
    found: list[int]  # the ranks of relevant documents, from 1
    relevant: int
    documents: int


def recall_at_share(grades: Mapping[str, int], ranked: Sequence[str], percent: int, *, rel: int = 1) -> float:
    """The share of the relevant documents among the first ``percent`` % of the list, rounded up to a whole document.

    Source: CLEF TAR's recall at k % (Kanoulas et al., CLEF 2017). Differs: rounded up, and not interpolated.

    >>> recall_at_share({"a": 1, "b": 1}, ["a", "x", "y", "b"], 50)
    0.5
    """
    seen = _screened(grades, ranked, rel)
    depth = -(-seen.documents * percent // 100)
    return sum(rank <= depth for rank in seen.found) / seen.relevant if seen.relevant else 0.0


def depth_of_recall(grades: Mapping[str, int], ranked: Sequence[str], percent: int = 100, *, rel: int = 1) -> int:
    """How many documents must be read to find ``percent`` % of the relevant ones, rounded up; all N where that never is.

    At 100 it is the rank of the last relevant document (``LastRel``). 0 where nothing is relevant.

    Source: CLEF TAR's "last relevant found" (Kanoulas et al., CLEF 2017). Differs: N, not the last one found, where
    relevant documents are missing from the run.

    >>> depth_of_recall({"a": 1, "b": 1}, ["a", "x", "b", "y"])
    3
    """
    seen = _screened(grades, ranked, rel)
    wanted = -(-seen.relevant * percent // 100)
    if not wanted:
        return 0
    return seen.found[wanted - 1] if wanted <= len(seen.found) else seen.documents


def work_saved(grades: Mapping[str, int], ranked: Sequence[str], percent: int = 95, *, rel: int = 1) -> float:
    """Work saved over sampling: (N − depth) / N − (1 − recall) with the depth of ``percent`` % recall.

    0 where nothing is relevant; at worst ``percent`` / 100 − 1, where everything must be read.

    Source: Cohen et al., JAMIA 2006. Differs: the recall subtracted is the one asked for, as in CLEF TAR's script, which
    however rounds the number of documents wanted to the nearest and gives 0 where the run never reaches it.

    >>> work_saved({"a": 1}, ["a", "x", "y", "z"])
    0.7
    """
    seen = _screened(grades, ranked, rel)
    if not seen.relevant:
        return 0.0
    depth = depth_of_recall(grades, ranked, percent, rel=rel)
    return math.fsum([(seen.documents - depth) / seen.documents, -1.0, percent / 100])


def true_negative_rate(grades: Mapping[str, int], ranked: Sequence[str], percent: int = 95, *, rel: int = 1) -> float:
    """The share of irrelevant documents that need not be read at ``percent`` % recall: work saved, normalised to [0, 1].

    0 where nothing is relevant, or nothing irrelevant.

    Source: Kusa et al., Intelligent Systems with Applications 18, 2023: normalised WSS is the true negative rate.
    Differs: what WSS does here.

    >>> true_negative_rate({"b": 1}, ["x", "b", "y", "z", "w"])
    0.75
    """
    seen = _screened(grades, ranked, rel)
    irrelevant = seen.documents - seen.relevant
    if not seen.relevant or not irrelevant:
        return 0.0
    depth = depth_of_recall(grades, ranked, percent, rel=rel)
    read = depth - (sum(rank <= depth for rank in seen.found) if depth < seen.documents else seen.relevant)
    return 1 - read / irrelevant


def _screened(grades: Mapping[str, int], ranked: Sequence[str], rel: int) -> _Screened:
    relevant = {doc for doc, grade in grades.items() if grade >= rel}
    found = [rank for rank, doc in enumerate(ranked, 1) if doc in relevant]
    return _Screened(found, len(relevant), len(ranked) + len(relevant) - len(found))
