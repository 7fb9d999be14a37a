"""``ponderank evaluate``: runs against relevance judgements."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Values = dict[str, dict[str, float]]


class Layout(StrEnum):
    """How measures are written."""

    table = "table"
    json = "json"
    md = "md"


def evaluate(
    qrels: Annotated[Path, typer.Argument(help="Judgements: TREC (qid iter docid grade) or BEIR tsv; also .gz.")],
    runs: Annotated[list[Path], typer.Argument(help="TREC runs; also .gz.")],
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--measure", help="In ir-measures' words, may be repeated. [default: nDCG@10 RR@10 R@100 AP]"
        ),
    ] = None,
    layout: Annotated[Layout, typer.Option("--format", help="json prints {run: {measure: value}}.")] = Layout.table,
    per_query: Annotated[
        bool, typer.Option("--per-query", help="A value for each query; json prints {run: {query: {measure: value}}}.")
    ] = False,
) -> None:
    """Score run files against relevance judgements.

    Means are over all judged queries: one that a run lacks counts 0. Ties are broken by the order of the file.
    """
    from ponderank.cli.exits import say
    from ponderank.data.trec import read_qrels, read_run
    from ponderank.metrics import ranked

    names = list(measures or ranked.DEFAULT)
    ranked.parse(names)
    judged = read_qrels(qrels)
    loaded = {str(path): read_run(path) for path in runs}
    for name, run in loaded.items():
        absent = ranked.missing(judged, run)
        if absent:
            shown = ", ".join(absent[:5]) + (", …" if len(absent) > 5 else "")
            say(f"{name}: no results for {len(absent)} of {len(judged)} judged queries, which count 0: {shown}")
    if per_query:
        by_query = {name: _turned(ranked.per_query(judged, run, names)) for name, run in loaded.items()}
        print(json.dumps(by_query, indent=2) if layout is Layout.json else _long(by_query, names, layout))
        return
    values = ranked.evaluate(judged, loaded, names)
    print(
        json.dumps(values, indent=2) if layout is Layout.json else _lines(["run"], _rows(values, names), names, layout)
    )


def _turned(values: Values) -> Values:
    turned: Values = {}
    for measure, queries in values.items():
        for query, value in queries.items():
            turned.setdefault(query, {})[measure] = value
    return turned


def _rows(values: Values, measures: list[str]) -> list[list[str]]:
    return [[name, *(f"{row[measure]:.4f}" for measure in measures)] for name, row in values.items()]


def _long(runs: dict[str, Values], measures: list[str], layout: Layout) -> str:
    rows = [[name, *row] for name, values in runs.items() for row in _rows(values, measures)]
    return _lines(["run", "query"], rows, measures, layout)


def _lines(labels: list[str], rows: list[list[str]], measures: list[str], layout: Layout) -> str:
    from ponderank.cli.output import grid

    head = [*labels, *measures]
    if layout is Layout.table:
        return grid(head, rows)
    rule = ["---"] * len(labels) + ["---:"] * len(measures)
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in [head, rule, *rows]
    )
