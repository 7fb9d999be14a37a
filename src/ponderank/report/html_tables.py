"""Tables of the page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ponderank.report import words
from ponderank.report.content import Section
from ponderank.report.figures import COLOURS
from ponderank.report.markup import Markup, joined, tag


def key(at: int) -> Markup:
    """A dot in a system's colour."""
    return tag("span", class_=f"key c{at % COLOURS}")


def head(names: Sequence[str], left: Collection[int] = ()) -> Markup:
    """The row of headings; the first, and those at ``left``, are flush left."""
    return tag(
        "tr",
        *(
            tag("th", name, class_="left" if not at or at in left else None, scope="col")
            for at, name in enumerate(names)
        ),
    )


def table(top: Markup, rows: Sequence[Markup], class_: str, *, id_: str | None = None, tall: bool = False) -> Markup:
    """A table that scrolls sideways in its frame where the page is narrow."""
    made = tag("table", tag("thead", top), tag("tbody", *rows), class_=class_, id=id_)
    return tag("div", made, class_="wide tall" if tall else "wide", tabindex="0" if tall else None)


def cell(text: str, worth: float | None, under: str = "", *, best: bool = False) -> Markup:
    """A number, what it is sorted by, and a smaller line below."""
    value = "" if worth is None or worth != worth else f"{worth:.10g}"
    return tag("td", text, tag("small", under) if under else "", data_v=value, class_="best" if best else None)


def best_of(values: Sequence[float]) -> float | None:
    """The highest of several values; None where it is not one system's alone to have.

    >>> best_of([0.5, 0.5]), best_of([0.4, 0.5])
    (None, 0.5)
    """
    return max(values) if len(set(values)) > 1 else None


def sorted_list(at: int, section: Section, links: Mapping[str, str], most: int) -> Markup:
    """Every query with each system's value of the main measure, and its difference from the baseline."""
    base, names = section.baseline, [system.name for system in section.systems]
    values = {name: section.values[name][section.main] for name in names}
    queries = list(dict.fromkeys(query for found in values.values() for query in found))
    spread = {query: _spread([found[query] for found in values.values() if query in found]) for query in queries}
    shown = set(sorted(queries, key=lambda query: -spread[query])[:most])
    rows = []
    for query in (query for query in queries if query in shown):
        cells = [_named(query, links), tag("td", section.texts.get(query, ""), class_="words", dir="auto")]
        for name in names:
            mine, first = values[name].get(query), None if base is None else values[base].get(query)
            if mine is None:
                cells.append(cell("–", None))
            else:
                delta = None if first is None or name == base or mine == first else mine - first
                cells.append(_value(mine, delta))
        rows.append(tag("tr", *cells))
    id_ = f"s{at}list"
    tools = tag(
        "div", tag("label", "Find ", tag("input", type="search", placeholder="words of a query, or its id")), tag("output"),
        class_="tools", data_list=id_, hidden="",
    )  # fmt: skip
    rest = len(queries) - len(rows)
    note = (
        tag("p", f"The {len(rows):,} queries that differ most; {rest:,} more are in the JSON form.", class_="soft")
        if rest
        else ""
    )
    caption = tag("p", f"{section.main} of each query. Queries in colour are shown in detail.", class_="soft")
    top = head(["query", "text", *names], left={1})
    return joined([caption, note, tools, table(top, rows, "sorted", id_=id_, tall=True)])


def _named(query: str, links: Mapping[str, str]) -> Markup:
    name = tag("bdi", query)
    return tag("th", tag("a", name, href=links[query]) if query in links else name, scope="row")


def _value(mine: float, delta: float | None) -> Markup:
    under = "" if delta is None else tag("small", words.signed(delta, 3), class_="gained" if delta > 0 else "lost")
    return tag("td", f"{mine:.3f}", under, data_v=f"{mine:.6g}")


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)
