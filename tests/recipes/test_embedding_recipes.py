import pytest

from ponderank import Candidates, Doc, Engine, Query
from ponderank.backends.adapters import WordTokenizer
from ponderank.backends.testing import Counting
from ponderank.formats.embedding import BiEncoder, E2Rank
from ponderank.formats.late_interaction import ColBERT
from ponderank.recipe import Recipe
from ponderank.recipes.embedding import NEEDS, RECIPES
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.window import Window

KINDS = (BiEncoder, ColBERT, E2Rank, Pointwise, Window)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("n", [0, 1, 2, 21, 100])
def test_a_recipe_fits_together_and_asks_for_a_vector_a_document_and_one_for_each_judgement(recipe, n):
    backend = Counting(WordTokenizer())
    candidates = Candidates(Query("q", "who"), tuple(Doc(str(i), f"text {i}") for i in range(n)))
    ((_, ranking),) = Engine(recipe, backend).run([candidates])
    assert sorted(ranking.order) == list(range(n))
    judgements = len(ranking.trace)
    assert ranking.usage.calls == sum(len(step.group) for step in ranking.trace) + judgements
    assert judgements == (n if recipe.strategy == Pointwise() else n > 1)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_is_a_value(recipe):
    assert Recipe.from_dict(recipe.to_dict(), KINDS) == recipe
    assert (recipe.model == "") == (recipe.name not in NEEDS)
