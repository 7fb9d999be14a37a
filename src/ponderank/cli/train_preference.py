"""``ponderank train preference``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def preference(
    pairs: Annotated[
        Path, typer.Option("--pairs", help="Preferences (JSONL), as distill preferences writes them.", metavar="FILE")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Where the model goes, with its training in OUT/training; the same command again goes on."
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", help="The supervised model: a checkpoint's folder, or its name on the Hub.")
    ],
    loss: Annotated[
        str | None,
        typer.Option("--loss", help="dpo, ipo, hinge, robust, sppo, apo-zero or irpo. [default: the preset's]"),
    ] = None,
    preset: Annotated[str, typer.Option("--preset", help="The settings: dpo, irpo or laptop.")] = "laptop",
    dev: Annotated[
        list[str] | None,
        typer.Option(
            "--dev", help="A collection in BEIR layout to judge checkpoints on; may be repeated.", metavar="FOLDER"
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Learn all weights, without LoRA; for small models.")] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE, replaces a setting of the preset.", metavar="KEY=VALUE"),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over in a folder that holds another training.")] = False,
) -> None:
    """Teach a reasoner which of its thoughts to prefer (DPO, IRPO)."""
    from ponderank.cli.exits import say
    from ponderank.cli.train_reasoner import compared, left_out
    from ponderank.train.preference import train
    from ponderank.train.preference_config import preset as chosen

    replaced = ({"loss": loss} if loss else {}) | ({"full": True} if full else {})
    config = chosen(preset, tuple(setting or ()), base=model, dev=tuple(dev or ()), **replaced)
    done = (out / "config.json").is_file() and not fresh
    train(config, pairs, out, fresh=fresh)
    if done:
        say(f"{out} is finished already; --fresh starts over")
    else:
        left_out(out, config.cutoff)
        say(compared(out))
    print(f"ponderank rerank --recipe {config.recipe} --model {out}")
