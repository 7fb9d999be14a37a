"""A recipe names a published system: a model, a format, a strategy and the paper. It is a value in a table."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ponderank.contracts import Backend, Format, Levelled, Strategy
from ponderank.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Judge:
    """Who is asked, and how: a model and a format."""

    model: str
    format: Format


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to run: ``model`` names the weights (``"embedded"``, a folder, or a hub id), the rest how they are asked.

    Comparable, printable, and a mapping of plain values through ``to_dict`` and ``from_dict``. ``model`` and ``format`` are the
    first judge; a strategy that asks several (a cascade, a fusion) finds the ``others`` behind it.
    """

    name: str
    model: str
    format: Format
    strategy: Strategy
    paper: str = ""
    note: str = ""
    others: tuple[Judge, ...] = ()

    @property
    def judges(self) -> tuple[Judge, ...]:
        """All judges, by the number that ``Ask.judge`` has."""
        return (Judge(self.model, self.format), *self.others)

    def judged_by(self, judges: Sequence[Judge]) -> Recipe:
        """The same with other judges."""
        return replace(self, model=judges[0].model, format=judges[0].format, others=tuple(judges[1:]))

    def apart(self) -> tuple[Recipe, ...]:
        """A recipe for each judge alone, with the strategy that asks it."""
        asking = dict(_leaves(self.strategy))
        return tuple(
            replace(self.judged_by([judge]), strategy=asking.get(at, self.strategy))
            for at, judge in enumerate(self.judges)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        values = {
            "name": self.name,
            "model": self.model,
            "format": _plain(self.format),
            "strategy": _plain(self.strategy),
            "paper": self.paper,
            "note": self.note,
        }
        return values | ({"others": _plain(self.others)} if self.others else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], kinds: Iterable[type]) -> Recipe:
        """The recipe that ``to_dict`` wrote; ``kinds`` are the classes its parts may be made of.

        Raises:
            RecipeError: a field is missing or unknown, or a part's kind is; the message says which.
        """
        known = {kind.__name__: kind for kind in (Judge, *kinds)}
        parts = {name: _part(values[name], known) for name in ("format", "strategy") if name in values}
        if "others" in values:
            parts["others"] = _read(values["others"], known)
        try:
            return cls(**{**values, **parts})
        except TypeError as error:
            raise RecipeError(f"not a recipe: {error}") from error


def check(recipe: Recipe, backend: Backend | Sequence[Backend]) -> None:
    """Raise ``RecipeError`` if strategy, formats and backends do not fit together; the message says what would.

    Of several backends each is a judge's; a single one is every judge's. A strategy that spends unevenly says how many
    ``levels`` it asks at; a backend that knows says how many it has. One that asks several ``judges`` says how many, and what
    each is asked by: its ``parts``, pairs of the first judge's number and a strategy.
    """
    judges, asked = recipe.judges, getattr(recipe.strategy, "judges", 1)
    if asked != len(judges):
        _refuse(recipe, f"the strategy asks {asked} judges, the recipe has {len(judges)}", "give it one judge each")
    backends = several(backend, len(judges))
    if len(backends) != len(judges):
        _refuse(recipe, f"it has {len(judges)} judges, here are {len(backends)} backends", "give one backend a judge")
    for at, strategy in _leaves(recipe.strategy):
        _fits(recipe, strategy, judges[at].format, backends[at])


def several(backend: Backend | Sequence[Backend], n: int) -> tuple[Backend, ...]:
    """A backend for each of ``n`` judges: those given, or the one given for all."""
    return tuple(backend) if isinstance(backend, Sequence) else (backend,) * n


def _leaves(strategy: Strategy, judge: int = 0) -> Iterator[tuple[int, Strategy]]:
    """Each strategy that asks for itself, and the judge it asks."""
    parts = getattr(strategy, "parts", None)
    if parts is None:
        yield judge, strategy
    for offset, part in parts or ():
        yield from _leaves(part, judge + offset)


def _fits(recipe: Recipe, strategy: Strategy, form: Format, backend: Backend) -> None:
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
    if tokens is not None:
        if tokens < 1:
            raise RecipeError(f"{tokens} tokens to think with; give 1 or more, or think=False (--no-think)")
        refused = f"recipe {recipe.name!r} does not think, so its thoughts cannot be bounded; see `ponderank recipes`"
        recipe = _with_field(recipe, "max_tokens", tokens, refused)
    if not think:
        refused = f"recipe {recipe.name!r} has no way without a thought; see `ponderank recipes`"
        recipe = _with_field(recipe, "think", False, refused)
    return recipe


def _with_field(recipe: Recipe, name: str, value: object, refused: str) -> Recipe:
    """The recipe with a field of its formats set, wherever there is one of that name."""
    judges = [
        replace(judge, format=replace(judge.format, **{name: value})) if _has(judge.format, name) else judge  # type: ignore[type-var]
        for judge in recipe.judges
    ]
    if not any(_has(judge.format, name) for judge in judges):
        raise RecipeError(refused)
    return recipe.judged_by(judges)


def _has(form: Format, name: str) -> bool:
    return any(field.name == name for field in dataclasses.fields(form))  # type: ignore[arg-type]


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


def _plain(value: Any) -> Any:
    """Parts as mappings with their kind, tuples as lists; what they hold alike."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
        return {"kind": type(value).__name__, **fields}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _part(values: Any, known: Mapping[str, type]) -> Any:
    if not isinstance(values, Mapping):
        raise RecipeError(f"a part is a mapping with its 'kind' ({', '.join(known)}); got {values!r}")
    kind = values.get("kind", "")
    if kind not in known:
        raise RecipeError(f"no part is named {kind!r}; {nearest(str(kind), known)}")
    fields = {name: _read(value, known) for name, value in values.items() if name != "kind"}
    try:
        return known[kind](**fields)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{kind}: {error}") from error


def _read(value: Any, known: Mapping[str, type]) -> Any:
    """What ``_plain`` wrote: mappings are parts, lists are tuples."""
    if isinstance(value, Mapping):
        return _part(value, known)
    return tuple(_read(item, known) for item in value) if isinstance(value, list) else value
