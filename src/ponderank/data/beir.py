"""Collections in BEIR layout: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/SPLIT.tsv``; each may be gzipped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ponderank.data.facts import Facts, read_facts
from ponderank.data.lines import records, text_field
from ponderank.data.trec import Qrels, read_qrels
from ponderank.errors import DataError
from ponderank.types import Doc, Query

_ID = ("_id", "id", "docid", "doc_id")
_TEXT = ("text", "contents")


@dataclass(frozen=True)
class Collection:
    """A folder with a corpus, queries and judgements; everything is read when first asked for. ``told`` stands in for its facts."""

    folder: Path
    told: Facts | None = None

    @classmethod
    def open(cls, folder: str | Path) -> Collection:
        """Look at the folder.

        Raises:
            DataError: it is not there or has no corpus.
        """
        collection = cls(Path(folder))
        if not collection.folder.is_dir():
            raise DataError(
                "no such collection folder; it should hold corpus.jsonl, queries.jsonl and qrels/", path=folder
            )
        collection.path("corpus.jsonl")
        return collection

    def path(self, name: str) -> Path:
        """The file of that name, or its gzipped form."""
        for path in (self.folder / name, self.folder / f"{name}.gz"):
            if path.is_file():
                return path
        raise DataError(f"no {name} (nor {name}.gz) in this collection folder", path=self.folder)

    def corpus(self) -> Iterator[Doc]:
        """The documents, in the file's order. Ids must differ."""
        seen: dict[str, int] = {}
        path = self.path("corpus.jsonl")
        for line, record in records(path):
            name = text_field(record, _ID, path, line)
            if seen.setdefault(name, line) != line:
                raise DataError(
                    f"the id {name!r} stood at line {seen[name]} already; ids must differ", path=path, line=line
                )
            text = text_field(record, _TEXT, path, line)
            yield Doc(name, text, str(record.get("title") or ""), _rest(record))

    @cached_property
    def docs(self) -> dict[str, Doc]:
        """The documents by id, in memory."""
        return {doc.id: doc for doc in self.corpus()}

    @cached_property
    def queries(self) -> dict[str, Query]:
        """The queries by id, in the file's order."""
        path = self.path("queries.jsonl")
        out: dict[str, Query] = {}
        for line, record in records(path):
            name = text_field(record, _ID, path, line)
            if name in out:
                raise DataError(f"a second query with the id {name!r}; ids must differ", path=path, line=line)
            out[name] = Query(
                name, text_field(record, ("text", "query"), path, line), str(record.get("instruction") or "")
            )
        return out

    @property
    def splits(self) -> list[str]:
        """The names of the judged splits."""
        found = {p.name.removesuffix(".gz").removesuffix(".tsv") for p in (self.folder / "qrels").glob("*.tsv*")}
        return sorted(found)

    def qrels_path(self, split: str) -> Path:
        """The judgements' file of a split."""
        for path in (self.folder / "qrels" / f"{split}.tsv", self.folder / "qrels" / f"{split}.tsv.gz"):
            if path.is_file():
                return path
        have = ", ".join(self.splits) or "no splits at all"
        raise DataError(f"no split {split!r}: expected qrels/{split}.tsv; this collection has {have}", path=self.folder)

    def qrels(self, split: str) -> Qrels:
        """The judgements of a split: query id → document id → grade."""
        return read_qrels(self.qrels_path(split))

    def judged_queries(self, split: str) -> list[Query]:
        """The queries that the split judges, in the order of ``queries.jsonl``.

        Raises:
            DataError: the split judges a query that ``queries.jsonl`` lacks.
        """
        judged = self.qrels(split)
        missing = [name for name in judged if name not in self.queries]
        if missing:
            raise DataError(
                f"{len(missing)} judged queries are not in queries.jsonl, the first is {missing[0]!r}",
                path=self.qrels_path(split),
            )
        return [query for name, query in self.queries.items() if name in judged]

    @cached_property
    def facts(self) -> Facts:
        """How it is to be used: as told, else from ``collection.json`` in its folder; the usual where there is none."""
        return self.told or read_facts(self.folder)

    def fingerprint(self) -> str:
        """SHA-256 of the corpus file."""
        with self.path("corpus.jsonl").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _rest(record: dict[str, Any]) -> dict[str, Any]:
    metadata = record.get("metadata")
    extra = {k: v for k, v in record.items() if k not in (*_ID, *_TEXT, "title", "metadata")}
    return {**extra, **metadata} if isinstance(metadata, dict) else extra
