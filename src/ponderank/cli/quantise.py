"""``ponderank quantise``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def quantise(
    model: Annotated[
        Path, typer.Argument(help="The model: a checkpoint's folder, or one with ONNX graphs in full precision.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="int8-onnx or int4-onnx for a cross-encoder; gguf-q4, gguf-q8, gguf-f16 (CPU), awq-int4, gptq-int4 (GPU) for a "
            "model that writes; gguf-q4_k_m or gguf-q4_0 for one of the four-bit types.",
            metavar="TARGET",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where it goes. [default: beside the model, named after it]")
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Measure size and quality before and after, on the same evaluation.")
    ] = False,
    dev: Annotated[
        list[str] | None,
        typer.Option(
            "--dev",
            help="Measure on this collection in BEIR layout; may be repeated. [default: what its training recorded, else agreement "
            "on its training rows, else on a small probe]",
            metavar="FOLDER",
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows",
            help="Prompts and completions (JSONL, as distill select writes them) to calibrate AWQ and GPTQ on, and to measure on "
            "without --dev. [default: the model's own training rows]",
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="How the model is asked. [default: by what the model is]")
    ] = None,
    queries: Annotated[int, typer.Option("--queries", min=1, help="Queries of each collection to measure on.")] = 50,
    depth: Annotated[int, typer.Option("--depth", min=1, help="Candidates of each query.")] = 20,
    think_tokens: Annotated[
        int | None, typer.Option("--think-tokens", min=1, help="The longest thought while measuring.", metavar="N")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Cores to measure with.", metavar="N")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Make it again, in place of what was made here before.")
    ] = False,
) -> None:
    """Make a model smaller, and say what that costs.

    Without --report nothing is measured. The same command again does what is missing.
    """
    from ponderank.cli.exits import say
    from ponderank.train import quantise as making
    from ponderank.train.quantise_sets import Depth, choose

    job = making.prepare(model, to, out, fresh=fresh)
    writes = job.target.reads == making.WRITES
    subject = None
    if report:  # what is missing for it is said before the work, not behind it
        _check_engine(job.target.engine)
        subject = choose(model, dev=tuple(dev or ()), rows=rows, writes=writes, depth=Depth(queries, depth))
    if not fresh and making.is_done(job):
        say(f"{job.out} is made already; --fresh makes it again")
    else:
        say(f"{job.target.name}: {job.scheme}{f' ({job.why})' if job.why else ''} → {job.out}")
    made = making.quantise(job, lambda: _calibration(model, rows), fresh=fresh)
    name = recipe or (subject.recipe if subject else "") or _recipe(model, writes=writes)
    if subject is not None:
        from ponderank.train.quantise_report import compare, measure, write

        options: dict[str, Any] = {"threads": threads, "think_tokens": think_tokens}
        before, after = (measure(path, subject, name, **options) for path in (model, job.out))
        found = compare(before, after, subject, name, made)
        path = write(found, job.out)
        print(found.text())
        say(f"report: {path}")
    print(f"ponderank rerank --recipe {name} --model {job.out}")


def _check_engine(engine: str) -> None:
    """Load the engine's library; its absence is an error that names the extra."""
    if engine == "llamacpp":
        from ponderank.backends.llamacpp_library import library

        library()


def _calibration(model: Path, rows: Path | None) -> Any:
    from ponderank.errors import DataError
    from ponderank.train.quantise_sets import own_rows, read_rows

    found = rows or own_rows(model, writes=True)
    if found is None:
        raise DataError(
            "AWQ and GPTQ calibrate on the model's own training rows, and there is no training/rows.arrow here; give "
            "--rows FILE with prompts and completions, as distill select writes it",
            path=model,
        )
    return read_rows(found, model)


def _recipe(model: Path, *, writes: bool) -> str:
    """The recipe that a model is asked with, if nobody says: by its files."""
    import json

    if writes:
        return "rank1"
    config = model / "config.json"
    kind = json.loads(config.read_text("utf-8")).get("model_type") if config.is_file() else ""
    return "default-alone" if kind == "split-bert" or (model / "graphs.json").is_file() else "minilm-l6"
