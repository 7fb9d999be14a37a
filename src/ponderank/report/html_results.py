"""What was measured, on the page: tables with their pictures, queries one by one, and the holes in the judgements."""

from __future__ import annotations

from collections.abc import Sequence

from ponderank.metrics.compare import Comparison
from ponderank.report import words
from ponderank.report.content import How, Section, System
from ponderank.report.figures import Point, Span, cost_plot, delta_bars, span_plot
from ponderank.report.html_details import anchor
from ponderank.report.html_tables import best_of, cell, head, key, sorted_list, table
from ponderank.report.markup import Markup, joined, tag

_COSTS = {"seconds": "seconds a query", "tokens": "tokens a query, read and written", "cost": "cost a query"}
_MOST_ROWS = 1_000
"""Queries in the list; of more those that differ most."""


def results(section: Section, how: How) -> Markup:
    """The table of measures, with differences from the baseline."""
    best = {measure: best_of([system.measures[measure] for system in section.systems]) for measure in section.measures}
    rows = []
    for at, system in enumerate(section.systems):
        note = "baseline" if system.name == section.baseline else "first stage" if system.first_stage else ""
        cells = [_name(at, system, note)]
        for measure in section.measures:
            mine, one = system.measures[measure], system.compared.get(measure)
            star = "*" if one is not None and one.adjusted_p < how.alpha else ""
            under = "" if one is None else words.signed(one.difference) + star
            cells.append(cell(words.value(mine), mine, under, best=mine == best[measure]))
        cells.append(cell(f"{system.judged:.1%}", system.judged))
        moves = system.moves
        cells.append(
            cell(
                "" if moves is None else f"{moves.into:,} / {moves.out:,}",
                None if moves is None else moves.into - moves.out,
            )
        )
        rows.append(tag("tr", *cells))
    names = ["run", *section.measures, f"Judged@{section.depth}", f"into / out of top {section.depth}"]
    said = [] if section.baseline is None else [words.compared_how(how, section.baseline)]
    if any(system.moves is not None for system in section.systems):
        said.append(
            f"Into and out of the top {section.depth}: relevant documents that reranking brought there and took away."
        )
    return joined([table(head(names), rows, "sorted"), tag("p", " ".join(said), class_="soft")])


def _name(at: int, system: System, note: str = "") -> Markup:
    return tag(
        "th", key(at), tag("bdi", system.name), tag("small", f" {note}", class_="soft") if note else "", scope="row"
    )


def figures(section: Section, how: How) -> Markup:
    """Effectiveness against each cost that is known, and mean differences with their intervals."""
    main, found = section.main, []
    for kind, label in _COSTS.items():
        points = [
            Point(s.name, _cost(s, kind), s.measures[main], at)
            for at, s in enumerate(section.systems)
            if _cost(s, kind) > 0
        ]
        if points:
            levels = {s.name: (s.measures[main], at) for at, s in enumerate(section.systems) if _cost(s, kind) <= 0}
            rest = " Dashed: runs that cost nothing here, or whose cost is not known." if levels else ""
            said = f"{main} against {label}. Dotted: the Pareto front.{rest}"
            found.append(_figure(cost_plot(points, levels, label, main), said))
    if section.baseline is not None:
        spans = [
            Span(s.name, one.low, one.difference, one.high, at, f"{s.name}: {words.signed(one.difference)} {words.interval(one)}")
            for at, s in enumerate(section.systems) if (one := s.compared.get(main)) is not None
        ]  # fmt: skip
        said = f"Mean difference over queries, with its {100 * (1 - how.alpha):g} % interval."
        found.append(_figure(span_plot(spans, f"{main} minus that of {section.baseline}", zero=True), said))
    return tag("div", *found, class_="figures") if found else Markup("")


def _figure(inside: Markup, caption: str) -> Markup:
    return tag("figure", inside, tag("figcaption", caption))


def _cost(system: System, kind: str) -> float:
    """A query's cost of one kind; 0 where it is not known."""
    if kind == "tokens":
        return system.cost.get("read", 0.0) + system.cost.get("written", 0.0)
    return system.cost.get(kind, 0.0)


def costs(section: Section) -> Markup:
    """What a query cost, and the flaws; nothing where no cost is known."""
    kinds = words.costs_of(section)
    if not kinds:
        return Markup("")
    rows = []
    for at, system in enumerate(section.systems):
        flaws = words.flaws_said(system) or ("none" if system.cost else "–")
        cells = [cell(words.short(system.cost.get(kind)), system.cost.get(kind)) for kind in kinds]
        rows.append(tag("tr", _name(at, system), *cells, tag("td", flaws, class_="words")))
    names = ["run", *(words.COSTS[kind] for kind in kinds), "flaws in all"]
    return joined([tag("h3", "What a query cost"), table(head(names, left={len(kinds) + 1}), rows, "sorted")])


def comparisons(section: Section, how: How) -> Markup:
    """Every comparison with the baseline, folded."""
    if section.baseline is None:
        return Markup("")
    rows = [
        tag("tr", _name(at, system), tag("td", measure, class_="left"), *_compared(one, how))
        for measure in section.measures
        for at, system in enumerate(section.systems)
        if (one := system.compared.get(measure)) is not None
    ]
    names = ["run", "measure", *words.comparison_head(how)]
    folded = table(head(names, left={1}), rows, "sorted")
    return tag("details", tag("summary", f"All comparisons with {section.baseline}"), folded)


def _compared(one: Comparison, how: How) -> list[Markup]:
    worth = (
        one.difference,
        one.low,
        one.effect,
        one.t_p,
        one.randomisation_p,
        one.adjusted_p,
        one.wins - one.losses,
        one.n,
    )
    return [cell(text, number) for text, number in zip(words.comparison(one, how), worth, strict=True)]


def queries(at: int, section: Section) -> Markup:
    """Bars of each system's differences, and the list of all queries."""
    links = {detail.query: f"#{anchor(at, place)}" for place, detail in enumerate(section.details)}
    parts = [tag("h3", "Query by query", id=f"s{at}queries")]
    if section.baseline is not None:
        bars = [
            tag("figure", delta_bars(s.name, deltas, section.texts, links, section.main, section.baseline, place))
            for place, s in enumerate(section.systems) if s.name != section.baseline and (deltas := section.deltas(s.name))
        ]  # fmt: skip
        said = f"A bar a query, sorted: {section.main} minus that of {section.baseline}. Bars of queries in detail lead there."
        parts += [tag("p", said, class_="soft"), tag("div", *bars, class_="figures")]
    parts.append(sorted_list(at, section, links, _MOST_ROWS))
    return joined(parts)


def holes(at: int, section: Section) -> Markup:
    """Judged@k, bounds, and queries without results."""
    measures = words.bounded(section)
    rows = []
    for place, system in enumerate(section.systems):
        cells = [_name(place, system), cell(f"{system.judged:.1%}", system.judged)]
        for measure in measures:
            low, high = system.bounds[measure]
            cells.append(cell(f"{words.value(low)} – {words.value(high)}", high - low))
        missing = system.handling.missing
        cells.append(cell(str(len(missing)), len(missing), words.first_few(missing)))
        rows.append(tag("tr", *cells))
    names = [
        "run",
        f"Judged@{section.depth}",
        *(f"{measure}, bounds" for measure in measures),
        "queries without results",
    ]
    parts = [tag("h3", "Holes", id=f"s{at}holes"), table(head(names), rows, "sorted")]
    if section.main in measures:
        parts.append(tag("div", _figure(_bounds(section), words.bounds_said(section)), class_="figures one"))
    return joined(parts)


def _bounds(section: Section) -> Markup:
    main = section.main
    spans: Sequence[Span] = [
        Span(
            s.name, s.bounds[main][0], s.measures[main], s.bounds[main][1], at,
            f"{s.name}: {words.value(s.bounds[main][0])} to {words.value(s.bounds[main][1])}",
        )
        for at, s in enumerate(section.systems)
    ]  # fmt: skip
    return span_plot(
        spans, f"{main}: as judged (dot), and its bounds", ceiling=1.0 if max(s.high for s in spans) <= 1 else 1e99
    )
