"""The engine: a ready queue over suspended plans and dialogues, and the tickets they wait for.

One ``Engine`` holds many queries at once. Each query is a strategy's plan; each group a plan asks for is a format's
dialogue; each call a dialogue makes is a ticket at the backend. Whatever can be asked now is asked now, across queries,
so no slow answer holds up an independent question. Nothing here is recursive, and nothing here knows a concrete part.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import Any

from ponderank.contracts import Backend, Cancels, Dialogue, Levelled, Plan, Streams
from ponderank.errors import RecipeError
from ponderank.recipe import Recipe, check, several
from ponderank.types import Ask, Call, Candidates, Generate, Judgement, Ranking, Reply, Step, Usage


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: queries done (of ``total``, if the input has a length), calls answered, flaws, seconds so far."""

    done: int
    calls: int
    flaws: int
    total: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Written:
    """A piece of text as a model writes it: the query's key, the candidates shown, what was added; ``done`` ends it."""

    key: Any
    group: tuple[int, ...]
    text: str
    done: bool = False


@dataclass(slots=True)
class _Query:
    """A suspended plan and the judgements it waits for; ``share``: the tokens that each of them may write."""

    key: Any
    candidates: Candidates
    plan: Plan
    asks: list[Ask] = field(default_factory=list)
    answers: dict[int, Judgement] = field(default_factory=dict)
    trace: list[Step] = field(default_factory=list)
    share: int | None = None


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
    """Runs one recipe on its backend, or on one for each of its judges.

    ``add`` queries, ``step`` until ``pending`` is 0; or ``run`` an iterable.

    ``query_tokens`` is the most that models may write for a query. What is left of it is divided evenly among the
    judgements that its plan asks for together, so that what each gets does not depend on which is done first.
    ``on_written`` is told what models write as they write it, if the backend can. ``calibrated`` is given each judgement
    and what it was asked by, and returns it as it is told of: the strategy sees it as it was, so that no order changes.

    After an error nothing of it goes on: ``close`` it.

    Raises:
        RecipeError: the recipe does not fit the backend; raised at once, before any call.
    """

    def __init__(
        self, recipe: Recipe, backend: Backend | Sequence[Backend], *,
        on_progress: Callable[[Progress], None] | None = None, on_written: Callable[[Written], None] | None = None,
        query_tokens: int | None = None, calibrated: Callable[[Judgement, Ask], Judgement] | None = None,
    ) -> None:  # fmt: skip
        check(recipe, backend)
        self.recipe, self.on_progress = recipe, on_progress
        self._judges = several(backend, len(recipe.judges))
        self._formats = [judge.format for judge in recipe.judges]
        self._backends = {id(one): one for one in self._judges}  # each once, though several judges may share it
        self.on_written, self.query_tokens, self.calibrated = on_written, query_tokens, calibrated
        self.pending = 0
        self._ready: deque[tuple[Any, Any]] = deque()  # (a suspended generator, what it is sent)
        self._tickets: dict[int, dict[int, tuple[_Dialogue, int]]] = {at: {} for at in self._backends}
        self._finished: list[tuple[Any, Ranking]] = []
        self._done = self._calls = self._flaws = 0
        self._total: int | None = None
        self._start = time.perf_counter()

    def add(self, key: Hashable, candidates: Candidates) -> None:
        """Admit a query; ``key`` comes back with its ranking."""
        plan = self.recipe.strategy.plan(len(candidates.docs), candidates.scores)
        self._ready.append((_Query(key, candidates, plan), None))
        self.pending += 1

    def step(self) -> list[tuple[Any, Ranking]]:
        """Ask all that can be asked, work until there is progress, and return the queries that ended."""
        self._advance()
        if not self._finished:
            for at, tickets in self._tickets.items():
                if tickets:
                    self._work(self._backends[at], tickets)
            self._advance()
        finished, self._finished = self._finished, []
        self.pending -= len(finished)
        self._done += len(finished)
        if self.on_progress:
            seconds = time.perf_counter() - self._start
            self.on_progress(Progress(self._done, self._calls, self._flaws, self._total, seconds))
        return finished

    def run(
        self, candidates: Iterable[Candidates], *, ahead: int = 64, in_order: bool = False
    ) -> Generator[tuple[int, Ranking], None, None]:
        """Yield ``(index, ranking)`` as queries end, or in input order.

        At most ``ahead`` queries are held at once, finished ones that wait for their turn included; the input is read as
        there is room. What is unfinished when the iteration ends early is dropped.
        """
        self._total = len(candidates) if isinstance(candidates, Sized) else None
        source, exhausted = enumerate(candidates), False
        held: dict[int, Ranking] = {}
        due = 0
        try:
            while self.pending or not exhausted:
                while self.pending + len(held) < ahead and not exhausted:
                    item = next(source, None)
                    if item is None:
                        exhausted = True
                    else:
                        self.add(*item)
                for index, ranking in self.step():
                    held[index] = ranking
                    due = due if in_order else index
                    while due in held:
                        yield due, held.pop(due)
                        due += 1
        finally:
            self.close()

    def close(self) -> None:
        """Forget what is unfinished, and have the backends drop its calls if they can."""
        for at, tickets in self._tickets.items():
            backend = self._backends[at]
            if tickets and isinstance(backend, Cancels):
                backend.cancel(list(tickets))
            tickets.clear()
        self._ready.clear()
        self.pending = 0

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
        query.asks, query.answers = [g if isinstance(g, Ask) else Ask(g) for g in asked], {}
        if self.query_tokens is not None and asked:
            spent = sum(step.judgement.usage.output_tokens for step in query.trace)
            query.share = max(self.query_tokens - spent, 0) // len(asked)
        if not asked:
            self._ready.append((query, []))
        for slot, ask in enumerate(query.asks):
            self._ready.append((_Dialogue(query, slot, self._dialogue(query.candidates, ask)), None))

    def _dialogue(self, candidates: Candidates, ask: Ask) -> Dialogue:
        form = self._formats[ask.judge]
        if ask.level:
            if not isinstance(form, Levelled):
                raise RecipeError(f"recipe {self.recipe.name!r} asks at level {ask.level}; its format has level 0 only")
            form = form.at_level(ask.level)
        return form.judge(candidates.query, [candidates.docs[i] for i in ask.group], self._judges[ask.judge].tokenizer)

    def _resume_dialogue(self, holder: _Dialogue, replies: list[Reply] | None) -> None:
        try:
            calls = holder.dialogue.send(replies) if replies is not None else next(holder.dialogue)
        except StopIteration as stop:
            self._judged(holder, stop.value)
            return
        holder.waiting, holder.replies = len(calls), {}
        if not calls:
            self._ready.append((holder, []))
        backend = self._judges[holder.query.asks[holder.slot].judge]
        for slot, call in enumerate(calls):
            within = self._within(call, holder)
            if within is None:
                self._replied(holder, slot, Reply(finish="length"))
            else:
                self._tickets[id(backend)][backend.add(within)] = (holder, slot)

    def _within(self, call: Call, holder: _Dialogue) -> Call | None:
        """The call within what its judgement may still write; None if that is nothing."""
        if holder.query.share is None or not isinstance(call, Generate):
            return call
        left = holder.query.share - holder.usage.output_tokens
        return replace(call, max_tokens=min(call.max_tokens, left)) if left > 0 else None

    def _work(self, backend: Backend, tickets: dict[int, tuple[_Dialogue, int]]) -> None:
        """One step of a backend: what it wrote is told, what it answered handed on."""
        replies = backend.step()
        if self.on_written and isinstance(backend, Streams):
            for ticket, text in backend.written():
                if ticket in tickets:
                    holder, _ = tickets[ticket]
                    self.on_written(Written(holder.query.key, holder.query.asks[holder.slot].group, text))
        for ticket, reply in replies:
            holder, slot = tickets.pop(ticket)
            self._calls += 1
            self._replied(holder, slot, reply)

    def _replied(self, holder: _Dialogue, slot: int, reply: Reply) -> None:
        holder.replies[slot] = reply
        holder.usage += reply.usage
        if len(holder.replies) == holder.waiting:
            self._ready.append((holder, [holder.replies[i] for i in range(holder.waiting)]))

    def _judged(self, holder: _Dialogue, judgement: Judgement) -> None:
        query = holder.query
        if judgement.usage == Usage():
            judgement = replace(judgement, usage=holder.usage)
        if judgement.flaw is None and any(map(math.isnan, judgement.scores)):
            judgement = replace(judgement, flaw="unparsed")
        self._flaws += judgement.flaw is not None
        if self.on_written:
            self.on_written(Written(query.key, query.asks[holder.slot].group, "", done=True))
        query.answers[holder.slot] = judgement
        if len(query.answers) == len(query.asks):
            answers = [query.answers[i] for i in range(len(query.asks))]
            query.trace += [self._told(ask, judgement) for ask, judgement in zip(query.asks, answers, strict=True)]
            self._ready.append((query, answers))

    def _told(self, ask: Ask, judgement: Judgement) -> Step:
        told = self.calibrated(judgement, ask) if self.calibrated else judgement
        return Step(ask.group, told, ask.level, ask.judge)


def ranked(candidates: Candidates, scores: Sequence[float], trace: Sequence[Step]) -> Ranking:
    """Sort: the one place that does. Higher first, ties in first-stage order, not-a-number last."""
    if len(scores) != len(candidates.docs):
        raise RecipeError(f"the strategy gave {len(scores)} scores for {len(candidates.docs)} documents")
    order = sorted(range(len(scores)), key=lambda i: (1, 0.0) if math.isnan(scores[i]) else (0, -scores[i]))
    probs: dict[int, float] = {}
    for step in trace:
        probs.update(zip(step.group, step.judgement.probs or (), strict=False))
    return Ranking(
        query=candidates.query,
        docs=tuple(candidates.docs[i] for i in order),
        scores=tuple(float(scores[i]) for i in order),
        probs=tuple(probs.get(i) for i in order),
        order=tuple(order),
        trace=tuple(trace),
        usage=sum((step.judgement.usage for step in trace), Usage()),
        priors=None if candidates.scores is None else tuple(candidates.scores[i] for i in order),
    )
