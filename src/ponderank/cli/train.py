"""``ponderank train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ponderank.cli.train_grpo import grpo
from ponderank.cli.train_options import training
from ponderank.cli.train_preference import preference
from ponderank.cli.train_reasoner import reasoner

app = typer.Typer(help="Train rerankers.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Train rerankers."""


@app.command("cross-encoder")
def cross_encoder(
    file: Annotated[Path | None, typer.Argument(hidden=True)] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The training file (TOML); configs/ has examples.", metavar="FILE"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Where the model, checkpoints and records go; the same command again goes on. [default: trained/ and the file's name]",
            metavar="FOLDER",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value, replaces what the file says.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over in a folder that holds another training.")] = False,
    int8: Annotated[bool, typer.Option(help="Export int8 beside fp32.")] = True,
) -> None:
    """Train a cross-encoder, then export it to ONNX with a parity report."""
    import json

    from ponderank.cli.exits import say
    from ponderank.train.config import read
    from ponderank.train.cross_encoder import train
    from ponderank.train.export import export_all

    named = [path for path in (config, file) if path is not None]
    if len(named) != 1:
        raise typer.BadParameter("name the training file, once", param_hint="--config")
    settings = read(named[0], tuple(setting or ()))
    out = out or Path("trained", named[0].stem)
    say(f"training in {out}")
    with training(out):
        model = train(settings, out, fresh=fresh)
    report = export_all(model, out, settings, int8=int8)
    typer.echo(json.dumps(report, indent=1))


app.command("reasoner")(reasoner)
app.command("grpo")(grpo)
app.command("preference")(preference)
