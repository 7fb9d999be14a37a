"""Results on stdout: a table for people, one JSON object a line for programs."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from ponderank.types import Ranking, Usage

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


class Form(StrEnum):
    """How results are written; ``auto`` is a table on a terminal and JSON Lines in a pipe or file."""

    auto = "auto"
    table = "table"
    json = "json"


def is_table(form: Form) -> bool:
    """Whether to write a table."""
    return form is Form.table or (form is Form.auto and sys.stdout.isatty())


def show(ranking: Ranking, form: Form) -> None:
    """Write a ranking to stdout."""
    if not is_table(form):
        # by line: an unbuffered stdout takes part of one long write, and does not say that its reader left
        sys.stdout.writelines(ranking.to_jsonl().splitlines(keepends=True))
    elif not len(ranking):
        print("no documents")
    else:
        _table(ranking)


def show_cost(usage: Usage, form: Form) -> None:
    """Write what a dry run counted to stdout; where the calls depend on the answers, that it is an estimate."""
    exact = getattr(usage, "exact", True)
    if is_table(form):
        about = "" if exact else "about "
        written = f", at most {about}{usage.output_tokens:,} written" if usage.output_tokens else ""
        why = "" if exact else " (what is asked depends on the answers: counted on right ones)"
        print(
            f"{about}{usage.calls:,} calls, {about}{usage.prompt_tokens:,} prompt tokens{written}; nothing was asked{why}"
        )
    else:
        counts: dict[str, int | bool] = {"calls": usage.calls, "prompt_tokens": usage.prompt_tokens}
        counts |= {"output_tokens": usage.output_tokens} if usage.output_tokens else {}
        print(json.dumps(counts | ({} if exact else {"exact": False})))


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of plain text: the first flush left, the others flush right.

    >>> print(grid(["", "AP"], [["bm25", "0.25"]]))
            AP
    bm25  0.25
    """
    table = [list(head), *map(list, rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )


def flat(text: str) -> str:
    """Text of the same length on one line that cannot move a cursor: offsets into it stay right.

    >>> flat("a\\x1b[2J\\nb")
    'a\\ufffd[2J b'
    """
    return "".join(
        " " if c.isspace() else "\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text
    )


def excerpt(length: int, spans: Sequence[tuple[int, int]], room: int) -> tuple[int, int]:
    """The stretch of a text of ``length`` to show in ``room`` characters: its beginning, or around the first span.

    >>> excerpt(100, [(60, 70)], 30)
    (50, 80)
    """
    start = max(0, min(spans[0][0] - room // 3, length - room)) if spans and spans[0][1] > room else 0
    return start, min(length, start + room)


def console() -> Console:
    """Rich on stdout; in a file or pipe wide enough not to fold, and without colours."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False, markup=False)


def _table(ranking: Ranking) -> None:
    from rich.table import Table

    out, rows = console(), ranking.rows()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("rank", "right"), ("score", "right"), ("prob", "right"), ("id", "left"), ("text", "left")):
        table.add_column(name, justify=justify, no_wrap=name != "text", max_width=24 if name == "id" else None)  # type: ignore[arg-type]
    room = max(60, 3 * (out.width - 45))
    for row in rows:
        spans = [(int(e["start"]), int(e["end"])) for e in row.get("evidence", ())]
        prob = "" if row["prob"] is None else f"{row['prob']:.3f}"
        table.add_row(
            str(row["rank"]), f"{row['score']:.3f}", prob, flat(row["id"]), _marked(flat(row["text"]), spans, room)
        )
    out.print(table)
    flaws = ", ".join(f"{count} {name}" for name, count in sorted(ranking.flaws().items()))
    if flaws:
        print(f"flaws: {flaws}", file=sys.stderr)


def reasons(ranking: Ranking) -> None:
    """Write what a language model thought of each document, best first, to stdout; nothing where it did not."""
    from rich.text import Text

    out = console()
    for row in ranking.rows():
        if row.get("reasoning") or row.get("verdict"):
            estimate = f", {row['estimate']}" if row.get("estimate") else ""
            flaw = f", {row['flaw']}" if row.get("flaw") else ""
            out.print(
                Text(
                    f"\n{row['rank']}. {flat(row['id'])}: {row.get('verdict') or 'no verdict'}{flaw}{estimate}", "bold"
                )
            )
            out.print(Text(readable(row.get("reasoning", "").strip())))


def readable(text: str) -> str:
    """Text that keeps its lines and cannot move a cursor.

    >>> readable("a\\x1b[2J\\nb")
    'a\\ufffd[2J\\nb'
    """
    return "".join(c if c == "\n" or (c != "\r" and flat(c) == c) else " " if c.isspace() else "\ufffd" for c in text)


def _marked(text: str, spans: Sequence[tuple[int, int]], room: int) -> Text:
    from rich.text import Text

    start, end = excerpt(len(text), spans, room)
    shown = Text(text)
    for a, b in spans:
        shown.stylize("bold green", a, b)
    cut = shown[start:end]
    return Text("… " if start else "") + cut + Text(" …" if end < len(text) else "")
