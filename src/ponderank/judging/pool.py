"""A pool: passages that people are to judge, the grades they may give, and the file both stand in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ponderank.data.lines import json_line, records, text_field, written
from ponderank.errors import DataError
from ponderank.types import Doc, Query


@dataclass(frozen=True, slots=True)
class Grade:
    """A step of a scale: the digit that is pressed and written, its word, and what the word means."""

    grade: int
    word: str
    hint: str = ""


Scale = tuple[Grade, ...]

SCALES: Mapping[str, Scale] = {
    "dl": (
        Grade(0, "Irrelevant", "has nothing to do with the query"),
        Grade(1, "Related", "is about the topic, but does not answer"),
        Grade(2, "Highly relevant", "answers, but unclearly or among other things"),
        Grade(3, "Perfectly relevant", "is about just this and has the exact answer"),
    ),
    "binary": (Grade(0, "Not relevant"), Grade(1, "Relevant")),
}
"""Grades by name. ``dl`` are those of TREC's Deep Learning tracks, where 1 does not count as relevant in binary measures."""


def scale_of(given: Iterable[str]) -> Scale:
    """A scale from ``GRADE=WORD`` texts.

    Raises:
        DataError: fewer than two, a grade that is no single digit, or one twice.

    >>> scale_of(["0=No", "1=Yes"])[1].word
    'Yes'
    """
    made = []
    for text in given:
        digit, sign, word = text.partition("=")
        if not sign or digit not in list("0123456789") or not word.strip():
            raise DataError(f"{text!r} is not GRADE=WORD with a digit for a grade, such as '0=Irrelevant'")
        made.append(Grade(int(digit), word.strip()))
    made.sort(key=lambda step: step.grade)
    if len(made) < 2 or len({step.grade for step in made}) < len(made):
        raise DataError("a scale needs two different grades or more, such as '0=No' and '1=Yes'")
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Item:
    """A passage to be judged for a query, ``why`` it is in the pool, and what nobody sees before grading it.

    ``before`` is the grade it had, None if none. ``seen`` are the runs that have it in their top k, with the rank from 1.
    """

    query: Query
    doc: Doc
    why: str = "unjudged"
    before: int | None = None
    seen: tuple[tuple[str, int], ...] = ()

    @property
    def key(self) -> str:
        """Names the item by the ids of its query and document, 24 hex digits; tells nothing about them to who reads it."""
        return named(self.query.id, self.doc.id)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        row: dict[str, Any] = {"query_id": self.query.id, "query": self.query.text}
        row |= {"instruction": self.query.instruction} if self.query.instruction else {}
        row |= {"doc_id": self.doc.id} | ({"title": self.doc.title} if self.doc.title else {}) | {"text": self.doc.text}
        seen = [{"run": run, "rank": rank} for run, rank in self.seen]
        return row | {"why": self.why, "before": self.before, "seen": seen}


def named(*words: str) -> str:
    """A short name of some words.

    >>> named("q1", "d1") == named("q1", "d1") != named("q1d", "1")
    True
    """
    return hashlib.blake2b(json.dumps(words).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Pool:
    """Items, the scale they are judged on, and how the pool was made (``made``, for people).

    ``seed`` orders what an assessor sees. The grades of a pool that ``adjudicates`` decide over all others.
    """

    items: tuple[Item, ...]
    scale: Scale = SCALES["dl"]
    seed: int = 0
    adjudicates: bool = False
    made: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.by_key) < len(self.items):
            seen: set[str] = set()
            twice = next(item for item in self.items if item.key in seen or seen.add(item.key))  # type: ignore[func-returns-value]
            raise DataError(f"document {twice.doc.id!r} stands twice for query {twice.query.id!r}; keep one")

    @cached_property
    def by_key(self) -> dict[str, Item]:
        """The items by key."""
        return {item.key: item for item in self.items}

    @cached_property
    def by_query(self) -> dict[str, list[Item]]:
        """The items by the key of their query."""
        groups: dict[str, list[Item]] = {}
        for item in self.items:
            groups.setdefault(named(item.query.id), []).append(item)
        return groups

    @cached_property
    def fingerprint(self) -> str:
        """Names what is judged and on which grades, 32 hex digits: ids and texts, in any order."""
        rows = sorted([i.query.id, i.query.instruction, i.query.text, i.doc.id, i.doc.full_text] for i in self.items)
        read = [[step.grade for step in self.scale], self.adjudicates, rows]
        return hashlib.blake2b(json.dumps(read).encode(), digest_size=16).hexdigest()

    def order(self, assessor: str) -> dict[str, list[Item]]:
        """The items by their query's key, as an assessor sees them: nothing in the order tells of a run or a rank.

        Queries come in one seeded order for everybody, so that people who stop early have judged the same queries;
        passages of a query come in an order of each assessor's own, so that no place in it favours a passage twice.
        """
        seed = str(self.seed)
        return {
            query: sorted(self.by_query[query], key=lambda item: named(seed, assessor, item.key))
            for query in sorted(self.by_query, key=lambda query: named(seed, query))
        }

    def header(self) -> dict[str, Any]:
        """What the first line of the file holds."""
        scale = [{"grade": step.grade, "word": step.word, "hint": step.hint} for step in self.scale]
        return {"scale": scale, "seed": self.seed, "adjudicates": self.adjudicates, "made": dict(self.made)}


def write_pool(pool: Pool, path: str | Path) -> None:
    """Write a pool as JSONL, whole or not at all: a line ``{"pool": …}`` about it, then a line for each item."""
    with written(path) as file:
        file.write(json_line({"pool": pool.header()}))
        for item in pool.items:
            file.write(json_line(item.to_dict()))


def read_pool(path: str | Path) -> Pool:
    """Read what ``write_pool`` writes.

    Raises:
        DataError: the first line tells of no pool, a line is no item, or a document stands twice for a query.
    """
    lines = records(path)
    _, first = next(lines, (0, {}))
    header = first.get("pool")
    if not isinstance(header, dict):
        raise DataError('no pool: its first line is {"pool": …}; make one with `ponderank judge pool`', path=path)
    try:
        return pool_of(header, [item_of(record, path, line) for line, record in lines])
    except DataError as error:
        raise error if error.path else DataError(str(error), path=path) from error


def pool_of(header: Mapping[str, Any], items: Iterable[Item]) -> Pool:
    """A pool from its header and items.

    Raises:
        DataError: a header without a scale, or a document twice for a query.
    """
    try:
        scale = tuple(
            Grade(int(step["grade"]), str(step["word"]), str(step.get("hint") or "")) for step in header["scale"]
        )
        seed, made = int(header.get("seed") or 0), dict(header.get("made") or {})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the pool's first line has no readable scale ({error!r}); make the pool again") from error
    return Pool(tuple(items), scale, seed, bool(header.get("adjudicates")), made)


def item_of(record: dict[str, Any], path: str | Path, line: int) -> Item:
    """The item in a record of a file.

    Raises:
        DataError: ids or texts are missing, or the grade before is no whole number.
    """
    query_id, query, doc_id, text = (
        text_field(record, (name,), path, line) for name in ("query_id", "query", "doc_id", "text")
    )
    before, seen = record.get("before"), record.get("seen") or []
    if before is not None and not isinstance(before, int):
        raise DataError(f"before is {before!r}; it is a whole number or null", path=path, line=line)
    try:
        ranks = tuple((str(one["run"]), int(one["rank"])) for one in seen)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("seen is a list of {run, rank}", path=path, line=line) from error
    doc = Doc(doc_id, text, str(record.get("title") or ""))
    return Item(
        Query(query_id, query, str(record.get("instruction") or "")), doc, str(record.get("why") or ""), before, ranks
    )
