"""``ponderank evaluate``: runs against relevance judgements."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.evaluate_tables import Layout, Values, comparison_table, long_table, table, turned

if TYPE_CHECKING:
    from ponderank.evaluate import Entered
    from ponderank.metrics.compare import Comparison
    from ponderank.metrics.handling import Handling, Run


class Ties(StrEnum):
    """Which of two documents with one score comes first."""

    file = "file"
    trec = "trec"
    first_stage = "first-stage"


class Test(StrEnum):
    """The test whose p-value is corrected and decides."""

    t = "t"
    randomisation = "randomisation"


class Correction(StrEnum):
    """What is done about several runs being compared with one baseline."""

    holm = "holm"
    none = "none"


CorrectionOf = Annotated[Correction, typer.Option("--correction", help="For several runs against the baseline.")]
TestOf = Annotated[Test, typer.Option("--test", help="The test that is corrected; both are shown.")]
Alpha = Annotated[
    float, typer.Option("--alpha", help="A * marks corrected p-values below; intervals are of 1 - alpha.")
]
Seed = Annotated[int, typer.Option("--seed", help="Of the randomisation test and the bootstraps.")]
TiesOf = Annotated[
    Ties, typer.Option("--ties", help="Equal scores: the run's order, trec_eval's, or the first stage's.")
]
DropSelf = Annotated[
    bool, typer.Option("--drop-self", help="Leave out documents with their query's id (ArguAna, Quora).")
]


def evaluate(
    qrels: Annotated[Path, typer.Argument(help="Judgements: TREC (qid iter docid grade) or BEIR tsv; also .gz.")],
    runs: Annotated[list[Path], typer.Argument(help="TREC runs, also .gz; or folders of ponderank run.")],
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--measure", help="In ir-measures' words, may be repeated. [default: nDCG@10 RR@10 R@100 AP]"
        ),
    ] = None,
    layout: Annotated[
        Layout,
        typer.Option(
            "--format", help="json prints {run: {measure: value}}; full prints everything as one JSON object."
        ),
    ] = Layout.table,
    per_query: Annotated[
        bool, typer.Option("--per-query", help="A value for each query; json prints {run: {query: {measure: value}}}.")
    ] = False,
    baseline: Annotated[Path | None, typer.Option(help="A run, or a folder, to compare the others with.")] = None,
    correction: CorrectionOf = Correction.holm,
    test: TestOf = Test.t,
    alpha: Alpha = 0.05,
    seed: Seed = 0,
    ties: TiesOf = Ties.file,
    first_stage: Annotated[Path | None, typer.Option(help="The first stage's run, for --ties first-stage.")] = None,
    drop_self: DropSelf = False,
    price: Annotated[
        str | None, typer.Option(metavar="READ,WRITTEN", help="What a million tokens cost; adds a column to folders.")
    ] = None,
) -> None:
    """Score runs against relevance judgements, and against each other.

    Means are over all judged queries: one that a run lacks counts 0. Ties are broken by the order of the file unless --ties
    says otherwise. What was done is said on stderr. --format json has measures alone; with --baseline it is the same as full.
    """
    from ponderank.cli.exits import say
    from ponderank.data.trec import read_qrels
    from ponderank.errors import DataError
    from ponderank.metrics import ranked

    names = list(measures or ranked.DEFAULT)
    ranked.parse(names)
    prices = _prices(price)
    if not 0 < alpha < 1:
        raise typer.BadParameter(f"{alpha} is not between 0 and 1", param_hint="--alpha")
    judged = read_qrels(qrels)
    if not judged:
        raise DataError("no judgements: the qrels are empty", path=qrels)
    first = None if first_stage is None else _enter(first_stage).run
    entered, base = _entered(runs, baseline)
    values: dict[str, Values] = {}
    handling: dict[str, Handling] = {}
    for name, one in entered.items():
        values[name], handling[name] = _scored(judged, one.run, names, str(ties), first, drop_self=drop_self)
        _say_missing(name, handling[name])
    say(_done(handling))
    costs = {name: one.cost.per_query(prices) for name, one in entered.items() if one.cost is not None}
    found = {} if base is None else _compared(values, base, str(test), str(correction), alpha, seed)
    if layout is Layout.full or (layout is Layout.json and base is not None):
        how = {"baseline": base, "test": str(test), "correction": str(correction), "alpha": alpha, "seed": seed}
        print(json.dumps(_whole(values, handling, costs, found, how, per_query=per_query), indent=2))
    elif layout is Layout.json:
        shown = {name: turned(one) if per_query else ranked.summary(one) for name, one in values.items()}
        print(json.dumps(shown, indent=2))
    else:
        rows = {name: ranked.summary(one) for name, one in values.items()}
        by_query = {name: turned(one) for name, one in values.items()}
        print(long_table(by_query, names, layout, base) if per_query else table(rows, names, costs, layout))
        if base is not None:
            print("\n" + comparison_table(found, base, alpha, str(test), layout))


def _whole(
    values: dict[str, Values],
    handling: dict[str, Handling],
    costs: dict[str, dict[str, float]],
    found: dict[str, dict[str, Comparison]],
    how: dict[str, Any],
    *,
    per_query: bool,
) -> dict[str, Any]:
    """Everything as one JSON object."""
    from ponderank.metrics.ranked import summary

    told = {measure: {name: one.to_dict() for name, one in runs.items()} for measure, runs in found.items()}
    return {
        "measures": {name: summary(one) for name, one in values.items()},
        "handling": {name: done.to_dict() for name, done in handling.items()},
        "cost_per_query": costs,
        **({} if how["baseline"] is None else {"comparison": {**how, "measures": told}}),
        **({"per_query": {name: turned(one) for name, one in values.items()}} if per_query else {}),
    }


def _enter(path: Path) -> Entered:
    from ponderank.evaluate import enter

    return enter(path)


def _entered(runs: list[Path], baseline: Path | None) -> tuple[dict[str, Entered], str | None]:
    """All runs by name, a baseline that is not among them first, and its name."""
    paths = runs if baseline is None or baseline in runs else [baseline, *runs]
    entered = {str(path): _enter(path) for path in dict.fromkeys(paths)}
    return entered, None if baseline is None else str(baseline)


def _scored(
    judged: dict[str, dict[str, int]], run: Run, names: list[str], ties: Any, first: Run | None, *, drop_self: bool
) -> tuple[Values, Handling]:
    from ponderank.metrics import handling, ranked

    dropped: int | None = None
    if drop_self:
        run, dropped = handling.drop_self(run)
    return (
        ranked.per_query(judged, run, names, ties=ties, first=first),
        handling.handled(judged, run, ties=ties, dropped=dropped),
    )


def _compared(
    values: dict[str, Values], base: str, test: Any, correction: Any, alpha: float, seed: int
) -> dict[str, dict[str, Comparison]]:
    from ponderank.metrics.compare import by_measure

    return by_measure(values, base, test=test, correction=correction, confidence=1 - alpha, seed=seed)


def _say_missing(name: str, done: Handling) -> None:
    from ponderank.cli.exits import say

    if done.missing:
        shown = ", ".join(done.missing[:5]) + (", …" if len(done.missing) > 5 else "")
        say(f"{name}: no results for {len(done.missing)} of {done.queries} judged queries, which count 0: {shown}")


def _done(handling: dict[str, Handling]) -> str:
    """What was done, in a line for all runs, or one for each where they differ."""
    said = {name: str(done) for name, done in handling.items()}
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "\n".join(f"{name}: {line}" for name, line in said.items())


def _prices(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    from ponderank.cli.distill_collect import read_prices

    prices = read_prices(text)
    return None if prices is None else (prices.prompt, prices.output)
