"""Training rows from selected traces: prompts exactly as the recipe will ask them, completions as it will read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ponderank.data.lines import json_line, records, text_field, written
from ponderank.distill.shards import Collected
from ponderank.formats.rank1 import Rank1
from ponderank.types import Judgement


def row_of(one: Collected, form: Rank1) -> dict[str, Any]:
    """A row: ``prompt`` and ``completion`` through the format's own example, and where it came from.

    >>> from ponderank.distill.pairs import Pair
    >>> from ponderank.formats.teacher import Trace
    >>> from ponderank.types import Doc, Query
    >>> one = Collected(Pair(Query("q", "who"), Doc("d", "me"), "positives", 1), 0, Trace("It is me.", True), "stop")
    >>> row_of(one, Rank1())["completion"]
    '\\nIt is me.\\n</think> true'
    """
    judged = Judgement((1.0 if one.trace.verdict else -1.0,), reasoning=f"\n{one.trace.thought}\n")
    prompt, completion = form.example(one.pair.query, [one.pair.doc], judged)
    return {
        "prompt": prompt, "completion": completion, "key": one.pair.key, "part": one.pair.part,
        "verdict": one.trace.verdict,
    }  # fmt: skip


def write_rows(rows: Iterable[Collected], form: Rank1, path: str | Path) -> int:
    """Write training rows as JSONL, whole or not at all; returns how many."""
    count = 0
    with written(path) as file:
        for one in rows:
            file.write(json_line(row_of(one, form)))
            count += 1
    return count


def read_rows(path: str | Path) -> Iterator[tuple[str, str]]:
    """Prompt and completion of each row of a JSONL file.

    Raises:
        DataError: a line lacks one of them.
    """
    for line, record in records(path):
        yield text_field(record, ("prompt",), path, line), text_field(record, ("completion",), path, line)
