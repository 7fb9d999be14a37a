"""Dense retrieval: every document a vector, made once, kept on disk, searched exactly; and BM25's candidates scored by look-up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.aggregate.scores import min_max
from ponderank.contracts import Backend
from ponderank.data.beir import Collection
from ponderank.errors import DataError, RecipeError
from ponderank.retrieval.bm25 import BM25Index, StoredDocs
from ponderank.retrieval.bm25 import default_index_folder as lexical_folder
from ponderank.retrieval.vectors import (
    FORMAT,
    TYPES,
    Encoder,
    Told,
    asked_for,
    build,
    check_same,
    matrix,
    read_about,
    shard_paths,
    write_whole,
)
from ponderank.types import Candidates, Doc, Embed, Query

_QUERIES = 256
"""Queries that are compared with a shard at once; bounds memory."""


class DenseIndex:
    """A first stage over documents' vectors; implements ``contracts.Retriever``.

    Scores are cosines, rounded to six digits so that equal texts tie; ties keep the corpus' order. The search is exact: every
    vector is looked at. A document that the model refused is never found.
    """

    def __init__(self, folder: str | Path, embedder: Backend, encoder: Encoder) -> None:
        import numpy as np

        self.folder, self.embedder, self.encoder = Path(folder), embedder, encoder
        about = read_about(self.folder)
        if about is None or not about.get("complete"):
            raise DataError("not a complete index of vectors; build it with DenseIndex.open_or_build", path=folder)
        check_same(self.folder, about, {"model": embedder.fingerprint, "texts": asked_for(encoder)})
        self.size = int(about["size"])
        self._shard = int(about["shard"])
        self._shards = [np.load(path, mmap_mode="r") for path in shard_paths(self.folder, self.size, self._shard)]
        self.docs = StoredDocs(self.folder)
        self._places: dict[str, int] | None = None

    @classmethod
    def open_or_build(
        cls, collection: Collection, folder: str | Path, embedder: Backend, encoder: Encoder, *, dtype: str = "float16",
        shard: int = 1024, on_progress: Told | None = None,
    ) -> DenseIndex:  # fmt: skip
        """The saved index of a collection; what of it is missing is built first, ``shard`` documents at a time.

        A shard is written whole or not at all, so that a build that was killed goes on where it was. ``on_progress`` is told
        how many documents have their vectors, and how many there are.

        Raises:
            KeyboardInterrupt: interrupted while building; the message says how much is kept.
            DataError: the folder holds vectors of another model or corpus, or made otherwise; or the corpus is empty.
            RecipeError: the backend gives no vectors.
        """
        if Embed not in embedder.can:
            raise RecipeError(f"dense retrieval needs vectors; this backend ({embedder.fingerprint}) gives none")
        if dtype not in TYPES or shard < 1:
            raise ValueError(f"dtype {dtype!r}, shard {shard}: need one of {', '.join(TYPES)}, and 1 or more")
        folder = Path(folder)
        wanted: dict[str, Any] = {
            "format": FORMAT, "model": embedder.fingerprint, "texts": asked_for(encoder), "corpus": collection.fingerprint(),
            "dtype": dtype, "shard": shard,
        }  # fmt: skip
        about = read_about(folder)
        if about is None:
            folder.mkdir(parents=True, exist_ok=True)
            about = wanted
            write_whole(folder / "dense.json", json.dumps(about).encode())
        check_same(folder, about, wanted)
        if not about.get("complete"):
            size = build(collection, folder, embedder, encoder, dtype, int(about["shard"]), on_progress)
            write_whole(folder / "dense.json", json.dumps({**about, "size": size, "complete": True}).encode())
        return cls(folder, embedder, encoder)

    def search(
        self, queries: Iterable[Query], k: int, *, drop_self: bool = False,
        excluded: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Candidates]:  # fmt: skip
        """The best ``k`` documents for each query, best first.

        ``drop_self`` and ``excluded`` are as in ``BM25Index.search``. A query that the model refused finds nothing.

        Raises:
            ValueError: ``k`` is below 1.
        """
        if k < 1:
            raise ValueError(f"k is {k}; give 1 or more")
        queries, found = list(queries), []
        for start in range(0, len(queries), _QUERIES):
            some = queries[start : start + _QUERIES]
            barred = [{*(excluded or {}).get(q.id, ()), *([q.id] if drop_self else [])} for q in some]
            depth = min(k + max(map(len, barred)), self.size)
            for query, hits, names in zip(some, self._best(self._vectors(some), depth), barred, strict=True):
                docs = [(self.docs[at], score) for at, score in hits]
                kept = [(doc, score) for doc, score in docs if doc.id not in names][:k]
                found.append(Candidates(query, tuple(doc for doc, _ in kept), tuple(score for _, score in kept)))
        return found

    def interpolated(
        self, candidates: Iterable[Candidates], weight: float, *, normalise: bool = False
    ) -> list[Candidates]:
        """Candidates of a lexical first stage ordered anew by ``weight`` x their score + (1 - ``weight``) x their cosine.

        Vectors are looked up, not searched for: a query is read, and no document. ``normalise`` puts both scores of each query
        on [0, 1] first; then ``weight`` means the same for every query.

        Raises:
            ValueError: candidates without scores, or a ``weight`` outside [0, 1].
            DataError: a candidate that the index does not hold.

        Source: fast-forward indexes (Leonhardt et al., arXiv 2110.06051), ``ranking.py`` (``interpolate``). Differs: minimum and
        maximum are those of a query's own scores; there of all queries together. No early stopping: every candidate is scored.
        """
        if not 0 <= weight <= 1:
            raise ValueError(f"weight is {weight}; give a number from 0 (vectors alone) to 1 (the first stage alone)")
        given = list(candidates)
        vectors = self._vectors([one.query for one in given])
        return [self._mixed(one, vectors[at], weight, normalise) for at, one in enumerate(given)]

    def _mixed(self, given: Candidates, vector: Any, weight: float, normalise: bool) -> Candidates:
        if given.scores is None:
            raise ValueError(f"the candidates of query {given.query.id!r} have no scores to interpolate with")
        dense = [round(float(self._row(doc) @ vector), 6) for doc in given.docs]
        dense = [score if score == score else 0.0 for score in dense]  # unknown is 0, as there
        lexical = list(given.scores)
        if normalise:
            dense, lexical = min_max(dense), min_max(lexical)
        scores = [weight * a + (1 - weight) * b for a, b in zip(lexical, dense, strict=True)]
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        return Candidates(given.query, tuple(given.docs[i] for i in order), tuple(scores[i] for i in order))

    def _row(self, doc: Doc) -> Any:
        """A document's vector."""
        import numpy as np

        if self._places is None:
            self._places = {one.id: at for at, one in enumerate(self.docs)}
        if doc.id not in self._places:
            raise DataError(
                f"no vector of document {doc.id!r}; is this the right collection's index?", path=self.folder
            )
        shard, row = divmod(self._places[doc.id], self._shard)
        return np.asarray(self._shards[shard][row], dtype=np.float32)

    def _vectors(self, queries: Sequence[Query]) -> Any:
        """``[Q, V]``; not-a-number for a query that was refused."""
        width = self._shards[0].shape[1]
        return matrix(self.embedder, [self.encoder.of_query(query) for query in queries], width)

    def _best(self, vectors: Any, depth: int) -> list[list[tuple[int, float]]]:
        """For each of ``vectors [Q, V]`` its best documents, by place in the corpus, with their scores."""
        import numpy as np

        places = [np.empty(0, dtype=np.int64)] * len(vectors)
        scores = [np.empty(0, dtype=np.float32)] * len(vectors)
        for number, shard in enumerate(self._shards):
            rows = np.asarray(shard, dtype=np.float32)
            likeness = np.round(vectors @ rows.T, 6)
            new = np.arange(len(rows)) + number * self._shard
            for q, values in enumerate(likeness):
                known = ~np.isnan(values)
                places[q], scores[q] = _top(
                    np.concatenate([places[q], new[known]]), np.concatenate([scores[q], values[known]]), depth
                )
        found = []
        for at, values in zip(places, scores, strict=True):
            order = np.lexsort((at, -values))
            found.append([(int(at[i]), float(values[i])) for i in order])
        return found


@dataclass(frozen=True, slots=True)
class Hybrid:
    """A first stage that finds by words and orders by words and meaning; implements ``contracts.Retriever``.

    Args:
        lexical: what finds.
        vectors: the same collection's vectors.
        weight: of the lexical score; the rest is the cosine's. Both are put on [0, 1] for each query.
        deeper: candidates that are looked at for each one that is wanted.

    Raises:
        ValueError: a ``weight`` outside [0, 1], or ``deeper`` below 1.

    Source: fast-forward indexes; see ``DenseIndex.interpolated``.
    """

    lexical: BM25Index
    vectors: DenseIndex
    weight: float = 0.2
    deeper: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1 or self.deeper < 1:
            raise ValueError(f"weight {self.weight}, deeper {self.deeper}: need a number from 0 to 1, and 1 or more")

    def search(
        self, queries: Iterable[Query], k: int, *, drop_self: bool = False,
        excluded: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Candidates]:  # fmt: skip
        """The best ``k`` documents for each query, best first, as ``BM25Index.search``."""
        found = self.lexical.search(queries, k * self.deeper, drop_self=drop_self, excluded=excluded)
        mixed = self.vectors.interpolated(found, self.weight, normalise=True)
        return [Candidates(one.query, one.docs[:k], (one.scores or ())[:k]) for one in mixed]


def default_index_folder(collection: Collection, embedder: Backend, encoder: Encoder) -> Path:
    """Where a collection's vectors are kept: beside its lexical index, one folder a model and way of asking."""
    beside = lexical_folder(collection)
    return beside.with_name(f"{beside.name}-{folder_name(embedder, encoder)}")


def folder_name(embedder: Backend, encoder: Encoder) -> str:
    """A folder's name for the vectors of a model that is asked in this way."""
    name = hashlib.sha256(f"{embedder.fingerprint} {asked_for(encoder)}".encode()).hexdigest()[:12]
    return f"dense-{name}"


def _top(places: Any, scores: Any, depth: int) -> tuple[Any, Any]:
    """The ``depth`` best, of equals the first; equals stay in the order they came in, which is the corpus'."""
    import numpy as np

    if len(scores) <= depth:
        return places, scores
    least = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    above = np.flatnonzero(scores > least)
    equal = np.flatnonzero(scores == least)[: depth - len(above)]
    kept = np.concatenate([above, equal])
    return places[kept], scores[kept]
