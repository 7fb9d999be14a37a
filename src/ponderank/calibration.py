"""From a judgement's score to the probability that its document is relevant, fitted on judged pairs and kept beside the model.

A calibration changes ``prob`` and nothing else: scores, and with them the order, stay as they are. It is true of one model
asked in one way, and of candidates in which as many are relevant as among those that it was fitted on.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from ponderank.contracts import Backend, Levelled
from ponderank.errors import DataError, RecipeError
from ponderank.formats.classify import sigmoid
from ponderank.recipe import Recipe

FILE = "calibration.json"
"""Where a model's folder keeps its calibrations; of a single file they stand in ``NAME.calibration.json`` beside it."""

Method = Literal["temperature", "platt", "isotonic"]
Scale = Literal["odds", "logprob"]
"""What scores are: log-odds or another logit, taken as they are; or log-probabilities, whose log-odds are taken."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map from scores to probabilities, and what it belongs to.

    ``temperature`` and ``platt`` are ``sigmoid(slope * x + intercept)``, the first without an intercept. ``isotonic`` runs
    straight from knot to knot, ``(x, prob)`` in rising order, and level beyond them. ``x`` is the score, or its log-odds where
    ``scale`` says that scores are log-probabilities.

    ``format`` is the recipe's, as ``Recipe.to_dict`` writes it, and ``model`` its fingerprint; both empty: any.
    ``fitted_on`` says what it was fitted on, with the ``base_rate`` of relevant texts there, and ``figures`` how well it did.

    Raises:
        DataError: parameters that make no rising map.

    >>> Calibration("platt", slope=2.0, intercept=-1.0).prob(0.5)
    0.5
    >>> Calibration("isotonic", knots=((0.0, 0.2), (1.0, 0.6))).prob(0.25)
    0.3
    """

    method: Method
    slope: float = 1.0
    intercept: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()
    scale: Scale = "odds"
    format: Mapping[str, Any] = field(default_factory=dict, hash=False)
    model: str = ""
    fitted_on: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)
    figures: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def __post_init__(self) -> None:
        if self.method not in get_args(Method) or self.scale not in get_args(Scale):
            methods, scales = ", ".join(get_args(Method)), " or ".join(get_args(Scale))
            raise DataError(f"method {self.method!r}, scale {self.scale!r}: expected one of {methods}, and {scales}")
        if self.method == "isotonic":
            rises = all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(self.knots))
            if not self.knots or not rises or not all(math.isfinite(x) and 0 <= p <= 1 for x, p in self.knots):
                raise DataError(
                    "isotonic: expected knots [score, prob], scores rising, probs in [0, 1] and never falling"
                )
        elif not (self.slope > 0 and math.isfinite(self.slope) and math.isfinite(self.intercept)):
            raise DataError(
                f"slope {self.slope}, intercept {self.intercept}: expected a slope above 0, or the order would turn around"
            )
        elif self.method == "temperature" and self.intercept:
            raise DataError(f"temperature: it has no intercept, here is {self.intercept}; call it platt")

    def prob(self, score: float) -> float | None:
        """The probability of relevance that a score stands for; None for a score that is not a number."""
        if math.isnan(score):
            return None
        x = odds_of(score) if self.scale == "logprob" else score
        if self.method != "isotonic":
            return sigmoid(self.slope * x + self.intercept)
        at = bisect_right(self.knots, x, key=lambda knot: knot[0])
        if at in (0, len(self.knots)):
            return self.knots[at - (at > 0)][1]
        (low, p), (high, q) = self.knots[at - 1], self.knots[at]
        return min(p + (q - p) * ((x - low) / (high - low)), q)

    def probs(self, scores: Sequence[float]) -> tuple[float, ...] | None:
        """Those of a judgement's scores; None where one has none."""
        found = [self.prob(score) for score in scores]
        return None if any(prob is None for prob in found) else tuple(prob for prob in found if prob is not None)

    @property
    def map(self) -> dict[str, Any]:
        """What decides the probabilities, without what it was fitted on: equal maps give equal probabilities."""
        curve = {"knots": [list(knot) for knot in self.knots]} if self.method == "isotonic" else {"slope": self.slope}
        return {
            "method": self.method, "scale": self.scale, **curve,
            **({"intercept": self.intercept} if self.method == "platt" else {}),
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        belongs = {"format": dict(self.format), "model": self.model}
        return {**self.map, **belongs, "fitted_on": dict(self.fitted_on), "figures": dict(self.figures)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """The calibration that ``to_dict`` wrote.

        Raises:
            DataError: a field is missing, unknown or of another type.
        """
        try:
            knots = tuple((float(x), float(p)) for x, p in values.get("knots", ()))
            numbers = {name: float(values[name]) for name in ("slope", "intercept") if name in values}
            return cls(**{**values, **numbers, "knots": knots})
        except (TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"not a calibration: {error}") from error


def odds_of(logprob: float) -> float:
    """The log-odds of a log-probability; infinite where the probability is 1.

    >>> odds_of(math.log(0.5))
    0.0
    """
    return math.inf if logprob >= 0 else logprob - math.log(-math.expm1(logprob))


def beside(model: str) -> Path | None:
    """Where the calibrations of a model stand; None where it has no files here (a hub's id, a server's name)."""
    if model == "embedded":
        from ponderank.models import default_folder

        return default_folder() / FILE
    path = Path(model)
    return path / FILE if path.is_dir() else Path(f"{path}.{FILE}") if path.is_file() else None


def read(path: str | Path) -> tuple[Calibration, ...]:
    """The calibrations in a file.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    try:
        told = json.loads(Path(path).read_text("utf-8"))
        entries = told["calibrations"]
        return tuple(Calibration.from_dict(entry) for entry in entries)
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}; ponderank calibrate writes such a file", path=path
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = str(error) if isinstance(error, DataError) else "expected {'calibrations': [...]}"
        raise DataError(f"{said}; ponderank calibrate writes such a file", path=path) from error


def write(calibrations: Iterable[Calibration], path: str | Path) -> None:
    """Write calibrations to a file, whole or not at all, beside those it has of other models or formats.

    Raises:
        DataError: the file is there and holds something else.
    """
    from ponderank.manifest import dumped, write_whole

    path, new = Path(path), list(calibrations)
    of = {(one.model, _key(one.format)) for one in new}
    kept = [one for one in (read(path) if path.is_file() else ()) if (one.model, _key(one.format)) not in of]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, dumped({"calibrations": [one.to_dict() for one in (*kept, *new)]}))


def formats(recipe: Recipe) -> dict[int, dict[str, Any]]:
    """The recipe's format at each level its strategy may ask at, as a calibration names it."""
    form, out = recipe.format, {}
    for level in range(getattr(recipe.strategy, "levels", 1)):
        if level and not isinstance(form, Levelled):
            break
        at = replace(recipe, format=form.at_level(level)) if level and isinstance(form, Levelled) else recipe
        out[level] = at.to_dict()["format"]
    return out


def calibrations(recipe: Recipe, backend: Backend, given: Calibration | str | Path | None) -> dict[int, Calibration]:
    """What a recipe's probabilities go through on a backend, by level; empty where there is nothing.

    ``given`` is a calibration, a file, ``"none"``, or None for what stands beside the model.

    Raises:
        DataError: no such file, or not one of ours.
        RecipeError: as in ``fitting``.
    """
    if given == "none":
        return {}
    if isinstance(given, Calibration):
        return fitting([given], recipe, backend.fingerprint, asked=True)
    path = beside(recipe.model) if given is None else Path(given)
    if path is None or (given is None and not path.is_file()):
        return {}
    return fitting(read(path), recipe, backend.fingerprint, path=path, asked=given is not None)


def fitting(
    given: Sequence[Calibration], recipe: Recipe, model: str, *, path: str | Path | None = None, asked: bool = False
) -> dict[int, Calibration]:
    """The calibrations that belong to a recipe on a model, by level.

    Where there are some, but none for this format, there is none: the format's own probabilities stand, unless one was
    ``asked`` for. ``model`` is the backend's fingerprint, ``path`` where they are from.

    Raises:
        RecipeError: they belong to another model, or one was asked for and belongs to another format.
    """
    wanted = {level: _key(form) for level, form in formats(recipe).items()}
    alike = [one for one in given if not one.format or _key(one.format) in wanted.values()]
    found = {
        level: one for one in alike for level, key in wanted.items()
        if one.model in ("", model) and (not one.format or _key(one.format) == key)
    }  # fmt: skip
    where = "the calibration" if path is None else f"the calibration in {path}"
    remedy = "calibrate again (ponderank calibrate), or leave it out with calibration 'none' (--calibration none)"
    if alike and not found:
        there = ", ".join(one.model for one in alike)
        raise RecipeError(f"{where} was fitted on another model's scores ({there}; this is {model}); {remedy}")
    if asked and 0 not in found:
        there = "; ".join(dict.fromkeys(_key(one.format) for one in given)) or "nothing"
        raise RecipeError(
            f"{where} belongs to another format than that of recipe {recipe.name!r} ({there}; here {wanted[0]}); {remedy}"
        )
    return found


def _key(form: Mapping[str, Any]) -> str:
    return json.dumps(form, sort_keys=True, default=asdict)
