"""The figures of a report: those of ``ponderank evaluate``, for each collection, and what is shown beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ponderank.errors import DataError
from ponderank.judging.compare import judged_share
from ponderank.metrics import handling, ranked
from ponderank.metrics.compare import Comparison, Correction, Test, by_measure
from ponderank.metrics.handling import Run, Ties
from ponderank.metrics.systems import rank_systems
from ponderank.report.content import How, Moves, Overall, Report, Section, System
from ponderank.report.details import Explain, chosen
from ponderank.report.holes import bounds
from ponderank.report.sources import Source, Task, begins, with_first_stages

Values = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is to hold.

    Args:
        measures: the main one first; none are the collection's own.
        baseline: a run's name or path, or a first stage's name; None takes the first stage if there is one, else the first run.
        test, correction, alpha, seed, ties: as in ``ponderank evaluate``.
        drop_self: leave out documents with their query's id.
        price: of a million tokens, read and written.
        depth: how many documents of a query count as its top.
        details: how many of the largest gains, of the largest losses, and of the widest disagreements are shown.
        queries: queries to show besides.
        title: the page's title.
    """

    measures: tuple[str, ...] = ()
    baseline: str | None = None
    test: Test = "t"
    correction: Correction = "holm"
    alpha: float = 0.05
    seed: int = 0
    ties: Ties = "file"
    drop_self: bool = False
    price: tuple[float, float] | None = None
    depth: int = 10
    details: int = 3
    queries: tuple[str, ...] = ()
    title: str = ""


def gather(
    tasks: Sequence[Task], wanted: Wanted, *, explain: Explain | None = None,
    on_section: Callable[[str], None] | None = None,
) -> Report:  # fmt: skip
    """Measure everything and choose what is shown; ``on_section`` is told each collection as it is begun.

    ``explain`` finds the sentences that carry a score, for runs whose model wrote no reasons.

    Raises:
        DataError: an unknown measure or baseline, or a query that no collection has.
    """
    from ponderank import __version__

    entered = [replace(task, sources=tuple(with_first_stages(task.sources))) for task in tasks]
    if wanted.baseline is not None and not any(_matching(task.sources, wanted.baseline) for task in entered):
        known = ", ".join(dict.fromkeys(source.name for task in entered for source in task.sources))
        raise DataError(f"no run is named {wanted.baseline!r}; the runs are {known}")
    unknown = [query for query in wanted.queries if not any(query in task.qrels for task in entered)]
    if unknown:
        raise DataError(f"the query {unknown[0]!r} is not judged; give the id of a judged one")
    sections = []
    for task in entered:
        if on_section is not None:
            on_section(task.name)
        sections.append(_section(task, wanted, explain))
    how = How(wanted.test, wanted.correction, wanted.alpha, wanted.seed, wanted.ties, wanted.price)
    title = wanted.title or "Report on " + ", ".join(dict.fromkeys(section.name for section in sections))
    return Report(title, __version__, how, tuple(sections), overall(sections, wanted.seed))


def _matching(sources: Sequence[Source], wanted: str) -> list[Source]:
    exact = [source for source in sources if source.name == wanted]
    return exact or [source for source in sources if not source.derived and source.path == Path(wanted)]


def _baseline(sources: Sequence[Source], wanted: str | None) -> str | None:
    """The name asked for, the only first stage, or the first run; None where there is nothing to compare."""
    if len(sources) < 2:
        return None
    if wanted is not None and (found := _matching(sources, wanted)):
        return found[0].name
    began = [one.first for one in sources if one.first is not None]
    firsts = [one for one in sources if one.derived or (one.first is None and any(begins(f, one.run) for f in began))]
    given = [source for source in sources if not source.derived]
    return firsts[0].name if len(firsts) == 1 else given[0].name


@dataclass(frozen=True, slots=True)
class _Measured:
    """Runs by name: their values, what was done with them, and their lists with ties broken."""

    values: dict[str, Values]
    done: dict[str, handling.Handling]
    runs: dict[str, Run]


def _section(task: Task, wanted: Wanted, explain: Explain | None) -> Section:
    measures = tuple(wanted.measures or task.measures or ranked.DEFAULT)
    ranked.parse(measures)
    measured = _measured(task, measures, wanted)
    base = _baseline(task.sources, wanted.baseline)
    found = {} if base is None else compared(measured.values, base, wanted)
    systems = tuple(_system(task, source, measures, measured, found, wanted) for source in task.sources)
    queries = {} if task.collection is None else task.collection.queries
    section = Section(
        name=task.name, about=task.about, path=task.path, split=task.split, queries=len(task.qrels),
        top_grade=max(grade for docs in task.qrels.values() for grade in docs.values()), relevant=task.relevant,
        depth=wanted.depth, measures=measures, baseline=base, systems=systems,
        texts={query: queries[query].text for query in task.qrels if query in queries}, values=measured.values,
        details=(), passages={}, notes=task.notes, left_out=(),
    )  # fmt: skip
    return chosen(section, task, measured.runs, wanted.details, wanted.queries, explain)


def _measured(task: Task, measures: Sequence[str], wanted: Wanted) -> _Measured:
    """As ``ponderank evaluate`` does it."""
    out = _Measured({}, {}, {})
    for source in task.sources:
        run, dropped = handling.drop_self(source.run) if wanted.drop_self else (source.run, None)
        first = _first(source, task.sources)
        out.values[source.name] = ranked.per_query(task.qrels, run, measures, ties=wanted.ties, first=first)
        out.done[source.name] = handling.handled(task.qrels, run, ties=wanted.ties, dropped=dropped)
        out.runs[source.name] = handling.ordered(run, ties=wanted.ties, first=first)
    return out


def _system(
    task: Task, source: Source, measures: Sequence[str], measured: _Measured,
    found: Mapping[str, Mapping[str, Comparison]], wanted: Wanted,
) -> System:  # fmt: skip
    name, run = source.name, measured.runs[source.name]
    return System(
        name=name, path=str(source.path), first_stage=source.derived, measures=ranked.summary(measured.values[name]),
        compared={measure: each[name] for measure, each in found.items() if name in each},
        cost={} if source.cost is None else source.cost.per_query(wanted.price),
        flaws={} if source.cost is None else dict(source.cost.flaws), handling=measured.done[name],
        judged=judged_share(task.qrels, run, wanted.depth), bounds=bounds(task.qrels, run, measures, wanted.depth),
        moves=_moves(task, source, run, wanted.depth), manifest=source.manifest,
    )  # fmt: skip


def _first(source: Source, sources: Sequence[Source]) -> Run | None:
    """The first stage of a run: its own, or the only one that there is."""
    if source.first is not None:
        return source.first
    known = [one.first for one in sources if one.first is not None]
    return known[0] if known else None


def compared(values: Mapping[str, Values], base: str, wanted: Wanted) -> dict[str, dict[str, Comparison]]:
    """By measure, each system against the baseline, over the queries that all have a value for."""
    return by_measure(
        values, base, test=wanted.test, correction=wanted.correction, confidence=1 - wanted.alpha, seed=wanted.seed
    )


def _moves(task: Task, source: Source, run: Run, k: int) -> Moves | None:
    if source.first is None:
        return None
    into = out = 0
    for query, grades in task.qrels.items():
        relevant = {doc for doc, grade in grades.items() if grade >= task.relevant}
        before = {doc for doc, _ in list(source.first.get(query, ()))[:k]} & relevant
        after = {doc for doc, _ in list(run.get(query, ()))[:k]} & relevant
        into, out = into + len(after - before), out + len(before - after)
    return Moves(into, out, k)


def overall(sections: Sequence[Section], seed: int) -> Overall | None:
    """Systems over the collections, by their main measures; by recipe where folders are named after collections.

    The first stages that folders began with are one system, whatever each is. None with one collection, or one system.
    """
    if len(sections) < 2:
        return None
    table: dict[str, dict[str, float | None]] = {}
    names = [_labels(section, by_recipe=False) for section in sections]
    if not any(set(one.values()) & set(other.values()) for at, one in enumerate(names) for other in names[:at]):
        names = [_labels(section, by_recipe=True) for section in sections]
    begun = [[system.name for system in section.systems if system.first_stage] for section in sections]
    if len({tuple(one) for one in begun}) > 1 and all(len(one) == 1 for one in begun):  # BM25 here, given ones there
        names = [{**labels, one: "first stage"} for labels, (one,) in zip(names, begun, strict=True)]
    titles, measures = [section.name for section in sections], {}
    for at, (section, labels) in enumerate(zip(sections, names, strict=True)):
        task = section.name if titles.count(section.name) == 1 else f"{section.name} {at + 1}"
        measures[task] = section.main
        for system in section.systems:
            table.setdefault(labels[system.name], {})[task] = system.measures[section.main]
    if len(table) < 2:
        return None
    return Overall(measures, table, rank_systems(table, seed=seed))


def _labels(section: Section, *, by_recipe: bool) -> dict[str, str]:
    labels = {}
    for system in section.systems:
        recipe = (system.manifest or {}).get("recipe", {}).get("name")
        labels[system.name] = str(recipe) if by_recipe and recipe else system.name
    alike = list(labels.values())
    return {name: label if alike.count(label) == 1 else name for name, label in labels.items()}
