"""``ponderank run``: rerank every query of a collection into a folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ponderank.cli.first_stage import (
    DocumentTemplate,
    Embedder,
    HybridWeight,
    PoolName,
    QueryTemplate,
    asked_as,
    both_shown,
)
from ponderank.cli.output import Form
from ponderank.cli.rerank import (
    Calibration,
    CascadeText,
    DryRun,
    EngineName,
    Model,
    QueryTokens,
    RecipeName,
    Think,
    ThinkTokens,
    chosen_by,
)  # fmt: skip

if TYPE_CHECKING:
    from ponderank.run import Outcome


class FirstStage(StrEnum):
    """First stages that ask no model."""

    bm25 = "bm25"
    given = "given"


class AnyFirstStage(StrEnum):
    """First stages that are built in."""

    bm25 = "bm25"
    given = "given"
    dense = "dense"
    hybrid = "hybrid"


def run(
    collection: Annotated[
        str,
        typer.Option(
            "--collection",
            help="A folder in BEIR layout (corpus.jsonl, queries.jsonl, qrels/), or an id; `ponderank collections` lists them.",
            metavar="FOLDER|ID",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder that will hold the results.", metavar="FOLDER")],
    split: Annotated[
        str | None,
        typer.Option(
            "--split", help="Whose judged queries to rank. [default: the collection's own; test, or the only one]"
        ),
    ] = None,
    first_stage: Annotated[
        AnyFirstStage | None,
        typer.Option(
            "--first-stage",
            help="Where candidates come from, without --run; dense and hybrid take an --embedder. "
            "[default: given where the collection has them, else bm25]",
        ),
    ] = None,
    embedder: Embedder = None,
    query_template: QueryTemplate = None,
    document_template: DocumentTemplate = None,
    pool: PoolName = None,
    hybrid_weight: HybridWeight = None,
    run_file: Annotated[
        Path | None, typer.Option("--run", help="A TREC run to rerank in place of a first stage.", metavar="FILE")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Candidates a query.")] = 100,
    recipe: RecipeName = None,
    cascade: CascadeText = None,
    model: Model = None,
    engine: EngineName = None,
    think: Think = None,
    think_tokens: ThinkTokens = None,
    query_tokens: QueryTokens = None,
    calibration: Calibration = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first so many queries.", metavar="N")
    ] = None,
    drop_self: Annotated[
        bool, typer.Option("--drop-self", help="Drop a document that has its query's id (ArguAna, Quora).")
    ] = False,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measures",
            "-m",
            help="A measure for metrics.json; may be repeated. [default: the collection's own; nDCG@10 RR@10 R@100 AP]",
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what the folder holds, kept replies too.")] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where this folder's run was stopped; so it does without, unless --fresh."),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Rerank every query of a collection into a folder.

    The folder then holds run.trec, trace.jsonl, manifest.json and, where the collection has judgements, metrics.json.
    The same command goes on where it was stopped, also by a kill; the four files are then the same bytes as of a run
    that was not. Times are in timing.json only. While it runs, finished queries are in trace.partial.jsonl.

    Indexes are built the first time and kept in the collection's folder under .ponderank, or in the user's cache where that
    folder cannot be written; vectors that a kill stopped go on where they were.
    """
    from ponderank.run import Experiment, perform

    experiment = Experiment(
        collection=collection,
        split=split,
        run_file=run_file,
        k=k,
        recipe=chosen_by(recipe, cascade, think)[0],
        model=model,
        engine=engine,
        think=think is not False,
        think_tokens=think_tokens,
        query_tokens=query_tokens,
        calibration=calibration,
        limit=limit,
        drop_self=drop_self,
        measures=tuple(measures or ()),
        first_stage=None if first_stage is None else first_stage.value,
        embedder=embedder,
        encoder=asked_as(embedder, query_template, document_template, pool),
        hybrid_weight=hybrid_weight,
    )
    if resume and fresh:
        raise typer.BadParameter("--resume goes on with what --fresh forgets; give one of them")
    if dry_run:
        from ponderank.cli.output import show_cost
        from ponderank.cli.progress import counted
        from ponderank.run import dry_run as cost_of

        with counted("reading documents") as on_vectors:
            cost = cost_of(experiment, on_vectors=on_vectors)
        show_cost(cost, Form.auto)
        return
    with both_shown("reranking") as (on_vectors, on_progress):
        outcome = perform(experiment, out, fresh=fresh, on_progress=on_progress, on_vectors=on_vectors)
    _report(outcome, outcome.first_stage)


def _report(outcome: Outcome, first: str) -> None:
    from ponderank.cli.exits import say
    from ponderank.cli.output import grid
    from ponderank.cli.progress import rate

    if outcome.metrics is None:
        say("no judgements in this collection, so no measures")
    else:
        stages, names = outcome.metrics, list(outcome.metrics["reranked"])
        rows = [
            [label, *(f"{stages[stage][name]:.4f}" for name in names)]
            for label, stage in ((first, "first_stage"), ("reranked", "reranked"))
        ]
        print(grid(["", *names], rows))
        if stages["queries_without_results"]:
            say(
                f"{stages['queries_without_results']} of {stages['queries']} judged queries have no results and count 0"
            )
    flaws = "".join(f", {count:,} {name}" for name, count in sorted(outcome.flaws.items()))
    pace = f"{outcome.seconds:.1f} s ({rate(outcome.calls, outcome.seconds)})"
    say(f"{outcome.queries:,} queries, {outcome.calls:,} calls{flaws}, {pace} in {outcome.folder}")
