"""What holds for every recipe of the tables, with a model that says nothing and one that knows."""

import random
import re

import pytest

from ponderank import Candidates, Doc, Engine, Query, Recipe
from ponderank.backends.adapters import WordTokenizer
from ponderank.backends.testing import Counting
from ponderank.recipes import (
    KINDS,
    NEEDS,
    RECIPES,
    attention,
    comparing,
    composed,
    embedding,
    encoders,
    find,
    language,
    listwise,
)
from ponderank.types import Choose, Classify, Generate, Reply

ALL = list(RECIPES.values())


def candidates(n, seed=1):
    values = random.Random(seed).sample(range(n), n)
    return Candidates(Query("q", "who"), tuple(Doc(str(at), f"relevance {value}.") for at, value in enumerate(values)))


def relevance(text):
    return int(re.search(r"relevance (\d+)", text)[1])


class Knowing:
    """Knows the relevance of every passage shown: orders, verdicts and scores are right."""

    can = Counting(WordTokenizer()).can
    fingerprint = "knowing"
    tokenizer = WordTokenizer()

    def __init__(self):
        self.tickets, self._ready = 0, []

    def add(self, call):
        self.tickets += 1
        self._ready.append((self.tickets, self._reply(call)))
        return self.tickets

    def step(self):
        ready, self._ready = self._ready, []
        return ready

    def close(self):
        pass

    def _reply(self, call):
        if isinstance(call, Classify):
            return Reply(scores=(float(relevance(call.text)),))
        known = [relevance(part.text) for part in call.prompt if part.may_shorten]
        if isinstance(call, Choose):
            return Reply(scores=(known[0] / 10, -known[-1] / 10 if len(known) > 1 else -known[0] / 10))
        order = sorted(range(len(known)), key=lambda at: -known[at])
        if "Snippet" in "".join(part.text for part in call.prompt):
            return Reply(" ".join(str(at + 1) for at in order), finish="end")
        if isinstance(call, Generate) and call.watch:
            return Reply("It is so.", scores=(known[0] / 10, -known[0] / 10), stop=call.stop[0])
        return Reply(" > ".join(f"[{at + 1}]" for at in order), finish="end")


def test_every_name_is_there_once():
    tables = (attention, comparing, composed, embedding, encoders, language, listwise)
    assert sum(len(table.RECIPES) for table in tables) == len(RECIPES)


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_every_recipe_is_plain_values_and_back(recipe):
    assert Recipe.from_dict(recipe.to_dict(), KINDS) == recipe


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_every_recipe_ranks_whatever_a_model_leaves_unsaid(recipe):
    for n in (0, 1, 3, 25):
        ((_, ranking),) = Engine(recipe, Counting(WordTokenizer())).run([candidates(n)])
        assert sorted(ranking.order) == list(range(n))


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_a_recipe_names_its_model_its_paper_or_that_a_model_must_be_given(recipe):
    if recipe.model and recipe.model != "embedded":
        assert recipe.name in NEEDS or recipe.paper
    if not recipe.model:
        assert "give its model" in recipe.note or "give the model" in recipe.note


@pytest.mark.parametrize(
    ("name", "sure"),
    [
        ("jointrank", 1), ("jointrank-10", 1), ("tdpart", 3), ("tdpart-parallel", 10), ("self-consistency-rank-zephyr", 10),
        ("mono-duo-t5-base", 10), ("dear", 10), ("think-top-20", 10), ("default-diverse", 1),
    ],
)  # fmt: skip
def test_a_composed_recipe_finds_the_head_with_models_that_know(name, sure):
    asked = candidates(40)
    ((_, ranking),) = Engine(find(name), Knowing()).run([asked])
    right = sorted(range(40), key=lambda at: -relevance(asked.docs[at].text))
    if name.startswith("jointrank"):  # PageRank over implied games: the best is near the top, not always first
        assert right[0] in ranking.order[:5]
    else:
        assert list(ranking.order[:sure]) == right[:sure]
    assert not ranking.flaws()


def test_mono_then_duo_asks_one_model_for_all_and_the_other_for_pairs_of_the_best():
    recipe = find("mono-duo-t5-base")
    mono, duo = Knowing(), Knowing()
    list(Engine(recipe, [mono, duo]).run([candidates(100)]))
    assert (mono.tickets, duo.tickets) == (100, 50 * 49)
