"""The tables of recipes, and finding one by name."""

from __future__ import annotations

from ponderank.errors import RecipeError
from ponderank.formats.classify import CrossEncoder
from ponderank.formats.passages import Passages
from ponderank.formats.sentences import Evidence
from ponderank.recipe import Recipe, nearest
from ponderank.recipes.encoders import RECIPES as ENCODERS
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in ENCODERS}

KINDS: tuple[type, ...] = (CrossEncoder, Evidence, LayeredExit, Passages, Pointwise)
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
