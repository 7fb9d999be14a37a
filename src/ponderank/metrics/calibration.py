"""How far probabilities are from what happens: calibration errors, Brier score, log loss, and the numbers of a reliability plot.

Probabilities and labels are ``[N]``; labels are 1 for relevant and 0 for not. Intervals come from drawing whole queries, for
the pairs of a query go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponderank.errors import DataError

Binning: TypeAlias = Literal["width", "mass"]
Floats: TypeAlias = NDArray[np.float64]
_NEAREST = 1e-12
"""How near to 0 and 1 a probability may come in the log loss, which would be infinite there."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs whose probability lies in ``[low, high]``: how many, their mean probability, the share that is relevant."""

    low: float
    high: float
    count: int
    prob: float
    relevant: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, and the bounds within which it and 95 % of the draws of queries lie.

    The noise of a draw adds to a calibration error and never takes from it: near zero most draws are above the value.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well probabilities hold: ``ece_width`` and ``ece_mass`` over ``bins`` bins, ``brier``, ``log_loss``; ``[0, ∞)``, lower is better.

    ``ece_floor`` is the mean ``ece_width`` of outcomes drawn with exactly these probabilities: what a perfect calibration
    would show with as many pairs.
    """

    pairs: int
    queries: int
    base_rate: float
    mean_prob: float
    bins: int
    ece_width: Figure
    ece_mass: Figure
    brier: Figure
    log_loss: Figure
    ece_floor: float
    curve: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def edges(probs: ArrayLike, bins: int, binning: Binning) -> Floats:
    """The bins' inner edges: of equal width, or so that each holds as many pairs. Equal probabilities share a bin.

    >>> edges([0.1, 0.2, 0.3, 0.9], 2, "width").tolist(), edges([0.1, 0.2, 0.3, 0.9], 2, "mass").tolist()
    ([0.5], [0.25])
    """
    if bins < 1:
        raise DataError(f"{bins} bins; at least 1 is needed")
    inner = np.arange(1, bins) / bins
    return inner if binning == "width" else np.unique(np.quantile(_floats(probs), inner))


def ece(probs: ArrayLike, labels: ArrayLike, bins: int = 15, binning: Binning = "width") -> float:
    """Expected calibration error: the mean over pairs of how far their bin's mean probability is from its share of relevant ones.

    Source: Naeini et al., AAAI 2015; 15 bins of equal width as in Guo et al. (arXiv 1706.04599); bins of equal mass as in Nguyen
    and O'Connor (EMNLP 2015). Differs: an edge belongs to the bin above it.

    >>> ece([0.2, 0.2, 0.8, 0.8], [0, 0, 1, 1], bins=2)
    0.2
    """
    p, y = _floats(probs), _floats(labels)
    place = np.searchsorted(edges(p, bins, binning), p, side="right")
    sums = np.bincount(place, p - y)
    return round(float(np.abs(sums).sum() / len(p)), 15)


def brier(probs: ArrayLike, labels: ArrayLike) -> float:
    """The mean squared difference of probability and label.

    >>> brier([0.5, 1.0], [1, 1])
    0.125
    """
    return float(np.mean((_floats(probs) - _floats(labels)) ** 2))


def log_loss(probs: ArrayLike, labels: ArrayLike) -> float:
    """The mean negative log-probability (natural) of what happened; probabilities are kept 1e-12 from 0 and 1.

    >>> round(log_loss([0.5, 0.5], [1, 0]), 4)
    0.6931
    """
    return float(np.mean(_losses(_floats(probs), _floats(labels))))


def curve(probs: ArrayLike, labels: ArrayLike, bins: int = 15, binning: Binning = "width") -> tuple[Bin, ...]:
    """The bins that hold a pair, lowest first.

    >>> [(bin.count, bin.prob, bin.relevant) for bin in curve([0.25, 0.25, 0.75], [0, 1, 1], bins=2)]
    [(2, 0.25, 0.5), (1, 0.75, 1.0)]
    """
    p, y = _floats(probs), _floats(labels)
    inner = edges(p, bins, binning)
    bounds, place = [0.0, *map(float, inner), 1.0], np.searchsorted(inner, p, side="right")
    return tuple(
        Bin(bounds[b], bounds[b + 1], int(held.sum()), float(p[held].mean()), float(y[held].mean()))
        for b in range(len(inner) + 1)
        for held in [place == b]
        if held.any()
    )


def reliability(
    probs: ArrayLike, labels: ArrayLike, queries: Sequence[str], *, bins: int = 15, resamples: int = 1000, seed: int = 0
) -> Reliability:
    """All figures of one list of probabilities, with intervals over ``queries`` (whose pair each is, ``[N]``).

    The edges of the bins of equal mass are those of the whole list in every draw.

    Raises:
        DataError: no pairs, or the three are not of one length.
    """
    p, y = _floats(probs), _floats(labels)
    if not len(p) or not len(p) == len(y) == len(queries):
        raise DataError(
            f"{len(p)} probabilities, {len(y)} labels, {len(queries)} queries: need as many of each, and some"
        )
    rng = np.random.default_rng(seed)
    names, whose = np.unique(np.asarray(queries), return_inverse=True)
    draws = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    weights = np.vstack([np.ones(len(names)), draws])  # the first is the list itself
    counts = weights @ np.bincount(whose, minlength=len(names))
    found: dict[str, Figure] = {}
    places = {kind: np.searchsorted(edges(p, bins, kind), p, side="right") for kind in ("width", "mass")}
    for kind, place in places.items():
        sums = np.zeros((len(names), bins))
        np.add.at(sums, (whose, place), p - y)
        found[f"ece_{kind}"] = _figure(np.abs(weights @ sums).sum(1) / counts)
    for name, each in {"brier": (p - y) ** 2, "log_loss": _losses(p, y)}.items():
        found[name] = _figure(weights @ np.bincount(whose, each, len(names)) / counts)
    floors = [_total(places["width"], p - (rng.random(len(p)) < p), bins) for _ in range(100)]
    return Reliability(
        len(p), len(names), float(y.mean()), float(p.mean()), bins, found["ece_width"], found["ece_mass"], found["brier"],
        found["log_loss"], float(np.mean(floors)), curve(p, y, bins),
    )  # fmt: skip


def _figure(values: Floats) -> Figure:
    low, high = np.quantile(values[1:], (0.025, 0.975)) if len(values) > 1 else (np.nan, np.nan)
    value = float(values[0])
    return Figure(value, min(value, float(low)), max(value, float(high)))


def _total(place: NDArray[np.intp], difference: Floats, bins: int) -> float:
    return float(np.abs(np.bincount(place, difference, bins)).sum() / len(difference))


def _losses(p: Floats, y: Floats) -> Floats:
    kept = np.clip(p, _NEAREST, 1 - _NEAREST)
    return np.asarray(-(y * np.log(kept) + (1 - y) * np.log1p(-kept)))


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)
