"""``ponderank train preference``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ponderank.cli.train_options import Dev, Fresh, Full, Out, Settings, Supervised, training


def preference(
    pairs: Annotated[
        Path, typer.Option("--pairs", help="Preferences (JSONL), as distill preferences writes them.", metavar="FILE")
    ],
    out: Out,
    model: Supervised,
    loss: Annotated[
        str | None,
        typer.Option("--loss", help="dpo, ipo, hinge, robust, sppo, apo-zero or irpo. [default: the preset's]"),
    ] = None,
    preset: Annotated[str, typer.Option("--preset", help="The settings: dpo, irpo or laptop.")] = "laptop",
    dev: Dev = None,
    full: Full = False,
    setting: Settings = None,
    fresh: Fresh = False,
) -> None:
    """Teach a reasoner which of its thoughts to prefer (DPO, IRPO)."""
    from ponderank.cli.exits import say
    from ponderank.cli.train_reasoner import compared, left_out
    from ponderank.train.preference import train
    from ponderank.train.preference_config import preset as chosen

    replaced = ({"loss": loss} if loss else {}) | ({"full": True} if full else {})
    config = chosen(preset, tuple(setting or ()), base=model, dev=tuple(dev or ()), **replaced)
    done = (out / "config.json").is_file() and not fresh
    with training(out):
        train(config, pairs, out, fresh=fresh)
    if done:
        say(f"{out} is finished already; --fresh starts over")
    else:
        left_out(out, config.cutoff)
        say(compared(out))
    print(f"ponderank rerank --recipe {config.recipe} --model {out}")
