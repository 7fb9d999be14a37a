"""The engine: a ready queue over suspended plans and dialogues, and the tickets they wait for.

One ``Engine`` holds many queries at once. Each query is a strategy's plan; each group a plan asks for is a format's
dialogue; each call a dialogue makes is a ticket at the backend. Whatever can be asked now is asked now, across queries,
so no slow answer holds up an independent question. Nothing here is recursive, and nothing here knows a concrete part.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ponderank.contracts import Backend, Dialogue, Format, Levelled, Plan
from ponderank.errors import RecipeError
from ponderank.recipe import Recipe
from ponderank.types import Ask, Candidates, Judgement, Ranking, Reply, Step, Usage


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: queries done, calls answered, flaws counted so far."""

    done: int
    calls: int
    flaws: int


@dataclass(slots=True)
class _Query:
    """A suspended plan and the judgements it waits for."""

    key: Hashable
    candidates: Candidates
    plan: Plan
    groups: list[Ask] = field(default_factory=list)
    answers: dict[int, Judgement] = field(default_factory=dict)
    trace: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class _Dialogue:
    """A suspended dialogue, the replies it waits for, and what they have cost."""

    query: _Query
    slot: int
    dialogue: Dialogue
    waiting: int = 0
    replies: dict[int, Reply] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)


class Engine:
    """Runs one recipe on one backend. ``add`` queries, ``step`` until ``pending`` is 0; or ``run`` an iterable.

    Raises:
        RecipeError: the recipe does not fit the backend; raised at once, before any call.
    """

    def __init__(
        self, recipe: Recipe, backend: Backend, *, on_progress: Callable[[Progress], None] | None = None
    ) -> None:
        check(recipe, backend)
        self.recipe, self.backend, self.on_progress = recipe, backend, on_progress
        self.pending = 0
        self._ready: deque[tuple[Any, Any]] = deque()  # (a suspended generator, what it is sent)
        self._tickets: dict[int, tuple[_Dialogue, int]] = {}
        self._finished: list[tuple[Hashable, Ranking]] = []
        self._done = self._calls = self._flaws = 0

    def add(self, key: Hashable, candidates: Candidates) -> None:
        """Admit a query; ``key`` comes back with its ranking."""
        plan = self.recipe.strategy.plan(len(candidates.docs), candidates.scores)
        self._ready.append((_Query(key, candidates, plan), None))
        self.pending += 1

    def step(self) -> list[tuple[Hashable, Ranking]]:
        """Ask all that can be asked, work until there is progress, and return the queries that ended."""
        self._advance()
        if not self._finished and self._tickets:
            for ticket, reply in self.backend.step():
                self._receive(ticket, reply)
            self._advance()
        finished, self._finished = self._finished, []
        self.pending -= len(finished)
        self._done += len(finished)
        if self.on_progress:
            self.on_progress(Progress(self._done, self._calls, self._flaws))
        return finished

    def run(self, candidates: Iterable[Candidates], *, ahead: int = 64) -> Iterator[tuple[int, Ranking]]:
        """Yield ``(index, ranking)`` as queries end, at most ``ahead`` of them admitted at once."""
        source = enumerate(candidates)
        exhausted = False
        while not exhausted or self.pending:
            while self.pending < ahead and not exhausted:
                item = next(source, None)
                if item is None:
                    exhausted = True
                else:
                    self.add(*item)
            yield from self.step()  # type: ignore[misc]

    def _advance(self) -> None:
        while self._ready:
            holder, sent = self._ready.popleft()
            (self._resume_plan if isinstance(holder, _Query) else self._resume_dialogue)(holder, sent)

    def _resume_plan(self, query: _Query, judgements: list[Judgement] | None) -> None:
        try:
            asked = query.plan.send(judgements) if judgements is not None else next(query.plan)
        except StopIteration as stop:
            self._finished.append((query.key, ranked(query.candidates, stop.value, query.trace)))
            return
        query.groups = [g if isinstance(g, Ask) else Ask(g) for g in asked]
        query.answers = {}
        if not asked:
            self._ready.append((query, []))
        for slot, ask in enumerate(query.groups):
            form: Format = self.recipe.format
            if ask.level and isinstance(form, Levelled):
                form = form.at_level(ask.level)
            docs = [query.candidates.docs[i] for i in ask.group]
            dialogue = form.judge(query.candidates.query, docs, self.backend.tokenizer)
            self._ready.append((_Dialogue(query, slot, dialogue), None))

    def _resume_dialogue(self, holder: _Dialogue, replies: list[Reply] | None) -> None:
        try:
            calls = holder.dialogue.send(replies) if replies is not None else next(holder.dialogue)
        except StopIteration as stop:
            self._judged(holder, stop.value)
            return
        holder.waiting, holder.replies = len(calls), {}
        if not calls:
            self._ready.append((holder, []))
        for slot, call in enumerate(calls):
            self._tickets[self.backend.add(call)] = (holder, slot)

    def _receive(self, ticket: int, reply: Reply) -> None:
        holder, slot = self._tickets.pop(ticket)
        holder.replies[slot] = reply
        holder.usage += reply.usage
        self._calls += 1
        if len(holder.replies) == holder.waiting:
            self._ready.append((holder, [holder.replies[i] for i in range(holder.waiting)]))

    def _judged(self, holder: _Dialogue, judgement: Judgement) -> None:
        query = holder.query
        if judgement.usage == Usage():
            judgement = replace(judgement, usage=holder.usage)
        self._flaws += judgement.flaw is not None
        query.answers[holder.slot] = judgement
        if len(query.answers) == len(query.groups):
            answers = [query.answers[i] for i in range(len(query.groups))]
            query.trace += [Step(a.group, j, a.level) for a, j in zip(query.groups, answers, strict=True)]
            self._ready.append((query, answers))


def ranked(candidates: Candidates, scores: list[float], trace: list[Step]) -> Ranking:
    """Sort: the one place that does. Higher first, ties in first-stage order, not-a-number last."""
    order = sorted(
        range(len(scores)), key=lambda i: (math.isnan(scores[i]), 0.0 if math.isnan(scores[i]) else -scores[i])
    )
    usage = sum((step.judgement.usage for step in trace), Usage())
    probs: dict[int, float] = {}
    for step in trace:
        probs.update(zip(step.group, step.judgement.probs or (), strict=False))
    priors = candidates.scores
    return Ranking(
        query=candidates.query,
        docs=tuple(candidates.docs[i] for i in order),
        scores=tuple(float(scores[i]) for i in order),
        probs=tuple(probs.get(i) for i in order),
        order=tuple(order),
        trace=tuple(trace),
        usage=usage,
        priors=None if priors is None else tuple(priors[i] for i in order),
    )


def check(recipe: Recipe, backend: Backend) -> None:
    """Raise ``RecipeError`` if strategy, format and backend do not fit together; the message says what would."""
    strategy, form = recipe.strategy, recipe.format
    missing = form.needs - backend.can
    if missing:
        asks, offers = (", ".join(sorted(kind.__name__ for kind in kinds)) for kinds in (missing, backend.can))
        _refuse(
            recipe, f"it asks for {asks}; this backend answers {offers}", f"use a model and backend that answer {asks}"
        )
    if strategy.widest > form.widest:
        given = f"the strategy shows {strategy.widest} documents at once, the format holds {form.widest}"
        _refuse(recipe, given, "use a narrower strategy or a wider format")
    if strategy.absolute and not form.absolute:
        _refuse(
            recipe,
            "the strategy compares scores across prompts, the format's do not",
            "use one that compares within a prompt",
        )


def _refuse(recipe: Recipe, given: str, remedy: str) -> None:
    raise RecipeError(f"recipe {recipe.name!r} does not fit: {given}; {remedy}")
