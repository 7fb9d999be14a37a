"""``ponderank judge``: pool what was never judged, grade it on a page, merge, and evaluate again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.judge_merge import apply, compare, merge
from ponderank.cli.rerank import Cache, EngineName, Model, ThinkTokens

if TYPE_CHECKING:
    from ponderank.judging.pool import Pool, Scale

app = typer.Typer(help="Judge what was never judged, and evaluate again.", no_args_is_help=True)

PoolFile = Annotated[Path, typer.Argument(help="A pool (JSONL) that `judge pool` made.", metavar="POOL")]
StoreFile = Annotated[Path, typer.Option("--store", help="The SQLite file of judgements.", metavar="FILE")]


@app.callback()
def _group() -> None:
    """Judge what was never judged, and evaluate again."""


@app.command()
def pool(
    runs: Annotated[
        list[Path],
        typer.Option("--run", help="A TREC run; may be repeated. A trace.jsonl beside a run.trec is read too."),
    ],
    collection: Annotated[Path, typer.Option("--collection", help="A folder in BEIR layout.", metavar="FOLDER")],
    out: Annotated[Path, typer.Option("--out", help="The pool (JSONL).", metavar="FILE")],
    qrels: Annotated[
        Path | None, typer.Option("--qrels", help="What was judged; without it nothing was.", metavar="FILE")
    ] = None,
    depth: Annotated[int, typer.Option("--depth", min=1, help="The top k of each run that is looked at.")] = 10,
    what: Annotated[
        list[str] | None,
        typer.Option(
            "--what", help="unjudged, disagreeing (judged not relevant), all; may be repeated. [default: unjudged]"
        ),
    ] = None,
    relevant: Annotated[
        int, typer.Option("--relevant", help="The least grade that is relevant, for disagreeing; 2 for TREC DL.")
    ] = 1,
    scale: Annotated[str, typer.Option("--scale", help="dl (0 to 3) or binary.")] = "dl",
    grade: Annotated[
        list[str] | None,
        typer.Option(
            "--grade", help="A grade and its word in place of the scale's; repeat for each.", metavar="GRADE=WORD"
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Orders what assessors see.")] = 0,
    pre_judge: Annotated[
        str | None,
        typer.Option("--pre-judge", help="A recipe whose opinion assessors see after grading.", metavar="RECIPE"),
    ] = None,
    model: Model = None,
    engine: EngineName = None,
    think_tokens: ThinkTokens = None,
    cache: Cache = None,
) -> None:
    """Gather what is worth judging from the top of some runs.

    What models said of it, in a run's trace or as --pre-judge, is kept in OUT.opinions.jsonl and shown after grading only.
    """
    from ponderank import manifest as manifests
    from ponderank.cli.exits import say
    from ponderank.data.beir import Collection
    from ponderank.data.trec import read_qrels, read_run
    from ponderank.judging.draw import draw
    from ponderank.judging.pool import Pool, write_pool

    judged = None if qrels is None else read_qrels(qrels)
    chosen = _scale(scale, grade)
    names = _names(runs)
    wanted = tuple(what or ["unjudged"])
    loaded = {name: read_run(path) for name, path in names.items()}
    items = draw(Collection.open(collection), loaded, judged, depth=depth, what=wanted, relevant=relevant)
    made = {
        "qrels": None if qrels is None else {"path": str(qrels), "sha256": manifests.file_hash(qrels)},
        "runs": [{"path": str(path), "sha256": manifests.file_hash(path)} for path in runs],
        "collection": str(collection), "depth": depth, "what": list(wanted), "relevant": relevant,
    }  # fmt: skip
    drawn = Pool(tuple(items), chosen, seed, made=made)
    asked: dict[str, Any] = {"model": model, "engine": engine, "think_tokens": think_tokens, "cache": cache}
    told = _opinions(drawn, names, out, pre_judge, asked)
    write_pool(drawn, out)
    _warn(judged, loaded, chosen)
    queries = len(drawn.by_query)
    say(f"{len(items):,} passages of {queries:,} queries in {out}" + (f", {told:,} opinions beside it" if told else ""))


@app.command()
def serve(
    source: PoolFile,
    store: StoreFile,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8765,
    open_to_network: Annotated[
        bool, typer.Option("--open-to-network", help="Let other machines in; the page asks for no password.")
    ] = False,
) -> None:
    """Serve the page on which people judge a pool. Needs the extra [serve].

    Every grade is on the disk before the page hears that it was taken. Several people may judge at once, each under a name.
    """
    from ponderank.cli.exits import say
    from ponderank.judging import serve as server
    from ponderank.judging.opinions import beside, read_opinions
    from ponderank.judging.pool import read_pool
    from ponderank.judging.store import Store

    loaded = _judgeable(read_pool(source), source)
    opinions = read_opinions(beside(source)) if beside(source).is_file() else {}
    with Store(store) as kept:
        app = server.application(loaded, kept, opinions, local_only=server.is_loopback(host))
        at = server.listening(host, port, open_to_network=open_to_network)
        shown = f"[{host}]" if ":" in host else host
        say(
            f"judging {len(loaded.items):,} passages at http://{shown}:{at.getsockname()[1]}/ into {store}; Ctrl-C ends it"
        )
        server.serve(app, at)


@app.command()
def export(
    source: PoolFile,
    out: Annotated[
        Path, typer.Option("--out", help="The page (HTML), for a browser without a network.", metavar="FILE")
    ],
    assessor: Annotated[str, typer.Option("--assessor", help="Whom it is for; asked for without.")] = "",
) -> None:
    """Write the judging page as one file. It holds nothing that is to stay hidden; what it saves goes to `judge import`."""
    from ponderank.cli.exits import say
    from ponderank.judging.offline import export as exported
    from ponderank.judging.pool import read_pool

    loaded = _judgeable(read_pool(source), source)
    exported(loaded, out, assessor=assessor)
    say(f"{len(loaded.items):,} passages in {out}; take in what it saves with `ponderank judge import`")


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Files that the exported page saved (JSON).")],
    store: StoreFile,
    source: Annotated[
        Path | None, typer.Option("--pool", help="Their pool, if the store does not have it yet.", metavar="POOL")
    ] = None,
) -> None:
    """Take offline judgements into the store; the same file twice counts once."""
    from ponderank.cli.exits import say
    from ponderank.judging.offline import take_in
    from ponderank.judging.pool import read_pool
    from ponderank.judging.store import Store

    pools = [] if source is None else [read_pool(source)]
    with Store(store, must_exist=source is None) as kept:
        for one in pools:
            kept.add_pool(one)
        for path in files:
            new, all_ = take_in(path, kept)
            say(f"{path}: {new:,} new of {all_:,} events, in {store}")


app.command()(merge)
app.command()(apply)
app.command()(compare)


def _scale(name: str, grades: list[str] | None) -> Scale:
    from ponderank.judging.pool import SCALES, scale_of
    from ponderank.recipe import nearest

    if grades:
        return scale_of(grades)
    if name not in SCALES:
        raise typer.BadParameter(f"no scale is named {name!r}; {nearest(name, SCALES)}", param_hint="--scale")
    return SCALES[name]


def _names(runs: list[Path]) -> dict[str, Path]:
    """Runs by a short name: the file's, or the folder's for a ``run.trec``; by the path where two would be the same."""
    short = [path.absolute().parent.name if path.name == "run.trec" else path.name.split(".")[0] for path in runs]
    return {(name if short.count(name) == 1 else str(path)): path for name, path in zip(short, runs, strict=True)}


def _judgeable(loaded: Pool, source: Path) -> Pool:
    from ponderank.errors import DataError

    if not loaded.items:
        raise DataError("this pool is empty: there is nothing to judge", path=source)
    return loaded


def _opinions(drawn: Pool, names: dict[str, Path], out: Path, recipe: str | None, asked: dict[str, Any]) -> int:
    from ponderank.cli.progress import shown
    from ponderank.judging.opinions import beside, of_recipe, of_trace, write_opinions
    from ponderank.reranker import Reranker

    told = []
    for name, path in names.items():
        trace = path.with_name("trace.jsonl")
        if path.name == "run.trec" and trace.is_file():
            told += list(of_trace(trace, name, drawn.by_key))
    if recipe is not None and drawn.items:
        with shown("asking for opinions") as show, Reranker(recipe, **asked) as reranker:
            count = len(drawn.by_query)
            told += list(
                of_recipe(drawn.items, reranker, on_progress=None if show is None else lambda done: show(done, count))
            )
    if not told:
        beside(out).unlink(missing_ok=True)
        return 0
    return write_opinions(told, beside(out))


def _warn(judged: dict[str, dict[str, int]] | None, runs: dict[str, Any], scale: Scale) -> None:
    """Say what of the runs was not looked at, and whether old and new grades go together."""
    from ponderank.cli.exits import say

    if judged is None:
        return
    outside = len({query for run in runs.values() for query in run} - judged.keys())
    if outside:
        say(f"{outside} queries of the runs are not judged at all and were left out")
    highest = max((grade for docs in judged.values() for grade in docs.values()), default=None)
    if highest is not None and highest != scale[-1].grade:
        say(
            f"the old judgements go up to {highest}, this scale to {scale[-1].grade}: graded measures will mix them; "
            "choose another with --scale or --grade"
        )
