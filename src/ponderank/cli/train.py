"""``ponderank train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ponderank.cli.train_reasoner import reasoner

app = typer.Typer(help="Train rerankers.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Train rerankers."""


@app.command("cross-encoder")
def cross_encoder(
    config: Annotated[Path, typer.Argument(help="The training file (TOML); configs/ has examples.")],
    out: Annotated[
        Path, typer.Option(help="Where the model, checkpoints and records go; the same command again goes on.")
    ],
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value, replaces what the file says.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over in a folder that holds another training.")] = False,
    int8: Annotated[bool, typer.Option(help="Export int8 beside fp32.")] = True,
) -> None:
    """Train a cross-encoder, then export it to ONNX with a parity report."""
    import json

    from ponderank.train.config import read
    from ponderank.train.cross_encoder import train
    from ponderank.train.export import export_all

    settings = read(config, tuple(setting or ()))
    model = train(settings, out, fresh=fresh)
    report = export_all(model, out, settings, int8=int8)
    typer.echo(json.dumps(report, indent=1))


app.command("reasoner")(reasoner)
