"""An experiment: collection × first stage × recipe → a folder that holds all about it, and goes on after a kill.

The folder holds ``run.trec``, ``trace.jsonl``, ``metrics.json`` (where the collection has judgements) and
``manifest.json``. They have no times in them: two runs of one experiment give equal bytes, killed in between or not.
``timing.json`` and ``timing.jsonl`` are the exception, ``cache.sqlite`` has the replies. While a run goes on, finished queries are in
``trace.partial.jsonl``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponderank import manifest as manifests
from ponderank.contracts import Backend
from ponderank.data.facts import FILE
from ponderank.errors import DataError
from ponderank.recipe import Recipe
from ponderank.trace import write_trace
from ponderank.types import Candidates, Query, Usage

if TYPE_CHECKING:
    from ponderank.data.beir import Collection
    from ponderank.data.trec import Qrels
    from ponderank.engine import Progress
    from ponderank.reranker import Reranker
    from ponderank.retrieval.bm25 import BM25Index

_PARTIAL, _CACHE, _TIMES = "trace.partial.jsonl", "cache.sqlite", "timing.jsonl"
_FILES = ("run.trec", "trace.jsonl", "metrics.json", "manifest.json", "timing.json", _PARTIAL, _TIMES)
_TOGETHER = 64
"""Queries that the first stage is asked together."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is ranked, and how.

    Args:
        collection: a folder in BEIR layout, or an id that ``data.collections`` opens (``bright:biology``).
        split: whose judged queries are ranked; None takes the collection's own, else ``test``, else the only split.
        run_file: a TREC run that is the first stage, its queries are ranked; None takes the collection's given candidates
            where there are any, and retrieves with BM25 where not.
        k: candidates a query.
        recipe: a recipe or its name.
        model: a model in place of the recipe's; ``engine``, ``think``, ``think_tokens``, ``query_tokens`` as in ``Reranker``.
        limit: rank the first so many queries only.
        drop_self: drop a document with its query's id before the best ``k`` are taken, as BEIR does for ArguAna; so it is
            done anyway where the collection asks for it.
        measures: what ``metrics.json`` holds, in ir-measures' words; none are the collection's own.
        first_stage: ``"bm25"`` retrieves also where candidates are given.
    """

    collection: str | Path
    split: str | None = None
    run_file: str | Path | None = None
    k: int = 100
    recipe: str | Recipe = "default"
    model: str | Path | None = None
    engine: str | None = None
    think: bool = True
    think_tokens: int | None = None
    query_tokens: int | None = None
    limit: int | None = None
    drop_self: bool = False
    measures: tuple[str, ...] = ()
    first_stage: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an experiment; ``metrics`` is what ``metrics.json`` holds, None without judgements."""

    folder: Path
    queries: int
    metrics: dict[str, Any] | None
    calls: int
    seconds: float
    flaws: dict[str, int]
    first_stage: str = "BM25"


def perform(
    experiment: Experiment,
    out: str | Path,
    *,
    fresh: bool = False,
    backend: Backend | None = None,
    threads: int | None = None,
    on_progress: Callable[[Progress, int], None] | None = None,
) -> Outcome:
    """Run an experiment into the folder ``out``; where it was begun, go on: replies that were kept are not asked again.

    ``fresh`` forgets what the folder holds, kept replies included. ``backend`` stands in for the model. ``on_progress``
    is told the progress and the number of queries.

    Raises:
        DataError: bad input, or ``out`` holds another experiment; the message names what differs.
        KeyboardInterrupt: interrupted; ``trace.partial.jsonl`` is whole up to the last finished query.
    """
    out, start = Path(out), time.perf_counter()
    collection, experiment = _opened(experiment)
    split = _split(collection, experiment)
    queries = _queries(collection, split, experiment)
    first: dict[str, list[str]] = {}
    out.mkdir(parents=True, exist_ok=True)
    if fresh:
        _forget(out)
    with reranker_for(experiment, backend=backend, cache=out / _CACHE, threads=threads) as reranker:
        _claim(out, _manifest(experiment, collection, split, reranker))
        many = _noted(_first_stage(collection, queries, experiment), first)
        told = None if on_progress is None else lambda progress: on_progress(progress, len(queries))
        (out / _TIMES).unlink(missing_ok=True)
        traced = write_trace(reranker.rank_many(many, on_progress=told), len(queries), out / _PARTIAL, out / _TIMES)
    metrics = None if split is None else _metrics(collection.qrels(split), experiment, first, traced.order)
    _finish(out, traced.order, metrics)
    first_name = "BM25" if experiment.run_file is None else Path(experiment.run_file).name
    outcome = Outcome(out, len(queries), metrics, traced.calls, time.perf_counter() - start, traced.flaws, first_name)
    pace = {"seconds": outcome.seconds, "calls": traced.calls, "queries": len(queries)}
    manifests.write_whole(out / "timing.json", manifests.dumped(pace))
    return outcome


def reranker_for(experiment: Experiment, **given: Any) -> Reranker:
    """The reranker of an experiment; ``given`` are further arguments of ``Reranker``."""
    from ponderank.reranker import Reranker

    names = ("model", "engine", "think", "think_tokens", "query_tokens")
    return Reranker(experiment.recipe, **{name: getattr(experiment, name) for name in names}, **given)


def dry_run(experiment: Experiment, **given: Any) -> Usage:
    """What an experiment would cost: calls, prompt tokens, and at most how many tokens would be written. Nothing is asked.

    Raises:
        DataError: bad input, as in ``perform``.
    """
    collection, experiment = _opened(experiment)
    queries = _queries(collection, _split(collection, experiment), experiment)
    with reranker_for(experiment, **given) as reranker:
        return reranker.dry_run(_first_stage(collection, queries, experiment))


def _opened(experiment: Experiment) -> tuple[Collection, Experiment]:
    """The collection, and the experiment with what the collection asks for where nothing was said."""
    from ponderank.data.collections import open_collection

    collection = open_collection(experiment.collection)
    facts = collection.facts
    wanted = experiment.first_stage or ("given" if facts.given else "bm25")
    if wanted == "given" and experiment.run_file is None and not facts.given:
        raise DataError(
            "this collection gives no candidates; use --first-stage bm25, or --run FILE", path=collection.folder
        )
    given = wanted == "given" and experiment.run_file is None
    return collection, replace(
        experiment,
        split=experiment.split or (facts.split if facts.split in collection.splits else None),
        run_file=collection.path("first.trec") if given else experiment.run_file,
        drop_self=experiment.drop_self or facts.drop_self,
        measures=experiment.measures or facts.measures,
    )


def _split(collection: Collection, experiment: Experiment) -> str | None:
    """The split to rank; whatever is wrong with the options is said here, before anything is done."""
    if experiment.k < 1:
        raise DataError(f"k is {experiment.k}; at least one candidate a query is needed")
    splits = collection.splits
    if experiment.split is not None:
        collection.qrels_path(experiment.split)
        split: str | None = experiment.split
    elif "test" in splits or len(splits) <= 1:
        split = "test" if "test" in splits else next(iter(splits), None)
    else:
        raise DataError(
            f"there are the splits {', '.join(splits)}; choose one with --split", path=experiment.collection
        )
    if split is not None:
        from ponderank.metrics.ranked import parse

        parse(experiment.measures)
    return split


def _queries(collection: Collection, split: str | None, experiment: Experiment) -> list[Query]:
    """The queries to rank: the run file's; else those that the split judges; else all."""
    path = experiment.run_file
    if path is None:
        queries = list(collection.queries.values()) if split is None else collection.judged_queries(split)
        return queries[: experiment.limit]
    from ponderank.data.trec import read_run

    names = list(read_run(path))
    if split is not None and collection.facts.given and Path(path).parent == collection.folder:
        names = [query.id for query in collection.judged_queries(split)]  # given for all splits together
    unknown = [name for name in names if name not in collection.queries]
    if unknown:
        raise DataError(
            f"{len(unknown)} of its {len(names)} queries are not in queries.jsonl, the first is {unknown[0]!r}; "
            "is it a run of another collection?", path=path,
        )  # fmt: skip
    if split is not None and collection.qrels(split).keys().isdisjoint(names):
        choice = ", ".join(collection.splits)
        raise DataError(
            f"none of its {len(names)} queries is judged in split {split!r}; choose one of {choice}", path=path
        )
    return [collection.queries[name] for name in names[: experiment.limit]]


def _first_stage(collection: Collection, queries: Sequence[Query], experiment: Experiment) -> Iterator[Candidates]:
    if experiment.run_file is not None:
        from ponderank.retrieval.runs import candidates

        yield from candidates(collection, experiment.run_file, queries, experiment.k, drop_self=experiment.drop_self)
        return
    index = bm25(collection)
    for start in range(0, len(queries), _TOGETHER):  # not all at once: a long run holds few candidates in memory
        some = queries[start : start + _TOGETHER]
        yield from index.search(some, experiment.k, drop_self=experiment.drop_self, excluded=collection.facts.excluded)


def bm25(collection: Collection) -> BM25Index:
    """The collection's BM25 index, built the first time.

    It is kept in ``.ponderank`` in the collection's folder, or in the user's cache where that cannot be written.
    """
    from ponderank.retrieval.bm25 import BM25Index, default_index_folder

    beside = collection.folder / ".ponderank"
    home = beside if beside.is_dir() else collection.folder
    # the mode too: root may write anywhere, but a folder without a write bit is meant to stay as it is
    writable = os.access(home, os.W_OK) and bool(home.stat().st_mode & 0o222)
    return BM25Index.open_or_build(collection, beside / "bm25" if writable else default_index_folder(collection))


def _noted(many: Iterable[Candidates], first: dict[str, list[str]]) -> Iterator[Candidates]:
    """The same candidates; their ids are noted in ``first`` and known to fit a TREC run before a model is asked."""
    for one in many:
        names = [doc.id for doc in one.docs]
        for name in (one.query.id, *names):
            if name.split() != [name]:
                raise DataError(f"the id {name!r} is empty or has white space, which a TREC run cannot hold; rename it")
        first[one.query.id] = names
        yield one


def _manifest(experiment: Experiment, collection: Collection, split: str | None, reranker: Reranker) -> dict[str, Any]:
    files = {"corpus": collection.path("corpus.jsonl"), "queries": collection.path("queries.jsonl")}
    if split is not None:
        files["qrels"] = collection.qrels_path(split)
    if (collection.folder / FILE).is_file():
        files["facts"] = collection.folder / FILE
    recipe = reranker.recipe.to_dict()
    model = recipe.pop("model")
    first: dict[str, Any] = {"kind": "bm25"}
    if experiment.run_file is not None:
        first = {
            "kind": "run",
            "path": str(experiment.run_file),
            "sha256": manifests.file_hash(Path(experiment.run_file)),
        }
    return {
        "versions": manifests.versions(),
        "recipe": recipe,
        "model": {"path": model, "fingerprint": reranker.fingerprint},
        "collection": {
            "path": str(experiment.collection),
            **{name: manifests.file_hash(path) for name, path in files.items()},
        },
        "first_stage": first,
        "options": {
            "split": split,
            "k": experiment.k,
            "limit": experiment.limit,
            "drop_self": experiment.drop_self,
            "measures": list(experiment.measures),
            **({} if experiment.query_tokens is None else {"query_tokens": experiment.query_tokens}),
        },
    }


def _claim(out: Path, wanted: dict[str, Any]) -> None:
    """Write the manifest, or check that the one that is there means the same; other versions are added to it."""
    path = out / "manifest.json"
    there = manifests.read(path)
    if there is None:
        manifests.write_whole(path, manifests.dumped(wanted))
        return
    differing = list(manifests.differences(there, wanted))
    if differing:
        remedy = "give another --out, or start over here with --fresh"
        raise DataError(f"this folder holds another experiment ({'; '.join(differing)}); {remedy}", path=out)
    seen = [there.get("versions"), *there.get("continued_with", [])]
    if wanted["versions"] not in seen:
        added = {"continued_with": [*seen[1:], wanted["versions"]]}
        manifests.write_whole(path, manifests.dumped(there | added))


def _metrics(
    qrels: Qrels, experiment: Experiment, first: dict[str, list[str]], order: dict[str, list[str]]
) -> dict[str, Any]:
    """Both stages' measures. A judged query without results counts 0; with a ``limit`` only what was ranked counts."""
    from ponderank.metrics.ranked import evaluate

    if experiment.limit is not None:
        qrels = {query: docs for query, docs in qrels.items() if query in first}
    runs = {"first_stage": _scored(first), "reranked": _scored(order)}
    absent = sum(not order.get(query) for query in qrels)
    return {"queries": len(qrels), "queries_without_results": absent, **evaluate(qrels, runs, experiment.measures)}


def _scored(order: dict[str, list[str]]) -> dict[str, list[tuple[str, float]]]:
    return {query: [(doc, float(len(docs) - rank)) for rank, doc in enumerate(docs)] for query, docs in order.items()}


def _finish(out: Path, order: dict[str, list[str]], metrics: dict[str, Any] | None) -> None:
    """The final files, each whole or not at all; the partial trace takes its name last."""
    from ponderank.data.trec import write_run

    write_run(order, out / "run.trec")
    if metrics is not None:
        manifests.write_whole(out / "metrics.json", manifests.dumped(metrics))
    (out / _PARTIAL).replace(out / "trace.jsonl")


def _forget(out: Path) -> None:
    for name in (*_FILES, *(_CACHE + end for end in ("", "-wal", "-shm"))):
        (out / name).unlink(missing_ok=True)
