"""What assessors do: grade, note, undo, and look at what was hidden; and what stands after all of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ponderank.errors import DataError
from ponderank.judging.pool import Pool

KINDS = ("grade", "note", "undo", "reveal")
_LONGEST_NOTE = 4000
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that an assessor did to an item.

    ``client`` is a name that the assessor's page made up, so that an event that is sent twice counts once. ``undoes`` is
    the name of the event that an undo takes back. ``seconds`` is how long the item was looked at; ``time`` is UTC.
    """

    client: str
    item: str
    assessor: str
    kind: str
    grade: int | None = None
    note: str = ""
    undoes: str = ""
    seconds: float = 0.0
    time: str = ""
    origin: str = "page"

    @property
    def said(self) -> tuple[Any, ...]:
        """What must be the same when it is sent again."""
        return self.item, self.assessor, self.kind, self.grade, self.note, self.undoes

    def to_dict(self) -> dict[str, Any]:
        """What a page needs of it."""
        return {"client": self.client, "item": self.item, "kind": self.kind, "grade": self.grade, "note": self.note}


@dataclass(frozen=True, slots=True)
class Standing:
    """What an assessor's opinion of an item is now.

    ``grade`` is None where there is a note only. ``blind``: nothing hidden was looked at before that grade was given.
    """

    item: str
    assessor: str
    grade: int | None
    note: str
    seconds: float
    time: str
    blind: bool


def event_of(record: Mapping[str, Any], pool: Pool, *, assessor: str, origin: str) -> Event:
    """An event as a page sent it, checked against its pool.

    Raises:
        DataError: an unknown kind or item, a grade that is not on the scale, a note that is too long, or a
            time that is none.
    """
    texts = {name: record.get(name) or "" for name in ("client", "item", "kind", "note", "undoes", "time")}
    wrong = [name for name, value in texts.items() if not isinstance(value, str) or len(value) > _LONGEST_NOTE]
    if wrong:
        raise DataError(f"{wrong[0]} is a text of at most {_LONGEST_NOTE} characters")
    # half of a character, which a note that is cut at its longest can end in, is nothing a file could hold
    texts = {name: value.encode("utf-8", "replace").decode() for name, value in texts.items()}
    if not 8 <= len(texts["client"]) <= 64:
        raise DataError("client names an event with 8 to 64 characters")
    if texts["kind"] not in KINDS:
        raise DataError(f"kind is {texts['kind']!r}; it is one of {', '.join(KINDS)}")
    if texts["item"] not in pool.by_key:
        raise DataError(f"item {texts['item'][:40]!r} is not in this pool")
    if (texts["kind"] == "undo") != bool(texts["undoes"]):
        raise DataError("an undo, and nothing else, names the event that it undoes")
    grade, grades = record.get("grade"), [step.grade for step in pool.scale]
    if texts["kind"] == "grade" and (type(grade) is not int or grade not in grades):
        raise DataError(f"grade is {grade!r}; the scale has {', '.join(map(str, grades))}")
    seconds = record.get("seconds") or 0.0
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise DataError("seconds is a number from 0")
    return Event(
        texts["client"], texts["item"], named_assessor(assessor), texts["kind"],
        grade if texts["kind"] == "grade" else None, texts["note"] if texts["kind"] == "note" else "", texts["undoes"],
        round(float(min(seconds, _DAY_S)), 2), _utc(texts["time"]), origin,
    )  # fmt: skip


def _utc(time: str) -> str:
    """A time in one form, so that times can be compared as texts."""
    try:
        return time and datetime.fromisoformat(time).astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError) as error:
        raise DataError(f"time is {time[:40]!r}; it is in ISO 8601, such as 2026-01-31T12:00:00Z") from error


def named_assessor(name: object) -> str:
    """An assessor's name, trimmed.

    Raises:
        DataError: empty, longer than 64 characters, or with characters that cannot be seen.

    >>> named_assessor(" Ada ")
    'Ada'
    """
    trimmed = name.strip() if isinstance(name, str) else ""
    if not 1 <= len(trimmed) <= 64 or not trimmed.isprintable():
        raise DataError("an assessor's name has 1 to 64 visible characters")
    return trimmed


def remaining(events: Iterable[Event]) -> list[Event]:
    """Grades and notes that were not undone, in their order."""
    events = list(events)
    undone = {event.undoes for event in events if event.kind == "undo"}
    return [event for event in events if event.kind in ("grade", "note") and event.client not in undone]


def standings(events: Iterable[Event], *, blind_only: bool = False) -> list[Standing]:
    """What each assessor thinks of each item now: the last grade and the last note that were not undone.

    ``blind_only`` takes the last grade that was given before anything hidden about the item was looked at.

    >>> given = [Event("e1", "i", "ada", "grade", 1), Event("e2", "i", "ada", "grade", 3)]
    >>> [one.grade for one in standings(given)]
    [3]
    >>> standings([*given, Event("e3", "i", "ada", "undo", undoes="e2")])[0].grade
    1
    """
    events = list(events)
    looked: set[tuple[str, str]] = set()
    seen_before: dict[str, bool] = {}
    for event in events:
        seen_before[event.client] = (event.item, event.assessor) in looked
        if event.kind == "reveal":
            looked.add((event.item, event.assessor))
    found: dict[tuple[str, str], dict[str, Event]] = {}
    for event in remaining(events):
        if event.kind == "note" or not (blind_only and seen_before[event.client]):
            found.setdefault((event.item, event.assessor), {})[event.kind] = event
    out = []
    for (item, assessor), kinds in found.items():
        grade, note = kinds.get("grade"), kinds.get("note")
        last = grade or note
        assert last is not None
        blind = not seen_before[last.client]
        value = None if grade is None else grade.grade
        out.append(Standing(item, assessor, value, note.note if note else "", last.seconds, last.time, blind))
    return out
