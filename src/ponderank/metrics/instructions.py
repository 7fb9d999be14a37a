"""p-MRR: whether a ranking follows an instruction that was changed so that some documents are no longer relevant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ponderank.errors import DataError

ORIGINAL, CHANGED = "-og", "-changed"


def p_mrr(
    qrels: Mapping[str, Mapping[str, int]],
    lists: Mapping[str, Sequence[str]],
    changed: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, float]:
    """Each query's mean over the documents that lost their relevance; in [−1, 1], above 0 if they fell, 0 if none moved.

    ``lists`` are document ids, best first, of queries named ``X-og`` and ``X-changed``; the values are by X. ``changed``
    names the documents by X; None takes those that are relevant to ``X-og`` and not to ``X-changed``. A query that lacks
    one of its two lists is left out, one without such a document too. A document that a list lacks stands behind its end.

    Source: FollowIR (Weller et al., arXiv 2403.15246); mteb 2.26 ``calculate_pmrr``. Papers give it times
    100. Differs: ties are broken before, for all measures alike; mteb breaks them by document id, descending.

    Raises:
        DataError: no query has both versions and a document that changed.

    >>> qrels = {"1-og": {"a": 1}, "1-changed": {"a": 0}}
    >>> p_mrr(qrels, {"1-og": ["a", "b", "c", "d"], "1-changed": ["b", "c", "d", "a"]})
    {'1': 0.75}
    """
    if changed is None:
        changed = documents_that_changed(qrels)
    out = {}
    for name, docs in changed.items():
        before, after = lists.get(name + ORIGINAL), lists.get(name + CHANGED)
        if before and after and docs:
            moved = [_moved(_rank(before, doc), _rank(after, doc)) for doc in docs]
            out[name] = sum(moved) / len(moved)
    if not out:
        raise DataError(
            "p-MRR needs queries named X-og and X-changed, ranked and judged, and a document that is relevant to the first "
            "and not to the second; there is none"
        )
    return out


def documents_that_changed(qrels: Mapping[str, Mapping[str, int]]) -> dict[str, list[str]]:
    """Documents that are relevant to ``X-og`` and not to ``X-changed``, by X.

    >>> documents_that_changed({"1-og": {"a": 1, "b": 1}, "1-changed": {"a": 0, "b": 1}})
    {'1': ['a']}
    """
    out = {}
    for query, judged in qrels.items():
        name = query.removesuffix(ORIGINAL)
        if name != query and name + CHANGED in qrels:
            later = qrels[name + CHANGED]
            out[name] = [doc for doc, grade in judged.items() if grade > 0 and later.get(doc, 0) <= 0]
    return out


def _rank(ranked: Sequence[str], doc: str) -> int:
    return ranked.index(doc) + 1 if doc in ranked else len(ranked) + 1


def _moved(before: int, after: int) -> float:
    return after / before - 1 if before >= after else 1 - before / after
