"""``Reranker``: a recipe on a backend, for one query, for thousands, or from many threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ponderank.backends.adapters import Shared
from ponderank.background import Background
from ponderank.calibration import Calibration, calibrations
from ponderank.contracts import Backend
from ponderank.engine import Engine, Progress, Written
from ponderank.engines import load_each, with_model
from ponderank.errors import BackendError, RecipeError
from ponderank.estimate import Cost, cost
from ponderank.recipe import Recipe, check, several, thinking
from ponderank.recipes import find
from ponderank.texts import QueryLike, TextLike, candidates
from ponderank.threshold import at_least, checked
from ponderank.types import Ask, Candidates, Classify, Group, Judgement, Ranking, Step


class Reranker:
    """Orders texts by relevance to a query.

    Args:
        recipe: a recipe or its name (``ponderank recipes`` lists them).
        model: a model folder, a ``.gguf`` file, or a server's name for a model, in place of the recipe's model; of a recipe
            with several judges, of those that have none (``engines.with_model``).
        engine: what runs it: ``"onnx"``, ``"transformers"``, ``"llamacpp"``, ``"vllm"``, or the URL of an OpenAI-compatible
            server; by default what the model's files call for.
        backend: a backend in place of the one that ``model`` and ``engine`` call for, or one for each judge; closed with the
            reranker.
        cache: a SQLite file that keeps every reply, so that nothing is asked twice.
        threads: cores to use; all by default.
        think: False asks a recipe that thinks for its verdicts at once; True is the recipe's own way.
        think_tokens: the longest thought, in place of the recipe's.
        query_tokens: the most that may be written for a query, divided among its documents.
        calibration: a calibration or a file of them (``ponderank calibrate``), which ``probs`` go through; by default what
            stands beside the model for this format; ``"none"`` leaves them as the format gives them.
        options: for the backend, by name (``slots=8``, ``dtype="bfloat16"``, ``concurrency=16`` …).

    Raises:
        RecipeError: no such recipe, or it does not fit the backend, or the calibration belongs to another model or format.
        DataError: the model folder cannot be loaded, or the calibration's file.

    >>> with Reranker() as reranker:
    ...     reranker.rank("who wrote Hamlet?", ["Paris is in France.", "Shakespeare wrote Hamlet."]).docs[0].text
    'Shakespeare wrote Hamlet.'
    """

    def __init__(
        self,
        recipe: str | Recipe = "default",
        *,
        model: str | Path | None = None,
        engine: str | None = None,
        backend: Backend | Sequence[Backend] | None = None,
        cache: str | Path | None = None,
        threads: int | None = None,
        think: bool = True,
        think_tokens: int | None = None,
        query_tokens: int | None = None,
        calibration: Calibration | str | Path | None = None,
        **options: Any,
    ) -> None:
        self.recipe = thinking(find(recipe) if isinstance(recipe, str) else recipe, think=think, tokens=think_tokens)
        if model is not None:
            self.recipe = with_model(self.recipe, str(model), engine)
        if query_tokens is not None and query_tokens < 0:
            raise RecipeError(f"query_tokens is {query_tokens}; give 0 or more")
        self.query_tokens = query_tokens
        if calibration is None and backend is not None:
            calibration = "none"  # what stands beside the recipe's model is not about the backend that was given
        n = len(self.recipe.judges)
        found = several(backend, n) if backend else load_each(self.recipe, engine, threads=threads, **options)
        if cache is not None:
            found = _cached(found, cache)
        self.backends = found
        check(self.recipe, self.backends)  # here, not at the first query
        alone = self.recipe.apart()
        self._calibrations = [calibrations(alone[at], one, calibration) for at, one in enumerate(self.backends)]
        shared = {id(one): Shared(one) for one in self.backends}
        self._shared = [shared[id(one)] for one in self.backends]
        self._background = Background(self._engine)
        self._closed = False

    @property
    def backend(self) -> Backend:
        """The first judge's."""
        return self.backends[0]

    @property
    def fingerprint(self) -> str:
        """Names the models and everything that changes their answers."""
        return " + ".join(dict.fromkeys(one.fingerprint for one in self.backends))

    @property
    def calibrations(self) -> dict[int | str, Calibration]:
        """What probabilities go through: by level, of judges after the first by ``"judge:level"``."""
        return {
            f"{judge}:{level}" if judge else level: one
            for judge, found in enumerate(self._calibrations)
            for level, one in found.items()
        }

    def rank(
        self, query: QueryLike, docs: Sequence[TextLike], *, top_k: int | None = None, min_prob: float | None = None,
        explain: bool = False, deadline: float | None = None, on_written: Callable[[Written], None] | None = None,
    ) -> Ranking:  # fmt: skip
        """Rank ``docs`` for ``query``, best first.

        A text without an id gets its position as id. ``min_prob`` leaves out documents whose probability of relevance is
        below, or unknown; ``top_k`` cuts what then is there; ``explain`` adds evidence to what is left.
        After ``deadline`` seconds a ranking is returned whatever is missing: thoughts are cut short and their verdicts
        forced (flaw ``incomplete``); what has no verdict then is last, in the order given (flaw ``late``). ``on_written`` is
        told what the model writes as it writes it.

        Raises:
            DataError: a mapping without text, or two documents with one explicit id.
            RecipeError: ``min_prob`` with a recipe that gives no probability.
        """
        if min_prob is not None:
            checked(min_prob, None if self.calibrations else self.recipe)
        (ranking,) = self.rank_many([candidates(query, docs)], deadline=deadline, on_written=on_written)
        if min_prob is not None:
            ranking = at_least(ranking, min_prob)
        if top_k is not None:
            ranking = ranking.top(top_k)
        return self.explain(ranking, len(ranking)) if explain else ranking

    def rank_many(
        self, many: Iterable[Candidates], *, on_progress: Callable[[Progress], None] | None = None,
        on_written: Callable[[Written], None] | None = None, deadline: float | None = None,
    ) -> Iterator[Ranking]:  # fmt: skip
        """Rank many queries side by side; yields in input order, each as soon as it and those before it are done.

        The input is read as there is room, never whole. What is unfinished when the iteration is left is dropped.
        ``deadline`` (seconds, for all of them) and ``on_written`` as in ``rank``.
        """
        engine = self._engine(on_progress=on_progress, on_written=on_written, deadline=deadline)
        with closing(engine.run(many, in_order=True)) as rankings:
            for _, ranking in rankings:
                yield ranking

    def _engine(
        self, recipe: Recipe | None = None, *, on_progress: Callable[[Progress], None] | None = None,
        on_written: Callable[[Written], None] | None = None, deadline: float | None = None,
    ) -> Engine:  # fmt: skip
        """An engine of its own on the shared backend: threads and nested loops do not meet each other's tickets."""
        if self._closed:
            raise BackendError("this reranker is closed; make another")
        channels: dict[int, Backend] = {}
        for shared in self._shared:
            if id(shared) not in channels:
                channels[id(shared)] = shared.channel() if deadline is None else _until(shared.channel(), deadline)
        backends = [channels[id(shared)] for shared in self._shared]
        chosen = recipe or self.recipe
        return Engine(
            chosen,
            backends[: len(chosen.judges)],
            on_progress=on_progress,
            on_written=on_written,
            query_tokens=self.query_tokens,
            calibrated=self._calibrated if any(self._calibrations) and recipe is None else None,
        )

    def _calibrated(self, judgement: Judgement, ask: Ask) -> Judgement:
        of_judge = self._calibrations[ask.judge]
        if not of_judge:
            return judgement
        found = of_judge.get(ask.level)
        return replace(judgement, probs=None if found is None else found.probs(judgement.scores))

    def dry_run(self, many: Iterable[Candidates]) -> Cost:
        """Count the calls and prompt tokens that ranking would take, and at most how many tokens it would write; asks nothing.

        Exact (``.exact``) for strategies whose calls do not depend on the answers; others are counted as ``estimate.cost`` says.
        """
        return cost(self.recipe, self.backends, many, query_tokens=self.query_tokens)

    def explain(self, ranking: Ranking, k: int = 3) -> Ranking:
        """The ranking with evidence for its top ``k``: the sentences that carry the score, with character offsets.

        A language model has given its reasons already (``Judgement.reasoning``, and as evidence what it quotes): nothing
        more is asked.
        """
        if Classify not in self.recipe.format.needs:
            return ranking
        from ponderank.formats.sentences import Evidence
        from ponderank.strategies.pointwise import Pointwise

        shown = ranking.top(k)
        recipe = replace(self.recipe, format=Evidence(), strategy=Pointwise(), others=())
        ((_, found),) = self._engine(recipe).run([Candidates(ranking.query, shown.docs)])
        order = ranking.order or tuple(range(len(ranking)))
        steps: dict[Group, Step] = {}
        for step in found.trace:
            group = (order[step.group[0]],)
            steps[group] = replace(step, group=group)
        latest = [_with_evidence(step, steps.pop(step.group, None)) for step in reversed(ranking.trace)]
        trace = (*reversed(latest), *steps.values())  # a document never judged alone gets a step of its own
        return replace(ranking, order=order, trace=trace, usage=ranking.usage + found.usage)

    def submit(self, query: QueryLike, docs: Sequence[TextLike]) -> Future[Ranking]:
        """Rank in the background; what is submitted together shares the model's batches. Safe from any thread.

        The future raises what went wrong with this ranking; others go on.
        """
        return self._background.submit(candidates(query, docs))

    def close(self, *, finish: bool = True) -> None:
        """End the background work and the backend. May be called twice.

        What was submitted is finished first; with ``finish=False`` it is cancelled.
        """
        self._background.close(finish=finish)
        self._closed = True
        for backend in self.backends:
            backend.close()

    def __enter__(self) -> Reranker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(finish=error is None)


def _cached(backends: Sequence[Backend], path: str | Path) -> tuple[Backend, ...]:
    """The backends behind one file of replies, each once."""
    from ponderank.backends.cache import Cached

    cached = {id(one): Cached(one, path) for one in backends}
    return tuple(cached[id(one)] for one in backends)


def _until(backend: Backend, deadline: float) -> Backend:
    from ponderank.backends.deadline import Deadline

    return Deadline(backend, deadline)


def _with_evidence(step: Step, found: Step | None) -> Step:
    return (
        step if found is None else replace(step, judgement=replace(step.judgement, evidence=found.judgement.evidence))
    )
