"""``ponderank collections``: what there is to rank, and how each is used."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ponderank.cli.output import Form


def collections(
    name: Annotated[
        str | None, typer.Argument(help="A source (bright), or one collection (bright:biology).", metavar="[NAME]")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="auto: a table on a terminal, JSON in a pipe.")] = Form.auto,
) -> None:
    """List the collections, or explain one; nothing is fetched.

    A folder in BEIR layout needs no name. ID@FOLDER takes a local copy in place of what would be fetched.
    """
    from ponderank.cli.output import is_table
    from ponderank.data.collections import listed

    rows = listed(name)
    if not is_table(form):
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    elif name is None:
        _table(rows)
    else:
        for key, value in rows[0].items():
            if value or value == 0:
                print(f"{key:<10} {', '.join(map(str, value)) if isinstance(value, list) else value}")


def _table(rows: list[dict[str, object]]) -> None:
    from rich.table import Table

    from ponderank.cli.output import console

    table = Table("id", "what it is", "takes", box=None, pad_edge=False, header_style="bold")
    table.add_row("FOLDER", "any folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv", "")
    for row in rows:
        table.add_row(str(row["shape"]), str(row["about"]), f"[{row['extra']}]" if row["extra"] else "")
    console().print(table)
