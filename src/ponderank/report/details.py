"""Chosen queries in detail: how documents moved, and what each system said of the ones worth reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from ponderank.formats.quotes import quoted
from ponderank.metrics.handling import Run
from ponderank.report import picks
from ponderank.report.content import Detail, Passage, Said, Section, Shown
from ponderank.report.sources import Source, Task, traced
from ponderank.types import Doc, Query

Ranges: TypeAlias = tuple[tuple[int, int], ...]
Explain: TypeAlias = Callable[[Source, Query, Sequence[Doc]], Mapping[str, Ranges]]
"""A run's evidence in documents, by id: the ranges of their sentences that carry the score; empty if it has none to give."""

LONGEST_PASSAGE = 2_000
"""Characters of a passage that are shown."""
_THOUGHTS = 1_500_000
"""Characters of all thoughts of a section, which bounds each one's share."""
_LONGEST_THOUGHT, _SHORTEST_THOUGHT = 2_000, 300


def chosen(
    section: Section, task: Task, runs: Mapping[str, Run], count: int, asked_for: Sequence[str], explain: Explain | None
) -> Section:
    """The section with its details, their passages, and what was left out."""
    why = {query: said for query, said in picks.queries(section, count, asked_for).items() if query in task.qrels}
    told = {source.name: _told(source, why) for source in task.sources if source.trace is not None}
    places = {query: picks.ranks(runs, query) for query in why}
    docs = {
        query: picks.documents(found, task.qrels[query], task.relevant, section.depth)
        for query, found in places.items()
    }
    texts = _texts(task, {doc for many in docs.values() for doc in many})
    room = _THOUGHTS // max(1, len(told) * sum(map(len, docs.values())))
    room = max(_SHORTEST_THOUGHT, min(_LONGEST_THOUGHT, room))
    details = []
    for query, reasons in why.items():
        found, grades = _query(task, query), task.qrels[query]
        marks = _explained(task, found, [texts[doc] for doc in docs[query] if doc in texts], explain)
        rows = {name: by_query.get(query, {}) for name, by_query in told.items()}
        shown = []
        for doc in docs[query]:
            systems = [Said(source.name, places[query][doc].get(source.name)) for source in task.sources]
            systems = [_scored(said, runs[said.system].get(query, ())) for said in systems]
            said = [
                _said(
                    one, rows.get(one.system, {}).get(doc), texts.get(doc), marks.get(one.system, {}).get(doc, ()), room
                )
                for one in systems
            ]
            shown.append(Shown(doc, grades.get(doc), tuple(said)))
        values = {name: by[section.main][query] for name, by in section.values.items() if query in by[section.main]}
        lines = picks.lines(places[query], grades, task.relevant, section.depth)
        details.append(Detail(query, found.text, found.instruction, tuple(reasons), values, lines, tuple(shown)))
    passages = _passages(details, texts)
    left_out = _left_out(section, task, details, passages)
    return replace(section, details=tuple(details), passages=passages, left_out=left_out)


def _scored(said: Said, ranked: Sequence[tuple[str, float]]) -> Said:
    return said if said.rank is None else replace(said, score=ranked[said.rank - 1][1])


def _told(source: Source, wanted: Mapping[str, object]) -> dict[str, dict[str, dict[str, Any]]]:
    """By query and document, what the trace says."""
    assert source.trace is not None
    return {row["query"]: {doc["id"]: doc for doc in row["docs"]} for row in traced(source.trace, wanted)}


def _texts(task: Task, wanted: set[str]) -> dict[str, Doc]:
    """The documents wanted, as far as the collection has them; it is read once, and no further than needed."""
    found: dict[str, Doc] = {}
    if task.collection is not None and wanted:
        for doc in task.collection.corpus():
            if doc.id in wanted:
                found[doc.id] = doc
                if len(found) == len(wanted):
                    break
    return found


def _query(task: Task, name: str) -> Query:
    known = {} if task.collection is None else task.collection.queries
    return known.get(name) or Query(name, "")


def _explained(
    task: Task, query: Query, docs: Sequence[Doc], explain: Explain | None
) -> dict[str, Mapping[str, Ranges]]:
    if explain is None or not docs or not query.text:
        return {}
    return {source.name: explain(source, query, docs) for source in task.sources if source.trace is not None}


def _said(plain: Said, row: Mapping[str, Any] | None, doc: Doc | None, marked: Ranges, room: int) -> Said:
    """The same with what a row of a trace says; evidence is what the reasoning quotes, else what was ``marked``."""
    if row is None:
        return plain
    asked = row.get("judgements") or []
    reasoning = next((str(one["reasoning"]) for one in reversed(asked) if one.get("reasoning")), "").strip()
    last = asked[-1] if asked else {}
    spans = quoted(reasoning, doc.text) if reasoning and doc is not None else ()
    short, cut = shortened(reasoning, room)
    return replace(
        plain, first_rank=row.get("first_rank"), score=row.get("score"), prob=row.get("prob"),
        verdict=str(last.get("verdict") or ""), reasoning=short, cut=cut, asked=len(asked), flaw=str(row.get("flaw") or ""),
        estimate=str(last.get("estimate") or ""), evidence=tuple((span.start, span.end) for span in spans) or marked,
    )  # fmt: skip


def shortened(thought: str, room: int) -> tuple[str, int]:
    """A thought in about ``room`` characters, its middle left out, and how many were: it opens with the question and ends
    with the reason.

    >>> shortened("abcdefghij", 6)
    ('abc … hij', 4)
    """
    if len(thought) <= room:
        return thought, 0
    half = room // 2
    return f"{thought[:half]} … {thought[-half:]}", len(thought) - 2 * half


def _passages(details: Sequence[Detail], texts: Mapping[str, Doc]) -> dict[str, Passage]:
    """Each document's text once, or a stretch of it with the first evidence that anybody found."""
    found: dict[str, Passage] = {}
    for shown in (shown for detail in details for shown in detail.shown if shown.doc in texts):
        if shown.doc not in found:
            doc = texts[shown.doc]
            starts = [start for said in shown.said for start, _ in said.evidence]
            at = excerpt(len(doc.text), min(starts, default=0))
            found[doc.id] = Passage(doc.title, doc.text[at[0] : at[1]], at[0], len(doc.text) - at[1])
    return found


def excerpt(length: int, first: int, room: int = LONGEST_PASSAGE) -> tuple[int, int]:
    """The stretch to show of a text: its beginning, or around ``first`` where that lies behind.

    >>> excerpt(100, 60, 30), excerpt(20, 5, 30)
    ((50, 80), (0, 20))
    """
    start = max(0, min(first - room // 3, length - room)) if first > room * 2 // 3 else 0
    return start, min(length, start + room)


def _left_out(
    section: Section, task: Task, details: Sequence[Detail], passages: Mapping[str, Passage]
) -> tuple[str, ...]:
    said = [picks.left_out(section, {detail.query: detail for detail in details}, task.qrels)]
    shown = {one.doc for detail in details for one in detail.shown}
    said.append(f"of each chosen query at most {picks.MOST_DOCS} documents are shown" if details else "")
    if lacking := len(shown - passages.keys()) if task.collection is not None else 0:
        said.append(f"{lacking:,} documents are not in the collection")
    if cut := sum(1 for passage in passages.values() if passage.before or passage.after):
        said.append(f"{cut:,} passages are shortened to {LONGEST_PASSAGE:,} characters")
    if cut := sum(1 for detail in details for one in detail.shown for said_ in one.said if said_.cut):
        said.append(f"{cut:,} thoughts are shown without their middle")
    return tuple(line for line in said if line)
