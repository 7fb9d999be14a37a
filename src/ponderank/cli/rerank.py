"""``ponderank rerank``: order texts by their relevance to a query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ponderank.cli.output import Form

RecipeName = Annotated[str, typer.Option("--recipe", help="A recipe's name; `ponderank recipes` lists them.")]
Model = Annotated[
    str | None, typer.Option("--model", help="A model folder in place of the recipe's model.", metavar="FOLDER")
]
Explain = Annotated[bool, typer.Option("--explain", help="Add the sentences that carry each score.")]
TopK = Annotated[int | None, typer.Option("--top-k", min=1, help="Print the best K only.", metavar="K")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count calls and prompt tokens; ask nothing.")]
Cache = Annotated[
    Path | None,
    typer.Option("--cache", help="Keep every reply in this SQLite file and ask nothing twice.", metavar="FILE"),
]
Format = Annotated[Form, typer.Option("--format", help="auto: a table on a terminal, JSON Lines in a pipe.")]


def rerank(
    query: Annotated[str, typer.Argument(help="What is searched for.")],
    docs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Each a text, a file (.jsonl, .txt with one text a line; also .gz), or - for stdin "
            "(JSON Lines or plain lines). Write -- before a text that begins with a dash."
        ),
    ] = None,
    recipe: RecipeName = "default",
    model: Model = None,
    top_k: TopK = None,
    explain: Explain = False,
    dry_run: DryRun = False,
    cache: Cache = None,
    form: Format = Form.auto,
) -> None:
    """Order texts by their relevance to a query.

    In a pipe each line is a JSON object: rank, id, score, prob, text, and title, flaw, evidence where there are any.
    """
    from ponderank.cli.inputs import documents
    from ponderank.cli.output import show, show_cost
    from ponderank.reranker import Reranker, candidates

    found = documents(docs or [])
    with Reranker(recipe, model=model, cache=cache) as reranker:
        if dry_run:
            show_cost(reranker.dry_run([candidates(query, found)]), form)
        else:
            show(reranker.rank(query, found, top_k=top_k, explain=explain), form)
