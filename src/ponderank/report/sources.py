"""What a report is made of: runs as they were given, the first stage that a folder began with, and their collections."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponderank import manifest as manifests
from ponderank.data.trec import Qrels, Run, read_qrels
from ponderank.errors import DataError, MissingExtra
from ponderank.evaluate import Cost, enter

if TYPE_CHECKING:
    from ponderank.data.beir import Collection


@dataclass(frozen=True, slots=True)
class Source:
    """A run by name. Of a folder also its cost, its manifest and its first stage's order.

    ``derived`` was not given: it is the order that the folder at ``path`` began with.
    """

    name: str
    path: Path
    run: Run
    cost: Cost | None = None
    manifest: Mapping[str, Any] | None = None
    first: Run | None = None
    derived: bool = False

    @property
    def limit(self) -> int | None:
        """How many queries the run was told to stop after."""
        found = (self.manifest or {}).get("options", {}).get("limit")
        return None if found is None else int(found)

    @property
    def trace(self) -> Path | None:
        """The folder's trace, None of a file or a first stage."""
        path = self.path / "trace.jsonl"
        return path if path.is_file() and not self.derived else None


@dataclass(frozen=True, slots=True)
class Task:
    """A collection with its judgements and the runs of it; ``notes`` are what a reader must know of them."""

    name: str
    about: str
    path: str
    split: str
    collection: Collection | None
    qrels: Qrels
    relevant: int
    measures: tuple[str, ...]
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()


def read_sources(paths: Sequence[str | Path]) -> list[Source]:
    """Read each run once. A run's name is the last part of its path.

    Raises:
        DataError: an unreadable run, or a folder that ``ponderank run`` did not finish.
    """
    return [_read(path) for path in dict.fromkeys(map(Path, paths))]


def with_first_stages(sources: Sequence[Source]) -> list[Source]:
    """The runs behind the first stages that their folders began with, each once; a TREC run of that order stands for it."""
    found: list[Source] = []
    for source in sources:
        first = source.first
        bare = [one for one in sources if one.first is None]
        if first is None or any(begins(first, one.run) for one in (*bare, *found)):
            continue
        told = (source.manifest or {}).get("first_stage", {})
        built_in = {"bm25": "BM25", "dense": "dense", "hybrid": "hybrid"}
        name = built_in.get(str(told.get("kind"))) or Path(str(told.get("path", "first stage"))).stem
        found = [one for one in found if not begins(one.run, first)]  # the same list, not as long
        found.append(Source(name, source.path, first, derived=True))
    taken = [source.name for source in (*sources, *found)]
    unique = [
        one if taken.count(one.name) == 1 else replace(one, name=f"{one.name} of {one.path.name}") for one in found
    ]
    return [*unique, *sources]


def begins(shorter: Run, longer: Run) -> bool:
    """Whether each query's list in ``shorter`` is the beginning of its list in ``longer``.

    >>> begins({"q": [("a", 2.0)]}, {"q": [("a", 9.0), ("b", 1.0)], "p": []})
    True
    """
    return all(
        [doc for doc, _ in docs] == [doc for doc, _ in longer.get(query, ())[: len(docs)]]
        for query, docs in shorter.items()
    )


def named(sources: Sequence[Source]) -> list[Source]:
    """The same; where two of them have one name, that is their whole path.

    >>> [one.name for one in named([Source("a", Path("x/a"), {}), Source("a", Path("y/a"), {})])]
    ['x/a', 'y/a']
    """
    names = [source.name for source in sources]
    return [replace(one, name=str(one.path)) if names.count(one.name) > 1 else one for one in sources]


def _read(path: Path) -> Source:
    entered = enter(path)
    name = path.resolve().name.removesuffix(".gz").removesuffix(".trec") or str(path)
    if not path.is_dir():
        return Source(name, path, entered.run)
    manifest = manifests.read(path / "manifest.json")
    first = _first_stage(path / "trace.jsonl") if (path / "trace.jsonl").is_file() else None
    return Source(name, path, entered.run, entered.cost, manifest, first)


def traced(path: Path, wanted: Iterable[str] | None = None) -> Iterator[dict[str, Any]]:
    """The lines of a trace, or those of the queries wanted."""
    chosen = None if wanted is None else set(wanted)
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                if chosen is None or row["query"] in chosen:
                    yield row
            except (ValueError, KeyError, TypeError) as error:
                raise DataError("expected a line of ponderank's trace", path=path, line=number) from error


def _first_stage(path: Path) -> Run | None:
    """Each query's candidates as the first stage had them, with its scores where they give that order; None if untold."""
    run: Run = {}
    for row in traced(path):
        docs = row["docs"]
        if any("first_rank" not in doc for doc in docs):
            return None
        docs = sorted(docs, key=lambda doc: int(doc["first_rank"]))
        scores = [doc.get("first_score") for doc in docs]
        fit = all(isinstance(s, int | float) and math.isfinite(s) for s in scores)
        if not fit or any(a < b for a, b in pairwise(scores)):
            scores = [float(len(docs) - at) for at in range(len(docs))]
        run[row["query"]] = [(doc["id"], float(score)) for doc, score in zip(docs, scores, strict=True)]
    return run


def tasks(
    sources: Sequence[Source], *, qrels: Path | None = None, collection: str | None = None, split: str | None = None
) -> list[Task]:
    """The runs by collection, as their manifests name it, in the order given.

    ``qrels`` stand in for the collection's own judgements, ``collection`` for the folder a manifest names; runs without a
    manifest need one of the two, or folders of one collection beside them.

    Raises:
        DataError: judgements that are nowhere, a collection that is gone, or a run that could belong to several.
    """
    groups: dict[tuple[str, str], list[Source]] = {}
    plain = [source for source in sources if not _told(source)]
    for source in sources:
        if told := _told(source):
            key = (str(told.get("corpus")), str((source.manifest or {}).get("options", {}).get("split")))
            groups.setdefault(key, []).append(source)
    if len(groups) > 1 and (plain or qrels is not None or collection is not None or split is not None):
        what = f"{plain[0].path} has no manifest" if plain else "--qrels, --collection and --split are about one"
        raise DataError(
            f"these folders are of {len(groups)} collections, and {what}; make a report for each collection"
        )
    if len(groups) <= 1:
        return [_task(list(sources), qrels, collection, split)]
    return [_task(group, None, None, None) for group in groups.values()]


def _told(source: Source) -> dict[str, Any]:
    found = (source.manifest or {}).get("collection")
    return found if isinstance(found, dict) else {}


def _task(sources: list[Source], qrels: Path | None, collection: str | None, split: str | None) -> Task:
    leader = next((source for source in sources if _told(source)), None)
    manifest = leader.manifest if leader is not None and leader.manifest is not None else {}
    place = collection or (str(_told(leader).get("path")) if leader is not None else None)
    opened, notes = _opened(place, needed=qrels is None)
    options = manifest.get("options", {})
    chosen = split or options.get("split") or (_only(opened) if opened is not None and qrels is None else None)
    if qrels is not None:
        path = qrels
    elif opened is not None and chosen is not None:
        path = opened.qrels_path(chosen)
    else:
        raise DataError("there are no judgements; give --qrels, or --collection with a judged split")
    judged = read_qrels(path)
    if not judged:
        raise DataError("no judgements: the qrels are empty", path=path)
    hashes = {str(_told(source)["qrels"]) for source in sources if _told(source).get("qrels")}
    if hashes and hashes != {manifests.file_hash(path)}:
        notes.append(f"the judgements are {path}, which are not those that the runs' own metrics.json was made with")
    judged = _ranked_ones(judged, sources, notes)
    facts = None if opened is None else opened.facts
    name = (facts.name if facts is not None else "") or (Path(place).name if place else path.name)
    return Task(
        name, facts.about if facts is not None else "", place or str(path), "" if qrels is not None else str(chosen or ""),
        opened, judged, facts.relevant if facts is not None else 1,
        tuple(options.get("measures") or (facts.measures if facts is not None else ())), tuple(named(sources)), tuple(notes),
    )  # fmt: skip


def _opened(place: str | None, *, needed: bool) -> tuple[Collection | None, list[str]]:
    """The collection, or None and why passages are not shown."""
    from ponderank.data.collections import open_collection

    if place is None:
        return None, ["texts of queries and passages are not known; --collection has them"]
    try:
        return open_collection(place), []
    except (DataError, MissingExtra) as error:
        if needed:
            remedy = "give the folder where it lies now with --collection, or judgements with --qrels"
            raise DataError(f"the collection {place} cannot be opened ({error}); {remedy}") from error
        return None, [f"texts of queries and passages are not shown: {error}"]


def _only(collection: Collection) -> str | None:
    splits = collection.splits
    if collection.facts.split in splits:
        return collection.facts.split
    if "test" in splits or len(splits) <= 1:
        return "test" if "test" in splits else next(iter(splits), None)
    raise DataError(f"there are the splits {', '.join(splits)}; choose one with --split", path=collection.folder)


def _ranked_ones(judged: Qrels, sources: Sequence[Source], notes: list[str]) -> Qrels:
    """Where runs were limited, the judged queries that all limited ones ranked: the others say nothing about them."""
    limited = [source for source in sources if source.limit is not None]
    if not limited:
        return judged
    shared = set.intersection(*(set(source.first if source.first is not None else source.run) for source in limited))
    kept = {query: docs for query, docs in judged.items() if query in shared}
    if not kept:
        raise DataError(
            "the runs were limited to queries of which none is judged for all; run them on the same queries"
        )
    if len(kept) < len(judged):
        notes.append(
            f"runs were limited to their first queries: {len(judged) - len(kept):,} of {len(judged):,} judged queries are "
            "left out for every run"
        )
    return kept
