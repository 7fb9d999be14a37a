"""Paired accuracy: two queries that differ in a negation, two documents, and each query must prefer its own.

Source: NevIR (Weller et al., arXiv 2305.07614). A pair is right if both queries have their document first; chance is a quarter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ponderank.errors import DataError
from ponderank.metrics.handling import Qrels, Run
from ponderank.types import Ranking

_NAMED = re.compile(r"(.+)_q[12]")


@dataclass(frozen=True, slots=True)
class Pair:
    """How one pair came out: ``strict`` asks for a higher score, ``first`` for the first place, however it was won."""

    strict: bool
    first: bool
    tied: bool


def paired_accuracy(qrels: Qrels, rankings: Sequence[Ranking]) -> float:
    """The share of document pairs for which both queries have their relevant document first; a tie is wrong.

    Source: NevIR (arXiv 2305.07614), pairwise accuracy. Differs: nothing.

    >>> from ponderank.types import Doc, Query, Ranking
    >>> docs = (Doc("a", ""), Doc("b", ""))
    >>> both = [Ranking(Query(name, ""), docs, (1.0, 0.0)) for name in ("p", "q")]
    >>> paired_accuracy({"p": {"a": 1}, "q": {"b": 1}}, both)
    0.0
    """
    run = {one.query.id: [(doc.id, score) for doc, score in zip(one.docs, one.scores, strict=True)] for one in rankings}
    found = pairs({query: qrels[query] for query in run}, run)
    return sum(pair.strict for pair in found.values()) / len(found)


def pairs(qrels: Qrels, run: Run) -> dict[str, Pair]:
    """Each pair by name; a query that the run lacks is wrong. Each query's documents come best first.

    Queries make a pair if their ids are ``X_q1`` and ``X_q2`` (the pair is called X), as in mteb; where not all ids
    have that form, if they judge, or else rank, the same two documents (the pair is called after them).

    Source: NevIR, where a tie is wrong (``strict``). mteb takes the first place (``first``): with ties broken by
    document id, descending, that is its ``paired_accuracy``. Differs: nothing.

    Raises:
        DataError: the queries do not come in pairs.

    >>> run = {"1_q1": [("a", 2.0), ("b", 1.0)], "1_q2": [("b", 1.0), ("a", 1.0)]}
    >>> pairs({"1_q1": {"a": 1}, "1_q2": {"b": 1}}, run)
    {'1': Pair(strict=False, first=True, tied=True)}
    """
    groups: dict[str, list[str]] = {}
    named = {query: match.group(1) for query in qrels if (match := _NAMED.fullmatch(query))}
    for query in qrels:
        name = named[query] if len(named) == len(qrels) else _documents(qrels[query], run.get(query, ()))
        groups.setdefault(name, []).append(query)
    odd = next((queries for queries in groups.values() if len(queries) != 2), None)
    if odd is not None or not groups:
        raise DataError(
            "paired accuracy needs queries in pairs, named X_q1 and X_q2 or about the same two documents; "
            + (f"{odd[0]!r} has {len(odd) - 1} others" if odd else "none is judged")
        )
    return {name: _pair([_one(qrels[q], run.get(q, ())) for q in queries]) for name, queries in groups.items()}


def _documents(judged: Mapping[str, int], ranked: Sequence[tuple[str, float]]) -> str:
    names = judged if len(judged) == 2 else [doc for doc, _ in ranked]
    return " ".join(sorted(names))


def _one(judged: Mapping[str, int], ranked: Sequence[tuple[str, float]]) -> Pair:
    right = [score for doc, score in ranked if judged.get(doc, 0) > 0]
    wrong = [score for doc, score in ranked if judged.get(doc, 0) <= 0]
    first = bool(ranked) and judged.get(ranked[0][0], 0) > 0
    if not right or not wrong:
        return Pair(bool(right), first, tied=False)
    return Pair(max(right) > max(wrong), first, max(right) == max(wrong))


def _pair(queries: Sequence[Pair]) -> Pair:
    return Pair(all(one.strict for one in queries), all(one.first for one in queries), any(one.tied for one in queries))
