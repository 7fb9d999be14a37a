"""What the words on a command line mean: a text, a file of texts, or stdin."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ponderank.errors import DataError
from ponderank.types import Doc

SUFFIXES = (".jsonl", ".jsonl.gz", ".txt", ".txt.gz")
"""Files that are read: JSON Lines, or one text a line."""

_TEXT_FIELDS, _ID_FIELDS = ("text", "contents"), ("id", "_id", "docid")


def documents(words: Sequence[str]) -> list[Doc]:
    """The documents that the words name, in their order; a document without an id is called by its position, from 0.

    ``-`` is stdin; a word that is a file with one of ``SUFFIXES`` is read; any other word is a text itself.

    Raises:
        DataError: a file that is missing, not readable or not well formed, two documents with one id, or no document.

    >>> [doc.text for doc in documents(["Paris is a city.", "Bread is baked."])]
    ['Paris is a city.', 'Bread is baked.']
    """
    docs: list[Doc] = []
    for word in words:
        for doc in _read(word):
            docs.append(doc if doc.id else Doc(str(len(docs)), doc.text, doc.title, doc.metadata))
    if not docs:
        raise DataError("no documents to rank; give texts, a .jsonl or .txt file, or - and pipe them in")
    return docs


def _read(word: str) -> Iterator[Doc]:
    if word == "-":
        yield from parse(_decoded(sys.stdin.buffer, "<stdin>"), "<stdin>", jsonl=None)
    elif os.path.isfile(word):
        if not word.endswith(SUFFIXES):
            raise DataError(f"a file, but not one of {', '.join(SUFFIXES)}; rename it, or pipe it in and write -", path=word)
        with _open(Path(word)) as lines:
            yield from parse(_decoded(lines, word), word, jsonl=".jsonl" in word[-9:])
    elif word.endswith(SUFFIXES) and not any(c.isspace() for c in word):
        raise DataError("no such file", path=word)
    else:
        yield Doc("", word)


def _open(path: Path) -> io.BufferedIOBase:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _decoded(lines: Iterable[bytes], name: str) -> Iterator[str]:
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        what = f"not UTF-8 ({error.reason} at byte {error.start} of the line); convert it, e.g. with iconv -t utf-8"
        raise DataError(what, path=name, line=number) from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"not a whole gzip file: {error}", path=name, line=number + 1) from error


def parse(lines: Iterable[str], name: str, *, jsonl: bool | None) -> Iterator[Doc]:
    """Documents of JSON Lines or of plain lines; blank lines are skipped.

    ``jsonl`` None (stdin, which has no suffix): JSON Lines if the first line begins with ``{``.

    >>> list(parse(['{"id": "7", "text": "A text."}'], "<stdin>", jsonl=None))[0].id
    '7'
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if jsonl is None:
            jsonl = line.lstrip().startswith("{")
        yield _record(line, name, number) if jsonl else Doc("", line)


def _record(line: str, name: str, number: int) -> Doc:
    example = '{"id": "1", "text": "…"}'
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"not JSON ({error}); expected an object a line, like {example}", path=name, line=number) from error
    if not isinstance(record, dict):
        raise DataError(f"a JSON {type(record).__name__}; expected an object a line, like {example}", path=name, line=number)
    text = next((record[key] for key in _TEXT_FIELDS if key in record), None)
    if not isinstance(text, str):
        had = f"field 'text' is {type(text).__name__}" if text is not None else f"no field 'text' among {sorted(map(str, record))}"
        raise DataError(f"{had}; expected an object like {example}", path=name, line=number)
    ident, title = next((record[key] for key in _ID_FIELDS if key in record), ""), record.get("title") or ""
    if not isinstance(ident, str | int) or not isinstance(title, str):
        raise DataError(f"'id' and 'title' are texts; expected an object like {example}", path=name, line=number)
    rest = {k: v for k, v in record.items() if k not in (*_TEXT_FIELDS, *_ID_FIELDS, "title")}
    return Doc(str(ident), text, title, rest)
