"""``ponderank distill preferences``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ponderank.cli.rerank import EngineName


def preferences(
    source: Annotated[
        Path, typer.Argument(help="Traces with several samples a pair, or pairs (JSONL) to ask the student about.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file of preferences (JSONL).", metavar="FILE")],
    student: Annotated[
        str | None,
        typer.Option("--student", help="A model folder or file whose own thoughts are compared.", metavar="MODEL"),
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", help="How the student is asked: rank1, or one of its sizes.")
    ] = "rank1",
    engine: EngineName = None,
    samples: Annotated[int, typer.Option("--samples", min=2, help="Thoughts a pair.")] = 8,
    temperature: Annotated[float, typer.Option("--temperature", min=0.01, help="At which they are drawn.")] = 1.0,
    think_tokens: Annotated[int, typer.Option("--think-tokens", min=1, help="The longest thought.")] = 1000,
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:
    """Compare thoughts about the same pair: right verdicts are chosen, wrong ones rejected."""

    from ponderank.cli.exits import say
    from ponderank.distill.pairs import read_pairs
    from ponderank.distill.prefer import of_student, of_traces, write_preferences
    from ponderank.distill.shards import read_collected

    if source.is_dir() == (student is not None):
        raise typer.BadParameter(
            "give a folder of traces without --student, or a file of pairs with the --student to ask",
            param_hint="SOURCE",
        )
    if student is None:
        counts = write_preferences(of_traces(read_collected(source)), out, seed=seed)
    else:
        from ponderank.reranker import Reranker

        with Reranker(recipe, model=student, engine=engine, think_tokens=think_tokens) as asked:
            form = asked.recipe.format
            thoughts = of_student(
                read_pairs(source), asked.backend, form, samples=samples, temperature=temperature, seed=seed  # type: ignore[arg-type]
            )  # fmt: skip
            counts = write_preferences(thoughts, out, seed=seed)
    rest = ", ".join(f"{count:,} {name}" for name, count in counts.items() if name != "rows" and count)
    say(f"{counts['rows']:,} preferences in {out}" + (f"; pairs without one: {rest}" if rest else ""))
