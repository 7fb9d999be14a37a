"""Trials: contenders driven against a judge, and their figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ponderank.contracts import Strategy
from ponderank.errors import DataError
from ponderank.laboratory.cases import Case, Cases
from ponderank.laboratory.costs import Tokens
from ponderank.laboratory.judges import Judge, Sitting
from ponderank.laboratory.measures import dcg, found, tau
from ponderank.laboratory.named import Contender
from ponderank.strategies import tools
from ponderank.types import Ask, Group, Judgement

FIRST_STAGE = "first stage"
"""The name of the input order as it is, which costs nothing."""


@dataclass(slots=True)
class Tally:
    """What a plan has asked for: judgements, rounds in which it asked, documents shown, flaws by name."""

    calls: int = 0
    rounds: int = 0
    shown: int = 0
    flaws: Counter[str] = field(default_factory=Counter)


def driven(strategy: Strategy, case: Case, sitting: Sitting) -> tuple[list[int], Tally]:
    """Run a plan to its end: the order it gives, best first, ties in input order; and what it asked for.

    >>> from ponderank.strategies.pointwise import Pointwise
    >>> case = Case("q", np.zeros(2), np.array([0.0, 1.0]), (0.0, 0.0), 1.0)
    >>> driven(Pointwise(), case, Judge(noise=0.0).sitting(case.utilities, seed=0, kind="score"))[0]
    [1, 0]
    """
    tally = Tally()

    def answer(asks: Sequence[Group | Ask]) -> list[Judgement]:
        answers = sitting.answers(asks)
        tally.calls += len(answers)
        tally.rounds += bool(answers)
        for one in answers:
            tally.shown += len(one.scores)
            if one.flaw:
                tally.flaws[one.flaw] += 1
        return answers

    scores = tools.driven(strategy.plan(len(case), case.priors), answer)
    order = sorted(range(len(case)), key=lambda i: (1, 0.0) if math.isnan(scores[i]) else (0, -scores[i]))
    return order, tally


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over trials and its standard error."""

    mean: float
    error: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """Of the values of trials; without a second one the error is not known and 0 stands there.

        >>> Estimate.of([0.0, 1.0])
        Estimate(mean=0.5, error=0.5)
        """
        many = np.asarray(values, dtype=float)
        error = float(many.std(ddof=1) / math.sqrt(len(many))) if len(many) > 1 else 0.0
        return cls(float(many.mean()), error)


@dataclass(frozen=True, slots=True)
class Standing:
    """A contender's figures over all trials.

    ``ndcg``: nDCG@10, linear gains, over all judged documents of the query. ``difference``: from the baseline's in the same trial.
    ``top``: share of the ten candidates of highest utility among its first ten. Calls, rounds, documents shown and tokens are means.
    """

    name: str
    ndcg: Estimate
    difference: Estimate | None
    top: Estimate
    tau: Estimate | None
    calls: float
    rounds: float
    shown: float
    tokens: float
    flaws: dict[str, int]


@dataclass
class Simulation:
    """Contenders over the same trials. Trial by trial all contenders rank one case, before judges of the same seed.

    What a contender's figures are does not depend on which others there are. ``run`` may be interrupted: ``standings`` then are those
    of the trials that were done by all.

    >>> from ponderank.laboratory.named import contender
    >>> simulation = Simulation(Cases({"q": {"a": 1}}, k=5), [contender("pointwise")], Judge(noise=0.0))
    >>> simulation.run(2)
    >>> [(one.name, one.ndcg.mean, one.calls) for one in simulation.standings()][1]
    ('pointwise', 1.0, 5.0)
    """

    cases: Cases
    contenders: Sequence[Contender]
    judge: Judge
    seed: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    baseline: str = FIRST_STAGE
    with_tau: bool = False
    trials: int = 0
    _rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [FIRST_STAGE, *(one.name for one in self.contenders)]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"the strategy {twice!r} stands twice; each is tried once")
        if self.baseline not in names:
            raise DataError(f"the baseline {self.baseline!r} is not among what is tried: {', '.join(names)}")
        self._rows = {name: [] for name in names}

    def run(self, trials: int, *, on_trial: Callable[[int], None] | None = None) -> None:
        """So many more trials; ``on_trial`` is told how many are done."""
        for trial in range(self.trials, self.trials + trials):
            case = self.cases.draw(trial=trial, seed=self.seed)
            rows = {FIRST_STAGE: self._row(case, list(range(len(case))), Tally(), 0)}
            for one in self.contenders:
                sitting = self.judge.sitting(case.utilities, seed=(self.seed, trial, 1), kind=one.kind)
                order, tally = driven(one.strategy, case, sitting)
                tokens = self.tokens.of(one.kind, calls=tally.calls, shown=tally.shown)
                rows[one.name] = self._row(case, order, tally, tokens)
            for name, row in rows.items():
                self._rows[name].append(row)
            self.trials = trial + 1
            if on_trial is not None:
                on_trial(self.trials)

    def _row(self, case: Case, order: list[int], tally: Tally, tokens: int) -> tuple[Any, ...]:
        ndcg = dcg(case.grades[order[:10]]) / case.ideal
        steady = tau(order, case.utilities) if self.with_tau else 0.0
        share = found(order, case.utilities)
        return ndcg, share, steady, tally.calls, tally.rounds, tally.shown, tokens, tally.flaws

    def ndcg(self, name: str) -> list[float]:
        """nDCG@10 of one contender, trial by trial."""
        return [row[0] for row in self._rows[name]]

    def standings(self) -> list[Standing]:
        """Figures of the first stage and of each contender, in the order given; none before a trial is done."""
        return [self._standing(name) for name in self._rows] if self.trials else []

    def _standing(self, name: str) -> Standing:
        ndcg, top, steady, *costs = zip(*(row[:7] for row in self._rows[name]), strict=True)
        flaws: Counter[str] = sum((row[7] for row in self._rows[name]), Counter())
        pairs = zip(ndcg, self.ndcg(self.baseline), strict=True)
        difference = None if name == self.baseline else Estimate.of([one - other for one, other in pairs])
        calls, rounds, shown, tokens = (float(np.mean(cost)) for cost in costs)
        steadiness = Estimate.of(steady) if self.with_tau else None
        return Standing(
            name, Estimate.of(ndcg), difference, Estimate.of(top), steadiness, calls, rounds, shown, tokens, dict(sorted(flaws.items()))
        )  # fmt: skip
