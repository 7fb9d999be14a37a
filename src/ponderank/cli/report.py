"""``ponderank report``: runs as one page to read."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ponderank.cli.evaluate import (
    Alpha,
    Correction,
    CorrectionOf,
    DropSelf,
    Seed,
    Test,
    TestOf,
    Ties,
    TiesOf,
)

if TYPE_CHECKING:
    from ponderank.report.content import Report
    from ponderank.report.gather import Wanted


class Form(StrEnum):
    """What a report is written as."""

    html = "html"
    md = "md"
    json = "json"


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of ponderank run; or TREC runs, also .gz.", metavar="RUN…")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="The file; its ending (.html, .md, .json) says what it is. - prints.", metavar="FILE"
        ),
    ],
    form: Annotated[Form | None, typer.Option("--format", help="In place of the ending.")] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--measure", help="May be repeated; the first is the main one. [default: the collection's own]"
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="A run to compare the others with, by path or name. [default: the first stage, else the first run]"
        ),
    ] = None,
    qrels: Annotated[
        Path | None, typer.Option(help="Judgements in place of the collection's own.", metavar="FILE")
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(help="For TREC runs, or where a folder's collection lies elsewhere now.", metavar="FOLDER|ID"),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Of that collection.")] = None,
    correction: CorrectionOf = Correction.holm,
    test: TestOf = Test.t,
    alpha: Alpha = 0.05,
    seed: Seed = 0,
    ties: TiesOf = Ties.file,
    drop_self: DropSelf = False,
    price: Annotated[str | None, typer.Option(metavar="READ,WRITTEN", help="What a million tokens cost.")] = None,
    depth: Annotated[int, typer.Option(min=1, help="How many documents of a query count as its top.")] = 10,
    details: Annotated[
        int,
        typer.Option(min=0, help="How many of each run's largest gains, losses and disagreements are shown in detail."),
    ] = 3,
    query: Annotated[
        list[str] | None, typer.Option("--query", help="A query to show in detail too; may be repeated.", metavar="ID")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Ask cross-encoders for the sentences that carry their scores; loads the model."
        ),
    ] = False,
    title: Annotated[str, typer.Option(help="The report's title.")] = "",
) -> None:
    """Write a report on runs: tables, pictures, queries in detail, holes, and how everything was made.

    One file that needs nothing outside it. Numbers are those of `ponderank evaluate`. Runs of several collections get a section each, and
    one about all of them. The first stage that folders began with is a run of its own, and the baseline unless --baseline names another.
    """
    from ponderank.cli.exits import say
    from ponderank.data.lines import written
    from ponderank.report.gather import Wanted

    if not 0 < alpha < 1:
        raise typer.BadParameter(f"{alpha} is not between 0 and 1", param_hint="--alpha")
    wanted = Wanted(
        tuple(measures or ()), baseline, test.value, correction.value, alpha, seed, ties.value, drop_self, _prices(price), depth, details,
        tuple(query or ()), title,
    )  # fmt: skip
    chosen = form or _form(out)
    paths = (
        runs if baseline is None or not Path(baseline).exists() or Path(baseline) in runs else [Path(baseline), *runs]
    )
    made = _made(paths, qrels, collection, split, wanted, explain=explain)
    with written(out) as file:
        file.write(as_text(made, chosen))
    for section in made.sections:
        shown = f", {len(section.details)} in detail" if section.details else ""
        say(f"{section.name}: {len(section.systems)} runs, {section.queries:,} judged queries{shown}")
    if str(out) != "-":
        say(f"{chosen} of {out.stat().st_size / 1e6:.1f} MB in {out}")


def as_text(made: Report, form: Form) -> str:
    """The report as it is written."""
    if form is Form.json:
        return json.dumps(made.to_dict(), ensure_ascii=True, indent=1) + "\n"
    if form is Form.md:
        from ponderank.report.markdown import markdown

        return markdown(made)
    from ponderank.report.html import page

    return page(made)


def _made(
    runs: list[Path], qrels: Path | None, collection: str | None, split: str | None, wanted: Wanted, *, explain: bool
) -> Report:
    from ponderank.cli.exits import say
    from ponderank.report.explain import Explaining
    from ponderank.report.gather import gather
    from ponderank.report.sources import read_sources, tasks

    found = tasks(read_sources(runs), qrels=qrels, collection=collection, split=split)
    with Explaining() as asking:
        made = gather(found, wanted, explain=asking if explain else None)
    for name, why in asking.skipped.items():
        say(f"{name}: no evidence, {why}")
    return made


def _form(out: Path) -> Form:
    ending = out.suffix.removeprefix(".").lower()
    known = {"html": Form.html, "htm": Form.html, "md": Form.md, "json": Form.json}
    if ending not in known:
        raise typer.BadParameter(
            f"{str(out)!r} does not end in .html, .md or .json; name it so, or give --format", param_hint="--out"
        )
    return known[ending]


def _prices(text: str | None) -> tuple[float, float] | None:
    from ponderank.cli.distill_collect import read_prices

    prices = read_prices(text)
    return None if prices is None else (prices.prompt, prices.output)
