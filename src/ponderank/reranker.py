"""``Reranker``: a recipe on a backend, for one query, for thousands, or from many threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from ponderank.backends.adapters import Shared
from ponderank.contracts import Backend
from ponderank.engine import Engine, Progress
from ponderank.errors import BackendError, DataError
from ponderank.recipe import Recipe
from ponderank.recipes import find
from ponderank.types import Candidates, Doc, Query, Ranking, Step, Usage

TextLike = str | Mapping[str, Any] | Doc
QueryLike = str | Mapping[str, Any] | Query


class Reranker:
    """Orders texts by relevance to a query.

    Args:
        recipe: a recipe or its name (``ponderank recipes`` lists them).
        model: a model folder in place of the recipe's model.
        backend: a backend in place of the one that the model folder calls for; it is closed with the reranker.
        cache: a SQLite file that keeps every reply, so that nothing is asked twice.
        threads: cores to use; all by default.

    Raises:
        RecipeError: no such recipe, or it does not fit the backend.
        DataError: the model folder cannot be loaded.

    >>> with Reranker() as reranker:
    ...     reranker.rank("who wrote Hamlet?", ["Paris is in France.", "Shakespeare wrote Hamlet."]).docs[0].text
    'Shakespeare wrote Hamlet.'
    """

    def __init__(
        self,
        recipe: str | Recipe = "default",
        *,
        model: str | Path | None = None,
        backend: Backend | None = None,
        cache: str | Path | None = None,
        threads: int | None = None,
    ) -> None:
        self.recipe = find(recipe) if isinstance(recipe, str) else recipe
        if model is not None:
            self.recipe = replace(self.recipe, model=str(model))
        self.backend = backend or load(self.recipe.model, threads=threads)
        if cache is not None:
            from ponderank.backends.cache import Cached

            self.backend = Cached(self.backend, cache)
        Engine(self.recipe, self.backend)  # a recipe that does not fit is refused here, not at the first query
        self._shared = Shared(self.backend)
        self._inbox: queue.SimpleQueue[tuple[Candidates, Future[Ranking]] | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """Names the model and everything that changes its answers."""
        return self.backend.fingerprint

    def rank(
        self, query: QueryLike, docs: Sequence[TextLike], *, top_k: int | None = None, explain: bool = False
    ) -> Ranking:
        """Rank ``docs`` for ``query``, best first.

        A text without an id gets its position as id. ``top_k`` cuts the result; ``explain`` adds evidence to what is left.

        Raises:
            DataError: a mapping without text, or two documents with one explicit id.
        """
        (ranking,) = self.rank_many([candidates(query, docs)])
        if top_k is not None:
            ranking = ranking.top(top_k)
        return self.explain(ranking, len(ranking)) if explain else ranking

    def rank_many(
        self, many: Iterable[Candidates], *, on_progress: Callable[[Progress], None] | None = None
    ) -> Iterator[Ranking]:
        """Rank many queries side by side; yields in input order, each as soon as it and those before it are done.

        The input is read as there is room, never whole.
        """
        early: dict[int, Ranking] = {}
        due = 0
        for index, ranking in self._engine(on_progress=on_progress).run(many):
            early[index] = ranking
            while due in early:
                yield early.pop(due)
                due += 1

    def _engine(self, recipe: Recipe | None = None, *, on_progress: Callable[[Progress], None] | None = None) -> Engine:
        """An engine of its own on the shared backend: threads and nested loops do not meet each other's tickets."""
        return Engine(recipe or self.recipe, self._shared.channel(), on_progress=on_progress)

    def dry_run(self, many: Iterable[Candidates]) -> Usage:
        """Count the calls and prompt tokens that ranking would take, asking nothing.

        Exact for strategies whose calls do not depend on the answers; others are counted on all-equal answers.
        """
        from ponderank.backends.testing import Counting

        counting = Counting(self.backend.tokenizer, self.backend.can)
        return sum((ranking.usage for _, ranking in Engine(self.recipe, counting).run(many)), Usage())

    def explain(self, ranking: Ranking, k: int = 3) -> Ranking:
        """The ranking with evidence for its top ``k``: the sentences that carry the score, with character offsets."""
        from ponderank.formats.sentences import Evidence
        from ponderank.strategies.pointwise import Pointwise

        shown = ranking.top(k)
        recipe = replace(self.recipe, format=Evidence(), strategy=Pointwise())
        ((_, found),) = self._engine(recipe).run([Candidates(ranking.query, shown.docs)])
        evidence = {ranking.order[step.group[0]]: step.judgement.evidence for step in found.trace}
        trace = tuple(_with_evidence(step, evidence) for step in ranking.trace)
        return replace(ranking, trace=trace, usage=ranking.usage + found.usage)

    def submit(self, query: QueryLike, docs: Sequence[TextLike]) -> Future[Ranking]:
        """Rank in the background; what is submitted together shares the model's batches. Safe from any thread."""
        future: Future[Ranking] = Future()
        item = (candidates(query, docs), future)
        with self._lock:
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._serve, name="ponderank-submit", daemon=True)
                self._worker.start()
            self._inbox.put(item)
        return future

    def _serve(self) -> None:
        """Admit what was submitted between the engine's steps; one bad answer fails those in flight, not the next."""
        futures: dict[Future[Ranking], None] = {}
        engine = self._engine()
        while True:
            while not futures or not self._inbox.empty():
                item = self._inbox.get()
                if item is None:
                    for future in futures:
                        future.cancel()
                    return
                if item[1].set_running_or_notify_cancel():
                    futures[item[1]] = None
                    engine.add(item[1], item[0])
            try:
                finished = engine.step()
            except Exception as error:  # handed to those who wait, whatever it is
                for future in futures:
                    future.set_exception(error)
                futures, engine = {}, self._engine()
                continue
            for key, ranking in finished:
                done = cast("Future[Ranking]", key)
                del futures[done]
                done.set_result(ranking)

    def close(self) -> None:
        """End the background work and the backend. May be called twice."""
        if self._worker is not None:
            self._inbox.put(None)
            self._worker.join()
            self._worker = None
        self.backend.close()

    def __enter__(self) -> Reranker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _with_evidence(step: Step, evidence: Mapping[int, Any]) -> Step:
    if len(step.group) != 1 or step.group[0] not in evidence:
        return step
    return replace(step, judgement=replace(step.judgement, evidence=evidence[step.group[0]]))


def load(model: str | Path, *, threads: int | None = None) -> Backend:
    """The backend that a model folder calls for: ONNX graphs run on ONNX Runtime, checkpoints in torch.

    ``"embedded"`` is the default model.

    Raises:
        DataError: the folder holds neither.
        BackendError: ``model`` is a hub's id and not a folder.
    """
    from ponderank.models import default_folder

    folder = default_folder() if model == "embedded" else Path(model)
    if not folder.is_dir():
        raise BackendError(
            f"model {str(model)!r} is not a folder here, and Ponderank downloads nothing by itself; "
            f"fetch it first (for a hub id: hf download {model} --local-dir FOLDER), then give that folder as the model"
        )
    if (folder / "model.onnx").is_file() or (folder / "graphs.json").is_file():
        from ponderank.backends.onnx import OnnxClassifier

        return OnnxClassifier(folder, threads=threads)
    if any(folder.glob("*.safetensors")) or (folder / "pytorch_model.bin").is_file():
        from ponderank.backends.transformers import TorchClassifier

        return TorchClassifier(folder, threads=threads)
    raise DataError(
        "no model here: expected model.onnx, graphs.json or *.safetensors, with tokenizer.json and config.json",
        path=folder,
    )


def candidates(query: QueryLike, docs: Sequence[TextLike]) -> Candidates:
    """A query and texts, however given, as ``Candidates``.

    >>> candidates("q", ["a", {"id": "x", "text": "b"}]).docs[1].id
    'x'
    """
    made = tuple(document(doc, position) for position, doc in enumerate(docs))
    explicit: dict[str, int] = {}
    for position, (given, doc) in enumerate(zip(docs, made, strict=True)):
        if not isinstance(given, str) and explicit.setdefault(doc.id, position) != position:
            raise DataError(f"documents {explicit[doc.id]} and {position} share the id {doc.id!r}; give each its own")
    return Candidates(as_query(query), made)


def as_query(query: QueryLike) -> Query:
    """A query from text, a mapping (``id``, ``text``, ``instruction``) or itself."""
    if isinstance(query, Query):
        return query
    if isinstance(query, str):
        return Query("query", query)
    if isinstance(query, Mapping) and isinstance(query.get("text"), str):
        return Query(
            str(query.get("id", query.get("_id", "query"))), query["text"], str(query.get("instruction") or "")
        )
    raise DataError(f"a query is text, a mapping with 'text', or a Query; got {_shown(query)}")


def document(doc: TextLike, position: int) -> Doc:
    """A document from text, a mapping (``id``/``_id``/``docid``, ``text``/``contents``, ``title``) or itself."""
    if isinstance(doc, Doc):
        return doc
    if isinstance(doc, str):
        return Doc(str(position), doc)
    if isinstance(doc, Mapping):
        text = doc.get("text", doc.get("contents"))
        if isinstance(text, str):
            name = next((doc[key] for key in ("id", "_id", "docid", "doc_id") if doc.get(key) is not None), position)
            rest = {
                k: v for k, v in doc.items() if k not in ("id", "_id", "docid", "doc_id", "text", "contents", "title")
            }
            return Doc(str(name), text, str(doc.get("title") or ""), rest)
    raise DataError(f"document {position} is text, a mapping with 'text', or a Doc; got {_shown(doc)}")


def _shown(value: object) -> str:
    fields = f" with {', '.join(map(repr, list(value)[:6]))}" if isinstance(value, Mapping) else ""
    return f"{type(value).__name__}{fields}"
