"""``ponderank rerank``: order texts by their relevance to a query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ponderank.cli.output import Form

RecipeName = Annotated[
    str | None, typer.Option("--recipe", help="A recipe's name; `ponderank recipes` lists them. [default: default]")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="A model folder, a .gguf file, or a server's name for a model, in place of the recipe's.",
        metavar="MODEL",
    ),
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="onnx, transformers, llamacpp, vllm, or the URL of an OpenAI-compatible server. [default: what the model's files call for]",
        metavar="ENGINE",
    ),
]
Think = Annotated[
    bool | None,
    typer.Option(
        "--think/--no-think",
        help="Think before judging (recipe rank1, unless another is named), or ask for verdicts at once.",
    ),
]
ThinkTokens = Annotated[
    int | None, typer.Option("--think-tokens", min=1, help="The longest thought, in tokens.", metavar="N")
]
QueryTokens = Annotated[
    int | None,
    typer.Option(
        "--query-tokens", min=0, help="The most that is written for a query, divided among its documents.", metavar="N"
    ),
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
    recipe: RecipeName = None,
    model: Model = None,
    engine: EngineName = None,
    top_k: TopK = None,
    explain: Explain = False,
    think: Think = None,
    think_tokens: ThinkTokens = None,
    query_tokens: QueryTokens = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            "--deadline",
            min=0.001,
            help="After so many seconds rank with what there is; the rest keeps its order, marked late.",
            metavar="SECONDS",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show on stderr what the model thinks as it writes it.")
    ] = False,
    dry_run: DryRun = False,
    cache: Cache = None,
    form: Format = Form.auto,
) -> None:
    """Order texts by their relevance to a query.

    In a pipe each line is a JSON object: rank, id, score, prob, text, and title, flaw, evidence where there are any.
    """
    from ponderank.cli.inputs import documents
    from ponderank.cli.output import is_table, reasons, show, show_cost
    from ponderank.cli.watch import watching
    from ponderank.reranker import Reranker, candidates

    found = documents(docs or [])
    chosen = named(recipe, think)
    # only what is streamed can be shown or cut short; otherwise a server spares itself the work
    options: dict[str, Any] = {"stream": True} if (engine or "").startswith("http") and (watch or deadline) else {}
    with Reranker(
        chosen,
        model=model,
        engine=engine,
        cache=cache,
        think=think is not False,
        think_tokens=think_tokens,
        query_tokens=query_tokens,
        **options,
    ) as reranker:
        if dry_run:
            show_cost(reranker.dry_run([candidates(query, found)]), form)
            return
        with watching([doc.id for doc in found], shown=watch) as on_written:
            ranking = reranker.rank(
                query, found, top_k=top_k, explain=explain, deadline=deadline, on_written=on_written
            )
        show(ranking, form)
        if explain and is_table(form):
            reasons(ranking)


def named(recipe: str | None, think: bool | None) -> str:
    """The recipe's name; without one ``default``, or ``rank1`` where a thought is wanted."""
    return recipe or ("rank1" if think else "default")
