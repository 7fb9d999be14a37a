import math

import pytest

from ponderank import Recipe, RecipeError, Reranker
from ponderank.backends.testing import Oracle, Scripted
from ponderank.formats.classify import CrossEncoder, sigmoid
from ponderank.formats.yes_no import RANKT5, YesNo
from ponderank.strategies.pointwise import Pointwise
from ponderank.threshold import at_least, left_out
from ponderank.types import Doc, Judgement, Query, Ranking, Reply, Step

ALONE = Recipe("alone", "none", CrossEncoder(), Pointwise())
YES = Recipe("yes", "none", YesNo("{query} {document}", ("yes", "no")), Pointwise())


def test_what_is_below_goes_and_the_rest_keeps_order_scores_and_cost():
    with Reranker(ALONE, backend=Oracle({"a": -1.0, "b": 2.0, "c": 0.0})) as reranker:
        ranking = reranker.rank("q", ["a", "b", "c"], min_prob=0.5)
    assert [doc.text for doc in ranking.docs] == ["b", "c"]
    assert (ranking.scores, ranking.order) == ((2.0, 0.0), (1, 2))
    assert ranking.probs == (sigmoid(2.0), 0.5)
    assert ranking.usage.calls == len(ranking.trace) == 3


def test_the_bar_is_laid_before_the_best_k_are_taken():
    # the first stage lifts a text that the model finds unlikely
    found = Ranking(Query("q", ""), tuple(Doc(i, i) for i in "abc"), (3.0, 2.0, 1.0), (0.1, 0.8, 0.9), (0, 1, 2))
    assert [doc.id for doc in at_least(found, 0.5).top(2).docs] == ["b", "c"]


def test_nothing_may_be_left():
    with Reranker(ALONE, backend=Oracle({"a": -9.0})) as reranker:
        ranking = reranker.rank("q", ["a"], min_prob=0.9, top_k=3)
    assert (len(ranking), ranking.to_jsonl()) == (0, "")


def test_a_text_without_a_verdict_does_not_reach_any_bar_and_is_counted_by_its_flaw():
    backend = Scripted([Reply(scores=(-0.1, -3.0)), Reply(scores=()), Reply(scores=(-3.0, -0.1)), Reply(finish="late")])
    with Reranker(YES, backend=backend) as reranker:
        ranking = reranker.rank("q", ["good", "unread", "bad", "late"])
    assert [doc.text for doc in at_least(ranking, 0.0).docs] == ["good", "bad"]
    assert left_out(ranking, 0.5) == {"below": 1, "unparsed": 1, "late": 1}


def test_a_flawed_judgement_with_a_probability_is_taken_by_it():
    step = Step((0,), Judgement((2.0,), (0.9,), flaw="truncated"))
    found = Ranking(Query("q", ""), (Doc("a", "a"),), (2.0,), (0.9,), (0,), (step,))
    assert len(at_least(found, 0.5)) == 1
    assert left_out(found, 0.5) == {}


def test_a_recipe_that_is_known_to_give_no_probability_is_refused_before_anything_is_asked():
    backend = Scripted([])
    with (
        Reranker(Recipe("rankt5", "none", RANKT5, Pointwise()), backend=backend) as reranker,
        pytest.raises(RecipeError, match=r"'rankt5' gives no probability.*ponderank calibrate"),
    ):
        reranker.rank("q", ["d"], min_prob=0.5)
    assert backend.calls == []


def test_a_ranking_of_judgements_without_probabilities_is_refused():
    found = Ranking(Query("q", ""), (Doc("a", "a"),), (2.0,), (None,), (0,), (Step((0,), Judgement((2.0,))),))
    with pytest.raises(RecipeError, match="gives no probability"):
        at_least(found, 0.5)


def test_where_every_judgement_is_flawed_all_are_left_out_and_nothing_is_refused():
    late = Step((0,), Judgement((math.nan,), flaw="late"))
    found = Ranking(Query("q", ""), (Doc("a", "a"),), (math.nan,), (None,), (0,), (late,))
    assert len(at_least(found, 0.0)) == 0
    assert left_out(found, 0.0) == {"late": 1}


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_a_bar_that_is_no_probability_is_refused(value):
    with Reranker(ALONE, backend=Oracle({})) as reranker, pytest.raises(RecipeError, match="from 0 to 1"):
        reranker.rank("q", [], min_prob=value)
