"""``ponderank train reasoner``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ponderank.cli.train_options import Dev, Fresh, Full, Out, Settings, training


def reasoner(
    rows: Annotated[
        Path,
        typer.Option(
            "--rows", help="Training rows: a JSONL file, or a folder with train.jsonl, as distill select writes it."
        ),
    ],
    out: Out,
    base: Annotated[
        str | None,
        typer.Option("--base", help="A checkpoint's folder, or its name on the Hub. [default: the preset's]"),
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="The settings: rank1-0.5b … rank1-32b, or laptop.")
    ] = "laptop",
    full: Full = False,
    dev: Dev = None,
    setting: Settings = None,
    fresh: Fresh = False,
) -> None:
    """Fine-tune a language model to think about a passage and then to judge it."""
    from ponderank.cli.exits import say
    from ponderank.train.reasoner import train
    from ponderank.train.reasoner_config import preset as chosen

    replaced = {"base": base} if base else {}
    config = chosen(preset, tuple(setting or ()), dev=tuple(dev or ()), **replaced, **({"full": True} if full else {}))
    done = (out / "config.json").is_file() and not fresh
    with training(out):
        train(config, rows, out, fresh=fresh)
    if done:
        say(f"{out} is finished already; --fresh starts over")
    else:
        left_out(out, config.cutoff)
    print(f"ponderank rerank --recipe rank1 --model {out}")


def left_out(out: Path, cutoff: int) -> None:
    """Say how many rows were too long, if any."""
    import json

    from ponderank.cli.exits import say

    counts = json.loads((out / "training" / "rows.json").read_text("utf-8"))
    if counts["too_long"]:
        say(f"left out {counts['too_long']} of {counts['rows']} rows: longer than {cutoff} tokens")


def compared(out: Path) -> str:
    """A line about what a training that began with a supervised model changed, by its log."""
    import json

    rows = [json.loads(line) for line in (out / "training" / "log.jsonl").read_text("utf-8").splitlines()]
    measured = [(row["step"], row["eval_measure"]) for row in rows if "eval_measure" in row]
    if len(measured) < 2:
        return f"{out} is finished; no --dev, so nothing says whether it is better"
    (_, before), (step, best) = measured[0], max(measured[1:], key=lambda one: one[1])
    verdict = "" if best > before else "; no better than what it began with"
    return f"dev measure {before:.4f} before, {best:.4f} at step {step}, which is what came out{verdict}"
