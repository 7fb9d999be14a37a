"""Whether one system is better than another: paired tests over queries, an interval, and a correction for many comparisons.

Values are a measure's, by query, higher is better. Whatever is drawn at random is drawn from a seed.

Source: Smucker, Allan and Carterette, CIKM 2007, for the three tests on paired differences; Urbano, Lima and Hanjalic,
SIGIR 2019, for the t-test and the randomisation test being the best behaved in retrieval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ponderank.errors import DataError

Test: TypeAlias = Literal["t", "randomisation"]
Correction: TypeAlias = Literal["holm", "none"]
RESAMPLES = 10_000
_AT_ONCE = 2_000_000
"""Numbers drawn at one time, so that many queries need little memory."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A system against a baseline over ``n`` queries.

    ``low`` and ``high`` bound the mean difference (bootstrap, 95 % unless asked otherwise). ``effect`` is the mean difference over
    the differences' standard deviation. ``adjusted_p`` is ``p`` of the chosen test after the correction. Values that do not exist
    are not-a-number: with one query there is no t-test.
    """

    n: int
    baseline: float
    mean: float
    difference: float
    low: float
    high: float
    effect: float
    t_p: float
    randomisation_p: float
    wins: int
    ties: int
    losses: int
    adjusted_p: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: what is not a number is None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }


def deltas(baseline: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
    """By query, how much higher ``values`` is.

    Raises:
        DataError: the two are not about the same queries, or about none.

    >>> deltas({"q": 0.25}, {"q": 0.75})
    {'q': 0.5}
    """
    if baseline.keys() != values.keys():
        odd = sorted(baseline.keys() ^ values.keys())
        raise DataError(f"the two are not about the same queries: {len(odd)} are in one only, the first is {odd[0]!r}")
    if not baseline:
        raise DataError("there is no query to compare")
    return {query: values[query] - baseline[query] for query in baseline}


def t_test(differences: Sequence[float]) -> float:
    """The two-sided p-value of a paired t-test; 1 where no query differs, not-a-number with fewer than two queries.

    >>> round(t_test([0.1, 0.2, 0.0, 0.1]), 4)
    0.0917
    """
    # the distribution alone: scipy.stats takes a second to import
    from scipy.special import stdtr  # type: ignore[import-untyped]

    values = np.asarray(differences, dtype=float)
    if len(values) < 2:
        return math.nan
    if not values.any():
        return 1.0
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(2 * stdtr(len(values) - 1, -abs(float(values.mean())) / error)) if error else 0.0


def randomisation_test(differences: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """The two-sided p-value of Fisher's randomisation test: how often random signs give a mean as far from 0.

    All 2^n signs are tried where there are no more than ``resamples``; otherwise so many are drawn, and p is
    (1 + as extreme) / (1 + drawn).

    Source: Fisher 1935; Smucker et al., CIKM 2007; for the 1 + Phipson and Smyth, SAGMB 9 (2010).

    >>> randomisation_test([0.5, 0.5, 0.5])
    0.25
    """
    values = np.asarray([value for value in differences if value], dtype=float)
    if not len(values):
        return 1.0
    least = abs(float(values.sum())) * (1 - 1e-12) - 1e-15
    if 2 ** len(values) <= resamples:
        bits = (np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1
        return float(np.mean(np.abs((2.0 * bits - 1) @ values) >= least))
    rng, extreme = np.random.default_rng(seed), 0
    for rows in _chunks(resamples, len(values)):
        signs = 2.0 * rng.integers(0, 2, size=(rows, len(values)), dtype=np.int8) - 1
        extreme += int(np.sum(np.abs(signs @ values) >= least))
    return (1 + extreme) / (1 + resamples)


def bootstrap_interval(
    differences: Sequence[float], *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The percentile interval of the mean over queries drawn with replacement.

    Source: Efron 1979; Savoy, IPM 1997, for retrieval.

    >>> bootstrap_interval([0.5, 0.5])
    (0.5, 0.5)
    """
    if not 0 < confidence < 1:
        raise DataError(f"the confidence is {confidence}; it lies between 0 and 1, such as 0.95")
    values: NDArray[np.float64] = np.asarray(differences, dtype=float)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            values[rng.integers(0, len(values), size=(rows, len(values)))].mean(axis=1)
            for rows in _chunks(resamples, len(values))
        ]
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _chunks(total: int, width: int) -> Iterator[int]:
    size = max(1, _AT_ONCE // width)
    for start in range(0, total, size):
        yield min(size, total - start)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted by Holm's step-down rule, in the order given; what is not a number stays so and is not counted.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    order = sorted((at for at, p in enumerate(p_values) if not math.isnan(p)), key=lambda at: p_values[at])
    adjusted, highest = list(p_values), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[at]))
        adjusted[at] = highest
    return adjusted


def compare(
    baseline: Mapping[str, float],
    values: Mapping[str, float],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """One system against a baseline on one measure.

    >>> found = compare({"a": 0.0, "b": 0.5, "c": 0.5}, {"a": 1.0, "b": 0.5, "c": 0.0})
    >>> found.wins, found.ties, found.losses, round(found.difference, 4)
    (1, 1, 1, 0.1667)
    """
    by_query = deltas(baseline, values)
    found = np.asarray(list(by_query.values()), dtype=float)
    low, high = bootstrap_interval(list(found), confidence=confidence, resamples=resamples, seed=seed)
    spread = float(found.std(ddof=1)) if len(found) > 1 else math.nan
    return Comparison(
        n=len(found),
        baseline=math.fsum(baseline.values()) / len(found),
        mean=math.fsum(values.values()) / len(found),
        difference=float(found.mean()),
        low=low,
        high=high,
        effect=float(found.mean()) / spread if spread > 1e-12 else math.nan,
        t_p=t_test(list(found)),
        randomisation_p=randomisation_test(list(found), resamples=resamples, seed=seed),
        wins=int((found > 0).sum()),
        ties=int((found == 0).sum()),
        losses=int((found < 0).sum()),
    )


def against(
    baseline: Mapping[str, float],
    systems: Mapping[str, Mapping[str, float]],
    *,
    test: Test = "t",
    correction: Correction = "holm",
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Each system against one baseline on one measure, with p-values corrected for there being several systems.

    >>> found = against({"a": 0.0, "b": 0.0}, {"x": {"a": 0.1, "b": 0.2}, "y": {"a": 0.1, "b": 0.3}})
    >>> [round(one.adjusted_p / one.t_p, 1) for one in found.values()]
    [2.0, 1.4]
    """
    found = {
        name: compare(baseline, values, confidence=confidence, resamples=resamples, seed=seed)
        for name, values in systems.items()
    }
    ps = [one.t_p if test == "t" else one.randomisation_p for one in found.values()]
    adjusted = holm(ps) if correction == "holm" else ps
    return {name: replace(one, adjusted_p=p) for (name, one), p in zip(found.items(), adjusted, strict=True)}


def by_measure(
    values: Mapping[str, Mapping[str, Mapping[str, float]]], baseline: str, **options: Any
) -> dict[str, dict[str, Comparison]]:
    """By measure, each other system against the one called ``baseline``; ``values`` are system → measure → query → value.

    Of a measure those queries count for which every system has a value. ``options`` are those of ``against``.

    >>> found = by_measure({"x": {"RR": {"a": 0.0, "b": 0.0}}, "y": {"RR": {"a": 1.0}}}, "x")
    >>> found["RR"]["y"].difference, found["RR"]["y"].n
    (1.0, 1)
    """
    out = {}
    for measure, first in values[baseline].items():
        others = {name: found[measure] for name, found in values.items() if name != baseline}
        shared = {query for query in first if all(query in found for found in others.values())}
        kept = {name: {q: v for q, v in found.items() if q in shared} for name, found in others.items()}
        out[measure] = against({q: v for q, v in first.items() if q in shared}, kept, **options)
    return out
