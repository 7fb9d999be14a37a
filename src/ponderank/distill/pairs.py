"""A pair of query and passage that a teacher is to be asked about, and the file it stands in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.data.lines import json_line, records, text_field, written
from ponderank.errors import DataError
from ponderank.types import Doc, Query


@dataclass(frozen=True, slots=True)
class Pair:
    """A query, a passage, the ``part`` of the sample it belongs to, and the label that part implies (1 or 0).

    ``rank`` is where it was found, from 1; 0 where it was not found but judged.
    """

    query: Query
    doc: Doc
    part: str
    label: int
    rank: int = 0

    @property
    def key(self) -> str:
        """Names the pair by what a teacher reads of it, 32 hex digits: the same texts under other ids are the same pair."""
        read = [self.query.instruction, self.query.text, self.doc.full_text]
        return hashlib.blake2b(json.dumps(read).encode(), digest_size=16).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        row: dict[str, Any] = {"query_id": self.query.id, "query": self.query.text}
        row |= {"instruction": self.query.instruction} if self.query.instruction else {}
        row |= {"doc_id": self.doc.id} | ({"title": self.doc.title} if self.doc.title else {}) | {"text": self.doc.text}
        return row | {"part": self.part, "label": self.label, "rank": self.rank}


def read_pairs(path: str | Path) -> Iterator[Pair]:
    """The pairs of a JSONL file: ``query_id``, ``query``, ``doc_id``, ``text``, ``part``, ``label``.

    A pair may also have an ``instruction``, a ``title`` and a ``rank``.

    Raises:
        DataError: a line lacks one, or its label is neither 1 nor 0.
    """
    for line, record in records(path):
        yield pair_of(record, path, line)


def pair_of(record: dict[str, Any], path: str | Path, line: int) -> Pair:
    """The pair in a record of a file.

    Raises:
        DataError: as ``read_pairs``.
    """
    fields = [text_field(record, (name,), path, line) for name in ("query_id", "query", "doc_id", "text", "part")]
    label, rank = record.get("label"), record.get("rank", 0)
    if label not in (0, 1):
        raise DataError(f"label is {label!r}; a pair's label is 1 (relevant) or 0", path=path, line=line)
    if not isinstance(rank, int):
        raise DataError(f"rank is {rank!r}; give a whole number", path=path, line=line)
    query = Query(fields[0], fields[1], str(record.get("instruction") or ""))
    doc = Doc(fields[2], fields[3], str(record.get("title") or ""))
    return Pair(query, doc, fields[4], int(label), rank)


def write_pairs(pairs: Iterable[Pair], path: str | Path) -> int:
    """Write pairs as JSONL, whole or not at all; returns how many."""
    count = 0
    with written(path) as file:
        for pair in pairs:
            file.write(json_line(pair.to_dict()))
            count += 1
    return count
