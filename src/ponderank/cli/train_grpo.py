"""``ponderank train grpo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ponderank.cli.train_options import Dev, Fresh, Full, Out, Settings, Supervised, training


def grpo(
    collection: Annotated[
        Path, typer.Option("--collection", help="Judged queries in BEIR layout, to learn from.", metavar="FOLDER")
    ],
    out: Out,
    model: Supervised,
    reward: Annotated[
        str | None,
        typer.Option(
            "--reward", help="exact-match, prorank, tfrank-pointwise, erank or retro-star. [default: the preset's]"
        ),
    ] = None,
    constant: Annotated[
        list[str] | None,
        typer.Option("--constant", help="A constant of the reward; may be repeated.", metavar="KEY=VALUE"),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="How the model is asked and read. [default: the preset's]")
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="The settings: rank-r1, retro-star, erank, tfrank or laptop.")
    ] = "laptop",
    split: Annotated[str, typer.Option("--split", help="Whose queries. [default: train, or the only one]")] = "",
    teacher: Annotated[
        Path | None,
        typer.Option("--teacher", help="A TREC run with a score of every document, for erank.", metavar="RUN"),
    ] = None,
    dev: Dev = None,
    full: Full = False,
    setting: Settings = None,
    fresh: Fresh = False,
) -> None:
    """Reinforce a reasoner: reward what it says of passages by what is known of them (GRPO)."""
    from ponderank.cli.exits import say
    from ponderank.cli.train_reasoner import compared
    from ponderank.train.grpo import train
    from ponderank.train.grpo_config import preset as chosen

    given = {"reward": reward, "recipe": recipe}
    replaced = {key: value for key, value in given.items() if value is not None} | ({"full": True} if full else {})
    config = chosen(preset, tuple(setting or ()), tuple(constant or ()), base=model, dev=tuple(dev or ()), **replaced)
    done = (out / "config.json").is_file() and not fresh
    with training(out):
        train(config, collection, out, split=split, teacher=teacher, fresh=fresh)
    say(f"{out} is finished already; --fresh starts over" if done else compared(out))
    print(f"ponderank rerank --recipe {config.recipe} --model {out}")
