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

    Raises:
        DataError: the run names a document that the collection lacks.
    """
    run = read_run(path)
    for query in queries:
        hits = [hit for hit in run.get(query.id, []) if not (drop_self and hit[0] == query.id)][:k]
        for name, _ in hits:
            if name not in collection.docs:
                raise DataError(
                    f"query {query.id!r} has document {name!r}, which {collection.folder} does not hold; is it the right collection?",
                    path=path,
                )
        yield Candidates(query, tuple(collection.docs[name] for name, _ in hits), tuple(score for _, score in hits))
