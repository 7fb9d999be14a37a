"""The tables of ``ponderank evaluate``: measures with what they cost, values by query, and comparisons with a baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ponderank.metrics.compare import Comparison

Values = dict[str, dict[str, float]]


class Layout(StrEnum):
    """How measures are written."""

    table = "table"
    json = "json"
    md = "md"
    full = "full"


def turned(values: Values) -> Values:
    """``{measure: {query: value}}`` as ``{query: {measure: value}}``."""
    out: Values = {}
    for measure, queries in values.items():
        for query, value in queries.items():
            out.setdefault(query, {})[measure] = value
    return out


def table(means: Values, measures: list[str], costs: Mapping[str, Mapping[str, float]], layout: Layout) -> str:
    """A row a run: its measures, and what a query cost where that is known."""
    columns = list(dict.fromkeys(column for cost in costs.values() for column in cost))
    rows = [
        [name, *_cells(row, measures), *(_short(costs.get(name, {}).get(column)) for column in columns)]
        for name, row in means.items()
    ]
    return lines(["run", *measures, *(f"{column}/query" for column in columns)], rows, layout)


def long_table(runs: Mapping[str, Values], measures: list[str], layout: Layout, base: str | None) -> str:
    """A row a run and query; with a baseline each other run's values are followed by how much higher they are."""
    head = ["run", "query", *measures]
    rows = []
    for name, queries in runs.items():
        for query, row in queries.items():
            cells = _cells(row, measures)
            if base is not None:
                cells += [
                    _delta(runs[base].get(query, {}), row, measure) if name != base else "" for measure in measures
                ]
            rows.append([name, query, *cells])
    return lines([*head, *(f"Δ {measure}" for measure in measures if base is not None)], rows, layout, labels=2)


def comparison_table(
    compared: Mapping[str, Mapping[str, Comparison]], base: str, alpha: float, test: str, layout: Layout
) -> str:
    """A row a measure and run against the baseline: difference, interval, p-values, and win/tie/loss over queries."""
    head = ["against " + base, "measure", "difference", f"{100 * (1 - alpha):g} % interval", "effect"]
    head += ["p (t)", "p (randomisation)", f"corrected ({test})", "win/tie/loss", "queries"]
    rows = [
        [
            name,
            measure,
            f"{one.difference:+.4f}",
            f"[{one.low:+.4f}, {one.high:+.4f}]",
            _p(one.effect, 2),
            _p(one.t_p),
            _p(one.randomisation_p),
            _p(one.adjusted_p) + ("*" if one.adjusted_p < alpha else ""),
            f"{one.wins}/{one.ties}/{one.losses}",
            str(one.n),
        ]
        for measure, found in compared.items()
        for name, one in found.items()
    ]
    return lines(head, rows, layout, labels=2)


def lines(head: list[str], rows: list[list[str]], layout: Layout, *, labels: int = 1) -> str:
    """Columns of plain text, or Markdown with the first ``labels`` columns flush left."""
    from ponderank.cli.output import grid

    if layout is not Layout.md:
        return grid(head, rows)
    rule = ["---"] * labels + ["---:"] * (len(head) - labels)
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in [head, rule, *rows]
    )


def _cells(row: Mapping[str, float], measures: list[str]) -> list[str]:
    return [f"{row[measure]:.4f}" if measure in row else "" for measure in measures]


def _delta(base: Mapping[str, float], row: Mapping[str, float], measure: str) -> str:
    return f"{row[measure] - base[measure]:+.4f}" if measure in row and measure in base else ""


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _p(value: float, digits: int = 4) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
