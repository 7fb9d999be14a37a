"""Noisy judges: what a model would answer if it saw each document's utility through noise, habit and failure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ponderank.types import Ask, Group, Judgement

Floats: TypeAlias = NDArray[np.float64]

Kind = Literal["score", "pair", "choice", "worst", "order", "grades"]
"""What a judge answers: a score for one document, the better of two, the best of some or the worst, an order, or grades 0 to 10."""

MIDDLE = 0.5
"""The score of an unreadable answer about one document: half-way between not relevant and relevant."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model of a judge. All amounts are in spreads: 1 is the distance from the utility of grade 0 to that of the best grade.

    In a judgement that shows documents ``i`` at places ``p_i`` (0 for the first shown, 1 for the last), each is seen as

        x_i = u_i + e_i + a_i + b(p_i) + s · z_i

    with ``u_i`` its utility, ``e_i`` the prejudice, ``a_i`` the intransitive part, ``b`` the bias, ``z_i`` of mean 0 and deviation 1,
    and ``s = noise · (max(shown, 2) / 2)^width_penalty · level_noise^level``. The answer orders the documents by ``x_i``. One
    document alone has neither ``a_i`` nor ``b``, and its ``x_i`` is the score.

    Args:
        noise: deviation of what is drawn anew in each judgement.
        law: ``"thurstone"`` draws normal ``z`` (Thurstone's case V), ``"bradley-terry"`` Gumbel ``z`` of the same deviation: pairs then
            follow Bradley-Terry and lists Plackett-Luce, with a scale of ``noise · √6 / π``.
        persistent: the same question (the same documents in the same order) is always answered alike.
        prejudice: deviation of ``e_i``, drawn once for each document of a trial: an error that asking again does not show.
        intransitivity: deviation of an amount ``c_ij = −c_ji``, drawn once for each pair, by which ``i`` seems better beside ``j``; in a
            list ``a_i`` is the mean of ``c_ij / 2`` over the others shown, so that a pair is shifted by ``c_ij`` and lists by less.
        bias: how much better the favoured place looks than the other end (or the middle).
        favours: ``"early"``: b(p) = bias (½ − p); ``"late"``: the opposite; ``"ends"``: bias (2 |p − ½| − ½), lost in the middle.
        unparsed: share of judgements that cannot be read: all scores equal, flaw ``unparsed``.
        incomplete: share of orders and grades of three or more documents that leave out some (1 to a quarter of those shown): they get
            the lowest score, flaw ``incomplete``.
        width_penalty: how noise grows with the number of documents shown. An assumption: the size of it for a model must be measured.
        level_noise: how much noisier each cheaper level is.

    Source: Thurstone, Psychological Review 34 (1927); Bradley and Terry, Biometrika 39 (1952); Plackett, Applied Statistics 24 (1975);
    "lost in the middle" is arXiv 2307.03172's. Differs: the mixture is ours.

    >>> Judge(noise=0.0).sitting([0.0, 1.0], seed=0, kind="pair").answers([(0, 1)])[0].scores
    (0.0, 1.0)
    """

    noise: float = 0.5
    law: Literal["thurstone", "bradley-terry"] = "thurstone"
    persistent: bool = False
    prejudice: float = 0.0
    intransitivity: float = 0.0
    bias: float = 0.0
    favours: Literal["early", "late", "ends"] = "early"
    unparsed: float = 0.0
    incomplete: float = 0.0
    width_penalty: float = 0.0
    level_noise: float = 2.0

    def __post_init__(self) -> None:
        for name in ("noise", "prejudice", "intransitivity", "bias", "width_penalty", "level_noise"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; give a number of 0 or more")
        for name in ("unparsed", "incomplete"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; a share lies between 0 and 1")
        if self.law not in ("thurstone", "bradley-terry"):
            raise ValueError(f"law is {self.law!r}; it is thurstone or bradley-terry")
        if self.favours not in ("early", "late", "ends"):
            raise ValueError(f"favours is {self.favours!r}; it is early, late or ends")

    def sitting(
        self, utilities: Sequence[float] | Floats, *, seed: int | Sequence[int], kind: Kind = "order"
    ) -> Sitting:
        """This judge before one query's candidates; the seed decides all that it will answer."""
        return Sitting(self, np.asarray(utilities, dtype=float), seed, kind)

    def deviation(self, shown: int, level: int = 0) -> float:
        """Deviation of the fresh noise in a judgement of so many documents.

        >>> Judge(noise=0.5, width_penalty=0.5).deviation(8)
        1.0
        """
        wide: float = (max(shown, 2) / 2) ** self.width_penalty
        return self.noise * wide * self.level_noise**level

    def shift(self, shown: int) -> list[float]:
        """What each place adds, the first shown first.

        >>> Judge(bias=1.0, favours="ends").shift(3)
        [0.5, -0.5, 0.5]
        """
        if shown < 2:
            return [0.0] * shown
        places = [at / (shown - 1) for at in range(shown)]
        if self.favours == "ends":
            return [self.bias * (2 * abs(p - 0.5) - 0.5) for p in places]
        return [self.bias * (0.5 - p) * (1 if self.favours == "early" else -1) for p in places]


class Sitting:
    """A judge before one query's candidates: answers what a plan asks. Made by ``Judge.sitting``."""

    def __init__(self, judge: Judge, utilities: Floats, seed: int | Sequence[int], kind: Kind) -> None:
        self.judge, self.kind = judge, kind
        words = [seed] if isinstance(seed, int) else list(seed)
        fixed = np.random.default_rng([*words, 0])
        n = len(utilities)
        if judge.prejudice:
            utilities = utilities + judge.prejudice * fixed.standard_normal(n)
        self._beside: Floats | None = None
        if judge.intransitivity and n:
            upper = np.triu(fixed.normal(0.0, judge.intransitivity / 2, (n, n)), 1)
            self._beside = upper - upper.T
        self._seen, self._list = utilities, utilities.tolist()
        self._rng = np.random.default_rng([*words, 1])
        self._draws = _stream(self._rng, judge.law)
        self._chances = _stream(self._rng, "uniform")
        self._key = _mixed(17, words)
        self._shifts: dict[int, list[float]] = {}

    def answers(self, asks: Sequence[Group | Ask]) -> list[Judgement]:
        """One judgement for each ask, in order."""
        plain = [ask if isinstance(ask, Ask) else Ask(ask) for ask in asks] if _has_asks(asks) else None
        if plain is None and not self.judge.persistent and len(asks) >= _MANY and len({len(ask) for ask in asks}) == 1:  # type: ignore[arg-type]
            return self._bulk(asks)  # type: ignore[arg-type]
        if plain is None:
            return [self._answer(group, 0, 0) for group in asks]  # type: ignore[arg-type]
        return [self._answer(ask.group, ask.level, ask.judge) for ask in plain]

    def _answer(self, group: Group, level: int, judge: int) -> Judgement:
        draws, chances = self._draws, self._chances
        if self.judge.persistent:
            question = random.Random(_mixed(self._key, (level, judge, *group)))
            draws, chances = _drawn(question, self.judge.law), iter(question.random, None)
        shown, deviation, values = len(group), self.judge.deviation(len(group), level), self._list
        seen = [values[i] + deviation * next(draws) for i in group] if deviation else [values[i] for i in group]
        if shown > 1:
            if self._beside is not None:
                among = list(group)
                beside = self._beside[np.ix_(among, among)].sum(axis=1) / (shown - 1)
                seen = [value + extra for value, extra in zip(seen, beside.tolist(), strict=True)]
            if self.judge.bias:
                seen = [value + extra for value, extra in zip(seen, self._shift(shown), strict=True)]
        return self._told(seen, chances)

    def _bulk(self, groups: Sequence[Group]) -> list[Judgement]:
        """Many groups of one width at once: the same law, drawn together."""
        shown = len(groups[0])
        at = np.asarray(groups, dtype=np.intp)
        seen = self._seen[at]
        deviation = self.judge.deviation(shown)
        if deviation:
            seen = seen + deviation * _many(self._rng, self.judge.law, seen.size).reshape(seen.shape)
        if shown > 1:
            if self._beside is not None:
                seen = seen + self._beside[at[:, :, None], at[:, None, :]].sum(axis=2) / (shown - 1)
            if self.judge.bias:
                seen = seen + np.asarray(self._shift(shown))
        return [self._told(row, self._chances) for row in seen.tolist()]

    def _shift(self, shown: int) -> list[float]:
        if shown not in self._shifts:
            self._shifts[shown] = self.judge.shift(shown)
        return self._shifts[shown]

    def _told(self, seen: list[float], chances: Iterator[float]) -> Judgement:
        """The answer of a judge that sees the documents so."""
        shown = len(seen)
        if self.judge.unparsed and next(chances) < self.judge.unparsed:
            return _equal(shown, self.kind)
        if shown == 1 and self.kind != "grades":
            return Judgement((seen[0],))
        if self.kind == "pair" and shown == 2:
            return _BETTER[seen[0] < seen[1]]
        if self.kind == "choice":
            return _chosen(shown, max(range(shown), key=seen.__getitem__), 1.0)
        if self.kind == "worst":
            return _chosen(shown, min(range(shown), key=seen.__getitem__), 0.0)
        left_out: tuple[int, ...] = ()
        if shown > 2 and self.judge.incomplete and next(chances) < self.judge.incomplete:
            left_out = _picked(shown, chances)
        if self.kind == "grades":
            values = [float(min(10, max(0, round(10 * value)))) for value in seen]
        else:
            values = [0.0] * shown
            for place, at in enumerate(sorted(range(shown), key=seen.__getitem__), 1):
                values[at] = float(place)
        for at in left_out:
            values[at] = 0.0
        return Judgement(tuple(values), flaw="incomplete" if left_out else None)


_MANY = 16
"""Groups in a round from which drawing together is faster."""

_BETTER = (Judgement((1.0, 0.0)), Judgement((0.0, 1.0)))


@cache
def _chosen(shown: int, chosen: int, value: float) -> Judgement:
    """``value`` for the chosen one, the other of 0 and 1 for the rest."""
    return Judgement(tuple(value if at == chosen else 1.0 - value for at in range(shown)))


def _equal(shown: int, kind: Kind) -> Judgement:
    value = MIDDLE if shown == 1 or kind == "pair" else 0.0
    return Judgement((value,) * shown, flaw="unparsed")


def _picked(shown: int, chances: Iterator[float]) -> tuple[int, ...]:
    """Which documents an answer leaves out: one to a quarter of them."""
    count = 1 + int(next(chances) * (shown // 4))
    rest = list(range(shown))
    return tuple(rest.pop(int(next(chances) * len(rest))) for _ in range(min(count, shown - 1)))


def _has_asks(asks: Sequence[Group | Ask]) -> bool:
    return any(isinstance(ask, Ask) for ask in asks)


_EULER = 0.5772156649015329
_GUMBEL = 6**0.5 / np.pi
"""Scale of a Gumbel law with deviation 1."""


def _many(rng: np.random.Generator, law: str, count: int) -> Floats:
    """Draws of mean 0 and deviation 1."""
    if law == "thurstone":
        return rng.standard_normal(count)
    return (rng.gumbel(size=count) - _EULER) * _GUMBEL


def _stream(rng: np.random.Generator, law: str) -> Iterator[float]:
    while True:
        yield from (rng.random(64) if law == "uniform" else _many(rng, law, 256)).tolist()


def _drawn(question: random.Random, law: str) -> Iterator[float]:
    while True:
        if law == "thurstone":
            yield question.gauss(0.0, 1.0)
        else:
            yield float((-np.log(question.expovariate(1.0)) - _EULER) * _GUMBEL)


def _mixed(start: int, words: Sequence[int]) -> int:
    """A 64-bit number from numbers; equal ones give equal numbers on every machine."""
    for word in words:
        start = ((start ^ (word + 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        start ^= start >> 29
    return start
