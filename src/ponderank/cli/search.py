"""``ponderank search``: a first stage over a collection, then rerank."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ponderank.cli.first_stage import (
    DocumentTemplate,
    Embedder,
    HybridWeight,
    PoolName,
    QueryTemplate,
    asked_as,
)
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


class Searching(StrEnum):
    """First stages that find documents for any query."""

    bm25 = "bm25"
    dense = "dense"
    hybrid = "hybrid"


def search(
    collection: Annotated[
        str,
        typer.Argument(help="A folder with corpus.jsonl (BEIR layout), or an id; `ponderank collections` lists them."),
    ],
    query: Annotated[str, typer.Argument(help="What is searched for.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Candidates that the first stage gives.")] = 100,
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Print the best K only.", metavar="K")] = 10,
    first_stage: Annotated[
        Searching, typer.Option("--first-stage", help="What finds candidates; dense and hybrid take an --embedder.")
    ] = Searching.bm25,
    embedder: Embedder = None,
    query_template: QueryTemplate = None,
    document_template: DocumentTemplate = None,
    pool: PoolName = None,
    hybrid_weight: HybridWeight = None,
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
    """Search a collection: BM25 or vectors, then rerank.

    The index is built the first time and kept in the collection's folder under .ponderank, or in the user's cache where
    that folder cannot be written. When corpus.jsonl changes, BM25's is built again, and vectors are refused until they are deleted.
    """
    from ponderank.cli.output import is_table, reasons, show, show_cost
    from ponderank.cli.progress import counted
    from ponderank.reranker import Reranker
    from ponderank.run import Experiment
    from ponderank.run_input import opened, retriever
    from ponderank.types import Query

    experiment = Experiment(
        collection,
        first_stage=first_stage.value,
        embedder=embedder,
        encoder=asked_as(embedder, query_template, document_template, pool),
        hybrid_weight=hybrid_weight,
    )
    with counted("reading documents") as on_vectors:
        index = retriever(*opened(experiment), on_vectors=on_vectors)
    (found,) = index.search([Query("query", query)], k)
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
