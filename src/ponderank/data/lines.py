"""Opening text and reading JSON lines, so that every error names the file and the line."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

from ponderank.errors import DataError


@contextmanager
def open_text(path: str | Path) -> Iterator[IO[str]]:
    """Open UTF-8 text to read: a file, a ``.gz`` file, or ``-`` for standard input. A byte-order mark is skipped.

    Raises:
        DataError: there is no such file.
    """
    if str(path) == "-":
        yield io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig") if hasattr(sys.stdin, "buffer") else sys.stdin
        return
    if not Path(path).is_file():
        raise DataError(
            "no such file" if not Path(path).is_dir() else "this is a folder; a file is expected", path=path
        )
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        yield file


def lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """The non-empty lines of a text with their numbers, from 1, without line ends.

    Raises:
        DataError: bytes that are not UTF-8, or a broken gzip stream.
    """
    number = 0
    with open_text(path) as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(
                f"not UTF-8 ({error.reason} at byte {error.start}); convert the file to UTF-8",
                path=path,
                line=number + 1,
            ) from error
        except (EOFError, gzip.BadGzipFile) as error:
            raise DataError(f"broken gzip: {error}; compress the file again", path=path, line=number + 1) from error


def records(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a JSONL file with their line numbers.

    Raises:
        DataError: a line that is not a JSON object; the message shows where and what.
    """
    for number, line in lines(path):
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            shown = line[max(0, error.pos - 20) : error.pos + 20]
            raise DataError(
                f"malformed JSON at column {error.colno} ({error.msg}) near {shown!r}; each line must be one JSON object",
                path=path, line=number,
            ) from error  # fmt: skip
        if not isinstance(value, dict):
            raise DataError(
                f"expected a JSON object, found {type(value).__name__}: {line[:60]}", path=path, line=number
            )
        yield number, value


def json_line(value: Any) -> str:
    """One line of JSON with its end; a lone surrogate, which no file can hold, as its escape.

    >>> json_line({"a": "é"})
    '{"a": "é"}\\n'
    """
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n"


def text_field(record: dict[str, Any], names: tuple[str, ...], path: str | Path, line: int) -> str:
    """The first of ``names`` that the record has, as text (numbers become text).

    Raises:
        DataError: it has none, or not text.
    """
    for name in names:
        value = record.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    present = ", ".join(map(repr, list(record)[:8])) or "nothing"
    raise DataError(
        f"no field {' or '.join(map(repr, names))} with text; this line has {present}", path=path, line=line
    )


@contextmanager
def written(path: str | Path) -> Iterator[IO[str]]:
    """Write a text file whole or not at all: to a temporary file beside it, then renamed. ``.gz`` is compressed; ``-`` is stdout."""
    if str(path) == "-":
        yield sys.stdout
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    try:
        with (
            open(name, "wb") as raw,
            _packed(raw, path) as stream,
            io.TextIOWrapper(stream, encoding="utf-8", newline="\n") as file,
        ):
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _packed(raw: IO[bytes], path: Path) -> Any:
    # no time stamp: the same content is the same bytes
    return gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.suffix == ".gz" else nullcontext(raw)
