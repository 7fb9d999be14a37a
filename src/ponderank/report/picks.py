"""Which queries a report shows in detail, which of their documents, and the lines of their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ponderank.metrics.handling import Qrels, Run
from ponderank.report.content import Line, Section

MOST_QUERIES = 36
MOST_DOCS = 6
_HEADS = 3
"""The first so many documents of a system are worth a look, relevant or not."""


def queries(
    section: Section, count: int, asked_for: Sequence[str] = (), most: int = MOST_QUERIES
) -> dict[str, list[str]]:
    """Queries with the reasons they were chosen for; at most ``most``, besides those asked for.

    They are each system's ``count`` largest gains and losses against the baseline, and the ``count`` widest disagreements of
    the others; without a baseline, the lowest values.
    """
    found: dict[str, list[str]] = {
        query: ["asked for"] for query in asked_for if query in section.texts or not section.texts
    }
    for place in range(count):
        for query, why in _at(section, place):
            if query in found or len(found) < most:
                found.setdefault(query, []).append(why)
    return found


def _at(section: Section, place: int) -> Iterable[tuple[str, str]]:
    """The queries at one place of every list, so that a limit leaves each list its head."""
    others = section.others()
    if section.baseline is None:
        values = section.values[section.systems[0].name][section.main]
        lowest = sorted(values, key=lambda query: values[query])
        yield from ((query, f"low: {section.main} {values[query]:.3f}") for query in lowest[place : place + 1])
        return
    for system in others:
        deltas = section.deltas(system.name)
        ranked = sorted(deltas, key=lambda query: -deltas[query])
        for query, word in zip(ranked[place : place + 1], ("gain",), strict=False):
            if deltas[query] > 0:
                yield query, f"{word} of {system.name}: {deltas[query]:+.3f}"
        for query in sorted(deltas, key=lambda query: deltas[query])[place : place + 1]:
            if deltas[query] < 0:
                yield query, f"loss of {system.name}: {deltas[query]:+.3f}"
    spread = _spread(section, [system.name for system in others])
    for query in sorted(spread, key=lambda query: -spread[query])[place : place + 1]:
        if spread[query] > 0:
            yield query, f"disagreement: {spread[query]:.3f} between the systems"


def _spread(section: Section, names: Sequence[str]) -> dict[str, float]:
    """By query, the highest value of these systems minus the lowest; empty with fewer than two."""
    if len(names) < 2:
        return {}
    values = [section.values[name][section.main] for name in names]
    return {
        query: max(found[query] for found in values) - min(found[query] for found in values)
        for query in values[0]
        if all(query in found for found in values)
    }


def ranks(runs: Mapping[str, Run], query: str) -> dict[str, dict[str, int]]:
    """By document, its rank (from 1) in each run that has it.

    >>> ranks({"x": {"q": [("a", 2.0)]}}, "q")
    {'a': {'x': 1}}
    """
    found: dict[str, dict[str, int]] = {}
    for name, run in runs.items():
        for rank, (doc, _) in enumerate(run.get(query, ()), 1):
            found.setdefault(doc, {})[name] = rank
    return found


def documents(
    places: Mapping[str, Mapping[str, int]], grades: Mapping[str, int], relevant: int, depth: int
) -> list[str]:
    """The documents of a query worth reading, best grade first: each run's first one, the relevant ones in a top, other heads."""
    best = {doc: min(found.values()) for doc, found in places.items()}

    def worth(doc: str) -> tuple[int, int]:
        wanted = grades.get(doc, 0) >= relevant and best[doc] <= depth
        return (0 if best[doc] == 1 or wanted else 1, best[doc])

    heads = [doc for doc in best if best[doc] <= _HEADS or (grades.get(doc, 0) >= relevant and best[doc] <= depth)]
    kept = sorted(heads, key=worth)[:MOST_DOCS]
    return sorted(kept, key=lambda doc: (-grades.get(doc, 0), best[doc]))


def lines(
    places: Mapping[str, Mapping[str, int]], grades: Mapping[str, int], relevant: int, depth: int
) -> tuple[Line, ...]:
    """Documents in any run's top, and relevant ones wherever they are, relevant ones last so that they are drawn on top."""
    kept = [doc for doc, found in places.items() if min(found.values()) <= depth or grades.get(doc, 0) >= relevant]
    kept.sort(key=lambda doc: (grades.get(doc, -1), -min(places[doc].values())))
    return tuple(Line(doc, grades.get(doc), dict(places[doc])) for doc in kept)


def left_out(section: Section, found: Mapping[str, object], qrels: Qrels) -> str:
    """What is not shown in detail.

    Empty where everything is.
    """
    rest = len(qrels) - len(found)
    if rest <= 0:
        return ""
    return (
        f"{rest:,} of {len(qrels):,} queries are not shown in detail; --details N shows more, --query ID a certain one"
    )
