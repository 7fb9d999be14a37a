"""Prompts from templates: our words trusted, query and document not."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ponderank.types import Doc, Part, Prompt, Query, Role

_PLACE = re.compile(r"\{(\w+)\}")


def ours(text: str, role: Role = "") -> Part:
    """A trusted part: special tokens in it are special."""
    return Part(text, trusted=True, role=role)


def filled(template: str, values: Mapping[str, str], *, shorten: str = "document", role: Role = "") -> Prompt:
    """A template with ``{name}`` in it as parts: its words trusted, the values not; the one named ``shorten`` may be cut.

    >>> [part.text for part in filled("Query: {query}", {"query": "{document}"})]
    ['Query: ', '{document}']
    """
    parts = []
    for at, piece in enumerate(_PLACE.split(template)):
        if at % 2:
            parts.append(Part(values[piece], trusted=False, may_shorten=piece == shorten, role=role))
        elif piece:
            parts.append(Part(piece, trusted=True, role=role))
    return tuple(parts)


def values_of(query: Query, doc: Doc) -> dict[str, str]:
    """What templates may name: ``query``, ``instruction``, ``document`` (title and text), ``title``, ``text``."""
    return {
        "query": query.text,
        "instruction": query.instruction,
        "document": doc.full_text,
        "title": doc.title,
        "text": doc.text,
    }
