"""What type of question a query is, by rule: by its first word. English."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ponderank.robustness.paraphrases import is_question

LEAST = 5
"""Queries that a type needs before anything is said about it."""

_FIRST = re.compile(r"[^\W\d_]+")
_TYPES = {
    "what": "what", "which": "what", "how": "how", "why": "why", "who": "who, when, where", "whom": "who, when, where",
    "whose": "who, when, where", "when": "who, when, where", "where": "who, when, where",
}  # fmt: skip


def query_type(text: str) -> str:
    """``what``, ``how``, ``why``, ``who, when, where``, ``yes or no``, ``key words`` (up to three words) or ``statement``.

    >>> query_type("how do magnets work?"), query_type("is water wet"), query_type("boiling point")
    ('how', 'yes or no', 'key words')
    """
    first = _FIRST.search(text)
    named = _TYPES.get(first.group().lower()) if first else None
    if named:
        return named
    if is_question(text):
        return "yes or no"
    return "key words" if len(text.split()) <= 3 else "statement"


def by_type(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Query ids by type, of those types that have at least ``LEAST``, the largest first."""
    found: dict[str, list[str]] = {}
    for name, text in texts.items():
        found.setdefault(query_type(text), []).append(name)
    large = {kind: ids for kind, ids in found.items() if len(ids) >= LEAST}
    return dict(sorted(large.items(), key=lambda item: (-len(item[1]), item[0])))
