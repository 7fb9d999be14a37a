"""``ponderank distill collect --batch-file``: the same through files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ponderank.distill.collect import Asking


def through_files(
    pairs: Path, out: Path, asking: Asking, shard: tuple[int, int], folder: Path, *, model: str | None, engine: str | None,
    dry_run: bool,
) -> None:  # fmt: skip
    """Read back what is answered, write what is missing, send it if there is a server, and read that back."""
    from ponderank.cli.distill_collect import summary
    from ponderank.cli.exits import say
    from ponderank.distill import batch
    from ponderank.distill.collect import claim
    from ponderank.distill.pairs import read_pairs
    from ponderank.distill.shards import Shard

    if not model:
        raise typer.BadParameter("batch files name the model they are for", param_hint="--model")

    with Shard(out, *shard) as opened:
        if not dry_run:
            claim(out, f"batch:{model}", asking)
        tally = batch.read_back(lambda: read_pairs(pairs), opened, folder)
        made = batch.write(lambda: read_pairs(pairs), asking, opened, folder, model)
        say(f"{folder}: {batch.describe(made)}")
        if dry_run:
            return
        waiting = [path for path in batch.inputs(folder) if not batch.output_of(path).exists()]
        if waiting and engine is None:
            names = ", ".join(batch.output_of(path).name for path in waiting)
            say(
                f"work them off (vllm run-batch -i FILE -o FILE --model {model}, or any batch service), put the answers beside "
                f"them as {names}, and run the same command again; or name the server (--engine URL)"
            )
        elif waiting and engine is not None:
            from ponderank.backends.http_batches import Batches

            def told(states: dict[str, str]) -> None:
                say(", ".join(f"{name} {state}" for name, state in states.items()))

            batch.send(folder, Batches(engine), on_state=told)
            tally = batch.read_back(lambda: read_pairs(pairs), opened, folder)
    summary(tally, None, out)
