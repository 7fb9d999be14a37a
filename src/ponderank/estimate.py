"""What ranking would cost, before anything is asked: exact where calls do not depend on answers, else on supposed answers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from ponderank.contracts import Backend, Dialogue, Format, Levelled, Strategy, Tokenizer
from ponderank.engine import Engine
from ponderank.recipe import Judge, Recipe
from ponderank.strategies.tools import driven
from ponderank.types import Ask, Call, Candidates, Doc, Group, Judgement, Query, Usage

_NOISE = 0.34
"""Of a first stage that sees relevances between 0 and 1: published counts on real ones are met best with it (LOG.md)."""


@dataclass(frozen=True, slots=True)
class Cost(Usage):
    """What a dry run counted; ``exact`` is False where the calls depend on what is answered."""

    exact: bool = True


@dataclass(frozen=True, slots=True)
class Supposed:
    """A format whose calls are its own, and whose scores are the supposed relevances of the documents shown."""

    form: Format
    known: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def widest(self) -> int:
        """As the format's."""
        return self.form.widest

    @property
    def absolute(self) -> bool:
        """As the format's."""
        return self.form.absolute

    @property
    def needs(self) -> frozenset[type[Call]]:
        """As the format's."""
        return self.form.needs

    def at_level(self, level: int) -> Supposed:
        """The same at a cheaper level."""
        return replace(self, form=self.form.at_level(level)) if isinstance(self.form, Levelled) else self

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """The format's calls, and scores that come from no reply."""
        judgement = yield from self.form.judge(query, docs, tokenizer)
        return replace(judgement, scores=tuple(self.known[query.id, doc.id] for doc in docs), flaw=None)


def cost(
    recipe: Recipe, backends: Sequence[Backend], many: Iterable[Candidates], *, query_tokens: int | None = None
) -> Cost:
    """Count the calls and prompt tokens of ranking ``many``, and at most how many tokens it would write.

    Answers are supposed to be right, and the first stage to be as good as BM25 often is: a fixed draw for each number of
    candidates. Where the strategy would ask as much whatever is answered, that changes nothing and the count is exact.
    """
    from ponderank.backends.testing import Counting

    known: dict[tuple[str, str], float] = {}
    sizes: set[int] = set()
    supposed = recipe.judged_by([Judge(one.model, Supposed(one.format, known)) for one in recipe.judges])
    counting = [Counting(one.tokenizer, one.can) for one in backends]
    used = Usage()
    for _, ranking in Engine(supposed, counting, query_tokens=query_tokens).run(_noted(many, known, sizes)):
        used += ranking.usage
        for doc in ranking.docs:
            known.pop((ranking.query.id, doc.id), None)
    values = {name: getattr(used, name) for name in Usage.__dataclass_fields__}
    return Cost(**values, exact=all(is_exact(recipe.strategy, n) for n in sizes))


def _noted(many: Iterable[Candidates], known: dict[tuple[str, str], float], sizes: set[int]) -> Iterator[Candidates]:
    for at, one in enumerate(many):
        own = replace(one, query=replace(one.query, id=f"{at}"))  # two queries may have one id
        known.update(
            ((own.query.id, doc.id), value) for doc, value in zip(own.docs, relevances(len(own.docs)), strict=True)
        )
        sizes.add(len(own.docs))
        yield own


@lru_cache(maxsize=256)
def relevances(n: int) -> tuple[float, ...]:
    """Relevances between 0 and 1 of ``n`` candidates in the order of a noisy first stage; always the same for an ``n``.

    >>> len(relevances(3)), relevances(3) == relevances(3)
    (3, True)
    """
    dice = random.Random(n)
    drawn = [dice.random() for _ in range(n)]
    return tuple(sorted(drawn, key=lambda value: -(value + dice.gauss(0.0, _NOISE))))


def is_exact(strategy: Strategy, n: int) -> bool:
    """Whether a strategy asks the same number of times of two judges who order ``n`` candidates in opposite ways.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> is_exact(Pointwise(), 5)
    True
    """
    forth = relevances(n)
    return _asked(strategy, forth)[0] == _asked(strategy, forth[::-1])[0]


def judgements_and_rounds(strategy: Strategy, n: int) -> tuple[int, int]:
    """How many judgements a strategy takes for ``n`` candidates, and in how many rounds, with right answers.

    >>> from ponderank.strategies.window import Window
    >>> judgements_and_rounds(Window(), 100)
    (9, 9)
    """
    counts, rounds = _asked(strategy, relevances(n))
    return sum(counts.values()), rounds


def _asked(strategy: Strategy, known: Sequence[float]) -> tuple[dict[Any, int], int]:
    """How many groups of each size are shown to each judge at each level, and in how many rounds."""
    counts: dict[Any, int] = {}
    rounds = 0

    def answer(asks: Sequence[Group | Ask]) -> list[Judgement]:
        nonlocal rounds
        rounds += bool(asks)
        plain = [ask if isinstance(ask, Ask) else Ask(ask) for ask in asks]
        for ask in plain:
            key = (ask.judge, ask.level, len(ask.group))
            counts[key] = counts.get(key, 0) + 1
        return [Judgement(tuple(known[i] for i in ask.group)) for ask in plain]

    driven(strategy.plan(len(known)), answer)
    return counts, rounds
