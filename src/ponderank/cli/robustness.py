"""``ponderank robustness``: how steady a recipe is, in five figures and all that they are made of."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ponderank.cli.output import Form
from ponderank.cli.rerank import DryRun, EngineName, Model, QueryTokens, RecipeName, Think, ThinkTokens, named
from ponderank.cli.run import FirstStage

if TYPE_CHECKING:
    from ponderank.robustness.suite import Outcome


class Test(StrEnum):
    """What can be tested."""

    order = "order"
    repeats = "repeats"
    queries = "queries"
    documents = "documents"
    others = "others"
    position = "position"


def robustness(
    collection: Annotated[
        str,
        typer.Option(
            "--collection",
            help="A folder in BEIR layout, or an id; `ponderank collections` lists them.",
            metavar="FOLDER|ID",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder that will hold the results.", metavar="FOLDER")],
    recipe: RecipeName = None,
    model: Model = None,
    engine: EngineName = None,
    tests: Annotated[
        list[Test] | None,
        typer.Option(
            "--test",
            help="order: other input orders; repeats: the same again; queries: said otherwise; documents: attacks; others: "
            "other collections; position: places in the prompt, where passages are shown together. May be repeated. [default: all]",
        ),
    ] = None,
    others: Annotated[
        list[str] | None,
        typer.Option("--other", help="Another collection; may be repeated.", metavar="FOLDER|ID"),
    ] = None,
    attacks: Annotated[
        Path | None,
        typer.Option(
            "--attacks", help='More attacks: JSON lines {"name", "text", "place"?, "query"?, "doc"?}.', metavar="FILE"
        ),
    ] = None,
    variations: Annotated[
        list[str] | None,
        typer.Option("--variation", help="A query variation by name; may be repeated. [default: all]", metavar="NAME"),
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Whose judged queries to rank.")] = None,
    first_stage: Annotated[
        FirstStage | None, typer.Option("--first-stage", help="Where candidates come from, without --run.")
    ] = None,
    run_file: Annotated[
        Path | None, typer.Option("--run", help="A TREC run to rerank in place of a first stage.", metavar="FILE")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Candidates a query.")] = 100,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first so many queries.", metavar="N")
    ] = None,
    measure: Annotated[
        str, typer.Option("-m", "--measure", help="By which effect is told; a measure of single queries.")
    ] = "nDCG@10",
    shuffles: Annotated[int, typer.Option("--shuffles", min=0, help="Random input orders beside the reverse.")] = 3,
    repeats: Annotated[
        int,
        typer.Option(
            "--repeats",
            min=0,
            help="How often the same is asked again: in the same company, in other, alone, and so on.",
        ),
    ] = 2,
    position_queries: Annotated[
        int, typer.Option("--position-queries", min=1, help="Queries whose passages are shown in several orders.")
    ] = 20,
    position_groups: Annotated[
        int | None,
        typer.Option(
            "--position-groups",
            min=1,
            help="Groups a query, each as wide as the recipe's; of pairs, all of a few passages. [default: about 20 passages]",
            metavar="N",
        ),
    ] = None,
    position_shuffles: Annotated[
        int,
        typer.Option(
            "--position-shuffles", min=0, help="Random orders of a group beside the given one; each also in reverse."
        ),
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn.")] = 0,
    think: Think = None,
    think_tokens: ThinkTokens = None,
    query_tokens: QueryTokens = None,
    drop_self: Annotated[
        bool, typer.Option("--drop-self", help="Drop a document that has its query's id (ArguAna, Quora).")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what the folder holds, kept replies too.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Test how steady a recipe is: five figures first, and everything that they are made of.

    The folder then holds results.json, robustness.md and, with matplotlib, robustness.svg. The same command goes on where it was
    stopped, also by a kill; another choice of tests takes what is there. --dry-run says beforehand how many calls it is.
    """
    from ponderank.cli.progress import shown
    from ponderank.robustness.laid import Suite
    from ponderank.robustness.suite import dry_run as counted
    from ponderank.robustness.suite import perform
    from ponderank.robustness.trials import TESTS
    from ponderank.run import Experiment

    experiment = Experiment(
        collection=collection,
        split=split,
        run_file=run_file,
        k=k,
        recipe=named(recipe, think),
        model=model,
        engine=engine,
        think=think is not False,
        think_tokens=think_tokens,
        query_tokens=query_tokens,
        limit=limit,
        drop_self=drop_self,
        first_stage=None if first_stage is None else first_stage.value,
    )
    suite = Suite(
        experiment,
        measure=measure,
        tests=tuple(test for test in TESTS if not tests or Test(test) in tests),
        variations=tuple(variations or ()),
        attacks=attacks,
        others=tuple(others or ()),
        shuffles=shuffles,
        repeats=repeats,
        seed=seed,
        position_queries=position_queries,
        position_groups=position_groups,
        position_shuffles=position_shuffles,
    )
    if dry_run:
        from ponderank.cli.output import show_cost

        show_cost(counted(suite), Form.auto)
        return
    with shown("ranking") as on_progress:
        outcome = perform(suite, out, fresh=fresh, on_progress=on_progress)
    _report(outcome)


def _report(outcome: Outcome) -> None:
    from ponderank.cli.exits import say
    from ponderank.cli.output import grid
    from ponderank.robustness.report import five_table, position_lines, position_table, steady_table

    head, rows = five_table(outcome.results)
    print(grid(head[:-1], [row[:-1] for row in rows]))
    for table in (steady_table(outcome.results), position_table(outcome.results)):
        if table is not None:
            print("\n" + grid(*table))
    for row in rows:
        say(f"{row[0][2:]}: {row[-1]}")
    for note in (*position_lines(outcome.results), *outcome.results["notes"]):
        say(note)
    if not outcome.drawn:
        say("no picture: matplotlib is not installed (pip install matplotlib), or there is nothing to draw")
    say(f"{outcome.calls:,} calls, {outcome.seconds:.1f} s; everything is in {outcome.folder / 'robustness.md'}")
