"""Preferences between thoughts about one pair: those that came to the right verdict against those that did not."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ponderank.contracts import Backend
from ponderank.data.lines import json_line, records, text_field, written
from ponderank.distill.pairs import Pair
from ponderank.distill.rows import row_of
from ponderank.distill.shards import Collected
from ponderank.errors import DataError, RecipeError
from ponderank.formats.rank1 import Rank1
from ponderank.types import Generate, Reply, text_of

_TOGETHER = 64
"""Calls that are kept in flight."""


@dataclass(frozen=True, slots=True)
class Thoughts:
    """A pair's prompt, byte for byte as the recipe asks, and completions of it, each right or wrong."""

    pair: Pair
    prompt: str
    completions: tuple[tuple[str, bool], ...]

    def row(self, rng: random.Random) -> dict[str, Any] | None:
        """A row of preferences, None where all are right or all wrong.

        ``chosen`` and ``rejected`` are one of each, drawn; ``completions`` are all that differ, right ones first, with their
        ``grades``, 1 and 0, for losses of lists.

        >>> from ponderank.types import Doc, Query
        >>> pair = Pair(Query("q", "who"), Doc("d", "me"), "x", 1)
        >>> Thoughts(pair, "p", (("a", True), ("b", False), ("a", True))).row(random.Random(0))["grades"]
        [1, 0]
        """
        known = dict(self.completions)
        right, wrong = ([text for text, good in known.items() if good is wanted] for wanted in (True, False))
        if not (right and wrong):
            return None
        return {
            "prompt": self.prompt, "chosen": rng.choice(right), "rejected": rng.choice(wrong), "completions": right + wrong,
            "grades": [1] * len(right) + [0] * len(wrong), "key": self.pair.key, "label": self.pair.label,
        }  # fmt: skip


def of_traces(many: Iterable[Collected]) -> Iterator[Thoughts]:
    """The thoughts of traces of which each pair has several (``distill collect --samples``); cut-off ones are left out."""
    pairs: dict[str, list[Collected]] = {}
    for one in many:
        if one.trace.verdict is not None and one.finish in ("stop", "end"):
            pairs.setdefault(one.pair.key, []).append(one)
    for found in pairs.values():
        rows = [row_of(one, Rank1()) for one in found]
        pair = found[0].pair
        said = tuple((row["completion"], row["verdict"] == bool(pair.label)) for row in rows)
        yield Thoughts(pair, rows[0]["prompt"], said)


def of_student(
    pairs: Iterable[Pair], backend: Backend, form: Rank1, *, samples: int, temperature: float, seed: int = 0
) -> Iterator[Thoughts]:
    """The student's own thoughts, ``samples`` of each pair, asked for as the recipe does but at a ``temperature``.

    A thought that was cut off or gave no verdict has none of its own, and is left out.

    Raises:
        RecipeError: a format that does not think.
    """
    waiting = iter(pairs)
    while batch := list(islice(waiting, max(1, _TOGETHER // samples))):
        asked: dict[int, tuple[int, int]] = {}
        for at, pair in enumerate(batch):
            call = first_thought(form, pair)
            for number in range(samples):
                one = replace(call, temperature=temperature, seed=seed + number)
                asked[backend.add(one)] = (at, number)
        replies: dict[tuple[int, int], Reply] = {}
        while len(replies) < len(asked):
            replies |= {asked[ticket]: reply for ticket, reply in backend.step()}
        for at, pair in enumerate(batch):
            said = [reply for (which, _), reply in sorted(replies.items()) if which == at]
            ended = [(reply.text + reply.stop, reply.stop.endswith(" true")) for reply in said if reply.stop]
            right = tuple((text, verdict == bool(pair.label)) for text, verdict in ended)
            yield Thoughts(pair, text_of(first_thought(form, pair).prompt), right)


def first_thought(form: Rank1, pair: Pair) -> Generate:
    """The call that asks for a pair's thought.

    Raises:
        RecipeError: a format that does not think, or not as Rank1 does.
    """
    call = next(form.judge(pair.query, [pair.doc], None))[0] if isinstance(form, Rank1) else None  # type: ignore[arg-type]
    if not isinstance(call, Generate):
        raise RecipeError(
            "preferences are between thoughts in Rank1's form; take the recipe rank1, or one of its sizes"
        )
    return call


def write_preferences(many: Iterable[Thoughts], path: str | Path, *, seed: int = 0) -> dict[str, int]:
    """Write rows as JSONL, whole or not at all; returns how many, and how many pairs had only right or only wrong thoughts."""
    rng = random.Random(seed)
    counts = {"rows": 0, "all right": 0, "all wrong": 0, "no verdict": 0}
    with written(path) as file:
        for one in many:
            row = one.row(rng)
            if row is not None:
                file.write(json_line(row))
            counts["rows" if row else _alike(one)] += 1
    return counts


def _alike(one: Thoughts) -> str:
    if not one.completions:
        return "no verdict"
    return "all right" if one.completions[0][1] else "all wrong"


def read_preferences(path: str | Path) -> Iterator[tuple[str, str, str]]:
    """Prompt, chosen and rejected completion of each row.

    Raises:
        DataError: a line lacks one of them, or both completions are the same.
    """
    for line, record in records(path):
        prompt, chosen, rejected = (
            text_field(record, (name,), path, line) for name in ("prompt", "chosen", "rejected")
        )
        if chosen == rejected:
            raise DataError("chosen and rejected are the same; a preference needs two", path=path, line=line)
        yield prompt, chosen, rejected


def read_lists(path: str | Path) -> Iterator[tuple[str, Sequence[str], Sequence[float]]]:
    """Prompt, completions and their grades of each row.

    Raises:
        DataError: a line has fewer than two completions, other than one grade each, or none above 0.
    """
    for line, record in records(path):
        prompt = text_field(record, ("prompt",), path, line)
        completions, grades = _list(record, "completions"), _list(record, "grades")
        fits = len(completions) == len(grades) >= 2 and all(isinstance(one, str) for one in completions)
        if (
            not fits
            or not all(isinstance(grade, int | float) and 0 <= grade <= 30 for grade in grades)
            or max(grades) <= 0
        ):
            raise DataError(
                "expected completions (two texts or more) and grades, a number from 0 to 30 for each and one above 0",
                path=path, line=line,
            )  # fmt: skip
        yield prompt, completions, [float(grade) for grade in grades]


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    return value if isinstance(value, list) else []
