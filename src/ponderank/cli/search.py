"""``ponderank search``: BM25 over a collection, then rerank."""

from __future__ import annotations

from typing import Annotated

import typer

from ponderank.cli.output import Form
from ponderank.cli.rerank import (
    Cache,
    Calibration,
    DryRun,
    EngineName,
    Explain,
    Format,
    MinProb,
    Model,
    RecipeName,
    Think,
    ThinkTokens,
    best,
    named,
    reach,
)


def search(
    collection: Annotated[
        str,
        typer.Argument(help="A folder with corpus.jsonl (BEIR layout), or an id; `ponderank collections` lists them."),
    ],
    query: Annotated[str, typer.Argument(help="What is searched for.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Candidates that BM25 gives.")] = 100,
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Print the best K only.", metavar="K")] = 10,
    recipe: RecipeName = None,
    model: Model = None,
    engine: EngineName = None,
    think: Think = None,
    think_tokens: ThinkTokens = None,
    min_prob: MinProb = None,
    calibration: Calibration = None,
    explain: Explain = False,
    dry_run: DryRun = False,
    cache: Cache = None,
    form: Format = Form.auto,
) -> None:
    """Search a collection: BM25, then rerank.

    The index is built the first time and kept in the collection's folder under .ponderank, or in the user's cache where
    that folder cannot be written; it is built again when corpus.jsonl changes.
    """
    from ponderank.cli.output import is_table, reasons, show, show_cost
    from ponderank.data.collections import open_collection
    from ponderank.reranker import Reranker
    from ponderank.run_input import bm25
    from ponderank.types import Query

    (found,) = bm25(open_collection(collection)).search([Query("query", query)], k)
    with Reranker(
        named(recipe, think),
        model=model,
        engine=engine,
        cache=cache,
        think=think is not False,
        think_tokens=think_tokens,
        calibration=calibration,
    ) as reranker:
        reach(reranker, min_prob)
        if dry_run:
            show_cost(reranker.dry_run([found]), form)
            return
        (ranking,) = reranker.rank_many([found])
        ranking = best(ranking, top_k, min_prob)
        ranking = reranker.explain(ranking, len(ranking)) if explain else ranking
        show(ranking, form)
        if explain and is_table(form):
            reasons(ranking)
