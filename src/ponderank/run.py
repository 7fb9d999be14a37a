"""An experiment: collection × first stage × recipe → a folder that holds all about it, and goes on after a kill.

The folder holds ``run.trec``, ``trace.jsonl``, ``metrics.json`` (where the collection has judgements) and
``manifest.json``. They have no times in them: two runs of one experiment give equal bytes, killed in between or not.
``timing.json`` and ``timing.jsonl`` are the exception, ``cache.sqlite`` has the replies. While a run goes on, finished queries are in
``trace.partial.jsonl``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponderank import manifest as manifests
from ponderank.contracts import Backend
from ponderank.data.facts import FILE
from ponderank.errors import DataError
from ponderank.recipe import Recipe
from ponderank.run_input import first_stage, name_of, opened, queries_of, split_of, told_of, with_vectors
from ponderank.trace import write_trace
from ponderank.types import Candidates, Usage

if TYPE_CHECKING:
    from ponderank.calibration import Calibration
    from ponderank.data.beir import Collection
    from ponderank.data.trec import Qrels
    from ponderank.engine import Progress
    from ponderank.formats.embedding import BiEncoder
    from ponderank.reranker import Reranker
    from ponderank.retrieval.vectors import Told

_PARTIAL, _CACHE, _TIMES = "trace.partial.jsonl", "cache.sqlite", "timing.jsonl"
_FILES = ("run.trec", "trace.jsonl", "metrics.json", "manifest.json", "timing.json", _PARTIAL, _TIMES)


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
        first_stage: ``"bm25"`` retrieves also where candidates are given; ``"dense"`` retrieves by an embedding model's vectors,
            ``"hybrid"`` orders BM25's best by both.
        calibration: what probabilities go through, as in ``Reranker``.
        embedder: the folder of the embedding model of a dense or hybrid first stage.
        encoder: how it is asked; None is as the files in its folder say (``embedders.encoder_of``).
        hybrid_weight: BM25's share of a hybrid's score; None is 0.2.
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
    calibration: Calibration | str | Path | None = None
    embedder: str | Path | None = None
    encoder: BiEncoder | None = None
    hybrid_weight: float | None = None


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
    embedder: Backend | None = None,
    on_vectors: Told | None = None,
) -> Outcome:
    """Run an experiment into the folder ``out``; where it was begun, go on: replies that were kept are not asked again.

    ``fresh`` forgets what the folder holds, kept replies included. ``backend`` stands in for the model. ``on_progress``
    is told the progress and the number of queries. ``embedder`` stands in for the embedding model, and is not closed;
    while its index is built, ``on_vectors`` is told how many documents have their vectors, and how many there are.

    Raises:
        DataError: bad input, or ``out`` holds another experiment; the message names what differs.
        MissingExtra: a dense or hybrid first stage without torch.
        KeyboardInterrupt: interrupted; ``trace.partial.jsonl`` is whole up to the last finished query, or the message says how
            much of an index is kept.
    """
    out, start = Path(out), time.perf_counter()
    collection, experiment = opened(experiment)
    split = split_of(collection, experiment)
    queries = queries_of(collection, split, experiment)
    first: dict[str, list[str]] = {}
    out.mkdir(parents=True, exist_ok=True)
    if fresh:
        _forget(out)
    with (
        _embedding(experiment, embedder, threads) as vectors,
        reranker_for(experiment, backend=backend, cache=out / _CACHE, threads=threads) as reranker,
    ):
        manifests.claimed(out, _manifest(experiment, collection, split, reranker, vectors), what="experiment")
        began = time.perf_counter()
        many = _noted(first_stage(collection, queries, experiment, embedder=vectors, on_vectors=on_vectors), first)
        start += time.perf_counter() - began  # an index is built once, not in every run
        told = None if on_progress is None else lambda progress: on_progress(progress, len(queries))
        (out / _TIMES).unlink(missing_ok=True)
        traced = write_trace(reranker.rank_many(many, on_progress=told), len(queries), out / _PARTIAL, out / _TIMES)
    metrics = None if split is None else _metrics(collection.qrels(split), experiment, first, traced.order)
    _finish(out, traced.order, metrics)
    seconds = time.perf_counter() - start
    outcome = Outcome(out, len(queries), metrics, traced.calls, seconds, traced.flaws, name_of(experiment))
    pace = {"seconds": outcome.seconds, "calls": traced.calls, "queries": len(queries)}
    manifests.write_whole(out / "timing.json", manifests.dumped(pace))
    return outcome


def reranker_for(experiment: Experiment, **given: Any) -> Reranker:
    """The reranker of an experiment; ``given`` are further arguments of ``Reranker``."""
    from ponderank.reranker import Reranker

    names = ("model", "engine", "think", "think_tokens", "query_tokens")
    if experiment.calibration is not None:
        given["calibration"] = experiment.calibration
    return Reranker(experiment.recipe, **{name: getattr(experiment, name) for name in names}, **given)


def dry_run(experiment: Experiment, *, on_vectors: Told | None = None, **given: Any) -> Usage:
    """What an experiment would cost: calls, prompt tokens, and at most how many tokens would be written. Nothing is asked.

    A first stage's index that is missing is built, for there are no candidates without it; ``on_vectors`` as in ``perform``.

    Raises:
        DataError: bad input, as in ``perform``.
    """
    collection, experiment = opened(experiment)
    queries = queries_of(collection, split_of(collection, experiment), experiment)
    with reranker_for(experiment, **given) as reranker:
        return reranker.dry_run(first_stage(collection, queries, experiment, on_vectors=on_vectors))


@contextmanager
def _embedding(experiment: Experiment, given: Backend | None, threads: int | None) -> Iterator[Backend | None]:
    """The embedding model of the first stage, ``given`` or loaded; None where it asks none."""
    if given is not None or not with_vectors(experiment):
        yield given if with_vectors(experiment) else None
        return
    from ponderank.embedders import embedder

    loaded = embedder(experiment.embedder or "", threads=threads)
    try:
        yield loaded
    finally:
        loaded.close()


def _noted(many: Iterable[Candidates], first: dict[str, list[str]]) -> Iterator[Candidates]:
    """The same candidates; their ids are noted in ``first`` and known to fit a TREC run before a model is asked."""
    for one in many:
        names = [doc.id for doc in one.docs]
        for name in (one.query.id, *names):
            if name.split() != [name]:
                raise DataError(f"the id {name!r} is empty or has white space, which a TREC run cannot hold; rename it")
        first[one.query.id] = names
        yield one


def _manifest(
    experiment: Experiment, collection: Collection, split: str | None, reranker: Reranker, embedder: Backend | None
) -> dict[str, Any]:
    files = {"corpus": collection.path("corpus.jsonl"), "queries": collection.path("queries.jsonl")}
    if split is not None:
        files["qrels"] = collection.qrels_path(split)
    if (collection.folder / FILE).is_file():
        files["facts"] = collection.folder / FILE
    recipe, maps = reranker.recipe.to_dict(), reranker.calibrations
    model = recipe.pop("model")
    return {
        "versions": manifests.versions(),
        "recipe": recipe,
        "model": {"path": model, "fingerprint": reranker.fingerprint},
        **({"calibration": {str(level): one.map for level, one in maps.items()}} if maps else {}),
        "collection": {
            "path": str(experiment.collection),
            **{name: manifests.file_hash(path) for name, path in files.items()},
        },
        "first_stage": told_of(experiment, embedder),
        "options": {
            "split": split,
            "k": experiment.k,
            "limit": experiment.limit,
            "drop_self": experiment.drop_self,
            "measures": list(experiment.measures),
            **({} if experiment.query_tokens is None else {"query_tokens": experiment.query_tokens}),
        },
    }


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
