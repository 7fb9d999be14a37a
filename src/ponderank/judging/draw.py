"""Which passages are worth judging: those in the top k of some runs that nobody judged, or that were judged otherwise."""

from __future__ import annotations

from collections.abc import Collection as Sized
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ponderank.errors import DataError
from ponderank.judging.pool import Item
from ponderank.types import Doc

if TYPE_CHECKING:
    from ponderank.data.beir import Collection

WHAT = ("unjudged", "disagreeing", "all")
"""``unjudged``: has no grade. ``disagreeing``: a run has it at its top, the judgements call it not relevant.
``all``: whatever is in a top k."""

Ranked = Mapping[str, Sequence[tuple[str, float]]]
Judged = Mapping[str, Mapping[str, int]]


def draw(
    collection: Collection,
    runs: Mapping[str, Ranked],
    qrels: Judged | None = None,
    *,
    depth: int = 10,
    what: Sized[str] = ("unjudged",),
    relevant: int = 1,
) -> list[Item]:
    """The documents of a pool, in the order in which the runs have them.

    Args:
        collection: where queries and texts stand.
        runs: by a name that is shown after grading.
        qrels: what was judged; only its queries are drawn from. None takes all queries, nothing of which is judged.
        depth: documents of each run and query that are looked at.
        what: some of ``WHAT``.
        relevant: the least grade that counts as relevant; below it a document at a run's top is ``disagreeing``.

    Source: Rank1 (arXiv 2502.18418, section 3.5): the top 10 of each model that were unjudged or judged wrong, judged again.

    Raises:
        DataError: an unknown ``what``, or a query or document that the collection lacks.
    """
    unknown = [name for name in what if name not in WHAT]
    if unknown or not what:
        raise DataError(f"what is {', '.join(unknown) or 'empty'}; give some of {', '.join(WHAT)}")
    if depth < 1:
        raise DataError(f"depth is {depth}; at least the first document of each run is needed")
    wanted: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for name, run in runs.items():
        for query, docs in run.items():
            if qrels is None or query in qrels:
                for rank, (doc, _) in enumerate(docs[:depth], 1):
                    wanted.setdefault((query, doc), []).append((name, rank))
    picked = {}
    for (query, doc), seen in wanted.items():
        before = (qrels or {}).get(query, {}).get(doc)
        why = "unjudged" if before is None else "disagreeing" if before < relevant else "judged"
        if why in what or "all" in what:
            picked[query, doc] = why, before, tuple(seen)
    return _with_texts(collection, picked)


def _with_texts(
    collection: Collection, picked: Mapping[tuple[str, str], tuple[str, int | None, tuple[tuple[str, int], ...]]]
) -> list[Item]:
    needed = {doc for _, doc in picked}
    docs: dict[str, Doc] = {doc.id: doc for doc in collection.corpus() if doc.id in needed}  # not the corpus in memory
    items = []
    for (query, doc), (why, before, seen) in picked.items():
        if query not in collection.queries or doc not in docs:
            lacking = f"document {doc!r}" if query in collection.queries else f"query {query!r}"
            remedy = "is it the right collection?"
            raise DataError(
                f"{seen[0][0]} has {lacking}, which this collection does not hold; {remedy}", path=collection.folder
            )
        items.append(Item(collection.queries[query], docs[doc], why, before, seen))
    return items
