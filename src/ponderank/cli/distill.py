"""``ponderank distill``: from a teacher to training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.rerank import DryRun, EngineName, Model

if TYPE_CHECKING:
    from ponderank.distill.collect import Prices, Tally

app = typer.Typer(
    help="From a teacher to training rows: sample pairs, collect its thoughts, select.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """From a teacher to training rows."""


@app.command()
def sample(
    collection: Annotated[Path, typer.Option("--collection", help="A folder in BEIR layout.", metavar="FOLDER")],
    out: Annotated[Path, typer.Option("--out", help="The file of pairs (JSONL).", metavar="FILE")],
    split: Annotated[str, typer.Option("--split", help="Whose judged queries are drawn.")] = "train",
    preset: Annotated[str, typer.Option("--preset", help="The parts and their shares.")] = "rank1",
    share: Annotated[
        list[str] | None,
        typer.Option("--share", help="PART=SHARE in place of the preset's; may be repeated.", metavar="PART=SHARE"),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Pairs in all.")] = 10_000,
    depth: Annotated[int, typer.Option("-k", min=1, help="Candidates that BM25 finds a query.")] = 100,
    per_query: Annotated[int, typer.Option("--per-query", min=1, help="The most pairs of a part and query.")] = 5,
    reranker: Annotated[
        str, typer.Option("--reranker", help="The recipe whose order the hard negatives are taken from.")
    ] = "default",
    model: Model = None,
    engine: EngineName = None,
    apart: Annotated[
        list[str] | None,
        typer.Option(
            "--apart", help="A split whose queries and passages must not occur; may be repeated. [default: all others]"
        ),
    ] = None,
    without: Annotated[
        list[Path] | None,
        typer.Option("--without", help="Pairs of an earlier round, not to be drawn again.", metavar="FILE"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:
    """Draw pairs to ask a teacher about; what was drawn and left out is in OUT.report.json."""
    from dataclasses import asdict, replace

    from ponderank import manifest as manifests
    from ponderank.cli.exits import say
    from ponderank.data.beir import Collection
    from ponderank.distill.pairs import read_pairs, write_pairs
    from ponderank.distill.sample import PRESETS, Sampling
    from ponderank.distill.sample import sample as drawn
    from ponderank.reranker import Reranker
    from ponderank.run import bm25

    parts = _known(preset, PRESETS, "--preset")
    shares = _shares(share or [], [part.name for part in parts])
    parts = tuple(replace(part, share=shares.get(part.name, part.share)) for part in parts)
    opened = Collection.open(collection)
    others = tuple(apart) if apart is not None else tuple(name for name in opened.splits if name != split)
    try:
        sampling = Sampling(parts, count, depth, seed, others, per_query)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    opened.qrels_path(split)
    index = bm25(opened)
    keys = {pair.key for path in without or [] for pair in read_pairs(path)}
    hard = any(part.source == "reranked" and part.share for part in parts)
    with Reranker(reranker, model=model, engine=engine) as strong:
        found = drawn(opened, split, sampling, index.search, strong.rank_many if hard else None, keys)
        fingerprint = strong.fingerprint if hard else None
    write_pairs(found.pairs, out)
    report = {
        "collection": {"path": str(collection), "corpus": opened.fingerprint(), "split": split}, "sampling": asdict(sampling),
        "reranker": fingerprint, "wanted": found.wanted, "found": found.found, "dropped": found.dropped,
    }  # fmt: skip
    manifests.write_whole(out.with_name(out.name + ".report.json"), manifests.dumped(report))
    short = [
        f"{name} {found.found[name]} of {wanted}" for name, wanted in found.wanted.items() if found.found[name] < wanted
    ]
    say(f"{len(found.pairs):,} pairs in {out}" + (f"; fewer than wanted: {', '.join(short)}" if short else ""))


@app.command()
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
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Requests at once.")] = 64,
    per_minute: Annotated[float | None, typer.Option("--per-minute", help="Requests a minute, at most.")] = None,
    price: Annotated[
        str | None, typer.Option("--price", help="What a million tokens read and written cost.", metavar="READ,WRITTEN")
    ] = None,
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
    prices = _prices(price)
    if batch_file is not None:
        from ponderank.cli.distill_batch import through_files

        through_files(pairs, out, asking, _numbers(shard), batch_file, model=model, engine=engine, dry_run=dry_run)
        return
    options = (
        {"concurrency": concurrency, "requests_per_minute": per_minute} if (engine or "").startswith("http") else {}
    )
    backend = _teacher(model, engine, options)
    try:
        with Shard(out, *_numbers(shard)) as opened:
            cost = estimate(read_pairs(pairs), backend.tokenizer, asking, opened)
            most = _money(prices, cost.prompt_tokens, cost.output_tokens)
            say(
                f"{cost.answers:,} answers to ask for: about {cost.prompt_tokens:,} tokens to read, at most "
                f"{cost.output_tokens:,} to write{most}"
            )
            if dry_run:
                return
            claim(out, backend.fingerprint, asking)
            with _collecting(cost.answers, prices) as told:
                tally = _to_the_end(lambda: gathered(read_pairs(pairs), backend, asking, opened, on_progress=told))
    finally:
        backend.close()
    summary(tally, prices, out)


def _to_the_end(job: Callable[[], Tally]) -> Tally:
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
    spent = _money(prices, tally.prompt_tokens, tally.output_tokens)
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


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="TFRank's chat rows (JSONL).")],
    out: Annotated[Path, typer.Option("--out", help="The folder of traces.", metavar="FOLDER")],
) -> None:
    """Take over traces that others collected: TFRank's pointwise rows."""
    from ponderank import manifest as manifests
    from ponderank.cli.exits import say
    from ponderank.distill.imports import read_tfrank, told
    from ponderank.distill.shards import Shard

    kept = skipped = 0
    with Shard(out) as shard:
        for path in files:
            for row in read_tfrank(path):
                if row is None:
                    skipped += 1
                else:
                    kept += shard.append(row)
    manifests.write_whole(out / "teacher.json", manifests.dumped(told(kept, skipped)))
    say(f"{kept:,} traces in {out}" + (f", {skipped:,} rows of another kind left out" if skipped else ""))


@app.command()
def select(
    traces: Annotated[Path, typer.Argument(help="The folder that `distill collect` filled.")],
    out: Annotated[Path, typer.Option("--out", help="The folder of training rows.", metavar="FOLDER")],
    preset: Annotated[str, typer.Option("--preset", help="Which filters and which mix.")] = "rank1",
    student: Annotated[
        str | None,
        typer.Option(
            "--student", help="A model folder or file that has to agree (the paper's self-filter).", metavar="MODEL"
        ),
    ] = None,
    student_recipe: Annotated[str, typer.Option("--student-recipe", help="How the student is asked.")] = "rank1",
    engine: EngineName = None,
    think_tokens: Annotated[int, typer.Option("--think-tokens", min=1, help="The student's longest thought.")] = 1000,
    consensus: Annotated[
        float | None, typer.Option("--consensus", min=0.01, max=1, help="The least share of samples that agree.")
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option("--mix", help="PART=SHARE in place of the preset's; may be repeated.", metavar="PART=SHARE"),
    ] = None,
    chain: Annotated[
        bool, typer.Option("--chain/--no-chain", help="Rows with the thought, or with the verdict alone.")
    ] = True,
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:
    """Select traces and write training rows: train.jsonl, funnel.json and a data card."""
    from dataclasses import asdict, replace

    from ponderank import manifest as manifests
    from ponderank.distill.report import card, funnel_dict, funnel_table
    from ponderank.distill.rows import write_rows
    from ponderank.distill.select import PRESETS
    from ponderank.distill.select import select as selected
    from ponderank.distill.shards import read_collected
    from ponderank.distill.student import asked
    from ponderank.formats.rank1 import Rank1

    chosen = replace(_known(preset, PRESETS, "--preset"), seed=seed)
    if consensus is not None:
        chosen = replace(chosen, consensus=consensus)
    if mix:
        chosen = replace(chosen, mix=_shares(mix, None))
    judge = None if student is None else asked(student_recipe, student, engine=engine, think_tokens=think_tokens)
    found = selected(read_collected(traces), chosen, judge)
    out.mkdir(parents=True, exist_ok=True)
    write_rows(found.rows, Rank1(think=chain), out / "train.jsonl")
    settings = {"preset": preset, **asdict(chosen), "student": student, "chain": chain}
    manifests.write_whole(out / "funnel.json", manifests.dumped({"settings": settings, **funnel_dict(found)}))
    manifests.write_whole(out / "README.md", card(found, settings, manifests.read(traces / "teacher.json")))
    print(funnel_table(found))


@contextmanager
def _collecting(total: int, prices: Prices | None) -> Iterator[Callable[[Tally], None] | None]:
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
            spent = _money(prices, tally.prompt_tokens, tally.output_tokens)
            bar.update(
                task,
                completed=tally.kept + tally.unanswered,
                more=f"answers · {rate(tally.kept, tally.seconds)}{spent}",
            )

        yield show


def _teacher(model: str | None, engine: str | None, options: dict[str, Any]) -> Any:
    from ponderank.engines import load
    from ponderank.formats.verdict import Verdict
    from ponderank.recipe import Recipe
    from ponderank.strategies.pointwise import Pointwise

    return load(Recipe("teacher", model or "", Verdict(), Pointwise()), engine, **options)


def _known(name: str, table: Any, option: str) -> Any:
    from ponderank.recipe import nearest

    if name not in table:
        raise typer.BadParameter(f"no preset is named {name!r}; {nearest(name, table)}", param_hint=option)
    return table[name]


def _shares(given: list[str], names: list[str] | None) -> dict[str, float]:
    shares = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            shares[name] = float(value)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not PART=SHARE, such as 'negatives=0.5'") from None
        if names is not None and name not in names:
            raise typer.BadParameter(f"no part is named {name!r}; there are {', '.join(names)}")
    return shares


def _numbers(shard: str) -> tuple[int, int]:
    number, slash, of = shard.partition("/")
    if not slash or not number.isdigit() or not of.isdigit():
        raise typer.BadParameter(f"{shard!r} is not I/N, such as 0/4", param_hint="--shard")
    return int(number), int(of)


def _prices(text: str | None) -> Prices | None:
    from ponderank.distill.collect import Prices

    if text is None:
        return None
    try:
        read, written = map(float, text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not READ,WRITTEN, such as 0.55,2.19", param_hint="--price") from None
    return Prices(read, written)


def _money(prices: Prices | None, prompt_tokens: int, output_tokens: int) -> str:
    return "" if prices is None else f", cost {prices.of(prompt_tokens, output_tokens):,.2f}"
