"""The table of language-model recipes."""

import pytest

from ponderank.formats.rank1 import Rank1
from ponderank.recipe import Recipe
from ponderank.recipes import KINDS
from ponderank.recipes.language import NEEDS, RECIPES
from ponderank.recipes.needs import EVERY, Needs
from ponderank.types import Choose, Classify


def test_every_recipe_has_a_name_of_its_own():
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_survives_being_written_down(recipe):
    assert Recipe.from_dict(recipe.to_dict(), KINDS) == recipe


def test_what_a_model_needs_is_known_for_every_recipe_with_a_model():
    assert set(NEEDS) == {recipe.name for recipe in RECIPES if recipe.model}


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe.model], ids=lambda recipe: recipe.name)
def test_logits_and_heads_are_read_in_this_process_only(recipe):
    logits = getattr(recipe.format, "scale", "") == "logit" or Classify in recipe.format.needs
    assert not logits or NEEDS[recipe.name].engines == ("transformers",)


def test_a_recipe_whose_model_must_be_given_says_so():
    assert all(recipe.note.endswith("give its model") for recipe in RECIPES if not recipe.model)


def test_a_direct_recipe_only_chooses():
    direct = next(recipe for recipe in RECIPES if recipe.name == "rank1-direct")
    assert direct.format == Rank1(think=False)
    assert Choose in direct.format.needs


def test_quantised_weights_are_smaller():
    assert NEEDS["rank1-32b-awq"].weights_gb() < NEEDS["rank1-32b"].weights_gb() / 3
    assert NEEDS["rank1-32b-awq"].weights_gb() == NEEDS["rank1-32b"].weights_gb(4)


def test_memory_is_the_weights_and_what_is_kept_of_every_token():
    needs = Needs(10.0, EVERY, context_kb=100)
    kept = 8 * 1000 * 100 * 1024 / 1e9
    assert needs.memory_gb(tokens=1000, sequences=8) == round(1.1 * (20.0 + kept), 1)


def test_needs_are_printed_in_one_line():
    assert str(NEEDS["rank1-7b"]) == (
        "7.62B parameters, 15.2 GB at 16 bits, 4 GB at 4 bits; engines: transformers, vllm, llamacpp, http"
    )
    assert str(NEEDS["rank1-7b-awq"]) == "7.62B parameters, 4 GB at 4 bits; engines: vllm, http"
