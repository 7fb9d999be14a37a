"""A calibration made of judged pairs, and how well it holds for queries that it was not fitted on, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponderank.calibrate.fit import Pairs, cross_fitted, evened, fit, mapped
from ponderank.calibrate.pairs import Judged
from ponderank.calibration import Calibration, Method, Scale
from ponderank.metrics.calibration import Reliability, reliability

BEFORE, PRESENT, AFTER = "as the model gives it", "as calibrated before", "calibrated"


@dataclass(frozen=True, slots=True)
class Asked:
    """How a calibration is made: the method, how many folds test it, bins of the figures, draws of queries, the seed."""

    method: Method = "platt"
    folds: int = 5
    bins: int = 15
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """A calibration and its figures by name (``BEFORE``, ``PRESENT``, ``AFTER``, those there are), on the same pairs.

    ``AFTER`` is of cross-fitted probabilities: each query's by a calibration of other queries. The calibration itself is fitted on all.
    """

    calibration: Calibration
    figures: Mapping[str, Reliability]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        figures = {name: one.to_dict() for name, one in self.figures.items()}
        return {"calibration": self.calibration.to_dict(), "figures": figures}


def made(
    judged: Sequence[Judged], asked: Asked, *, form: Mapping[str, Any], model: str, recipe: str = "",
    present: Calibration | None = None, scale: Scale | None = None,
) -> Made:  # fmt: skip
    """Fit and test a calibration on judged pairs; of several collections each counts the same in the fit, and each pair in the figures.

    ``form`` and ``model`` are what it will belong to; ``present`` is one that is in use already; ``scale`` says what the scores
    are where the pairs cannot tell.

    Raises:
        DataError: pairs of one kind only, too few queries, or scores that do not rise with relevance.
    """
    pairs = joined(judged)
    fitted = fit(pairs, asked.method, scale=scale)
    tested = cross_fitted(pairs, asked.method, folds=asked.folds, seed=asked.seed, scale=scale)
    probs: dict[str, NDArray[np.float64]] = {}
    if pairs.own:
        probs[BEFORE] = np.asarray(pairs.own)
    if present is not None:
        probs[PRESENT] = mapped(present, pairs.scores)
    probs[AFTER] = tested
    figures = {
        name: reliability(
            values, pairs.labels, pairs.queries, bins=asked.bins, resamples=asked.resamples, seed=asked.seed
        )
        for name, values in probs.items()
    }
    about = {
        "recipe": recipe, "pairs": len(pairs), "queries": len(set(pairs.queries)), "base_rate": base_rate(pairs),
        "collections": [{**one.about, "pairs": len(one.pairs), "relevant_pairs": sum(one.pairs.labels)} for one in judged],
        "folds": asked.folds, "seed": asked.seed,
    }  # fmt: skip
    short = {name: _short(one) for name, one in figures.items()}
    return Made(replace(fitted, format=dict(form), model=model, fitted_on=about, figures=short), figures)


def joined(judged: Sequence[Judged]) -> Pairs:
    """The pairs of several collections as one list; queries are told apart by their collection."""
    many = [one.pairs for one in judged]
    names = [str(at) for at, one in enumerate(many) for _ in range(len(one))]
    return Pairs(
        tuple(f"{at}/{query}" for at, one in enumerate(many) for query in one.queries),
        tuple(score for one in many for score in one.scores),
        tuple(label for one in many for label in one.labels),
        tuple(prob for one in many for prob in one.own) if all(one.own or not len(one) for one in many) else (),
        evened(names) if len(many) > 1 else (),
    )


def base_rate(pairs: Pairs) -> float:
    """The share of relevant pairs, as they count in the fit."""
    return float(np.average(pairs.labels, weights=pairs.weights or None)) if len(pairs) else 0.0


def _short(one: Reliability) -> dict[str, Any]:
    figures = {name: getattr(one, name) for name in ("ece_width", "ece_mass", "brier", "log_loss")}
    told = {name: [round(x, 6) for x in (figure.value, figure.low, figure.high)] for name, figure in figures.items()}
    return {"bins": one.bins, **told, "ece_floor": round(one.ece_floor, 6)}
