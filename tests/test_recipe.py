import pytest

from ponderank import Engine, Recipe, RecipeError
from ponderank.backends.adapters import WordTokenizer
from ponderank.backends.testing import Counting, Oracle
from ponderank.formats.classify import CrossEncoder
from ponderank.formats.passages import Passages
from ponderank.formats.sentences import Evidence
from ponderank.recipe import check, nearest
from ponderank.recipes import KINDS, RECIPES, find
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise

NESTED = Recipe("r", "m", CrossEncoder(Passages(10, 5, "mean")), LayeredExit(5, ((2, 1.0), (1, 0.5))), "paper", "note")


def test_a_recipe_is_a_value():
    assert Recipe("r", "m", CrossEncoder(Passages()), Pointwise()) == Recipe(
        "r", "m", CrossEncoder(Passages()), Pointwise()
    )
    assert Recipe("r", "m", CrossEncoder(), Pointwise()) != Recipe("r", "m", CrossEncoder(), Pointwise(1.0))


def test_parts_in_parts_and_tuples_survive_json():
    import json

    assert Recipe.from_dict(json.loads(json.dumps(NESTED.to_dict())), KINDS) == NESTED


def changed(**values):
    return {**NESTED.to_dict(), **values}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (changed(format={"kind": "CrossEncodr"}), "no part is named 'CrossEncodr'; did you mean CrossEncoder?"),
        (changed(strategy={"kind": "LayeredExit", "depth": 3}), "LayeredExit: .*'depth'"),
        (changed(strategy={"kind": "LayeredExit", "k": 0, "exits": []}), "LayeredExit: k 0.*need k >= 1"),
        (changed(strategy="Pointwise"), "a part is a mapping with its 'kind'"),
        (changed(colour="red"), "not a recipe: .*'colour'"),
        ({"name": "r", "model": "m"}, "not a recipe: .*'format' and 'strategy'"),
    ],
)
def test_a_bad_mapping_says_what_is_wrong(values, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict(values, KINDS)


def test_an_unknown_name_lists_all_when_none_is_near():
    assert nearest("zzzzzz", RECIPES) == f"known: {', '.join(RECIPES)}"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_of_the_table_is_found_by_its_name_and_fits_together(name):
    assert find(name) is RECIPES[name]
    check(find(name), Counting(WordTokenizer()))


def test_a_format_without_levels_is_refused_by_a_strategy_that_asks_at_levels():
    with pytest.raises(RecipeError, match="asks at 2 levels, the format has one; use a strategy that asks in full"):
        check(Recipe("r", "m", Evidence(), LayeredExit(1, ((1, 0.5),))), Oracle({}))


def test_a_model_without_exits_is_refused_by_early_exit():
    backend = Oracle({})
    backend.levels = 1
    with pytest.raises(RecipeError, match="asks at 3 levels, the model has 1; use a model with early exits"):
        Engine(Recipe("r", "m", CrossEncoder(), LayeredExit(1, ((2, 0.5), (1, 0.5)))), backend)


def test_scores_that_do_not_compare_are_refused_where_they_must():
    class Relative(CrossEncoder):
        absolute = False

    with pytest.raises(RecipeError, match="compares scores across prompts"):
        check(Recipe("r", "m", Relative(), Pointwise()), Oracle({}))
