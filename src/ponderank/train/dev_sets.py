"""What a model is judged on while it is trained, or before and after it is made smaller: collections with a measure each."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ponderank.data.collections import open_collection
from ponderank.errors import DataError
from ponderank.metrics.paired import paired_accuracy
from ponderank.metrics.ranked import Qrels, evaluate
from ponderank.retrieval.bm25 import BM25Index
from ponderank.retrieval.runs import candidates
from ponderank.train.config import resolve
from ponderank.types import Candidates, Ranking


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Candidates to rank, and their judgements where there are any (``qrels``)."""

    name: str
    many: tuple[Candidates, ...]
    qrels: Qrels | None = None

    @property
    def pairs(self) -> int:
        """How many documents are scored."""
        return sum(len(one.docs) for one in self.many)

    def measured(self, rankings: Sequence[Ranking]) -> tuple[str, float] | None:
        """The set's measure and its value: paired accuracy of a set in NevIR's shape, else nDCG@10; None without judgements."""
        if self.qrels is None:
            return None
        if paired(self.many):
            return "paired accuracy", paired_accuracy(self.qrels, rankings)
        run = {r.query.id: [(doc.id, float(-i)) for i, doc in enumerate(r.docs)] for r in rankings}
        return "nDCG@10", evaluate(self.qrels, {"run": run}, ["nDCG@10"])["run"]["nDCG@10"]


def opened(folder: str, queries: int, depth: int) -> JudgedSet:
    """``queries`` of a collection (a folder in BEIR layout, or an id), ``depth`` candidates each from its ``first.trec``, or BM25's.

    The split is ``dev``, else the collection's own, ``test`` or the only one. Excluded documents (BRIGHT) are no candidates. Queries
    are drawn from those that have a relevant document; of a set in NevIR's shape whole pairs are drawn.

    Raises:
        DataError: a folder without such a split, or without a judged query.
    """
    collection = open_collection(resolve(folder) if folder.startswith("python:") else folder)
    path, facts, splits = collection.folder, collection.facts, collection.splits
    split = next(
        (name for name in ("dev", facts.split, "test") if name in splits), splits[0] if len(splits) == 1 else ""
    )
    if not split:
        have = ", ".join(splits) or "none"
        raise DataError(f"expected a split named dev or test, or only one; this collection has {have}", path=path)
    qrels = collection.qrels(split)
    judged = [q for q in collection.judged_queries(split) if any(grade > 0 for grade in qrels[q.id].values())]
    first = next((p for p in (path / "first.trec", path / "first.trec.gz") if p.is_file()), None)
    if first is not None:
        found = list(candidates(collection, first, judged, depth, drop_self=facts.drop_self))
    else:
        index = BM25Index.build(collection.corpus())
        found = index.search(judged, depth, drop_self=facts.drop_self, excluded=facts.excluded)
    found = [one for one in found if one.docs]
    if not found:
        raise DataError(f"no query of the split {split!r} has a relevant document and candidates", path=path)
    many = _drawn(found, queries)
    return JudgedSet(path.name, tuple(many), {one.query.id: qrels[one.query.id] for one in many})


def _drawn(found: Sequence[Candidates], count: int) -> list[Candidates]:
    rng = random.Random(0)
    if not paired(found):
        return rng.sample(found, min(count, len(found)))
    keys = sorted({tuple(sorted(doc.id for doc in one.docs)) for one in found})
    kept = set(rng.sample(keys, min(max(1, count // 2), len(keys))))
    return [one for one in found if tuple(sorted(doc.id for doc in one.docs)) in kept]


def paired(many: Iterable[Candidates]) -> bool:
    """Whether each query has two candidates, and each two are asked about by two queries (NevIR's shape)."""
    asked: dict[frozenset[str], int] = {}
    for one in many:
        key = frozenset(doc.id for doc in one.docs)
        asked[key] = asked.get(key, 0) + 1
    return all(len(key) == 2 and times == 2 for key, times in asked.items())
