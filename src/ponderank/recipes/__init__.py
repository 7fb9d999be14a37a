"""The tables of recipes, and finding one by name.

A table is imported when a name is looked for in it, or when all are wanted: the default recipe needs one of seven.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ponderank.errors import RecipeError
from ponderank.recipe import Recipe, nearest
from ponderank.recipes.needs import Needs

TABLES = ("encoders", "language", "listwise", "comparing", "embedding", "attention", "composed")

RECIPES: dict[str, Recipe]
"""All recipes by name."""

NEEDS: dict[str, Needs]
"""By recipe; one that has no model of its own, or the embedded one, has none."""

KINDS: tuple[type, ...]
"""The classes that ``Recipe.from_dict`` may build."""


def find(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        RecipeError: there is none; the message has the nearest names.

    >>> find("default").model
    'embedded'
    """
    for table in TABLES:
        for recipe in _table(table).RECIPES:
            if recipe.name == name:
                return recipe  # type: ignore[no-any-return]
    raise RecipeError(f"no recipe is named {name!r}; {nearest(name, _whole()['RECIPES'])}")


def __getattr__(name: str) -> Any:
    if name in ("RECIPES", "NEEDS", "KINDS"):
        globals().update(_whole())
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _table(name: str) -> Any:
    return import_module(f"{__name__}.{name}")


def _whole() -> dict[str, Any]:
    """All tables together."""
    from ponderank.formats.passages import Passages
    from ponderank.formats.sentences import Evidence
    from ponderank.strategies.diverse import MarginalRelevance
    from ponderank.strategies.fuse import Fuse
    from ponderank.strategies.pairs import PairMergesort

    tables = [_table(name) for name in TABLES]
    recipes = {recipe.name: recipe for table in tables for recipe in table.RECIPES}
    needs = {name: needs for table in tables for name, needs in getattr(table, "NEEDS", {}).items()}
    parts = [part for one in recipes.values() for part in (one.strategy, *(judge.format for judge in one.judges))]
    more = (Evidence, Fuse, MarginalRelevance, PairMergesort, Passages)
    kinds = tuple(dict.fromkeys([*(kind for part in parts for kind in _kinds(part)), *more]))
    return {"RECIPES": recipes, "NEEDS": needs, "KINDS": kinds}


def _kinds(value: Any) -> Iterator[type]:
    """The classes that a recipe's parts are made of."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for field in dataclasses.fields(value):
            yield from _kinds(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _kinds(item)
