"""The tables of recipes, and finding one by name."""

from __future__ import annotations

from ponderank.errors import RecipeError
from ponderank.formats.classify import CrossEncoder
from ponderank.formats.graded import ERank, RetroStar, TFRank
from ponderank.formats.pair_form import PairForm
from ponderank.formats.passages import Passages
from ponderank.formats.rank1 import Rank1
from ponderank.formats.sentences import Evidence
from ponderank.formats.verdict import Verdict
from ponderank.formats.yes_no import YesNo
from ponderank.recipe import Recipe, nearest
from ponderank.recipes.encoders import RECIPES as ENCODERS
from ponderank.recipes.language import NEEDS as NEEDS
from ponderank.recipes.language import RECIPES as LANGUAGE
from ponderank.strategies.adaptive import AdaptiveThinking
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*ENCODERS, *LANGUAGE)}

KINDS: tuple[type, ...] = (
    AdaptiveThinking, CrossEncoder, ERank, Evidence, LayeredExit, PairForm, Passages, Pointwise, Rank1, RetroStar, TFRank,
    Verdict, YesNo,
)  # fmt: skip
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
