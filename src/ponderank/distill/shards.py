"""A teacher's traces on disk: append-only JSONL shards, one writer each, whole lines only, nothing twice."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ponderank.data.lines import json_line, records
from ponderank.distill.pairs import Pair, pair_of
from ponderank.errors import DataError
from ponderank.formats.teacher import Trace

_NAME = re.compile(r"shard-\d{4}-of-\d{4}\.jsonl")
_BEGIN = re.compile(rb'\{"key": "([0-9a-f]{32})", "sample": (\d+), ')


@dataclass(frozen=True, slots=True)
class Collected:
    """What a teacher said of a pair: its ``sample``-th thought (from 0), and how the text ended.

    ``finish`` as in ``Reply``; ``"refused"`` where the teacher would not answer. Tokens as the teacher counts them.
    """

    pair: Pair
    sample: int
    trace: Trace
    finish: str
    prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0

    def line(self) -> str:
        """The line of a shard, key and sample first."""
        row = {
            "key": self.pair.key, "sample": self.sample, "verdict": self.trace.verdict, "finish": self.finish,
            "thought": self.trace.thought, "prompt_tokens": self.prompt_tokens, "output_tokens": self.output_tokens,
            "seconds": round(self.seconds, 3), "pair": self.pair.to_dict(),
        }  # fmt: skip
        return json_line(row)


class Shard:
    """One shard of a folder, held by this process until it is closed; use it as a context manager.

    What a kill left of a last line is cut off when the shard is opened again. ``done`` names what any shard of the folder
    has, so that a collection may go on in another number of shards.

    Raises:
        DataError: another process writes this shard.
    """

    def __init__(self, folder: str | Path, number: int = 0, of: int = 1) -> None:
        if not 0 <= number < of <= 9999:
            raise DataError(f"shard {number}/{of}: give a number from 0 below the number of shards, such as 0/4")
        self.folder, self.number, self.of = Path(folder), number, of
        self.path = self.folder / f"shard-{number:04d}-of-{of:04d}.jsonl"
        self._file: IO[bytes] | None = None
        self.done: set[tuple[bytes, int]] = set()

    def __enter__(self) -> Shard:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise DataError(
                "another process is writing this shard; wait for it, or take another one (--shard)", path=self.path
            ) from error
        _cut_torn_line(self._file)
        self.done = {name for path in shard_files(self.folder) for name in _names(path)}
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def has(self, pair: Pair, sample: int) -> bool:
        """Whether any shard holds this."""
        return (bytes.fromhex(pair.key), sample) in self.done

    def owns(self, pair: Pair) -> bool:
        """Whether this shard is to hold the pair: the shards share the keys evenly."""
        return int(pair.key[:8], 16) % self.of == self.number

    def append(self, row: Collected) -> bool:
        """Write a row, unless the folder has it; it is in the file when this returns."""
        if self._file is None or self.has(row.pair, row.sample):
            return False
        self._file.write(row.line().encode())
        self._file.flush()
        self.done.add((bytes.fromhex(row.pair.key), row.sample))
        return True


def shard_files(folder: str | Path) -> list[Path]:
    """The shards in a folder, by name."""
    return sorted(path for path in Path(folder).glob("shard-*.jsonl") if _NAME.fullmatch(path.name))


def read_collected(folder: str | Path) -> Iterator[Collected]:
    """All rows of a folder's shards; a last line that a kill cut short is left out.

    Raises:
        DataError: there are no shards, or a line is no such row.
    """
    files = shard_files(folder)
    if not files:
        raise DataError("no shards here (shard-0000-of-0001.jsonl …); collect traces first", path=folder)
    for path in files:
        torn = _torn(path)
        for line, record in _whole(path, torn):
            yield _collected(record, path, line)


def _whole(path: Path, torn: bool) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        yield from records(path)
    except DataError:
        if not torn:  # a broken line in the middle is an error, a torn last one is what a kill leaves
            raise


def _collected(record: Mapping[str, Any], path: Path, line: int) -> Collected:
    pair = record.get("pair")
    if not isinstance(pair, dict) or not isinstance(record.get("thought"), str):
        raise DataError("no row of a shard: it needs pair and thought", path=path, line=line)
    verdict = record.get("verdict")
    if verdict not in (True, False, None):
        raise DataError(f"verdict is {verdict!r}; it is true, false or null", path=path, line=line)
    numbers = {name: record.get(name, 0) for name in ("prompt_tokens", "output_tokens", "seconds")}
    trace = Trace(record["thought"], verdict)
    return Collected(
        pair_of(pair, path, line), int(record.get("sample", 0)), trace, str(record.get("finish", "stop")), **numbers
    )


def _cut_torn_line(file: IO[bytes]) -> None:
    """Shorten a file to its last line's end."""
    end = file.seek(0, 2)
    place = end
    while place > 0:
        start = max(0, place - 65536)
        file.seek(start)
        found = file.read(place - start).rfind(b"\n")
        if found >= 0:
            place = start + found + 1
            break
        place = start
    if place < end:
        file.truncate(place)
    file.seek(0, 2)


def _torn(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return False
        file.seek(-1, 2)
        return file.read(1) != b"\n"


def _names(path: Path) -> Iterator[tuple[bytes, int]]:
    """Keys and samples of a shard's whole lines, without reading the rest of them."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            found = _BEGIN.match(line)
            if found and line.endswith(b"\n"):
                yield bytes.fromhex(found[1].decode()), int(found[2])
            elif line.endswith(b"\n"):
                raise DataError("no row of a shard: it begins with key and sample", path=path, line=number)
