"""The table of listwise recipes."""

import pytest

from ponderank.formats.first import First
from ponderank.formats.permutation import RankGPT, RankLLM
from ponderank.formats.rank_k import RankK
from ponderank.formats.reason_rank import ReasonRank
from ponderank.recipe import Recipe
from ponderank.recipes.listwise import NEEDS, RECIPES
from ponderank.strategies.window import Window

KINDS = (First, RankGPT, RankLLM, RankK, ReasonRank, Window)
NAMED = {recipe.name: recipe for recipe in RECIPES}


def test_every_recipe_has_a_name_of_its_own():
    assert len(NAMED) == len(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_survives_being_written_down(recipe):
    assert Recipe.from_dict(recipe.to_dict(), KINDS) == recipe


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_format_holds_what_the_window_shows(recipe):
    assert recipe.strategy.widest <= recipe.format.widest


def test_what_a_model_needs_is_known_for_every_recipe_with_a_model():
    assert set(NEEDS) == {recipe.name for recipe in RECIPES if recipe.model}


def test_a_recipe_whose_model_must_be_given_says_so():
    assert all(recipe.note.endswith("give its model") for recipe in RECIPES if not recipe.model)


def test_rho_is_three_passes_of_the_same_model():
    assert NAMED["rank-zephyr-rho"].model == NAMED["rank-zephyr"].model
    assert NAMED["rank-zephyr-rho"].strategy == Window(size=20, stride=10, passes=3)
