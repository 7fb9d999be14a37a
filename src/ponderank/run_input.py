"""What an experiment ranks: its collection and split, the queries, and each one's candidates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ponderank.errors import DataError
from ponderank.types import Candidates, Query

if TYPE_CHECKING:
    from ponderank.data.beir import Collection
    from ponderank.retrieval.bm25 import BM25Index
    from ponderank.run import Experiment

_TOGETHER = 64
"""Queries that the first stage is asked together."""


def opened(experiment: Experiment) -> tuple[Collection, Experiment]:
    """The collection, and the experiment with what the collection asks for where nothing was said.

    Raises:
        DataError: no such collection, or one that has no candidates to give.
    """
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


def first_stage(collection: Collection, queries: Sequence[Query], experiment: Experiment) -> Iterator[Candidates]:
    """Each query's candidates, best first: the run file's, or BM25's; as they are asked for."""
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
