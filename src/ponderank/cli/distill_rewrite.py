"""``ponderank distill rewrite``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.distill_collect import Concurrency, PerMinute, Price
from ponderank.cli.rerank import DryRun, EngineName, Model

if TYPE_CHECKING:
    from ponderank.distill.collect import Prices, Tally


def rewrite(
    collection: Annotated[Path, typer.Option("--collection", help="A folder in BEIR layout.", metavar="FOLDER")],
    out: Annotated[Path, typer.Option("--out", help="The new collection; the same command goes on.", metavar="FOLDER")],
    split: Annotated[str, typer.Option("--split", help="Whose judged queries are rewritten.")] = "train",
    model: Model = None,
    engine: EngineName = None,
    most_words: Annotated[
        int, typer.Option("--most-words", min=0, help="Leave longer queries as they are; 0 rewrites all.")
    ] = 0,
    phrase: Annotated[
        int, typer.Option("--phrase", min=2, help="Words in a row from the passage that make a rewrite a copy.")
    ] = 5,
    share: Annotated[
        float, typer.Option("--copied", help="The largest share of new words from the passage, from 0 to 1.")
    ] = 0.6,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="The longest answer, thought included.")] = 512,
    temperature: Annotated[float, typer.Option("--temperature", min=0)] = 0.0,
    concurrency: Concurrency = 64,
    per_minute: PerMinute = None,
    price: Price = None,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    dry_run: DryRun = False,
) -> None:
    """Rewrite a split's queries with a model that sees a relevant passage; OUT is a collection to train on.

    Rewrites that give the answer away or copy the passage are refused: those queries stay as they are. OUT/report.json has
    the counts with examples, OUT/rewrites.jsonl every query. Nothing is asked twice, whatever stops the command.
    """
    from ponderank.cli.distill_collect import read_prices, teacher_engine
    from ponderank.cli.exits import say
    from ponderank.data.beir import Collection
    from ponderank.distill.collect import Asking
    from ponderank.distill.leaks import Limits
    from ponderank.distill.rewrite import REWRITE, claim_folder, wanted

    try:
        limits = Limits(phrase=phrase, share=share)
        asking = Asking(max_tokens, temperature, 1, seed, 4 * concurrency, REWRITE)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    prices, opened = read_prices(price), Collection.open(collection)
    want = wanted(opened, split, most_words=most_words)
    say(", ".join(f"{count:,} {name}" for name, count in want.counts.items() if count))
    options = (
        {"concurrency": concurrency, "requests_per_minute": per_minute} if (engine or "").startswith("http") else {}
    )
    backend = teacher_engine(model, engine, options)
    try:
        if not dry_run:
            claim_folder(opened, out, split=split)
        tally = _ask(want, backend, asking, out / "asked", prices, dry_run=dry_run)
    finally:
        backend.close()
    if tally is not None:
        _write(opened, split, want, out, limits, tally, prices)


def _ask(
    want: Any, backend: Any, asking: Any, folder: Path, prices: Prices | None, *, dry_run: bool
) -> Tally | None:  # fmt: skip
    """Ask for what the folder lacks; None after a dry run, which leaves nothing behind."""
    from contextlib import nullcontext

    from ponderank.cli.distill_collect import cost_note, progress_line, to_the_end
    from ponderank.cli.exits import say
    from ponderank.distill.collect import claim, collect, estimate
    from ponderank.distill.shards import Shard

    fresh = dry_run and not folder.is_dir()
    with nullcontext(Shard(folder)) if fresh else Shard(folder) as shard:
        cost = estimate(want.pairs, backend.tokenizer, asking, shard)
        most = cost_note(prices, cost.prompt_tokens, cost.output_tokens)
        say(
            f"{cost.answers:,} rewrites to ask for: about {cost.prompt_tokens:,} tokens to read, at most "
            f"{cost.output_tokens:,} to write{most}"
        )
        if dry_run:
            return None
        claim(folder, backend.fingerprint, asking)
        with progress_line(cost.answers, prices) as told:
            return to_the_end(lambda: collect(want.pairs, backend, asking, shard, on_progress=told))


def _write(opened: Any, split: str, want: Any, out: Path, limits: Any, tally: Tally, prices: Prices | None) -> None:
    """Write the collection and its report, and say what became of the queries."""
    from ponderank import manifest as manifests
    from ponderank.cli.distill_collect import cost_note
    from ponderank.cli.exits import say
    from ponderank.distill.rewrite import judged, report, write_collection

    rewrites = list(judged(want, out / "asked", limits))
    counts = write_collection(opened, rewrites, out, split=split)
    manifests.write_whole(out / "report.json", manifests.dumped(report(want, rewrites, limits)))
    spent = cost_note(prices, tally.prompt_tokens, tally.output_tokens)
    lost = f"; {tally.unanswered:,} went unanswered, the same command asks them again" if tally.unanswered else ""
    outcomes = ", ".join(f"{counts[name]:,} {name}" for name in ("kept", "unchanged", "leaked", "flawed"))
    say(f"{len(rewrites):,} queries: {outcomes}{spent}{lost}; the collection is {out}")
