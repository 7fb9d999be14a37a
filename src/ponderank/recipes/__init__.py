"""The tables of recipes, and finding one by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from ponderank.errors import RecipeError
from ponderank.formats.passages import Passages
from ponderank.formats.sentences import Evidence
from ponderank.recipe import Recipe, nearest
from ponderank.recipes import attention, comparing, composed, embedding, encoders, language, listwise
from ponderank.recipes.needs import Needs
from ponderank.strategies.diverse import MarginalRelevance
from ponderank.strategies.fuse import Fuse
from ponderank.strategies.pairs import PairMergesort

_TABLES = (
    encoders.RECIPES,
    language.RECIPES,
    listwise.RECIPES,
    comparing.RECIPES,
    embedding.RECIPES,
    attention.RECIPES,
    composed.RECIPES,
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for table in _TABLES for recipe in table}

NEEDS: dict[str, Needs] = (
    language.NEEDS | listwise.NEEDS | comparing.NEEDS | embedding.NEEDS | attention.NEEDS | composed.NEEDS
)
"""By recipe; one that has no model of its own, or the embedded one, has none."""


def _kinds(value: Any) -> Iterator[type]:
    """The classes that a recipe's parts are made of."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for field in dataclasses.fields(value):
            yield from _kinds(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _kinds(item)


_MORE = (Evidence, Fuse, MarginalRelevance, PairMergesort, Passages)
_PARTS = [part for recipe in RECIPES.values() for part in (recipe.strategy, *(one.format for one in recipe.judges))]
KINDS: tuple[type, ...] = tuple(dict.fromkeys([*(kind for part in _PARTS for kind in _kinds(part)), *_MORE]))
"""The classes that ``Recipe.from_dict`` may build."""


def find(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        RecipeError: there is none; the message has the nearest names.

    >>> find("default").model
    'embedded'
    """
    if name not in RECIPES:
        raise RecipeError(f"no recipe is named {name!r}; {nearest(name, RECIPES)}")
    return RECIPES[name]
