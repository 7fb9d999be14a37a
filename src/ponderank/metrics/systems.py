"""Ranking systems over many tasks by several rules, and where the rules disagree.

A table has a score for each system and task, higher is better, or None where a system was not run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ponderank.aggregate.bradley_terry import Floats, bradley_terry, connected
from ponderank.errors import DataError

Table: TypeAlias = Mapping[str, Mapping[str, float | None]]
RULES = ("mean", "borda", "bradley-terry", "copeland", "minimax")


@dataclass(frozen=True, slots=True)
class Standings:
    """What the rules say; all mappings are by system, systems in the table's order.

    ``scores[rule]``: the rule's own numbers, higher is better, not-a-number where the rule cannot tell. ``ranks[rule]``: from 1, equal
    ones share the mean of their places. ``tasks``: how many a system has a score for; ``common``: the tasks that all have.
    ``condorcet``: the system that beats each other one on more tasks than it loses, or None. ``connected``: see Bradley–Terry.
    ``intervals``: of Bradley–Terry's log-strengths, tasks drawn with replacement. ``agreement``: Kendall's tau-b of two rules.
    ``disputed``: pairs of systems with the rules that put the first one ahead, and those that put the second one.
    """

    scores: dict[str, dict[str, float]]
    ranks: dict[str, dict[str, float]]
    tasks: dict[str, int]
    common: tuple[str, ...]
    condorcet: str | None
    connected: bool
    intervals: dict[str, tuple[float, float]]
    agreement: dict[tuple[str, str], float]
    disputed: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: what is not a number is None."""
        return {
            "rules": {
                rule: {
                    system: {"score": _plain(value), "rank": _plain(self.ranks[rule][system])}
                    for system, value in values.items()
                }
                for rule, values in self.scores.items()
            },
            "tasks": self.tasks,
            "common_tasks": list(self.common),
            "condorcet_winner": self.condorcet,
            "connected": self.connected,
            "bradley_terry_95": {name: [_plain(end) for end in ends] for name, ends in self.intervals.items()},
            "kendall_tau_b": [{"rules": list(two), "tau": _plain(tau)} for two, tau in self.agreement.items()],
            "disputed": [
                {"first": a, "second": b, "first_ahead": list(one), "second_ahead": list(other)}
                for a, b, one, other in self.disputed
            ],
        }


def rank_systems(table: Table, *, resamples: int = 200, seed: int = 0) -> Standings:
    """Rank the systems of a table by every rule.

    **mean** and **borda** (points for each system below; mean ranks give the same order) count the tasks that all systems have.
    **bradley-terry** (each task is a game between each two systems, equal scores are a tie, prior 1), **copeland** (opponents beaten on
    more tasks than lost, minus the others) and **minimax** (minus the worst defeat, in tasks) count the tasks that two systems share.

    Source: Vote'n'Rank (Rofin et al., EACL 2023) for the rules. Differs: ties share the mean of their points in Borda; a missing
    score is never filled in.

    Raises:
        DataError: fewer than two systems, no task, or a score that is no finite number.

    >>> found = rank_systems({"a": {"t": 0.3, "u": 0.9}, "b": {"t": 0.4, "u": 0.1}, "c": {"t": 0.5, "u": 0.0}}, resamples=0)
    >>> found.ranks["mean"], found.condorcet
    ({'a': 1.0, 'b': 2.5, 'c': 2.5}, None)
    """
    systems, tasks, values = _read(table)
    known = ~np.isnan(values)
    common = np.asarray(known.all(axis=0))
    wins, ties = _games(values)
    shared = values[:, common]
    none = np.full(len(systems), math.nan)
    margins = wins - wins.T
    met = (known.astype(float) @ known.T.astype(float)) > 0
    found = {
        "mean": shared.mean(axis=1) if common.any() else none,
        "borda": sum((_points(shared[:, at]) for at in range(shared.shape[1])), np.zeros(len(systems)))
        if common.any()
        else none,
        "bradley-terry": np.array(bradley_terry(wins, ties).logs),
        "copeland": np.sign(margins).sum(axis=1),
        "minimax": np.minimum(margins, 0.0).min(axis=1),
    }
    scores = {rule: dict(zip(systems, map(float, found[rule]), strict=True)) for rule in RULES}
    ranks = {rule: dict(zip(systems, map(float, _ranks(found[rule])), strict=True)) for rule in RULES}
    best = [at for at in range(len(systems)) if all(margins[at, j] > 0 for j in range(len(systems)) if j != at)]
    return Standings(
        scores=scores,
        ranks=ranks,
        tasks={system: int(known[at].sum()) for at, system in enumerate(systems)},
        common=tuple(task for task, whole in zip(tasks, common, strict=True) if whole),
        condorcet=systems[best[0]] if best else None,
        connected=bool(met.all()) and connected(wins + ties),
        intervals=_intervals(systems, values, resamples, seed),
        agreement={
            (one, other): kendall_tau(found[one], found[other])
            for at, one in enumerate(RULES)
            for other in RULES[at + 1 :]
        },
        disputed=tuple(_disputed(systems, scores)),
    )


def kendall_tau(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float:
    """Kendall's tau-b of two lists of scores for the same items; not-a-number where one of them ties all, or lacks any.

    Source: Kendall 1945.

    >>> round(kendall_tau([1, 2, 3], [1, 3, 2]), 4)
    0.3333
    """
    one, other = (np.sign(np.subtract.outer(np.asarray(v, float), np.asarray(v, float))) for v in (first, second))
    size = math.sqrt(float((one * one).sum()) * float((other * other).sum()))
    return float((one * other).sum()) / size if size else math.nan


def _read(table: Table) -> tuple[list[str], list[str], Floats]:
    systems = list(table)
    tasks = list(dict.fromkeys(task for scores in table.values() for task in scores))
    if len(systems) < 2 or not tasks:
        raise DataError(
            f"at least two systems and a task are needed; got {len(systems)} systems and {len(tasks)} tasks"
        )
    values = np.full((len(systems), len(tasks)), math.nan)
    for row, system in enumerate(systems):
        for column, task in enumerate(tasks):
            score = table[system].get(task)
            if score is None:
                continue
            if isinstance(score, bool) or not isinstance(score, (int, float)) or not math.isfinite(score):
                raise DataError(f"the score of {system!r} on {task!r} is {score!r}; expected a number, or null")
            values[row, column] = score
    return systems, tasks, values


def _games(values: Floats) -> tuple[Floats, Floats]:
    """How often each system beat, and tied with, each other one; missing scores play no game. [n, n] both."""
    wins = (values[:, None, :] > values[None, :, :]).sum(axis=2).astype(float)
    ties = (values[:, None, :] == values[None, :, :]).sum(axis=2).astype(float)
    np.fill_diagonal(ties, 0.0)
    return wins, ties


def _points(column: Floats) -> Floats:
    """Borda's points of one task: systems below, half of those beside."""
    below = (column[:, None] > column[None, :]).sum(axis=1)
    beside = (column[:, None] == column[None, :]).sum(axis=1) - 1
    return np.asarray(below + beside / 2, dtype=float)


def _ranks(scores: Floats) -> Floats:
    return np.asarray(len(scores) - _points(scores), dtype=float) if not np.isnan(scores).any() else scores


def _intervals(systems: Sequence[str], values: Floats, resamples: int, seed: int) -> dict[str, tuple[float, float]]:
    if not resamples:
        return {}
    rng, count = np.random.default_rng(seed), values.shape[1]
    logs = [
        bradley_terry(*_games(values[:, rng.integers(0, count, size=count)]), tolerance=1e-6).logs
        for _ in range(resamples)
    ]
    ends = np.quantile(np.asarray(logs), [0.025, 0.975], axis=0)
    return {system: (float(ends[0, at]), float(ends[1, at])) for at, system in enumerate(systems)}


def _disputed(
    systems: Sequence[str], scores: Mapping[str, Mapping[str, float]]
) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    out = []
    for at, a in enumerate(systems):
        for b in systems[at + 1 :]:
            ahead = tuple(rule for rule in RULES if scores[rule][a] > scores[rule][b])
            behind = tuple(rule for rule in RULES if scores[rule][a] < scores[rule][b])
            if ahead and behind:
                out.append((a, b, ahead, behind))
    return out


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
