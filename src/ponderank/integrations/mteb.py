"""Recipes for mteb: a ``SearchProtocol`` and a ``CrossEncoderProtocol``, so that mteb itself makes the official results.

    import mteb
    from ponderank.integrations.mteb import Search

    with Search("default") as model:
        mteb.evaluate(model, mteb.get_tasks(["NevIR"]), prediction_folder="predictions/")

``Search`` is the one to use: it sees whole lists of candidates, so that any strategy works, and searches with BM25 where a
task gives none. ``CrossEncoder`` scores pairs; mteb would use it for both if one object were both.

Source: mteb 2.26, ``models/models_protocols.py``. Differs: scores that mteb could not tell apart (it breaks ties by document
id) are set apart by the least step, in our order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from ponderank.errors import DataError, MissingExtra
from ponderank.recipe import Recipe
from ponderank.reranker import Reranker
from ponderank.types import Candidates, Doc, Query, Ranking


class _Model:
    """What both share: a reranker, and what mteb is told about it."""

    def __init__(self, recipe: str | Recipe, *, name: str | None = None, **given: Any) -> None:
        self.reranker = Reranker(recipe, **given)
        self.name = name or f"ponderank/{self.reranker.recipe.name}"

    @property
    def mteb_model_meta(self) -> Any:
        """What mteb is told, its ``ModelMeta``: the name, and what changes the answers (recipe and model) as the revision.

        Raises:
            MissingExtra: mteb is not installed.
        """
        try:
            from mteb.models.model_meta import ModelMeta
        except ImportError as error:
            raise MissingExtra("mteb", "evaluating with mteb") from error
        told = f"{self.reranker.recipe.to_dict()} {self.reranker.fingerprint} {self._options()}"
        return ModelMeta.create_empty(
            overwrites={
                "name": self.name,
                "revision": hashlib.sha256(told.encode()).hexdigest()[:16],
                "model_type": ["cross-encoder"],
                "modalities": ["text"],
                "use_instructions": True,
            }
        )

    def _options(self) -> str:
        return ""

    def close(self) -> None:
        """Close the model."""
        self.reranker.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Search(_Model):
    """A recipe as mteb's ``SearchProtocol``.

    Args:
        recipe: a recipe or its name.
        depth: candidates a query from BM25, where the task gives none. A given list that is longer and holds at least half
            of the corpus says what is allowed (BRIGHT in mteb), and BM25 chooses from it; any other is ranked whole.
        name: what mteb calls it, as ``owner/model``; ``ponderank/RECIPE`` by default.
        given: as for ``Reranker``.
    """

    def __init__(
        self, recipe: str | Recipe = "default", *, depth: int = 100, name: str | None = None, **given: Any
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth is {depth}; give 1 or more")
        super().__init__(recipe, name=name, **given)
        self.depth = depth
        self._docs: list[Doc] = []
        self._bm25: Any = None

    def _options(self) -> str:
        return f"bm25 {self.depth}"

    def index(self, corpus: Iterable[Mapping[str, Any]], **_: Any) -> None:
        """Take the documents of a task; mteb's further arguments say nothing that is needed."""
        self._docs = [Doc(str(row["id"]), str(row.get("text") or ""), str(row.get("title") or "")) for row in corpus]
        self._bm25 = None

    def search(
        self, queries: Iterable[Mapping[str, Any]], *, top_k: int, top_ranked: Mapping[str, Sequence[str]] | None = None,
        **_: Any,
    ) -> dict[str, dict[str, float]]:  # fmt: skip
        """Rank each query's candidates: ``{query id: {document id: score}}``, at most ``top_k`` each, ties set apart."""
        asked = [read_query(row) for row in queries]
        many = self._candidates(asked, top_ranked)
        return {one.query.id: _scored(one.top(top_k)) for one in self.reranker.rank_many(many)}

    def _candidates(self, queries: Sequence[Query], given: Mapping[str, Sequence[str]] | None) -> Iterator[Candidates]:
        if given is None:
            yield from self._index().search(queries, self.depth)
            return
        docs = {doc.id: doc for doc in self._docs}
        for query in queries:
            names = list(dict.fromkeys(given.get(query.id, ())))
            if len(names) > self.depth and 2 * len(names) >= len(docs):
                barred = {query.id: tuple(docs.keys() - set(names))}
                yield from self._index().search([query], self.depth, excluded=barred)
            else:
                missing = next((name for name in names if name not in docs), None)
                if missing is not None:
                    raise DataError(f"query {query.id!r} has the candidate {missing!r}, which the task's corpus lacks")
                yield Candidates(query, tuple(docs[name] for name in names))

    def _index(self) -> Any:
        from ponderank.retrieval.bm25 import BM25Index

        if self._bm25 is None:
            self._bm25 = BM25Index.build(self._docs)
        return self._bm25


class CrossEncoder(_Model):
    """A recipe as mteb's ``CrossEncoderProtocol``; the pairs of one query are ranked together.

    Args:
        model_name: a recipe or its name.
        revision: as mteb calls it; has no meaning here, what is run is in ``mteb_model_meta``.
        device: has no meaning here either; give ``engine`` or ``model``.
        name: what mteb calls it, as ``owner/model``.
        given: as for ``Reranker``.
    """

    def __init__(
        self, model_name: str | Recipe = "default", revision: str | None = None, device: str | None = None, *,
        name: str | None = None, **given: Any,
    ) -> None:  # fmt: skip
        super().__init__(model_name, name=name, **given)

    def predict(self, inputs1: Iterable[Mapping[str, Any]], inputs2: Iterable[Mapping[str, Any]], **_: Any) -> Any:
        """Score pairs: batches of queries and of documents; returns a float32 array, one score a pair, in their order."""
        import numpy as np

        queries = [read_query(row) for row in _rows(inputs1)]
        docs = [
            Doc(str(at), str(row.get("body") or row["text"]), str(row.get("title") or "") if row.get("body") else "")
            for at, row in enumerate(_rows(inputs2))
        ]
        groups: dict[Query, list[Doc]] = {}
        for query, doc in zip(queries, docs, strict=True):
            groups.setdefault(query, []).append(doc)
        scores = np.zeros(len(docs), np.float32)
        for ranking in self.reranker.rank_many(Candidates(query, tuple(own)) for query, own in groups.items()):
            for name, score in _scored(ranking).items():
                scores[int(name)] = score
        return scores


def read_query(row: Mapping[str, Any]) -> Query:
    """A query of mteb's with its instruction apart; a conversation becomes its turns, joined as mteb joins them.

    mteb joins text and instruction for cross-encoders and keeps the text in ``query``.

    >>> read_query({"id": "1", "text": "a be brief", "query": "a", "instruction": "be brief"})
    Query(id='1', text='a', instruction='be brief')
    """
    text = row.get("query", row["text"])
    if not isinstance(text, str):
        text = "; ".join(_turn(one) for one in text)
    return Query(str(row.get("id", "")), text, str(row.get("instruction") or ""))


def _turn(one: Any) -> str:
    return f"{one['role']}: {one['content']}" if isinstance(one, Mapping) else str(one)


def _rows(batches: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows of batches that are mappings of lists."""
    for batch in batches:
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))


def _scored(ranking: Ranking) -> dict[str, float]:
    """Scores that fall strictly in 32 bits, as trec_eval keeps them: ties are set apart by the least step."""
    import numpy as np

    out: dict[str, float] = {}
    before = np.float32(np.inf)
    for doc, score in zip(ranking.docs, ranking.scores, strict=True):
        value = np.float32(score)
        if not value < before:
            value = np.nextafter(before, np.float32(-np.inf))
        out[doc.id], before = float(value), value
    return out
