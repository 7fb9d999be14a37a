"""Runs as they are entered for evaluation: TREC files, or folders of ``ponderank run``, which also know what they cost."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.data.trec import Run, read_run
from ponderank.errors import DataError


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run of ``queries`` took: calls, tokens read and written, flawed documents by flaw, seconds where they are known.

    ``seconds`` are those of the run's last start, from its beginning to its end: after a kill, of what was left.
    """

    queries: int
    calls: int
    read_tokens: int
    written_tokens: int
    flaws: Mapping[str, int]
    seconds: float | None = None

    def per_query(self, price: tuple[float, float] | None = None) -> dict[str, float]:
        """Means over queries; with a ``price`` of a million tokens (read, written) also ``cost``, in its currency.

        >>> Cost(2, 4, 100, 20, {"truncated": 1}).per_query((1.0, 10.0))
        {'calls': 2.0, 'read': 50.0, 'written': 10.0, 'flaws': 0.5, 'cost': 0.00015}
        """
        count = max(1, self.queries)
        out = {"calls": self.calls / count, "read": self.read_tokens / count, "written": self.written_tokens / count}
        out["flaws"] = sum(self.flaws.values()) / count
        if self.seconds is not None:
            out["seconds"] = self.seconds / count
        if price is not None:
            out["cost"] = (self.read_tokens * price[0] + self.written_tokens * price[1]) / 1e6 / count
        return out


@dataclass(frozen=True, slots=True)
class Entered:
    """A run by name; ``cost`` is known of folders only."""

    name: str
    run: Run
    cost: Cost | None = None


def enter(path: str | Path) -> Entered:
    """Read a TREC run, or a folder that ``ponderank run`` finished.

    Of a folder the order is that of ``run.trec``, and scores are the raw ones of ``trace.jsonl`` where they give that order, so
    that ties show.

    Raises:
        DataError: an unreadable file, or a folder without ``run.trec``.
    """
    path = Path(path)
    if not path.is_dir():
        return Entered(str(path), read_run(path))
    if not (path / "run.trec").is_file():
        raise DataError("this folder has no run.trec; is its run finished? Give a TREC run or such a folder", path=path)
    run, cost = read_run(path / "run.trec"), None
    if (path / "trace.jsonl").is_file():
        cost = _traced(path, run)
    return Entered(str(path), run, cost)


def _traced(folder: Path, run: Run) -> Cost:
    """Put the raw scores of the trace into ``run``, and sum up what it cost."""
    calls = read = written = queries = 0
    flaws: dict[str, int] = {}
    with (folder / "trace.jsonl").open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                query, docs = row["query"], row["docs"]
                calls, queries = calls + row["calls"], queries + 1
                read, written = read + row["prompt_tokens"], written + row["output_tokens"]
                for doc in docs:
                    if doc["flaw"]:
                        flaws[doc["flaw"]] = flaws.get(doc["flaw"], 0) + 1
                raw = [(doc["id"], doc["score"]) for doc in docs]
            except (ValueError, KeyError, TypeError) as error:
                raise DataError("expected a line of ponderank's trace", path=file.name, line=number) from error
            if _orders(raw, run.get(query, [])):
                run[query] = [(doc, float(score)) for doc, score in raw]
    return Cost(queries, calls, read, written, flaws, _seconds(folder, queries))


def _orders(raw: Sequence[tuple[str, Any]], ranked: Sequence[tuple[str, float]]) -> bool:
    scores = [score for _, score in raw]
    return (
        [doc for doc, _ in raw] == [doc for doc, _ in ranked]
        and all(isinstance(score, (int, float)) and math.isfinite(score) for score in scores)
        and all(a >= b for a, b in itertools.pairwise(scores))
    )


def _seconds(folder: Path, queries: int) -> float | None:
    path = folder / "timing.json"
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return float(told["seconds"]) if told["queries"] == queries else None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("expected seconds and queries, as ponderank run writes them", path=path) from error


def read_table(paths: Sequence[str | Path], measure: str | None = None) -> dict[str, dict[str, float | None]]:
    """System → task → score.

    With a ``measure`` each file is a task: what ``ponderank evaluate --format json`` printed; a system is a run's file name without
    ``.trec`` or ``.gz``, or its whole path where two would be called the same. Without, one file holds the table itself.

    Raises:
        DataError: a file of another shape, or without that measure.
    """
    if measure is None:
        if len(paths) != 1:
            raise DataError("several files are a task each, and need the measure to rank by: -m nDCG@10")
        return {system: dict(tasks) for system, tasks in _nested(Path(paths[0])).items()}
    table: dict[str, dict[str, float | None]] = {}
    for path in map(Path, paths):
        told = _nested(path)
        told = told.get("measures", told) if {"measures", "handling"} <= told.keys() else told
        names = [_short(run) for run in told]
        task = path.name.split(".")[0]
        for run, values in told.items():
            if measure not in values:
                raise DataError(f"{run!r} has no {measure}; it has {', '.join(values) or 'nothing'}", path=path)
            system = _short(run) if names.count(_short(run)) == 1 else run
            if task in table.setdefault(system, {}):
                raise DataError(f"two files are called {task}; tasks are named after their files", path=path)
            table[system][task] = values[measure]
    return table


def _short(run: str) -> str:
    return Path(run).name.removesuffix(".gz").removesuffix(".trec") or run


def _nested(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(f"expected a JSON object of objects: {error}", path=path) from error
    if not isinstance(told, dict) or not all(isinstance(inner, dict) for inner in told.values()):
        raise DataError("expected a JSON object of objects, such as {system: {task: score}}", path=path)
    return told
