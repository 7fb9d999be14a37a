"""``ponderank train reasoner``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def reasoner(
    rows: Annotated[
        Path,
        typer.Option(
            "--rows", help="Training rows: a JSONL file, or a folder with train.jsonl, as distill select writes it."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Where the model goes, with its training in OUT/training; the same command again goes on."
        ),
    ],
    base: Annotated[
        str | None,
        typer.Option("--base", help="A checkpoint's folder, or its name on the Hub. [default: the preset's]"),
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="The settings: rank1-0.5b … rank1-32b, or laptop.")
    ] = "laptop",
    full: Annotated[bool, typer.Option("--full", help="Learn all weights, without LoRA; for small models.")] = False,
    dev: Annotated[
        list[str] | None,
        typer.Option(
            "--dev", help="A collection in BEIR layout to judge checkpoints on; may be repeated.", metavar="FOLDER"
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE, replaces a setting of the preset.", metavar="KEY=VALUE"),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over in a folder that holds another training.")] = False,
) -> None:
    """Fine-tune a language model to think about a passage and then to judge it."""
    import json

    from ponderank.cli.exits import say
    from ponderank.train.reasoner import train
    from ponderank.train.reasoner_config import preset as chosen

    replaced = {"base": base} if base else {}
    config = chosen(preset, tuple(setting or ()), dev=tuple(dev or ()), **replaced, **({"full": True} if full else {}))
    done = (out / "config.json").is_file() and not fresh
    train(config, rows, out, fresh=fresh)
    if done:
        say(f"{out} is finished already; --fresh starts over")
    else:
        counts = json.loads((out / "training" / "rows.json").read_text("utf-8"))
        if counts["too_long"]:
            say(f"left out {counts['too_long']} of {counts['rows']} rows: longer than {config.cutoff} tokens")
    print(f"ponderank rerank --recipe rank1 --model {out}")
