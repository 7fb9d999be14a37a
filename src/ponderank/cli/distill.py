"""``ponderank distill``: from a teacher to training rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ponderank.cli.distill_collect import collect
from ponderank.cli.distill_prefer import preferences
from ponderank.cli.distill_rewrite import rewrite
from ponderank.cli.rerank import EngineName, Model

app = typer.Typer(
    help="From a teacher to training rows: sample pairs, collect its thoughts, select.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """From a teacher to training rows."""


@app.command()
def sample(
    collection: Annotated[
        str, typer.Option("--collection", help="A folder in BEIR layout, or an id.", metavar="FOLDER|ID")
    ],
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
    from functools import partial

    from ponderank import manifest as manifests
    from ponderank.cli.exits import say
    from ponderank.data.collections import open_collection
    from ponderank.distill.pairs import read_pairs, write_pairs
    from ponderank.distill.sample import PRESETS, Sampling
    from ponderank.distill.sample import sample as drawn
    from ponderank.reranker import Reranker
    from ponderank.run_input import bm25

    parts = _known(preset, PRESETS, "--preset")
    shares = _shares(share or [], [part.name for part in parts])
    parts = tuple(replace(part, share=shares.get(part.name, part.share)) for part in parts)
    opened = open_collection(collection)
    others = tuple(apart) if apart is not None else tuple(name for name in opened.splits if name != split)
    try:
        sampling = Sampling(parts, count, depth, seed, others, per_query)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    opened.qrels_path(split)
    searched = partial(bm25(opened).search, drop_self=opened.facts.drop_self, excluded=opened.facts.excluded)
    keys = {pair.key for path in without or [] for pair in read_pairs(path)}
    hard = any(part.source == "reranked" and part.share for part in parts)
    with Reranker(reranker, model=model, engine=engine) as strong:
        found = drawn(opened, split, sampling, searched, strong.rank_many if hard else None, keys)
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


app.command()(collect)
app.command()(preferences)
app.command()(rewrite)


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
    from ponderank.errors import DataError

    there = manifests.read(out / "teacher.json")
    if there is not None and there.get("teacher") != "imported":
        raise DataError("this folder holds a teacher's own traces; give another --out", path=out)
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
    """Select traces and write training rows: train.jsonl, funnel.json and a data card.

    What the student said is kept in TRACES/student.sqlite; the same command, or another selection, asks it nothing twice.
    """
    from dataclasses import asdict, replace

    from ponderank import manifest as manifests
    from ponderank.cli.exits import say
    from ponderank.cli.progress import shown
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
    if student is None and chosen.self_filter:
        say("no --student was given, so nothing is filtered by one; the paper's mix has that filter")
        chosen = replace(chosen, self_filter=())
    with shown("asking the student") as told:
        options: dict[str, Any] = {
            "engine": engine,
            "think_tokens": think_tokens,
            "cache": traces / "student.sqlite",
            "on_progress": told,
        }
        judge = None if student is None else asked(student_recipe, student, **options)
        found = selected(read_collected(traces), chosen, judge)
    out.mkdir(parents=True, exist_ok=True)
    write_rows(found.rows, Rank1(think=chain), out / "train.jsonl")
    settings = {"preset": preset, **asdict(chosen), "student": student, "chain": chain}
    manifests.write_whole(out / "funnel.json", manifests.dumped({"settings": settings, **funnel_dict(found)}))
    manifests.write_whole(out / "README.md", card(found, settings, manifests.read(traces / "teacher.json")))
    print(funnel_table(found))


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
