"""``ponderank simulate``: strategies against a noisy judge made from qrels, without a model."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.output import Form

if TYPE_CHECKING:
    from ponderank.laboratory.simulate import Simulation


class InputOrder(StrEnum):
    """How candidates are laid before a strategy."""

    first_stage = "first-stage"
    random = "random"
    reversed = "reversed"
    ideal = "ideal"


class Gains(StrEnum):
    """How grades become utilities."""

    linear = "linear"
    exponential = "exponential"


class Law(StrEnum):
    """What noise is drawn from."""

    thurstone = "thurstone"
    bradley_terry = "bradley-terry"


class Favours(StrEnum):
    """Which places look better."""

    early = "early"
    late = "late"
    ends = "ends"


def simulate(
    strategies: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            help="By name, as window or window:size=10,stride=5; may be repeated. --list names them.",
            metavar="NAME",
        ),
    ] = None,
    qrels: Annotated[
        Path | None, typer.Option("--qrels", help="Judgements in TREC's or BEIR's form.", metavar="FILE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder that will hold table, figures and plot.", metavar="FOLDER")
    ] = None,
    run_file: Annotated[
        Path | None, typer.Option("--run", help="A TREC run as first stage in place of a made one.", metavar="FILE")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Candidates a query.")] = 100,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Cases that each strategy ranks.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn.")] = 0,
    order: Annotated[InputOrder, typer.Option("--order", help="Order of the candidates.")] = InputOrder.first_stage,
    first_stage_noise: Annotated[
        float, typer.Option("--first-stage-noise", min=0.0, help="Deviation of the made first stage, in spreads.")
    ] = 1.0,
    noise: Annotated[
        float,
        typer.Option(
            "--noise",
            min=0.0,
            help="Deviation of the judge's noise, in spreads: 1 is the distance from grade 0 to the best grade.",
        ),
    ] = 0.5,
    law: Annotated[Law, typer.Option("--law", help="Normal noise, or Gumbel noise.")] = Law.thurstone,
    persistent: Annotated[
        bool, typer.Option("--persistent", help="The same question is always answered alike.")
    ] = False,
    prejudice: Annotated[
        float, typer.Option("--prejudice", min=0.0, help="Error that a document carries through a trial, in spreads.")
    ] = 0.0,
    intransitivity: Annotated[
        float, typer.Option("--intransitivity", min=0.0, help="Fixed error of each pair of documents, in spreads.")
    ] = 0.0,
    bias: Annotated[
        float, typer.Option("--bias", min=0.0, help="How much better the favoured place looks, in spreads.")
    ] = 0.0,
    favours: Annotated[
        Favours, typer.Option("--favours", help="The favoured place; ends: lost in the middle.")
    ] = Favours.early,
    unparsed: Annotated[
        float, typer.Option("--unparsed", min=0.0, max=1.0, help="Share of answers that cannot be read.")
    ] = 0.0,
    incomplete: Annotated[
        float, typer.Option("--incomplete", min=0.0, max=1.0, help="Share of lists with documents left out.")
    ] = 0.0,
    width_penalty: Annotated[
        float, typer.Option("--width-penalty", min=0.0, help="Noise grows with (shown / 2) to this power.")
    ] = 0.0,
    within: Annotated[
        float,
        typer.Option(
            "--within", min=0.0, max=1.0, help="Width of one grade's utilities; 1: as far as to the next grade."
        ),
    ] = 0.5,
    gain: Annotated[
        Gains, typer.Option("--gain", help="Utility of a grade: itself, or 2 to its power, less 1.")
    ] = Gains.linear,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", help="Whose paired differences are told. [default: the first]", metavar="NAME"),
    ] = None,
    tau: Annotated[bool, typer.Option("--tau", help="Tell Kendall's tau with the utilities too.")] = False,
    doc_tokens: Annotated[int, typer.Option("--doc-tokens", min=0, help="Tokens of a document.")] = 100,
    call_tokens: Annotated[
        int, typer.Option("--call-tokens", min=0, help="Tokens of a prompt beside documents.")
    ] = 100,
    think_tokens: Annotated[int, typer.Option("--think-tokens", min=0, help="Tokens of a thought in a call.")] = 0,
    form: Annotated[Form, typer.Option("--format", help="auto: a table on a terminal, else JSON lines.")] = Form.auto,
    list_names: Annotated[
        bool, typer.Option("--list", help="List the strategies with their fields and leave.")
    ] = False,
) -> None:
    """Try strategies against a noisy judge made from qrels: thousands of rankings in seconds, without a model.

    FOLDER then holds simulation.json, simulation.md and pareto.svg. The same command gives the same bytes.
    """
    from ponderank.errors import DataError
    from ponderank.laboratory.cases import Cases
    from ponderank.laboratory.costs import Tokens
    from ponderank.laboratory.judges import Judge
    from ponderank.laboratory.named import contender
    from ponderank.laboratory.simulate import Simulation

    if list_names:
        _list(form)
        return
    if not strategies or qrels is None:
        raise DataError("give --strategy and --qrels; --list names the strategies")
    try:
        many = [contender(name, k) for name in strategies]
        cases = Cases.read(
            qrels, run_file, k=k, first_stage_noise=first_stage_noise, order=order.value, within=within, gain=gain.value
        )
        judge = Judge(
            noise, law.value, persistent, prejudice, intransitivity, bias, favours.value, unparsed, incomplete, width_penalty
        )  # fmt: skip
        tokens = Tokens(doc_tokens, call_tokens, think_tokens)
        simulation = Simulation(cases, many, judge, seed, tokens, baseline or many[0].name, tau)
    except DataError:
        raise
    except ValueError as error:  # an amount that means nothing, such as inf
        raise DataError(str(error)) from error
    _performed(simulation, trials, form, out, {"qrels": qrels, "run": run_file})


def _performed(simulation: Simulation, trials: int, form: Form, out: Path | None, files: dict[str, Any]) -> None:
    """Run, show, write; an interruption shows the trials that were done and writes nothing."""
    import time

    from ponderank.cli.exits import say
    from ponderank.cli.progress import counted
    from ponderank.laboratory.report import settings, write

    start = time.perf_counter()
    try:
        with counted("trials") as show:
            simulation.run(trials, on_trial=None if show is None else lambda done: show(done, trials))
    except KeyboardInterrupt:
        if simulation.trials:
            _show(simulation, form)
        raise KeyboardInterrupt(f"{simulation.trials:,} of {trials:,} trials done; nothing was written") from None
    _show(simulation, form)
    if out is not None:
        write(out, settings(simulation, **files), simulation.standings())
    there = f"; everything is in {out / 'simulation.md'}" if out is not None else ""
    say(f"{trials:,} trials, {time.perf_counter() - start:.1f} s{there}")


def _show(simulation: Simulation, form: Form) -> None:
    from ponderank.cli.output import console, is_table
    from ponderank.laboratory.report import rows, table

    standings = simulation.standings()
    if not is_table(form):
        sys.stdout.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(standings))
        return
    from rich.table import Table

    head, body = table(standings, simulation.baseline)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for at, name in enumerate(head):
        shown.add_column(name, justify="right" if at else "left", no_wrap=at > 0 and not name.startswith("Δ"))
    for row in body:
        shown.add_row(*row)
    console().print(shown)


def _list(form: Form) -> None:
    """The names, the defaults of their fields and a line of help."""
    from ponderank.cli.output import is_table
    from ponderank.laboratory.named import NAMED, contender

    found = [(name, repr(contender(name).strategy), entry.told) for name, entry in NAMED.items()]
    if is_table(form):
        print("\n".join(f"{name:<18}{told}\n{'':<18}{fields}" for name, fields, told in found))
        return
    for name, fields, told in found:
        print(json.dumps({"name": name, "strategy": fields, "told": told}, ensure_ascii=False))
