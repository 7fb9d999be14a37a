"""Texts as people give them: queries and documents from plain text, mappings or themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ponderank.errors import DataError
from ponderank.types import Candidates, Doc, Query

TextLike = str | Mapping[str, Any] | Doc
QueryLike = str | Mapping[str, Any] | Query


def candidates(query: QueryLike, docs: Sequence[TextLike]) -> Candidates:
    """A query and texts, however given, as ``Candidates``.

    >>> candidates("q", ["a", {"id": "x", "text": "b"}]).docs[1].id
    'x'
    """
    if isinstance(docs, str | bytes | Mapping | Doc):
        raise DataError(f"docs is a single {type(docs).__name__}; give a list of texts, mappings or Docs")
    docs = list(docs)
    made = tuple(document(doc, position) for position, doc in enumerate(docs))
    explicit: dict[str, int] = {}
    for position, (given, doc) in enumerate(zip(docs, made, strict=True)):
        if not isinstance(given, str) and explicit.setdefault(doc.id, position) != position:
            raise DataError(f"documents {explicit[doc.id]} and {position} share the id {doc.id!r}; give each its own")
    return Candidates(as_query(query), made)


def as_query(query: QueryLike) -> Query:
    """A query from text, a mapping (``id``, ``text``, ``instruction``) or itself."""
    if isinstance(query, Query):
        return query
    if isinstance(query, str):
        return Query("query", query)
    if isinstance(query, Mapping) and isinstance(query.get("text"), str):
        return Query(
            str(query.get("id", query.get("_id", "query"))), query["text"], str(query.get("instruction") or "")
        )
    raise DataError(f"a query is text, a mapping with 'text', or a Query; got {_shown(query)}")


def document(doc: TextLike, position: int) -> Doc:
    """A document from text, a mapping (``id``/``_id``/``docid``, ``text``/``contents``, ``title``) or itself."""
    if isinstance(doc, Doc):
        return doc
    if isinstance(doc, str):
        return Doc(str(position), doc)
    if isinstance(doc, Mapping):
        text = doc.get("text", doc.get("contents"))
        if isinstance(text, str):
            name = next((doc[key] for key in ("id", "_id", "docid", "doc_id") if doc.get(key) is not None), position)
            rest = {
                k: v for k, v in doc.items() if k not in ("id", "_id", "docid", "doc_id", "text", "contents", "title")
            }
            return Doc(str(name), text, str(doc.get("title") or ""), rest)
    raise DataError(f"document {position} is text, a mapping with 'text', or a Doc; got {_shown(doc)}")


def _shown(value: object) -> str:
    fields = f" with {', '.join(map(repr, list(value)[:6]))}" if isinstance(value, Mapping) else ""
    return f"{type(value).__name__}{fields}"
