"""Laying a collection out as a folder in BEIR layout, so that everything that reads such a folder can use it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ponderank.data.beir import Collection
from ponderank.data.facts import FILE, Facts
from ponderank.data.lines import json_line
from ponderank.data.trec import Qrels, write_run
from ponderank.errors import DataError
from ponderank.types import Doc, Query


@dataclass(frozen=True, slots=True)
class Parts:
    """A collection as its source tells it.

    Args:
        docs: the documents; read once, so that a large corpus is never whole in memory.
        queries: all queries.
        qrels: split → judgements.
        facts: how it is to be used.
        first: query id → candidates, best first, where they are given.
    """

    docs: Iterable[Doc]
    queries: Iterable[Query]
    qrels: Mapping[str, Qrels]
    facts: Facts
    first: Mapping[str, Sequence[str]] | None = None


def home() -> Path:
    """Where collections that come from elsewhere are kept: ``$PONDERANK_COLLECTIONS``, or the user's cache."""
    told = os.environ.get("PONDERANK_COLLECTIONS")
    if told:
        return Path(told)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ponderank" / "collections"


def place(name: str, source: Path | None = None) -> Path:
    """The folder of a collection by that name, below ``home``; a local source's state is part of the name.

    >>> place("bright:biology").name.startswith("bright-biology-")
    True
    """
    state = [name] if source is None else [name, str(source.resolve()), *map(str, _state(source))]
    key = hashlib.sha256("\n".join(state).encode()).hexdigest()[:12]
    words = "".join(c if c.isalnum() or c in "._" else "-" for c in name)
    return home() / f"{words[-60:].strip('-')}-{key}"


def _state(source: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of a folder's files: another source is another collection."""
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def lay_out(parts: Parts, folder: Path) -> Collection:
    """Write a collection, whole or not at all.

    Raises:
        DataError: no documents, an id twice, or a judged query that is not there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp"))
    try:
        _write(parts, made)
        opened = Collection.open(made)
        for split in parts.qrels:
            opened.judged_queries(split)
        made.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Collection.open(folder)


def _write(parts: Parts, folder: Path) -> None:
    name = parts.facts.name
    if not _rows(folder / "corpus.jsonl", map(_doc, parts.docs), name):
        raise DataError(f"{name}: its corpus has no documents")
    _rows(folder / "queries.jsonl", map(_query, parts.queries), name)
    (folder / "qrels").mkdir()
    for split, judged in parts.qrels.items():
        with (folder / "qrels" / f"{split}.tsv").open("w", encoding="utf-8") as file:
            file.write("query-id\tcorpus-id\tscore\n")
            file.writelines(
                f"{query}\t{doc}\t{grade}\n" for query, docs in judged.items() for doc, grade in docs.items()
            )
    if parts.first is not None:
        write_run(parts.first, folder / "first.trec", tag="given")
    (folder / FILE).write_text(parts.facts.to_json(), "utf-8")


def _doc(doc: Doc) -> tuple[str, dict[str, object]]:
    return doc.id, {"title": doc.title, "text": doc.text, "metadata": dict(doc.metadata)}


def _query(query: Query) -> tuple[str, dict[str, object]]:
    told = {"instruction": query.instruction} if query.instruction else {}
    return query.id, {"text": query.text, **told}


def _rows(path: Path, rows: Iterable[tuple[str, dict[str, object]]], name: str) -> int:
    seen: set[str] = set()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for id_, row in rows:
            if id_ in seen:
                raise DataError(f"{name}: {path.stem} has the id {id_!r} twice; ids must differ")
            if not id_ or "\t" in id_ or "\n" in id_:
                raise DataError(
                    f"{name}: {path.stem} has the id {id_!r}; ids are not empty and have no tabs or line ends"
                )
            seen.add(id_)
            file.write(json_line({"_id": id_, **row}))
    return len(seen)
