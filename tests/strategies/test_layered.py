import json

import pytest

from ponderank.formats.classify import CrossEncoder
from ponderank.recipe import Recipe
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Ask, Judgement


def drive(strategy, table, priors=None):
    """Play the engine by hand; `table[level][i]` is the score. Returns what was asked and the result."""
    plan = strategy.plan(len(table[0]), priors)
    asked = []
    try:
        groups = next(plan)
        while True:
            groups = [g if isinstance(g, Ask) else Ask(g) for g in groups]
            asked.append([(g.level, g.group[0]) for g in groups])
            groups = plan.send([Judgement((table[g.level][g.group[0]],)) for g in groups])
    except StopIteration as stop:
        return asked, stop.value


def test_pointwise_asks_all_in_one_round():
    assert drive(Pointwise(), [[3.0, 1.0]]) == ([[(0, 0), (0, 1)]], [3.0, 1.0])


def test_without_priors_their_weight_is_nothing():
    assert drive(Pointwise(prior_weight=5.0), [[3.0, 1.0]])[1] == [3.0, 1.0]


def test_the_hopeless_leave_and_rank_below_in_the_order_of_their_last_scores():
    asked, scores = drive(LayeredExit(k=1, exits=((1, 1.0),)), [[0.0, 9.0, 9.0, 5.0], [1.0, 2.0, 8.0, 7.0]])
    assert asked == [[(1, 0), (1, 1), (1, 2), (1, 3)], [(0, 2), (0, 3)]]
    assert sorted(range(4), key=lambda i: -scores[i]) == [2, 3, 1, 0]


def test_when_all_fit_in_the_top_k_only_the_full_model_is_asked():
    asked, scores = drive(LayeredExit(k=2, exits=((2, 0.0), (1, 0.0))), [[1.0, 2.0], [1.0, 2.0], [5.0, 2.0]])
    assert asked == [[(0, 0), (0, 1)]]
    assert scores == [1.0, 2.0]


def test_levels_that_cannot_send_anybody_away_are_skipped():
    asked, _ = drive(LayeredExit(k=1, exits=((2, 0.0), (1, 0.0))), [[1.0, 2.0], [1.0, 2.0], [5.0, 2.0]])
    assert asked == [[(2, 0), (2, 1)], [(0, 0)]]


def test_without_margins_it_is_pointwise():
    assert drive(LayeredExit(k=1, exits=()), [[3.0, 1.0]]) == drive(Pointwise(), [[3.0, 1.0]])


def test_not_a_number_at_an_exit_does_not_leave():
    asked, scores = drive(LayeredExit(k=1, exits=((1, 0.0),)), [[5.0, 2.0, 0.0], [float("nan"), 2.0, 1.0]])
    assert asked[1] == [(0, 0), (0, 1)]
    assert scores[2] < scores[1] < scores[0]


def test_those_that_left_are_strictly_below_even_under_huge_scores():
    _, scores = drive(LayeredExit(k=1, exits=((1, 0.0),)), [[-1e30, 0.0, 0.0], [3.0, 2.0, 1.0]])
    assert scores[2] < scores[1] < scores[0]


@pytest.mark.parametrize(("k", "exits"), [(0, ()), (1, ((1, -1.0),)), (1, ((1, float("nan")),))])
def test_impossible_settings_are_refused(k, exits):
    with pytest.raises(ValueError, match="need k >= 1 and margins of 0 or more"):
        LayeredExit(k=k, exits=exits)


@pytest.mark.parametrize("levels", [(0,), (1, 2), (2, 2), (-1,)])
def test_levels_go_from_the_cheapest_to_the_dearest(levels):
    with pytest.raises(ValueError, match="the cheapest \\(largest\\) first"):
        LayeredExit(k=1, exits=tuple((level, 1.0) for level in levels))


def test_levels_in_between_may_be_left_out():
    asked, _ = drive(LayeredExit(k=1, exits=((3, 0.0),)), [[0.0, 9.0], [], [], [1.0, 2.0]])
    assert asked == [[(3, 0), (3, 1)], [(0, 1)]]


def test_nested_settings_survive_a_recipes_plain_values():
    recipe = Recipe("x", "embedded", CrossEncoder(), LayeredExit(k=1, exits=((2, 1.0), (1, 0.5))))
    plain = json.loads(json.dumps(recipe.to_dict()))
    assert Recipe.from_dict(plain, [CrossEncoder, LayeredExit]) == recipe


def test_priors_count_at_every_exit():
    asked, _ = drive(
        LayeredExit(k=1, exits=((1, 0.5),), prior_weight=10.0), [[0.0, 0.0], [0.0, 3.0]], priors=[1.0, 0.0]
    )
    assert asked[1] == [(0, 0)]


def test_one_leaves_who_is_more_than_two_margins_below_the_kth():
    """Its best case must not reach the k-th's worst: exactly two margins below may still be a tie."""
    asked, _ = drive(LayeredExit(k=1, exits=((1, 1.0),)), [[0.0] * 3, [5.0, 3.0, 2.99]])
    assert asked[1] == [(0, 0), (0, 1)]
