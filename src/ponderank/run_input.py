"""What an experiment ranks: its collection and split, the queries, and each one's candidates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponderank.errors import DataError
from ponderank.types import Candidates, Query

if TYPE_CHECKING:
    from ponderank.contracts import Backend
    from ponderank.data.beir import Collection
    from ponderank.formats.embedding import BiEncoder
    from ponderank.retrieval.bm25 import BM25Index
    from ponderank.retrieval.dense import DenseIndex, Hybrid
    from ponderank.retrieval.vectors import Told
    from ponderank.run import Experiment

FIRST_STAGES = ("bm25", "given", "dense", "hybrid")
WEIGHT = 0.2
"""BM25's share of a hybrid's score, where nothing was said."""

DEEPER = 5
"""BM25's candidates that a hybrid looks at, for each one that is wanted."""

_WITH_VECTORS = ("dense", "hybrid")
_TOGETHER = 64
"""Queries that the first stage is asked together."""


def opened(experiment: Experiment) -> tuple[Collection, Experiment]:
    """The collection, and the experiment with what the collection asks for where nothing was said.

    Raises:
        DataError: no such collection, or one that has no candidates to give; or options of another first stage.
    """
    from ponderank.data.collections import open_collection

    _fitting(experiment)
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
        encoder=encoder_for(experiment) if with_vectors(experiment) else None,
        drop_self=experiment.drop_self or facts.drop_self,
        measures=experiment.measures or facts.measures,
    )


def split_of(collection: Collection, experiment: Experiment) -> str | None:
    """The split to rank; whatever is wrong with the options is said here, before anything is done.

    Raises:
        DataError: ``k`` below 1, a split that is not there or has to be chosen, or an unknown measure.
    """
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


def queries_of(collection: Collection, split: str | None, experiment: Experiment) -> list[Query]:
    """The queries to rank: the run file's; else those that the split judges; else all.

    Raises:
        DataError: a run file of another collection, or of queries that the split does not judge.
    """
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


def first_stage(
    collection: Collection, queries: Sequence[Query], experiment: Experiment, *, embedder: Backend | None = None,
    on_vectors: Told | None = None,
) -> Iterator[Candidates]:  # fmt: skip
    """Each query's candidates, best first, as they are asked for: the run file's, BM25's, or found by vectors.

    An index that is missing is built at once, not when the first candidate is asked for. ``embedder`` stands in for loading the
    experiment's; ``on_vectors`` is told how many documents have their vectors, and how many there are.
    """
    if experiment.run_file is not None:
        from ponderank.retrieval.runs import candidates

        return iter(candidates(collection, experiment.run_file, queries, experiment.k, drop_self=experiment.drop_self))
    return _searched(retriever(collection, experiment, embedder, on_vectors), collection, queries, experiment)


def retriever(
    collection: Collection, experiment: Experiment, embedder: Backend | None = None, on_vectors: Told | None = None
) -> BM25Index | DenseIndex | Hybrid:
    """The experiment's first stage, where it is one that searches; what it needs is built the first time."""
    if not with_vectors(experiment):
        return bm25(collection)
    model = experiment.embedder
    vectors = dense(collection, model or "", encoder_for(experiment), embedder=embedder, on_progress=on_vectors)
    if experiment.first_stage == "dense":
        return vectors
    return hybrid(collection, vectors, WEIGHT if experiment.hybrid_weight is None else experiment.hybrid_weight)


def _searched(
    index: BM25Index | DenseIndex | Hybrid, collection: Collection, queries: Sequence[Query], experiment: Experiment
) -> Iterator[Candidates]:
    for start in range(0, len(queries), _TOGETHER):  # not all at once: a long run holds few candidates in memory
        some = queries[start : start + _TOGETHER]
        yield from index.search(some, experiment.k, drop_self=experiment.drop_self, excluded=collection.facts.excluded)


def bm25(collection: Collection) -> BM25Index:
    """The collection's BM25 index, built the first time.

    It is kept in ``.ponderank`` in the collection's folder, or in the user's cache where that cannot be written.
    """
    from ponderank.retrieval.bm25 import BM25Index, default_index_folder

    beside = _beside(collection)
    return BM25Index.open_or_build(collection, beside / "bm25" if beside else default_index_folder(collection))


def dense(
    collection: Collection, model: str | Path, encoder: BiEncoder | None = None, *, folder: str | Path | None = None,
    embedder: Backend | None = None, on_progress: Told | None = None,
) -> DenseIndex:  # fmt: skip
    """The collection's vectors by an embedding model, made the first time; a build that was stopped goes on.

    Args:
        collection: whose documents.
        model: the model's folder.
        encoder: how it is asked; None as the files in its folder say (``embedders.encoder_of``).
        folder: where the vectors are kept; None is beside the BM25 index, a folder for each model and way of asking.
        embedder: stands in for loading ``model``.
        on_progress: is told how many documents have their vectors, and how many there are.

    Raises:
        DataError: no such model, or vectors of another one or of another corpus in the folder.
        MissingExtra: torch or transformers is not installed.
        KeyboardInterrupt: interrupted while building; the message says how much is kept.
    """
    from ponderank import embedders
    from ponderank.retrieval.dense import DenseIndex, default_index_folder, folder_name

    asked = encoder or embedders.encoder_of(model)
    backend = embedder or embedders.embedder(model)
    if folder is None:
        beside = _beside(collection)
        name = folder_name(backend, asked)
        folder = beside / name if beside else default_index_folder(collection, backend, asked)
    return DenseIndex.open_or_build(collection, folder, backend, asked, on_progress=on_progress)


def hybrid(collection: Collection, vectors: DenseIndex, weight: float = WEIGHT) -> Hybrid:
    """BM25's best candidates, ordered by ``weight`` x BM25 + (1 - ``weight``) x cosine, each from 0 to 1 within a query."""
    from ponderank.retrieval.dense import Hybrid

    return Hybrid(bm25(collection), vectors, weight, DEEPER)


def with_vectors(experiment: Experiment) -> bool:
    """Whether its first stage asks an embedding model."""
    return experiment.first_stage in _WITH_VECTORS


def encoder_for(experiment: Experiment) -> BiEncoder:
    """How the experiment asks its embedding model."""
    from ponderank.embedders import encoder_of

    return experiment.encoder or encoder_of(experiment.embedder or "")


def told_of(experiment: Experiment, embedder: Backend | None = None) -> dict[str, Any]:
    """What a manifest says of the first stage. ``embedder`` is the model of one with vectors."""
    if experiment.run_file is not None:
        from ponderank.manifest import file_hash

        return {"kind": "run", "path": str(experiment.run_file), "sha256": file_hash(Path(experiment.run_file))}
    if embedder is None:
        return {"kind": "bm25"}
    encoder = encoder_for(experiment)
    weight = WEIGHT if experiment.hybrid_weight is None else experiment.hybrid_weight
    return {
        "kind": experiment.first_stage,
        "embedder": {"path": str(experiment.embedder), "fingerprint": embedder.fingerprint},
        "query_template": encoder.query_template,
        "document_template": encoder.document_template,
        "pool": encoder.pool,
        **({"weight": weight, "deeper": DEEPER} if experiment.first_stage == "hybrid" else {}),
    }


def name_of(experiment: Experiment) -> str:
    """The first stage's name for people."""
    if experiment.run_file is not None:
        return Path(experiment.run_file).name
    return str(experiment.first_stage) if with_vectors(experiment) else "BM25"


def _fitting(experiment: Experiment) -> None:
    """Refuse what the first stage does not take; DataError."""
    stage, weight = experiment.first_stage, experiment.hybrid_weight
    if stage is not None and stage not in FIRST_STAGES:
        raise DataError(f"no first stage {stage!r}; give one of {', '.join(FIRST_STAGES)}")
    if with_vectors(experiment):
        if experiment.embedder is None:
            raise DataError(f"first stage {stage} needs an embedding model; give its folder with --embedder")
        if experiment.run_file is not None:
            raise DataError(f"--run gives the candidates, and --first-stage {stage} would search for them; give one")
    elif experiment.embedder is not None or experiment.encoder is not None:
        raise DataError("an embedding model is for --first-stage dense or hybrid; name one of them, or leave it out")
    if weight is not None and (stage != "hybrid" or not 0 <= weight <= 1):
        raise DataError(f"hybrid weight {weight:g}: it is for --first-stage hybrid, from 0 (vectors) to 1 (BM25)")


def _beside(collection: Collection) -> Path | None:
    """Where indexes are kept in the collection's own folder; None where that cannot be written."""
    beside = collection.folder / ".ponderank"
    home = beside if beside.is_dir() else collection.folder
    # the mode too: root may write anywhere, but a folder without a write bit is meant to stay as it is
    writable = os.access(home, os.W_OK) and bool(home.stat().st_mode & 0o222)
    return beside if writable else None
