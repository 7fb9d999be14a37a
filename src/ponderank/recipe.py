"""A recipe names a published system: a model, a format, a strategy and the paper. It is a value in a table."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ponderank.contracts import Backend, Format, Levelled, Strategy
from ponderank.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to run: ``model`` names the weights (``"embedded"``, a folder, or a hub id), the rest how they are asked.

    Comparable, printable, and a mapping of plain values through ``to_dict`` and ``from_dict``.
    """

    name: str
    model: str
    format: Format
    strategy: Strategy
    paper: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "name": self.name,
            "model": self.model,
            "format": _part(self.format),
            "strategy": _part(self.strategy),
            "paper": self.paper,
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], kinds: Iterable[type]) -> Recipe:
        """The recipe that ``to_dict`` wrote; ``kinds`` are the classes its parts may be made of.

        Raises:
            RecipeError: a field is missing or unknown, or a part's kind is; the message says which.
        """
        known = {kind.__name__: kind for kind in kinds}
        parts = {name: _read(values[name], known) for name in ("format", "strategy") if name in values}
        try:
            return cls(**{**values, **parts})
        except TypeError as error:
            raise RecipeError(f"not a recipe: {error}") from error


def check(recipe: Recipe, backend: Backend) -> None:
    """Raise ``RecipeError`` if strategy, format and backend do not fit together; the message says what would.

    A strategy that spends unevenly says how many ``levels`` it asks at; a backend that knows says how many it has.
    """
    strategy, form = recipe.strategy, recipe.format
    missing = form.needs - backend.can
    if missing:
        asks, offers = (", ".join(sorted(kind.__name__ for kind in kinds)) for kinds in (missing, backend.can))
        given = f"it asks for {asks}; this backend answers {offers or 'nothing'}"
        _refuse(recipe, given, f"use a model and backend that answer {asks}")
    if strategy.widest > form.widest:
        given = f"the strategy shows {strategy.widest} documents at once, the format holds {form.widest}"
        _refuse(recipe, given, "use a narrower strategy or a wider format")
    if strategy.absolute and not form.absolute:
        given = "the strategy compares scores across prompts, the format's do not compare"
        _refuse(recipe, given, "use a strategy that compares within a prompt")
    levels = getattr(strategy, "levels", 1)
    if levels > 1 and not isinstance(form, Levelled):
        given = f"the strategy asks at {levels} levels, the format has one"
        _refuse(recipe, given, "use a strategy that asks in full, or a format with levels")
    offered = getattr(backend, "levels", levels)
    if levels > offered:
        given = f"the strategy asks at {levels} levels, the model has {offered}"
        _refuse(recipe, given, "use a model with early exits, or a strategy with fewer levels")


def thinking(recipe: Recipe, *, think: bool = True, tokens: int | None = None) -> Recipe:
    """The recipe with another bound on its thoughts, or without thoughts.

    Raises:
        RecipeError: it does not think, or ``tokens`` is not positive.
    """
    if think and tokens is None:
        return recipe
    fields = {field.name for field in dataclasses.fields(recipe.format)}  # type: ignore[arg-type]
    if tokens is not None:
        if tokens < 1:
            raise RecipeError(f"{tokens} tokens to think with; give 1 or more, or think=False (--no-think)")
        if "max_tokens" not in fields:
            raise RecipeError(
                f"recipe {recipe.name!r} does not think, so its thoughts cannot be bounded; see `ponderank recipes`"
            )
        recipe = dataclasses.replace(recipe, format=dataclasses.replace(recipe.format, max_tokens=tokens))  # type: ignore[type-var]
    if not think:
        if "think" not in fields:
            raise RecipeError(f"recipe {recipe.name!r} has no way without a thought; see `ponderank recipes`")
        recipe = dataclasses.replace(recipe, format=dataclasses.replace(recipe.format, think=False))  # type: ignore[type-var]
    return recipe


def _refuse(recipe: Recipe, given: str, remedy: str) -> None:
    raise RecipeError(f"recipe {recipe.name!r} does not fit: {given}; {remedy}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that ends an error message: the known names closest to ``name``, or all of them.

    >>> nearest("defualt", ["default", "rank1"])
    'did you mean default?'
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"


def _part(part: Any) -> dict[str, Any]:
    values = {}
    for field in dataclasses.fields(part):
        if field.init:
            value = getattr(part, field.name)
            nested = dataclasses.is_dataclass(value) and not isinstance(value, type)
            values[field.name] = _part(value) if nested else _turned(value, tuple, list)
    return {"kind": type(part).__name__, **values}


def _read(values: Any, known: Mapping[str, type]) -> Any:
    if not isinstance(values, Mapping):
        raise RecipeError(f"a part is a mapping with its 'kind' ({', '.join(known)}); got {values!r}")
    kind = values.get("kind", "")
    if kind not in known:
        raise RecipeError(f"no part is named {kind!r}; {nearest(str(kind), known)}")
    fields = {
        name: _read(value, known) if isinstance(value, Mapping) else _turned(value, list, tuple)
        for name, value in values.items()
        if name != "kind"
    }
    try:
        return known[kind](**fields)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{kind}: {error}") from error


def _turned(value: Any, old: type[Any], new: type[Any]) -> Any:
    """Sequences of type ``old`` as ``new``, inside as well."""
    return new(_turned(item, old, new) for item in value) if isinstance(value, old) else value
