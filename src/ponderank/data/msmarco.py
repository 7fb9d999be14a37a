"""MS MARCO's tab-separated files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ponderank.data.lines import lines
from ponderank.errors import DataError
from ponderank.types import Candidates, Doc, Query


def _columns(path: str | Path, shape: str) -> Iterator[tuple[int, list[str]]]:
    wanted = shape.count(" ") + 1
    for number, line in lines(path):
        columns = line.split("\t")
        if len(columns) != wanted:
            raise DataError(
                f"expected {wanted} tab-separated columns ({shape}), found {len(columns)}: {line[:80]!r}",
                path=path,
                line=number,
            )
        yield number, columns


def read_collection(path: str | Path) -> Iterator[Doc]:
    """``collection.tsv``: ``pid text``."""
    return (Doc(name, text) for _, (name, text) in _columns(path, "pid text"))


def read_queries(path: str | Path) -> dict[str, Query]:
    """``queries.*.tsv``: ``qid text``."""
    return {name: Query(name, text) for _, (name, text) in _columns(path, "qid text")}


def read_top1000(path: str | Path) -> list[Candidates]:
    """``top1000.*.tsv``: ``qid pid query passage``; candidates keep the file's order."""
    texts: dict[str, str] = {}
    docs: dict[str, list[Doc]] = {}
    for _, (query, passage, query_text, text) in _columns(path, "qid pid query passage"):
        texts[query] = query_text
        docs.setdefault(query, []).append(Doc(passage, text))
    return [Candidates(Query(name, text), tuple(docs[name])) for name, text in texts.items()]


def read_triples(path: str | Path) -> Iterator[tuple[str, str, str]]:
    """``triples.*.tsv``: ``query positive negative``, texts or ids."""
    return ((query, positive, negative) for _, (query, positive, negative) in _columns(path, "query positive negative"))
