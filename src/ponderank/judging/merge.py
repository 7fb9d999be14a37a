"""One grade for each item out of several people's, by a stated policy; what they disagree on as a pool of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ponderank.data.lines import json_line, records, text_field, written
from ponderank.errors import DataError
from ponderank.judging.events import Event, Standing, standings
from ponderank.judging.opinions import Opinion
from ponderank.judging.pool import Item, Pool

POLICIES = ("majority", "first", "strictest", "lenient")
"""``majority``: the grade that most gave; ``first``: the one that was given first; ``strictest``, ``lenient``: the lowest,
the highest."""
TIES = ("open", "lower", "higher")


@dataclass(frozen=True, slots=True)
class Vote:
    """An assessor's grade of an item. ``blind``: given before anything hidden was looked at; ``seconds`` it took."""

    assessor: str
    grade: int
    time: str
    seconds: float
    blind: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    """What people say about a document for a query; ``grade`` is None where a tie is left open.

    ``decided``: the policy, or ``adjudicated``. ``before`` is the grade in the judgements that the pool was made from.
    """

    query_id: str
    doc_id: str
    grade: int | None
    decided: str
    before: int | None
    pool: str
    votes: tuple[Vote, ...]


Gathered = dict[str, tuple[str, Item, dict[str, Vote], dict[str, Vote]]]
"""Item key → its pool's fingerprint, the item, votes by assessor, adjudicating votes by assessor."""


def gather(pools: Mapping[str, tuple[Pool, Iterable[Event]]], *, blind_only: bool = False) -> Gathered:
    """The votes on each item of some pools, by fingerprint; of an assessor's two votes on one item the later one.

    ``blind_only``: what an assessor thought before looking at anything hidden.

    Raises:
        DataError: the pools have different scales.
    """
    scales = {tuple(step.grade for step in pool.scale) for pool, _ in pools.values()}
    if len(scales) > 1:
        shown = " and ".join(", ".join(map(str, scale)) for scale in sorted(scales))
        raise DataError(f"the pools are judged on different grades ({shown}); merge one of them (--pool)")
    found: Gathered = {}
    for name, (pool, events) in pools.items():
        for standing in standings(events, blind_only=blind_only):
            if standing.grade is not None:
                item = pool.by_key[standing.item]
                place = found.setdefault(item.key, (name, item, {}, {}))
                votes = place[3] if pool.adjudicates else place[2]
                vote = _vote(standing, standing.grade)
                if standing.assessor not in votes or votes[standing.assessor].time <= vote.time:
                    votes[standing.assessor] = vote
    return found


def _vote(standing: Standing, grade: int) -> Vote:
    return Vote(standing.assessor, grade, standing.time, standing.seconds, standing.blind, standing.note)


def decide(votes: Sequence[Vote], policy: str, *, ties: str = "open") -> int | None:
    """The grade of some votes; None where most votes are for several grades and ``ties`` are left open.

    >>> votes = [Vote(name, grade, name, 1.0, True) for name, grade in (("ada", 2), ("ben", 2), ("cyd", 0))]
    >>> decide(votes, "majority"), decide(votes, "strictest"), decide(votes[1:], "majority")
    (2, 0, None)
    """
    if policy not in POLICIES or ties not in TIES:
        raise DataError(
            f"policy {policy!r} with ties {ties!r}; policies are {', '.join(POLICIES)}, ties {', '.join(TIES)}"
        )
    if policy == "first":
        return min(votes, key=lambda vote: vote.time).grade
    grades = [vote.grade for vote in votes]
    if policy != "majority":
        return min(grades) if policy == "strictest" else max(grades)
    counts = Counter(grades)
    most = [grade for grade, count in counts.items() if count == max(counts.values())]
    if len(most) > 1 and ties == "open":
        return None
    return max(most) if ties == "higher" else min(most)


def merge(gathered: Gathered, policy: str, *, ties: str = "open") -> list[Merged]:
    """One row an item, by query and document; what was adjudicated is decided by who adjudicated.

    Raises:
        DataError: an unknown policy.
    """
    rows = []
    for pool, item, votes, last in gathered.values():
        grade = decide(list((last or votes).values()), policy, ties=ties)
        how = "adjudicated" if last else policy
        told = (*votes.values(), *(vote for vote in last.values()))
        rows.append(Merged(item.query.id, item.doc.id, grade, how, item.before, pool, told))
    return sorted(rows, key=lambda row: (row.query_id, row.doc_id))


def disagreements(gathered: Gathered, like: Pool) -> tuple[Pool, list[Opinion]]:
    """What got different grades and was not adjudicated, as a pool whose grades decide; and who had said what.

    ``like`` gives the scale and the seed. The votes are opinions: they are shown after grading only.
    """
    words = {step.grade: step.word for step in like.scale}
    items, told = [], []
    for _, item, votes, last in gathered.values():
        if not last and len({vote.grade for vote in votes.values()}) > 1:
            items.append(replace(item, why="disagreed on"))
            for vote in votes.values():
                verdict = f"{vote.grade} ({words.get(vote.grade, 'not on this scale')})"
                told.append(Opinion(item.key, vote.assessor, float(vote.grade), None, verdict, vote.note))
    return replace(like, items=tuple(items), adjudicates=True, made={"from": like.fingerprint}), told


def grades_by_item(gathered: Gathered) -> dict[str, dict[str, int]]:
    """Item → assessor → grade, without who adjudicated; for ``agreement``."""
    return {
        key: {name: vote.grade for name, vote in votes.items()} for key, (_, _, votes, _) in gathered.items() if votes
    }


def write_merged(rows: Iterable[Merged], path: str | Path) -> None:
    """Write rows as JSONL, whole or not at all."""
    with written(path) as file:
        for row in rows:
            file.write(json_line(asdict(row)))


def read_merged(path: str | Path) -> list[Merged]:
    """Read what ``write_merged`` writes.

    Raises:
        DataError: a line without ids, grade or votes, or a document twice for a query.
    """
    rows: dict[tuple[str, str], Merged] = {}
    for line, record in records(path):
        query, doc = (text_field(record, (name,), path, line) for name in ("query_id", "doc_id"))
        grade, before = record.get("grade"), record.get("before")
        if any(
            value is not None and (isinstance(value, bool) or not isinstance(value, int)) for value in (grade, before)
        ):
            raise DataError("grade and before are whole numbers or null", path=path, line=line)
        if (query, doc) in rows:
            raise DataError(f"a second line for query {query!r} and document {doc!r}; keep one", path=path, line=line)
        told = (str(record.get(name) or "") for name in ("decided", "pool"))
        decided, pool = told
        rows[query, doc] = Merged(query, doc, grade, decided, before, pool, _votes(record, path, line))
    return list(rows.values())


def _votes(record: Mapping[str, Any], path: str | Path, line: int) -> tuple[Vote, ...]:
    try:
        return tuple(Vote(**vote) for vote in record["votes"])
    except (KeyError, TypeError) as error:
        raise DataError(
            "no votes; each has assessor, grade, time, seconds, blind and note", path=path, line=line
        ) from error
