"""A run file as a first stage: its documents, looked up in a collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ponderank.data.beir import Collection
from ponderank.data.trec import read_run
from ponderank.errors import DataError
from ponderank.types import Candidates, Query


def candidates(
    collection: Collection, path: str | Path, queries: Iterable[Query], k: int, *, drop_self: bool = False
) -> Iterator[Candidates]:
    """The best ``k`` of each query in the run; a query that the run lacks has no candidates.

    What the collection excludes for a query, and with ``drop_self`` the document with its id, goes before ``k`` are taken.

    Raises:
        DataError: the run names a document that the collection lacks.
    """
    run = read_run(path)
    for query in queries:
        barred = {*collection.facts.excluded.get(query.id, ()), *([query.id] if drop_self else [])}
        hits = [hit for hit in run.get(query.id, []) if hit[0] not in barred][:k]
        for name, _ in hits:
            if name not in collection.docs:
                raise DataError(
                    f"query {query.id!r} has document {name!r}, which {collection.folder} does not hold; is it the right collection?",
                    path=path,
                )
        yield Candidates(query, tuple(collection.docs[name] for name, _ in hits), tuple(score for _, score in hits))
