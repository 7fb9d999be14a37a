"""What the words on a command line mean: a text, a file of texts, or stdin."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ponderank.errors import DataError
from ponderank.types import Doc

SUFFIXES = (".jsonl", ".jsonl.gz", ".txt", ".txt.gz")
"""Files that are read: JSON Lines, or one text a line."""


def documents(words: Sequence[str]) -> list[Doc]:
    """The documents that the words name, in their order; a document without an id is called by its position, from 0.

    ``-`` is stdin; a word that is a file with one of ``SUFFIXES`` is read; any other word is a text itself.

    Raises:
        DataError: a file that is missing, not readable or not well formed, or no document at all.

    >>> [doc.text for doc in documents(["Paris is a city.", "Bread is baked."])]
    ['Paris is a city.', 'Bread is baked.']
    """
    from ponderank.texts import document

    if words.count("-") > 1:
        raise DataError("stdin (-) can be read once only")
    found = (text for word in words for text in _read(word))
    docs = [document(text, position) for position, text in enumerate(found)]
    if not docs:
        raise DataError("no documents to rank; give texts, a .jsonl or .txt file, or - and pipe them in")
    return docs


def _read(word: str) -> Iterator[str | Mapping[str, Any]]:
    if word == "-":
        yield from _objects(word) if _stdin_is_jsonl() else _plain(word)
    elif os.path.isfile(word):
        if not word.endswith(SUFFIXES):
            raise DataError(
                f"a file, but not one of {', '.join(SUFFIXES)}; rename it, or pipe it in and write -", path=word
            )
        yield from _objects(word) if word.endswith((".jsonl", ".jsonl.gz")) else _plain(word)
    elif word.endswith(SUFFIXES) and not any(c.isspace() for c in word):
        raise DataError("no such file", path=word)
    else:
        yield word


def _objects(path: str) -> Iterator[Mapping[str, Any]]:
    from ponderank.data.lines import records, text_field

    for number, record in records(path):
        text_field(record, ("text", "contents"), path, number)
        yield record


def _plain(path: str) -> Iterator[str]:
    from ponderank.data.lines import lines

    for _, line in lines(path):
        yield line


def _stdin_is_jsonl() -> bool:
    """Whether what is piped in begins with ``{``; nothing is consumed."""
    if sys.stdin.isatty():
        print("reading texts from the terminal, one a line; end with Ctrl-D", file=sys.stderr)
    start: bytes = sys.stdin.buffer.peek(1)  # type: ignore[union-attr]
    return start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
