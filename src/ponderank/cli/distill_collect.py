"""``ponderank distill collect``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.rerank import DryRun, EngineName, Model

if TYPE_CHECKING:
    from ponderank.distill.collect import Prices, Tally

Concurrency = Annotated[int, typer.Option("--concurrency", min=1, help="Requests at once.")]
PerMinute = Annotated[float | None, typer.Option("--per-minute", help="Requests a minute, at most.")]
Price = Annotated[
    str | None, typer.Option("--price", help="What a million tokens read and written cost.", metavar="READ,WRITTEN")
]


def collect(
    pairs: Annotated[Path, typer.Argument(help="The pairs (JSONL), as `distill sample` writes them.")],
    out: Annotated[
        Path, typer.Option("--out", help="The folder of traces; the same command goes on.", metavar="FOLDER")
    ],
    model: Model = None,
    engine: EngineName = None,
    shard: Annotated[
        str, typer.Option("--shard", help="Which part of the pairs to ask, of how many.", metavar="I/N")
    ] = "0/1",
    batch_file: Annotated[
        Path | None,
        typer.Option(
            "--batch-file",
            metavar="FOLDER",
            help="Ask through OpenAI-style batch files in this folder: written, sent to the engine if there is one, and read back.",
        ),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Answers a pair.")] = 1,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="The longest answer.")] = 1000,
    temperature: Annotated[float, typer.Option("--temperature", min=0)] = 0.3,
    concurrency: Concurrency = 64,
    per_minute: PerMinute = None,
    price: Price = None,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    dry_run: DryRun = False,
) -> None:
    """Ask a teacher about each pair and keep what it says; nothing is asked twice, whatever stops the command."""
    from ponderank.cli.exits import say
    from ponderank.distill.collect import Asking, claim, estimate
    from ponderank.distill.collect import collect as gathered
    from ponderank.distill.pairs import read_pairs
    from ponderank.distill.shards import Shard

    try:
        asking = Asking(max_tokens, temperature, samples, seed, 4 * concurrency)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    prices = read_prices(price)
    if batch_file is not None:
        from ponderank.cli.distill_batch import through_files

        through_files(pairs, out, asking, shard_numbers(shard), batch_file, model=model, engine=engine, dry_run=dry_run)
        return
    options = (
        {"concurrency": concurrency, "requests_per_minute": per_minute} if (engine or "").startswith("http") else {}
    )
    backend = teacher_engine(model, engine, options)
    try:
        with Shard(out, *shard_numbers(shard)) as opened:
            cost = estimate(read_pairs(pairs), backend.tokenizer, asking, opened)
            most = cost_note(prices, cost.prompt_tokens, cost.output_tokens)
            say(
                f"{cost.answers:,} answers to ask for: about {cost.prompt_tokens:,} tokens to read, at most "
                f"{cost.output_tokens:,} to write{most}"
            )
            if dry_run:
                return
            claim(out, backend.fingerprint, asking)
            with progress_line(cost.answers, prices) as told:
                tally = to_the_end(lambda: gathered(read_pairs(pairs), backend, asking, opened, on_progress=told))
    finally:
        backend.close()
    summary(tally, prices, out)


def to_the_end(job: Callable[[], Tally]) -> Tally:
    """Run a collection; Ctrl-C says that nothing is lost."""
    try:
        return job()
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt("what was answered is kept; the same command goes on from here") from stop


def summary(tally: Tally, prices: Prices | None, out: Path) -> None:
    """What was kept, on stderr; lengths by verdict beside the shards, as numbers and, with matplotlib, as a picture."""
    from ponderank import manifest as manifests
    from ponderank.cli.exits import say
    from ponderank.cli.progress import rate
    from ponderank.distill.report import draw, lengths
    from ponderank.distill.shards import read_collected

    verdicts = ", ".join(f"{count:,} {name}" for name, count in tally.verdicts.items())
    lost = f"; {tally.unanswered:,} went unanswered, the same command asks them again" if tally.unanswered else ""
    spent = cost_note(prices, tally.prompt_tokens, tally.output_tokens)
    speed = rate(tally.kept, tally.seconds)
    say(
        f"{tally.kept:,} answers kept ({verdicts}){f', {speed}' if speed else ''}, {tally.before:,} were there{spent}{lost}"
    )
    if not tally.kept and not tally.before:
        return
    found = lengths(read_collected(out))
    manifests.write_whole(out / "lengths.json", manifests.dumped(found.to_dict()))
    try:
        draw(found, out / "lengths.svg")
    except ImportError:
        say("no picture of the lengths: matplotlib is not installed (pip install matplotlib)")


@contextmanager
def progress_line(total: int, prices: Prices | None) -> Iterator[Callable[[Tally], None] | None]:
    """A line on stderr while answers come in: how many, how fast, what they cost so far; nothing where nobody sees it."""
    import sys

    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ponderank.cli.progress import rate

    columns = (
        TextColumn("collecting"), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.fields[more]} ·"),
        TimeRemainingColumn(), TextColumn("left"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, more="")

        def show(tally: Tally) -> None:
            spent = cost_note(prices, tally.prompt_tokens, tally.output_tokens)
            bar.update(
                task,
                completed=tally.kept + tally.unanswered,
                more=f"answers · {rate(tally.kept, tally.seconds)}{spent}",
            )

        yield show


def teacher_engine(model: str | None, engine: str | None, options: dict[str, Any]) -> Any:
    """The backend that writes text: a model by its files, or a server."""
    from ponderank.engines import load
    from ponderank.formats.verdict import Verdict
    from ponderank.recipe import Recipe
    from ponderank.strategies.pointwise import Pointwise

    return load(Recipe("teacher", model or "", Verdict(), Pointwise()), engine, **options)


def shard_numbers(shard: str) -> tuple[int, int]:
    """The two numbers of ``--shard I/N``."""
    number, slash, of = shard.partition("/")
    if not slash or not number.isdigit() or not of.isdigit():
        raise typer.BadParameter(f"{shard!r} is not I/N, such as 0/4", param_hint="--shard")
    return int(number), int(of)


def read_prices(text: str | None) -> Prices | None:
    """The prices of ``--price READ,WRITTEN``."""
    from ponderank.distill.collect import Prices

    if text is None:
        return None
    try:
        read, written = map(float, text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not READ,WRITTEN, such as 0.55,2.19", param_hint="--price") from None
    return Prices(read, written)


def cost_note(prices: Prices | None, prompt_tokens: int, output_tokens: int) -> str:
    """What so many tokens cost, to be put behind something; empty without prices."""
    return "" if prices is None else f", cost {prices.of(prompt_tokens, output_tokens):,.2f}"
