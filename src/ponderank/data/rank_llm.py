"""rank_llm's request files: one query with its candidates a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ponderank.data.lines import records, text_field, written
from ponderank.errors import DataError
from ponderank.types import Candidates, Doc, Query

_TEXT = ("contents", "text", "segment", "content", "body", "passage")


def read_requests(path: str | Path) -> Iterator[Candidates]:
    """Read ``{"query": {"text", "qid"}, "candidates": [{"docid", "score", "doc": {"contents" …}}]}`` lines."""
    for line, record in records(path):
        query, given = record.get("query"), record.get("candidates")
        if not isinstance(query, dict) or not isinstance(given, list):
            raise DataError(
                "expected 'query' with an object and 'candidates' with a list, as rank_llm writes them",
                path=path,
                line=line,
            )
        docs: list[Doc] = []
        scores: list[Any] = []
        for row in given:
            if not isinstance(row, dict):
                raise DataError("a candidate is not an object", path=path, line=line)
            docs.append(_doc(row, path, line))
            scores.append(row.get("score"))
        known = all(isinstance(score, int | float) for score in scores)
        name = text_field(query, ("qid", "id"), path, line)
        yield Candidates(
            Query(name, text_field(query, ("text",), path, line)),
            tuple(docs),
            tuple(map(float, scores)) if known else None,
        )


def _doc(row: dict[str, Any], path: str | Path, line: int) -> Doc:
    inner = row.get("doc")
    if isinstance(inner, str):
        inner = {"contents": inner}
    if not isinstance(inner, dict):
        raise DataError("a candidate has no 'doc' object", path=path, line=line)
    return Doc(
        text_field(row, ("docid", "id"), path, line),
        text_field(inner, _TEXT, path, line),
        str(inner.get("title") or ""),
    )


def write_requests(many: Iterable[Candidates], path: str | Path) -> None:
    """Write what rank_llm and ``read_requests`` read; unknown scores become ``n - rank + 1``."""
    with written(path) as file:
        for one in many:
            n = len(one.docs)
            rows = []
            for i, doc in enumerate(one.docs):
                inner = {"title": doc.title, "contents": doc.text} if doc.title else {"contents": doc.text}
                rows.append(
                    {"docid": doc.id, "score": one.scores[i] if one.scores is not None else float(n - i), "doc": inner}
                )
            file.write(
                json.dumps(
                    {"query": {"text": one.query.text, "qid": one.query.id}, "candidates": rows}, ensure_ascii=False
                )
                + "\n"
            )
