"""Vectors on disk: a collection's, in shards that are written whole, so that a build that was killed goes on."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from ponderank.contracts import Backend
from ponderank.data.beir import Collection
from ponderank.errors import BackendError, DataError
from ponderank.retrieval.bm25 import StoredDocs
from ponderank.types import Doc, Embed, Query

FORMAT = 1
TYPES = ("float16", "float32")


Told = Callable[[int, int], None]
"""Is told how many documents have their vector, and how many there are."""


class Encoder(Protocol):
    """How queries and documents are asked for (``formats.embedding.BiEncoder``)."""

    def of_query(self, query: Query) -> Embed:
        """The call for a query's vector."""
        ...

    def of_document(self, doc: Doc) -> Embed:
        """The call for a document's vector."""
        ...


def build(
    collection: Collection, folder: Path, embedder: Backend, encoder: Encoder, dtype: str, shard: int,
    on_progress: Told | None = None,
) -> int:  # fmt: skip
    """Make the shards that are missing, and store the documents; how many there are.

    Raises:
        KeyboardInterrupt: interrupted; the message says how many documents' vectors are kept.
    """
    import numpy as np

    total = sum(1 for _ in collection.corpus())  # and a line that is wrong is told now, not after hours
    if not total:
        raise DataError("nothing to index: the corpus is empty", path=collection.folder)
    done = 0
    width: int | None = None
    told = on_progress or _nobody
    try:
        for number, docs in enumerate(_batched(collection.corpus(), shard)):
            path = folder / f"{number:06d}.npy"
            if path.is_file():
                width = np.load(path, mmap_mode="r").shape[1]
            else:
                calls = [encoder.of_document(doc) for doc in docs]
                vectors = matrix(embedder, calls, width, partial(_further, told, done, total))
                width = vectors.shape[1]
                file = BytesIO()
                np.save(file, vectors.astype(dtype))
                write_whole(path, file.getvalue())
            done += len(docs)
            told(done, total)
        _store(collection, folder)
    except KeyboardInterrupt as stop:
        kept = f"{done:,} of {total:,} documents have their vectors, in {folder}; the same command goes on from here"
        raise KeyboardInterrupt(kept) from stop
    return total


def matrix(
    embedder: Backend, calls: Sequence[Embed], width: int | None, answered: Callable[[int], None] | None = None
) -> Any:
    """The calls' vectors ``[N, V]``; not-a-number for one that was refused. ``answered`` is told how many there are so far."""
    import numpy as np

    slots = {embedder.add(call): at for at, call in enumerate(calls)}
    rows: dict[int, Sequence[float]] = {}
    while len(rows) < len(slots):
        for ticket, reply in embedder.step():
            if ticket in slots:
                rows[slots[ticket]] = reply.vectors[0] if reply.vectors else ()
        if answered:
            answered(len(rows))
    width = next((len(row) for row in rows.values() if row), width)
    if width is None:
        raise BackendError(f"the model refused all of {len(calls)} texts; they have no token, or are too long for it")
    out = np.full((len(calls), width), np.nan, dtype=np.float32)
    for at, row in rows.items():
        if row:
            out[at] = row
    return out


def _batched(docs: Iterable[Doc], size: int) -> Iterator[list[Doc]]:
    source = iter(docs)
    while some := list(islice(source, size)):
        yield some


def asked_for(encoder: Encoder) -> str:
    """What the model is asked for a document, as text: another template or another token gives other vectors."""
    return repr(encoder.of_document(Doc("id", "text", "title")))


def shard_paths(folder: Path, size: int, shard: int) -> list[Path]:
    """The files of ``size`` vectors, ``shard`` in each; DataError where one is missing."""
    paths = [folder / f"{number:06d}.npy" for number in range(math.ceil(size / shard))]
    missing = next((path for path in paths if not path.is_file()), None)
    if missing:
        raise DataError(f"the index lacks {missing.name}; delete the folder and build it again", path=folder)
    return paths


def check_same(folder: Path, about: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse an index that is not what is asked for: vectors are too dear to be thrown away unasked."""
    said = {
        "format": "another version of Ponderank", "model": "another model, or the same with other settings",
        "texts": "other templates or another pooled token", "corpus": "another corpus, or one that changed since",
        "dtype": "another number type",
    }  # fmt: skip
    for key, words in said.items():
        if key in wanted and about.get(key) != wanted[key]:
            what = f"these vectors were made with {words} ({key}: {about.get(key)!r}, now {wanted[key]!r})"
            raise DataError(f"{what}; give another folder, or delete this one", path=folder)


def read_about(folder: Path) -> dict[str, Any] | None:
    """What the folder's vectors were made of and with; None in a folder without any."""
    path = folder / "dense.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"not a JSON object: {error}", path=path) from error
    if not isinstance(found, dict):
        raise DataError("not a JSON object", path=path)
    return found


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, also where another process writes the same one."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def _store(collection: Collection, folder: Path) -> None:
    """Store the documents; one who reads those that stood there before goes on reading them."""
    made = Path(tempfile.mkdtemp(dir=folder, suffix=".tmp"))
    try:
        StoredDocs.write(collection.corpus(), made)
        for path in list(made.iterdir()):
            os.replace(path, folder / path.name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _further(told: Told, before: int, total: int, count: int) -> None:
    told(before + count, total)


def _nobody(done: int, total: int) -> None:
    """Nobody listens."""
