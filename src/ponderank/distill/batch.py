"""The same answers through batch files: written, sent or worked off elsewhere, read back into the shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.backends.http_batches import FINAL, MOST_BYTES, MOST_REQUESTS, Batches, answer_of, request_line
from ponderank.data.lines import records, written
from ponderank.distill.collect import UNANSWERED, Asking, Tally, missing
from ponderank.distill.pairs import Pair
from ponderank.distill.shards import Collected, Shard
from ponderank.errors import BackendError, DataError
from ponderank.formats.teacher import read_trace

Pairs = Callable[[], Iterable[Pair]]
"""Reads the pairs from their beginning."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may hold."""

    requests: int = MOST_REQUESTS
    size: int = MOST_BYTES


def write(
    pairs: Pairs, asking: Asking, shard: Shard, folder: Path, model: str, limits: Limits = Limits()
) -> list[Path]:
    """Write ``batch-0000.jsonl`` … for all answers that neither the shard nor a file without an output holds; the new files.

    Raises:
        DataError: one request alone is larger than a file may be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pending = {name for path in inputs(folder) if not output_of(path).exists() for name in _asked(path)}
    number = len(inputs(folder))
    made: list[Path] = []
    part: list[str] = []
    size = 0

    def close() -> None:
        nonlocal part, size
        if part:
            path = folder / f"batch-{number + len(made):04d}.jsonl"
            with written(path) as file:
                file.writelines(part)
            made.append(path)
        part, size = [], 0

    for pair, sample in missing(pairs(), asking, shard, Tally()):
        name = f"{pair.key}-{sample}"
        if name in pending:
            continue
        line = request_line(name, asking.call(pair, sample), model)
        length = len(line.encode())
        if length > limits.size:
            raise DataError(
                f"the request for document {pair.doc.id!r} takes {length:,} bytes, a file at most {limits.size:,}"
            )
        if len(part) == limits.requests or size + length > limits.size:
            close()
        part.append(line)
        size += length
    close()
    return made


def read_back(pairs: Pairs, shard: Shard, folder: Path) -> Tally:
    """Append what the output files (``batch-0000.output.jsonl`` …) hold to the shard; what failed in them is asked again.

    Raises:
        DataError: an output line is no answer, or answers what the pairs do not ask.
    """
    tally, start = Tally(), time.perf_counter()
    for path in inputs(folder):
        output = output_of(path)
        if not output.exists():
            continue
        replies = dict(_answers(output))
        wanted = {name.rpartition("-")[0] for name in replies}
        found = {pair.key: pair for pair in pairs() if pair.key in wanted}
        for name, reply in replies.items():
            key, _, sample = name.rpartition("-")
            if key not in found or not sample.isdigit():
                raise DataError(
                    f"it answers {name!r}, which these pairs do not ask; is it of another collection?", path=output
                )
            if reply.finish in UNANSWERED:
                tally.unanswered += 1
                continue
            used = reply.usage
            trace = read_trace(reply.text)
            row = Collected(found[key], int(sample), trace, reply.finish, used.prompt_tokens, used.output_tokens)
            if shard.append(row):
                tally.note(row)
            else:
                tally.before += 1
    tally.seconds = time.perf_counter() - start
    return tally


def send(
    folder: Path, server: Batches, *, every: float = 30.0, sleep: Callable[[float], None] = time.sleep,
    on_state: Callable[[dict[str, str]], None] | None = None,
) -> list[Path]:  # fmt: skip
    """Send every file that was not sent, wait until all are done, and fetch their outputs; returns those.

    What was sent is noted in ``batches.json`` at once, so that the same call after a kill sends nothing twice.

    Raises:
        BackendError: the server refuses, or a batch came to nothing; the others' outputs are there.
    """
    state = manifests.read(folder / "batches.json") or {}
    for path in inputs(folder):
        if path.name not in state and not output_of(path).exists():
            state[path.name] = {"id": server.submit(path), "status": "sent"}
            manifests.write_whole(folder / "batches.json", manifests.dumped(state))
    fetched: list[Path] = []
    while True:
        for name, known in state.items():
            if known["status"] not in FINAL:
                said = server.state(known["id"])
                known["status"] = said["status"]
                if said["status"] in FINAL:
                    fetched += _fetch(server, said, folder / name)
                manifests.write_whole(folder / "batches.json", manifests.dumped(state))
        if on_state:
            on_state({name: known["status"] for name, known in state.items()})
        if all(known["status"] in FINAL for known in state.values()):
            break
        sleep(every)
    lost = [name for name in state if not output_of(folder / name).exists()]
    if lost:
        ends = ", ".join(f"{name} {state[name]['status']}" for name in lost)
        for name in lost:
            del state[name]
        manifests.write_whole(folder / "batches.json", manifests.dumped(state))
        raise BackendError(f"batches without any answer ({ends}); the same command sends them again", retryable=True)
    return fetched


def inputs(folder: Path) -> list[Path]:
    """The request files, by number."""
    return sorted(path for path in folder.glob("batch-????.jsonl"))


def output_of(path: Path) -> Path:
    """Where the answers to a request file stand."""
    return path.with_name(f"{path.stem}.output.jsonl")


def _fetch(server: Batches, said: dict[str, Any], path: Path) -> list[Path]:
    """The outputs, and the failures beside them, in one file."""
    files = [said.get("output_file_id"), said.get("error_file_id")]
    texts = [server.download(file) for file in files if file]
    if not texts:
        return []
    with written(output_of(path)) as file:
        for text in texts:
            file.write(text if text.endswith("\n") or not text else text + "\n")
    return [output_of(path)]


def _answers(path: Path) -> Iterator[tuple[str, Any]]:
    for line, record in records(path):
        answer = answer_of(record)
        if answer is None:
            raise DataError("no answer of a batch: it has no custom_id", path=path, line=line)
        yield answer


def _asked(path: Path) -> Iterator[str]:
    for _, record in records(path):
        yield str(record.get("custom_id"))


def lines_of(path: Path) -> int:
    """How many requests a file holds."""
    with path.open("rb") as file:
        return sum(1 for _ in file)


def describe(paths: Iterable[Path]) -> str:
    """Files for people.

    >>> describe([])
    'no new files'
    """
    named = [f"{path.name} ({lines_of(path):,} requests, {path.stat().st_size / 1e6:.1f} MB)" for path in paths]
    return ", ".join(named) or "no new files"
