"""Recipes with several judges: each is asked on its own backend, in its own format."""

from dataclasses import dataclass, replace

import pytest

from ponderank import Candidates, Doc, Engine, Query, Recipe, RecipeError, Reranker
from ponderank.backends.testing import Oracle
from ponderank.calibration import Calibration
from ponderank.engines import kind_of, load_each, with_model
from ponderank.formats.classify import CrossEncoder
from ponderank.formats.rank1 import Rank1
from ponderank.recipe import Judge, check, thinking
from ponderank.recipes import KINDS
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.tools import among
from ponderank.types import Ask, Classify


@dataclass(frozen=True)
class FirstThenBest:
    """All by the first judge, then the best ``keep`` by the second."""

    keep: int = 2
    widest = 1
    absolute = True
    judges = 2

    @property
    def parts(self):
        return ((0, Pointwise()), (1, Pointwise()))

    def plan(self, n, priors=None):
        judgements = yield [(i,) for i in range(n)]
        scores = [judgement.scores[0] for judgement in judgements]
        best = sorted(range(n), key=lambda i: -scores[i])[: self.keep]
        again = yield from among(best, Pointwise().plan(len(best)), judge=1)
        for i, score in zip(best, again, strict=True):
            scores[i] = 1000 + score
        return scores


TWO = Recipe("two", "cheap", CrossEncoder(), FirstThenBest(), others=(Judge("dear", CrossEncoder()),))
DOCS = Candidates(Query("q", "who"), tuple(Doc(name, name) for name in "abcd"))
CHEAP, DEAR = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}, {"a": 0.0, "b": 1.0, "c": 9.0, "d": 9.0}


def ranked(recipe=TWO, **options):
    cheap, dear = Oracle(CHEAP), Oracle(DEAR)
    ((_, ranking),) = Engine(recipe, [cheap, dear], **options).run([DOCS])
    return ranking, cheap, dear


def test_each_judge_is_asked_on_its_own_backend():
    ranking, cheap, dear = ranked()
    assert [doc.id for doc in ranking.docs] == ["b", "a", "c", "d"]
    assert [call.text for call in cheap.asked] == list("abcd")
    assert [call.text for call in dear.asked] == list("ab")


def test_the_trace_says_which_judge_was_asked():
    ranking, _, _ = ranked()
    assert [(step.group, step.judge) for step in ranking.trace] == [
        ((0,), 0), ((1,), 0), ((2,), 0), ((3,), 0), ((0,), 1), ((1,), 1),
    ]  # fmt: skip


def test_a_backend_that_two_judges_share_is_stepped_once():
    both = Oracle(CHEAP)
    ((_, ranking),) = Engine(TWO, both).run([DOCS])
    assert len(both.asked) == ranking.usage.calls == 6


def test_a_judge_too_few_is_refused_before_any_call():
    lonely = replace(TWO, others=())
    with pytest.raises(RecipeError, match="asks 2 judges, the recipe has 1"):
        check(lonely, Oracle(CHEAP))
    with pytest.raises(RecipeError, match="2 judges, here are 1 backends"):
        check(TWO, [Oracle(CHEAP)])


def test_each_judge_is_checked_against_its_own_backend():
    thinks = replace(TWO, others=(Judge("dear", Rank1()),))
    with pytest.raises(RecipeError, match="asks for Choose, Generate"):
        check(thinks, [Oracle(CHEAP), Oracle(DEAR)])


def test_a_recipe_with_judges_is_plain_values_and_back():
    recipe = replace(TWO, strategy=Pointwise())
    values = recipe.to_dict()
    assert values["others"] == [{"kind": "Judge", "model": "dear", "format": values["format"]}]
    assert Recipe.from_dict(values, KINDS) == recipe


def test_a_recipe_with_one_judge_is_written_as_before():
    assert "others" not in replace(TWO, others=()).to_dict()


def test_a_model_is_for_the_judges_that_have_none():
    recipe = replace(TWO, model="embedded", others=(Judge("", Rank1()), Judge("", CrossEncoder())))
    assert [judge.model for judge in with_model(recipe, "m").judges] == ["embedded", "m", "m"]
    url = "http://127.0.0.1:1/v1"  # a server runs no cross-encoder
    assert [judge.model for judge in with_model(recipe, "m", url).judges] == ["embedded", "m", ""]
    assert [judge.model for judge in with_model(replace(TWO, model="dear"), "m").judges] == ["m", "m"]
    with pytest.raises(RecipeError, match="no judge"):
        with_model(replace(TWO, model="embedded", others=(Judge("embedded", CrossEncoder()),)), "m")


def test_judges_with_one_model_share_a_backend():
    recipe = Recipe("twice", "embedded", CrossEncoder(), FirstThenBest(), others=(Judge("embedded", CrossEncoder()),))
    first, second = load_each(recipe)
    assert first is second
    first.close()


def test_what_asks_nothing_needs_no_model():
    @dataclass(frozen=True)
    class Silent:
        widest, absolute, needs = 1, True, frozenset()

        def judge(self, query, docs, tokenizer):
            yield []

    assert kind_of(Silent()) == "nothing"
    (backend,) = load_each(Recipe("silent", "", Silent(), Pointwise()))
    assert backend.can == frozenset()


def test_thoughts_are_bounded_wherever_a_judge_thinks():
    recipe = replace(TWO, others=(Judge("dear", Rank1()),))
    bounded = thinking(recipe, tokens=7)
    assert bounded.format == CrossEncoder()
    assert bounded.others[0].format.max_tokens == 7


def test_a_reranker_ranks_counts_and_names_all_its_judges(tmp_path):
    cheap, dear = Oracle(CHEAP), Oracle(DEAR)
    cheap.fingerprint, dear.fingerprint = "cheap", "dear"
    with Reranker(TWO, backend=[cheap, dear], cache=tmp_path / "c.sqlite") as reranker:
        assert reranker.fingerprint == "cheap + dear"
        assert reranker.dry_run([DOCS]).calls == 6
        assert not cheap.asked
        again = [reranker.rank("who", list(DOCS.docs)) for _ in range(2)]
    assert [doc.id for doc in again[0].docs] == ["b", "a", "c", "d"]
    assert len(cheap.asked) + len(dear.asked) == 6, "the second time the cache answers"


def test_every_judge_of_a_cascade_has_its_own_calibration():
    recipe = replace(TWO, model="embedded", others=(Judge("embedded", CrossEncoder()),))
    given = Calibration("platt", slope=1.0, intercept=1.0)
    with Reranker(recipe, backend=[Oracle(CHEAP), Oracle(DEAR)], calibration=given) as reranker:
        assert set(reranker.calibrations) == {0, "1:0"}


def test_an_ask_for_a_judge_that_is_not_there_cannot_come_from_a_checked_recipe():
    moved = list(next(among([3, 2], Pointwise().plan(2), judge=4)))
    assert moved == [Ask((3,), judge=4), Ask((2,), judge=4)]


def test_a_late_pair_has_one_score():
    from ponderank.backends.deadline import late

    assert len(late(Classify("q", "d")).scores) == 1


def test_several_models_are_given_by_the_folder_that_holds_theirs(tmp_path):
    recipe = replace(TWO, model="org/mono", others=(Judge("org/duo", CrossEncoder()),))
    (tmp_path / "mono").mkdir()
    with pytest.raises(RecipeError, match="has 2 models; give a folder that holds mono and duo"):
        with_model(recipe, str(tmp_path))
    (tmp_path / "duo").mkdir()
    given = with_model(recipe, str(tmp_path))
    assert [judge.model for judge in given.judges] == [str(tmp_path / "mono"), str(tmp_path / "duo")]
