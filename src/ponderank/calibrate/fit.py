"""From scores and labels to a calibration: temperature, Platt's sigmoid, isotonic regression; and fits that never saw a query."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponderank.calibration import Calibration, Method, Scale, odds_of
from ponderank.errors import DataError

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Judged pairs, a column each, ``[N]``: whose they are, the judgement's score, 1 or 0 for relevant, the format's own prob.

    ``weights`` say how much each counts in a fit; none: all the same. ``own`` is empty where the format gives no probability.
    """

    queries: tuple[str, ...]
    scores: tuple[float, ...]
    labels: tuple[int, ...]
    own: tuple[float, ...] = ()
    weights: tuple[float, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.scores)

    def chosen(self, keep: Sequence[bool] | NDArray[np.bool_]) -> Pairs:
        """Those pairs alone."""

        def column(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(value for value, kept in zip(values, keep, strict=True) if kept) if values else ()

        return Pairs(
            column(self.queries), column(self.scores), column(self.labels), column(self.own), column(self.weights)
        )

    @property
    def scale(self) -> Scale:
        """What the scores are, told from the format's own probabilities: log-probabilities, or else taken for log-odds."""
        near = [
            abs(math.exp(min(score, 0.0)) - prob) < 1e-6 for score, prob in zip(self.scores, self.own, strict=False)
        ]
        return "logprob" if near and all(near) and max(self.scores) <= 0 else "odds"


def fit(pairs: Pairs, method: Method = "platt", *, scale: Scale | None = None) -> Calibration:
    """The calibration of some pairs; it says neither model nor format yet. ``scale`` is told from the pairs if it is not given.

    Raises:
        DataError: no pair is relevant, or all are, or higher scores do not mean more relevant.

    >>> fit(Pairs(("q",) * 4, (-1.0, 0.0, 0.0, 1.0), (0, 0, 1, 1)), "isotonic").prob(0.0)
    0.5
    """
    _both(pairs)
    scale = scale or pairs.scale
    x = np.array([odds_of(score) for score in pairs.scores] if scale == "logprob" else pairs.scores)
    finite = x[np.isfinite(x)]
    if not len(finite):
        raise DataError("no score is a finite number; nothing can be fitted on them")
    x, y = np.clip(x, finite.min(), finite.max()), np.asarray(pairs.labels, float)
    weights = np.asarray(pairs.weights) if pairs.weights else np.ones(len(y))
    return Calibration(method, scale=scale, **_FITS[method](x, y, weights / weights.mean()))


def _temperature(x: Floats, y: Floats, weights: Floats) -> dict[str, Any]:
    """The slope alone, by maximum likelihood. Source: Guo et al. (arXiv 1706.04599), section 4.2; slope is their 1 / T."""
    slope, _ = _logistic(x, y, weights, free=False)
    return {"slope": slope}


def _platt(x: Floats, y: Floats, weights: Floats) -> dict[str, Any]:
    """Slope and intercept, towards Platt's targets, which keep probabilities off 0 and 1 where there are few pairs.

    Source: Platt 1999, section 2.2; Lin, Lin and Weng (Machine Learning 2007) for the loss. Differs: pairs may have weights.
    """
    relevant = float(weights @ y)
    others = float(weights.sum()) - relevant
    targets = np.where(y > 0, (relevant + 1) / (relevant + 2), 1 / (others + 2))
    slope, intercept = _logistic(x, targets, weights, free=True)
    return {"slope": slope, "intercept": intercept}


def _isotonic(x: Floats, y: Floats, weights: Floats) -> dict[str, Any]:
    """The rising steps nearest to the labels (pool adjacent violators), joined by lines from step to step.

    Source: Zadrozny and Elkan, KDD 2002; ``scipy.optimize.isotonic_regression``. Differs: equal scores are one point; a
    first step of 0 and a last one of 1 are moved inwards by ``1 / (n + 2)``, ``n`` the pairs they rest on, but not past the next
    step: no number of pairs makes certain.
    """
    from scipy.optimize import isotonic_regression  # type: ignore[import-untyped]

    points, place = np.unique(x, return_inverse=True)
    mass = np.bincount(place, weights)
    found = isotonic_regression(np.bincount(place, weights * y) / mass, weights=mass)
    starts = np.flatnonzero(np.diff(found.x, prepend=-1.0) > 0)
    ends = np.append(starts[1:], len(points))
    steps = found.x[starts]
    if steps[0] <= 0:
        steps[0] = min(1 / (mass[: ends[0]].sum() + 2), steps[1])
    if found.x[-1] >= 1:
        steps[-1] = max(1 - 1 / (mass[starts[-1] :].sum() + 2), steps[-2])
    knots = [
        (float(points[at]), float(step))
        for start, end, step in zip(starts, ends, steps, strict=True)
        for at in dict.fromkeys((start, end - 1))
    ]
    return {"knots": tuple(knots)}


_FITS: dict[Method, Callable[[Floats, Floats, Floats], dict[str, Any]]] = {
    "temperature": _temperature, "platt": _platt, "isotonic": _isotonic,
}  # fmt: skip


def _logistic(x: Floats, targets: Floats, weights: Floats, *, free: bool) -> tuple[float, float]:
    """Slope and intercept of the least log loss; with ``free`` False the intercept is 0."""
    from scipy.optimize import minimize

    centre, spread = (float(x.mean()) if free else 0.0), float(x.std() if free else np.sqrt((x**2).mean())) or 1.0
    columns = np.stack([(x - centre) / spread, np.full(len(x), float(free))], axis=1)[:, : 1 + free]
    total = weights.sum()

    def loss(at: Floats) -> tuple[float, Floats]:
        z = columns @ at
        value = weights @ (np.logaddexp(0, z) - targets * z) / total
        return float(value), columns.T @ (weights * (0.5 * (1 + np.tanh(z / 2)) - targets)) / total

    def curvature(at: Floats) -> Floats:
        p = 0.5 * (1 + np.tanh(columns @ at / 2))
        return np.asarray((columns * (weights * p * (1 - p))[:, None]).T @ columns / total)

    found = minimize(loss, np.zeros(1 + free), jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-9})
    slope = float(found.x[0]) / spread
    if not slope > 1e-12:
        raise DataError(
            f"higher scores do not mean more relevant here (slope {slope:.3g}); such a calibration would turn the order around"
        )
    return slope, float(found.x[1]) - slope * centre if free else 0.0


def cross_fitted(
    pairs: Pairs, method: Method = "platt", *, folds: int = 5, seed: int = 0, scale: Scale | None = None
) -> Floats:
    """Each pair's probability by a calibration of the other folds; ``[N]``. A query's pairs are all in one fold.

    Raises:
        DataError: fewer than two queries, or a fold without which nothing can be fitted.
    """
    names = list(dict.fromkeys(pairs.queries))
    if folds < 2 or len(names) < 2:
        raise DataError(f"{len(names)} queries, {folds} folds: at least 2 of each are needed to fit and to test")
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[i]: at % folds for at, i in enumerate(order)}
    folded = np.array([fold_of[query] for query in pairs.queries])
    out = np.empty(len(pairs))
    for fold in np.unique(folded):
        fitted = fit(pairs.chosen(folded != fold), method, scale=scale or pairs.scale)
        out[folded == fold] = mapped(fitted, pairs.chosen(folded == fold).scores)
    return out


def mapped(calibration: Calibration, scores: Sequence[float]) -> Floats:
    """The probabilities of scores, ``[N]``; not-a-number where a score is."""
    found = (calibration.prob(score) for score in scores)
    return np.array([math.nan if prob is None else prob for prob in found])


def evened(collections: ArrayLike) -> tuple[float, ...]:
    """Weights with which each collection (its name, for each pair, ``[N]``) counts the same.

    >>> evened(["a", "a", "a", "b"])
    (0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 2.0)
    """
    names, place, counts = np.unique(np.asarray(collections), return_inverse=True, return_counts=True)
    return tuple(float(len(place) / (len(names) * counts[at])) for at in place)


def _both(pairs: Pairs) -> None:
    relevant = sum(pairs.labels)
    if 0 < relevant < len(pairs):
        return
    have = (
        "no pairs at all"
        if not len(pairs)
        else f"{len(pairs)} judged pairs, {'all' if relevant else 'none'} of them relevant"
    )
    raise DataError(
        f"{have}: both kinds are needed; take another split or more candidates, or, where a collection judges relevant texts "
        "only, count what was not judged as not relevant (--assume-negative)"
    )
