import json
import math

import pytest
from combined_world import AsGiven, Whole, drive, order_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.formats.classify import CrossEncoder
from ponderank.recipe import Recipe
from ponderank.strategies.cascade import Cascade
from ponderank.strategies.diverse import Diverse, MarginalRelevance
from ponderank.strategies.pointwise import Pointwise

TWINS = {(0, 1): 1.0, (2, 3): 1.0}


def judge(relevance, alike, last=1):
    """Relevance from the first judges, likeness of the first shown from the last one."""

    def answer(ask):
        if ask.judge < last:
            return [relevance[i] for i in ask.group]
        first = ask.group[0]
        return [1.0 if i == first else alike.get((min(i, first), max(i, first)), 0.0) for i in ask.group]

    return answer


def test_a_copy_of_the_best_does_not_come_second():
    _, scores = drive(Diverse(Pointwise(), k=2, trade_off=0.5).plan(4), judge([4.0, 3.9, 3.5, 0.0], TWINS))
    assert order_of(scores) == [0, 2, 1, 3]


def test_each_pair_of_the_pool_is_asked_once_in_one_round_behind_the_strategys_judges():
    strategy = Diverse(Cascade((Pointwise(), Pointwise()), (9,)), k=2, pool=3)
    rounds, _ = drive(strategy.plan(5), judge([1.0, 5.0, 2.0, 4.0, 3.0], {}, last=2))
    assert [(ask.group, ask.judge) for ask in rounds[-1]] == [((1, 3, 4), 2), ((3, 4), 2)]
    assert (strategy.judges, strategy.widest) == (3, 3)


def test_what_is_not_chosen_keeps_the_strategys_order():
    """Of the pool and behind it."""
    _, scores = drive(Diverse(Pointwise(), k=1, trade_off=0.5).plan(4), judge([1.0, 3.0, 2.0, 4.0], {}))
    assert order_of(scores) == [3, 1, 2, 0]
    _, scores = drive(
        Diverse(Pointwise(), k=2, trade_off=0.5, pool=3).plan(5), judge([5.0, 4.9, 4.0, 2.0, 1.0], {(0, 1): 1.0})
    )
    assert order_of(scores) == [0, 2, 1, 3, 4]


def test_only_the_pool_can_be_chosen():
    _, scores = drive(Diverse(Pointwise(), k=2, trade_off=0.0, pool=2).plan(3), judge([3.0, 2.0, 1.0], {(0, 1): 1.0}))
    assert order_of(scores) == [0, 1, 2]


@pytest.mark.parametrize("settings_", [{"k": 1}, {"trade_off": 1.0}])
def test_where_likeness_cannot_matter_it_is_not_asked_for(settings_):
    rounds, scores = drive(Diverse(Pointwise(), **settings_).plan(3), judge([1.0, 3.0, 2.0], {}))
    assert len(rounds) == 1
    assert order_of(scores) == [1, 2, 0]


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_have_no_likeness(n):
    rounds, scores = drive(Diverse(Whole()).plan(n), None)
    assert (rounds, len(scores)) == ([], n)


def test_relevance_is_scaled_within_the_pool():
    """A last one far off the pool would otherwise make all of it equally relevant, and the third would come second."""
    _, scores = drive(
        Diverse(Pointwise(), k=2, trade_off=0.5, pool=3).plan(4), judge([3.0, 2.0, 1.0, -1e9], {(0, 1): 0.4})
    )
    assert order_of(scores)[:2] == [0, 1]


def test_a_likeness_that_is_not_a_number_counts_as_none():
    alike = {(0, 1): 0.9, (0, 2): math.nan}
    _, scores = drive(Diverse(Pointwise(), k=2, trade_off=0.5).plan(3), judge([3.0, 2.0, 1.0], alike))
    assert order_of(scores) == [0, 2, 1]


def test_equally_worthy_ones_keep_the_strategys_order():
    _, scores = drive(Diverse(Pointwise(), k=3, trade_off=0.5).plan(3), judge([1.0, 1.0, 1.0], {}))
    assert order_of(scores) == [0, 1, 2]


def test_without_first_stage_scores_places_say_how_relevant_each_is():
    """In a cascade's first stage, or alone: the pool's places from 1 to 0."""
    rounds, scores = drive(MarginalRelevance(k=2, trade_off=0.5, pool=3).plan(3), judge([], {(0, 1): 0.8}, last=0))
    assert len(rounds) == 1
    assert order_of(scores) == [0, 2, 1]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.integers(1, 8), st.floats(0, 1), st.data())
@settings(max_examples=100, deadline=None)
def test_each_choice_is_the_most_worthy_of_those_left(relevance, k, trade_off, data):
    """Carbonell and Goldstein's formula, worked out anew for each place."""
    n = len(relevance)
    alike = {(i, j): data.draw(st.floats(0, 1)) for i in range(n) for j in range(i + 1, n)}
    _, scores = drive(Diverse(AsGiven(), k=k, trade_off=trade_off, pool=8).plan(n, relevance), judge([], alike))
    order, low, high = order_of(scores), min(relevance), max(relevance)
    assert sorted(order) == list(range(n))

    def worth(i, chosen):
        scaled = (relevance[i] / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 1.0
        nearest = max((alike[min(i, j), max(i, j)] for j in chosen), default=0.0)
        return trade_off * scaled - (1 - trade_off) * nearest

    if k > 1 and trade_off < 1:
        for at in range(min(k, n)):
            assert worth(order[at], order[:at]) >= max(worth(i, order[:at]) for i in order[at:]) - 1e-9


def test_its_parts_are_the_strategy_and_a_chooser_as_wide_as_the_pool():
    (_, inner), (judge_, chooser) = Diverse(Pointwise(), k=4).parts
    assert (inner, judge_, chooser.widest, chooser.absolute) == (Pointwise(), 1, 12, True)
    assert Diverse(Pointwise(), k=4).absolute


def test_a_diverse_strategy_survives_a_recipes_plain_values():
    recipe = Recipe("x", "embedded", CrossEncoder(), Diverse(Pointwise(), k=3))
    plain = json.loads(json.dumps(recipe.to_dict()))
    assert Recipe.from_dict(plain, [CrossEncoder, Diverse, Pointwise]) == recipe


@pytest.mark.parametrize("settings_", [{"k": 0}, {"k": 5, "pool": 4}, {"trade_off": 1.1}, {"trade_off": math.nan}])
def test_impossible_choices_are_refused(settings_):
    with pytest.raises(ValueError, match="need 1 <= k <= pool and a trade_off of 0 to 1"):
        Diverse(Pointwise(), **settings_)
