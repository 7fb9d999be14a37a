"""The numbers: how values spread over queries, what a change costs them, how far a passage rises. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

LOSES = 0.1
"""A query that loses more than this has lost much."""

Values = Mapping[str, float]
"""A measure's value by query id; higher is better."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a measure lies over ``n`` queries: mean, standard deviation (n − 1), and the mean of the worst tenth (rounded up)."""

    n: int
    mean: float
    sd: float
    worst_decile: float


def spread(values: Values) -> Spread:
    """The spread of a measure over queries.

    >>> spread({"a": 1.0, "b": 0.0})
    Spread(n=2, mean=0.5, sd=0.7071067811865476, worst_decile=0.0)
    """
    found = sorted(values.values())
    if not found:
        return Spread(0, 0.0, 0.0, 0.0)
    return Spread(len(found), fmean(found), stdev(found) if len(found) > 1 else 0.0, worst_decile(found))


def worst_decile(values: Sequence[float]) -> float:
    """The mean of the lowest tenth of the values, of at least one.

    >>> worst_decile([3.0, 1.0, 2.0])
    1.0
    """
    return fmean(sorted(values)[: math.ceil(len(values) / 10)])


def vnap(values: Values) -> float | None:
    """Variance of average precision over queries, each divided by the mean: ``mean((AP_q / mean(AP) - 1)²)``; None where all is 0.

    Lower is steadier; 0 says that all queries are served alike, however badly: read it beside the mean.

    Source: the name and the idea, a variance of normalised AP, are those of arXiv 2108.05018 (task 1). Differs: its formula could
    not be read where this was written; dividing by the mean over queries is ours, the square of the coefficient of variation.

    >>> vnap({"a": 0.5, "b": 1.0, "c": 0.0})
    0.6666666666666666
    """
    mean = fmean(values.values()) if values else 0.0
    return fmean((value / mean - 1) ** 2 for value in values.values()) if mean else None


def drop_rate(before: float, after: float) -> float | None:
    """``(after - before) / before``: negative is a loss; None where there was nothing to lose.

    Source: arXiv 2108.05018, DR. Differs: there ``after`` is out of distribution; here it is whatever was disturbed.

    >>> drop_rate(0.5, 0.4)
    -0.19999999999999996
    """
    return (after - before) / before if before else None


@dataclass(frozen=True, slots=True)
class Change:
    """What a disturbance did to ``n`` queries.

    ``before`` and ``mean`` are means over the same queries; ``drop_rate`` is the relative difference, ``low`` and ``high`` bound the
    absolute one (bootstrap over queries, 95 %). ``sd`` and ``worst_decile`` are of the values afterwards. ``lost`` is the share of
    queries that lost more than 0.1.
    """

    n: int
    before: float
    mean: float
    drop_rate: float | None
    low: float
    high: float
    sd: float
    worst_decile: float
    lost: float


def change(before: Values, after: Values) -> Change | None:
    """What became of the queries in ``after``; None where there are none.

    >>> change({"a": 1.0, "b": 0.5}, {"a": 0.5}).drop_rate
    -0.5
    """
    if not after:
        return None
    from ponderank.metrics.compare import bootstrap_interval

    deltas = [value - before[query] for query, value in after.items()]
    low, high = bootstrap_interval(deltas)
    was, now = fmean(before[query] for query in after), spread(after)
    lost = sum(delta < -LOSES - 1e-12 for delta in deltas) / len(deltas)
    return Change(len(deltas), was, now.mean, drop_rate(was, now.mean), low, high, now.sd, now.worst_decile, lost)


@dataclass(frozen=True, slots=True)
class Struck:
    """One attack on one query: the target's rank (from 1) undisturbed, attacked, and with random words, and the measure in each."""

    ranks: tuple[int, int, int]
    values: tuple[float, float, float]


def promotion(struck: Sequence[Struck], top: int = 10) -> dict[str, Any] | None:
    """What an attack gained, beside what as many random words gained in the same place; None without targets.

    ``rank_gain`` is the mean number of ranks that the target rose; ``success`` the share of the ``outside`` targets, those that
    were not in the ``top``, that came into it; ``harm`` how much the measure fell. ``beyond_…`` is the attack less its control;
    ``low`` and ``high`` bound ``beyond_rank_gain`` (bootstrap over queries, 95 %).

    >>> found = promotion([Struck((30, 5, 28), (0.5, 0.4, 0.5))])
    >>> found["rank_gain"], found["beyond_rank_gain"], found["success"], found["control_success"]
    (25.0, 23.0, 1.0, 0.0)
    """
    if not struck:
        return None
    from ponderank.metrics.compare import bootstrap_interval

    outside = [one.ranks for one in struck if one.ranks[0] > top]
    low, high = bootstrap_interval([one.ranks[2] - one.ranks[1] for one in struck])
    told: dict[str, Any] = {"targets": len(struck), "outside": len(outside), "low": low, "high": high}
    for at, prefix in ((1, ""), (2, "control_")):
        told[f"{prefix}rank_gain"] = fmean(one.ranks[0] - one.ranks[at] for one in struck)
        told[f"{prefix}success"] = fmean(ranks[at] <= top for ranks in outside) if outside else None
        told[f"{prefix}harm"] = fmean(one.values[0] - one.values[at] for one in struck)
    for name in ("rank_gain", "success", "harm"):
        plain, control = told[name], told[f"control_{name}"]
        told[f"beyond_{name}"] = None if plain is None else plain - control
    return told


def plain(value: Any) -> Any:
    """The same with dataclasses as mappings and numbers rounded to six places; what is not finite is None."""
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
