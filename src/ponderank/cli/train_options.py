"""Options that the trainings of language models share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[
    Path,
    typer.Option(
        "--out", help="Where the model goes, with its training in OUT/training; the same command again goes on."
    ),
]
Supervised = Annotated[
    str, typer.Option("--model", help="The supervised model: a checkpoint's folder, or its name on the Hub.")
]
Dev = Annotated[
    list[str] | None,
    typer.Option(
        "--dev", help="A collection, a folder or an id, to judge checkpoints on; may be repeated.", metavar="COLLECTION"
    ),
]
Full = Annotated[bool, typer.Option("--full", help="Learn all weights, without LoRA; for small models.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="KEY=VALUE, replaces a setting of the preset.", metavar="KEY=VALUE"),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over in a folder that holds another training.")]


@contextmanager
def training(out: Path) -> Iterator[None]:
    """Say how to go on when interrupted, and keep quiet about names that TRL and transformers still owe each other."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        try:
            yield
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(f"the same command goes on from the last checkpoint in {out}") from stop
