"""``ponderank rerank``: order texts by their relevance to a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.output import Form

if TYPE_CHECKING:
    from ponderank.recipe import Recipe
    from ponderank.reranker import Reranker
    from ponderank.types import Ranking

RecipeName = Annotated[
    str | None, typer.Option("--recipe", help="A recipe's name; `ponderank recipes` lists them. [default: default]")
]
CascadeText = Annotated[
    str | None,
    typer.Option(
        "--cascade",
        help="Recipes one behind the other, in place of one: default:20,rank1:5 hands default's best 20 to rank1 and prints 5. "
        "RECIPE@MODEL:KEEP names a stage's own model; --model and --engine are for stages that have none.",
        metavar="STAGES",
    ),
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
MinProb = Annotated[
    float | None,
    typer.Option(
        "--min-prob",
        min=0,
        max=1,
        help="Leave out what is less likely to be relevant, or has no probability.",
        metavar="P",
    ),
]
Calibration = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        help="A file of ponderank calibrate that prob goes through, or none. [default: what stands beside the model]",
        metavar="FILE",
    ),
]
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
    cascade: CascadeText = None,
    model: Model = None,
    engine: EngineName = None,
    top_k: TopK = None,
    min_prob: MinProb = None,
    calibration: Calibration = None,
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
    from ponderank.reranker import Reranker
    from ponderank.texts import candidates

    found = documents(docs or [])
    chosen, kept = chosen_by(recipe, cascade, think)
    top_k = top_k or kept
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
        calibration=calibration,
        **options,
    ) as reranker:
        reach(reranker, min_prob)
        if dry_run:
            show_cost(reranker.dry_run([candidates(query, found)]), form)
            return
        with watching([doc.id for doc in found], shown=watch) as on_written:
            ranking = reranker.rank(query, found, deadline=deadline, on_written=on_written)
        ranking = best(ranking, top_k, min_prob)
        ranking = reranker.explain(ranking, len(ranking)) if explain else ranking
        show(ranking, form)
        if explain and is_table(form):
            reasons(ranking)


def reach(reranker: Reranker, min_prob: float | None) -> None:
    """Refuse ``--min-prob`` before anything is asked, where it is known that the recipe gives no probability."""
    if min_prob is not None:
        from ponderank.threshold import checked

        checked(min_prob, None if reranker.calibrations else reranker.recipe)


def best(ranking: Ranking, top_k: int | None, min_prob: float | None) -> Ranking:
    """What reaches ``min_prob``, and of that the best ``top_k``; how many did not reach it, and why, is said on stderr."""
    if min_prob is not None:
        from ponderank.cli.exits import say
        from ponderank.threshold import at_least, left_out

        kept = at_least(ranking, min_prob)
        lost = left_out(ranking, min_prob)
        below = lost.pop("below", 0)
        without = f", {sum(lost.values())} without a probability ({_listed(lost)})" if lost else ""
        if below or lost:
            say(
                f"--min-prob {min_prob:g} left out {len(ranking) - len(kept)} of {len(ranking)}: {below} below{without}"
            )
        ranking = kept
    return ranking if top_k is None else ranking.top(top_k)


def _listed(counts: dict[str, int]) -> str:
    named_ones = [f"{count} {name}" for name, count in sorted(counts.items()) if name != "no probability"]
    return ", ".join(named_ones) or "none was given"


def chosen_by(recipe: str | None, cascade: str | None, think: bool | None) -> tuple[str | Recipe, int | None]:
    """What ``--recipe`` or ``--cascade`` asks for, and how many of a cascade's last stage are wanted."""
    if cascade is None:
        return named(recipe, think), None
    from ponderank.recipes.cascades import cascade as read

    if recipe is not None:
        raise typer.BadParameter("give --recipe or --cascade, not both", param_hint="--cascade")
    return read(cascade)


def named(recipe: str | None, think: bool | None) -> str:
    """The recipe's name; without one ``default``, or ``rank1`` where a thought is wanted."""
    return recipe or ("rank1" if think else "default")
