"""Plain JSONL: documents, and candidates with their query."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ponderank.data.lines import records, text_field, written
from ponderank.errors import DataError
from ponderank.types import Candidates, Doc, Query


def read_docs(path: str | Path) -> list[Doc]:
    """Documents: ``{"id"?, "text", "title"?}`` a line; a missing id becomes the line's position from 0.

    Raises:
        DataError: a line without text, or an id twice.
    """
    docs: list[Doc] = []
    seen: dict[str, int] = {}
    for line, record in records(path):
        doc = _doc(record, len(docs), path, line)
        if seen.setdefault(doc.id, line) != line:
            raise DataError(
                f"the id {doc.id!r} stood at line {seen[doc.id]} already; ids must differ", path=path, line=line
            )
        docs.append(doc)
    return docs


def read_candidates(path: str | Path) -> Iterator[Candidates]:
    """Candidates: ``{"query": text or {"id","text","instruction"?}, "docs": [{"id","text","title"?,"score"?}, …]}`` a line."""
    for line, record in records(path):
        query = record.get("query")
        if isinstance(query, str):
            query = {"id": record.get("id", str(line)), "text": query}
        if not isinstance(query, dict):
            raise DataError("no field 'query' with a text or an object", path=path, line=line)
        given = record.get("docs")
        if not isinstance(given, list) or not all(isinstance(doc, dict | str) for doc in given):
            raise DataError("no field 'docs' with a list of texts or objects", path=path, line=line)
        rows: list[dict[str, object]] = [{"text": doc} if isinstance(doc, str) else doc for doc in given]
        found = [row.get("score") for row in rows]
        scores = tuple(float(score) for score in found if isinstance(score, int | float))
        yield Candidates(
            Query(
                str(query.get("id", line)),
                text_field(query, ("text",), path, line),
                str(query.get("instruction") or ""),
            ),
            tuple(_doc(row, i, path, line) for i, row in enumerate(rows)),
            scores if scores and len(scores) == len(rows) else None,
        )


def write_candidates(many: Iterable[Candidates], path: str | Path) -> None:
    """Write what ``read_candidates`` reads."""
    with written(path) as file:
        for one in many:
            docs = []
            for i, doc in enumerate(one.docs):
                row: dict[str, object] = {"id": doc.id, "text": doc.text}
                if doc.title:
                    row["title"] = doc.title
                if one.scores is not None:
                    row["score"] = one.scores[i]
                docs.append(row)
            query = {"id": one.query.id, "text": one.query.text, "instruction": one.query.instruction}
            file.write(json.dumps({"query": query, "docs": docs}, ensure_ascii=False) + "\n")


def _doc(record: dict[str, object], position: int, path: str | Path, line: int) -> Doc:
    text = text_field(record, ("text", "contents"), path, line)
    name = next((record[key] for key in ("id", "_id", "docid", "doc_id") if record.get(key) is not None), position)
    rest = {
        k: v
        for k, v in record.items()
        if k not in ("id", "_id", "docid", "doc_id", "text", "contents", "title", "score")
    }
    return Doc(str(name), text, str(record.get("title") or ""), rest)
