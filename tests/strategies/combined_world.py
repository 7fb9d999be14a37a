"""Plays the engine for strategies that are made of strategies: rounds of asks, and the judges that answer them."""

from dataclasses import dataclass

from ponderank.strategies.tools import placed
from ponderank.types import Ask, Judgement


def drive(plan, judge):
    """`judge(ask)` gives scores. Returns the rounds and the result."""
    rounds = []
    try:
        asks = next(plan)
        while True:
            asks = [ask if isinstance(ask, Ask) else Ask(ask) for ask in asks]
            rounds.append(asks)
            asks = plan.send([Judgement(tuple(judge(ask))) for ask in asks])
    except StopIteration as stop:
        return rounds, stop.value


def perfect(relevance):
    """Scores each shown by what is known of it; of several judges one table each."""
    tables = relevance if isinstance(relevance, (list, tuple)) and isinstance(relevance[0], (list, tuple)) else None
    return lambda ask: [(tables[ask.judge] if tables else relevance)[i] for i in ask.group]


def order_of(scores):
    """As the engine sorts."""
    return sorted(range(len(scores)), key=lambda i: (scores[i] != scores[i], -scores[i]))


@dataclass(frozen=True, slots=True)
class Whole:
    """Shows all at once, as often as told, and keeps the last answer."""

    rounds: int = 1
    widest: int = 100
    absolute: bool = False

    def plan(self, n, priors=None):
        if n < 2:
            return [0.0] * n
        for _ in range(self.rounds):
            (judgement,) = yield [tuple(range(n))]
        return list(judgement.scores)


@dataclass(frozen=True, slots=True)
class AsGiven:
    """Asks nothing: the order it is given, or its priors."""

    widest: int = 1
    absolute: bool = False

    def plan(self, n, priors=None):
        return placed(range(n), n) if priors is None else list(priors)
        yield
