import json
import math

import pytest
from combined_world import AsGiven, Whole, drive, order_of, perfect

from ponderank.errors import RecipeError
from ponderank.formats.classify import CrossEncoder
from ponderank.recipe import Judge, Recipe, check
from ponderank.strategies.adaptive import AdaptiveThinking
from ponderank.strategies.cascade import Cascade
from ponderank.strategies.fuse import Fuse
from ponderank.strategies.pointwise import Pointwise

WAYS = ["rrf", "comb-sum", "comb-mnz", "z-score", "borda", "interpolate"]
TWO = Fuse((Pointwise(), Pointwise()))


def fused(how, *tables, **settings):
    strategy = Fuse((Pointwise(),) * len(tables), how, **settings)
    return drive(strategy.plan(len(tables[0])), perfect(list(tables)))[1]


def test_all_strategies_ask_side_by_side_each_a_judge_of_its_own():
    rounds, _ = drive(Fuse((Whole(2), Pointwise(), Whole())).plan(2), lambda ask: [0.0] * len(ask.group))
    assert [[(ask.group, ask.judge) for ask in asks] for asks in rounds] == [
        [((0, 1), 0), ((0,), 1), ((1,), 1), ((0, 1), 2)],
        [((0, 1), 0)],
    ]


def test_a_strategy_with_several_judges_pushes_the_next_further_on():
    strategy = Fuse((TWO, Pointwise()))
    assert strategy.judges == 3
    assert strategy.parts == ((0, TWO), (2, Pointwise()))
    rounds, _ = drive(strategy.plan(1), lambda ask: [0.0])
    assert [ask.judge for ask in rounds[0]] == [0, 1, 2]


@pytest.mark.parametrize("how", WAYS)
def test_what_all_agree_on_is_the_order(how):
    assert order_of(fused(how, [1.0, 3.0, 2.0], [1.0, 3.0, 2.0])) == [1, 2, 0]


@pytest.mark.parametrize("how", WAYS)
def test_weights_decide_between_two_that_disagree(how):
    for weights, best in (((2.0, 1.0), 0), ((1.0, 2.0), 1)):
        assert order_of(fused(how, [5.0, 4.0], [4.0, 5.0], weights=weights))[0] == best


@pytest.mark.parametrize("how", WAYS)
def test_judges_that_say_nothing_leave_the_first_stages_order(how):
    assert order_of(fused(how, [0.0] * 4, [math.nan] * 4)) == [0, 1, 2, 3]


def test_reciprocal_ranks_do_not_look_at_scores():
    assert fused("rrf", [9.0, 1.0], [0.3, 0.2]) == pytest.approx([2 / 61, 2 / 62])


def test_sums_are_of_scores_between_0_and_1():
    assert fused("comb-sum", [9.0, 1.0, 5.0], [0.0, 2.0, 2.0]) == [1.0, 1.0, 1.5]


def test_what_more_judges_scored_counts_for_more_with_mnz():
    """The second judge said nothing of the first candidate."""
    tables = [1.0, 0.5, 0.0], [math.nan, 0.5, 0.0]
    assert fused("comb-sum", *tables) == pytest.approx([1.0, 1.5, 0.0])
    assert fused("comb-mnz", *tables) == pytest.approx([1.0, 3.0, 0.0])


def test_a_first_stage_without_weight_is_no_list_that_holds_a_candidate():
    strategy = Fuse((Pointwise(), Pointwise()), "comb-mnz")
    tables = [[1.0, 0.8, 0.0], [math.nan, 0.2, 0.0]]
    assert drive(strategy.plan(3, [1.0, 1.0, 1.0]), perfect(tables)) == drive(strategy.plan(3), perfect(tables))


def test_standardised_scores_have_the_same_spread():
    assert fused("z-score", [1000.0, 0.0], [0.0, 0.1]) == pytest.approx([0.0, 0.0])


def test_points_are_for_places():
    assert fused("borda", [9.0, 1.0, 0.0], [2.0, 1.0, 3.0]) == pytest.approx([5 / 3, 1.0, 4 / 3])


def test_interpolation_is_the_weighted_mean_of_the_scores_as_they_are():
    assert fused("interpolate", [4.0, 0.0], [0.0, 8.0], weights=(3.0, 1.0)) == [3.0, 2.0]


@pytest.mark.parametrize("how", WAYS)
def test_the_first_stage_is_one_more_list_when_its_scores_are_known(how):
    strategy = Fuse((Pointwise(),), how, first_stage_weight=3.0)
    assert order_of(drive(strategy.plan(2, [5.0, 4.0]), perfect([4.0, 5.0]))[1]) == [0, 1]
    assert order_of(drive(strategy.plan(2), perfect([4.0, 5.0]))[1]) == [1, 0]


def test_without_weight_the_first_stage_counts_only_inside_the_strategies():
    assert order_of(
        drive(Fuse((AsGiven(), Pointwise()), weights=(0.0, 1.0)).plan(2, [5.0, 4.0]), perfect([[], [4.0, 5.0]]))[1]
    ) == [1, 0]
    assert order_of(drive(Fuse((AsGiven(),)).plan(2, [4.0, 5.0]), None)[1]) == [1, 0]


@pytest.mark.parametrize("how", WAYS)
def test_no_candidates_are_no_scores_and_one_is_one(how):
    assert drive(Fuse((Pointwise(), Whole()), how, first_stage_weight=1.0).plan(0, []), None) == ([], [])
    assert len(drive(Fuse((Pointwise(), Whole()), how).plan(1), lambda ask: [1.0])[1]) == 1


def test_only_the_first_stage_weighted_and_not_known_leaves_all_alike():
    strategy = Fuse((Pointwise(),), "interpolate", weights=(0.0,), first_stage_weight=1.0)
    assert order_of(drive(strategy.plan(2), perfect([1.0, 2.0]))[1]) == [0, 1]


def test_it_is_as_wide_as_the_widest_and_compares_if_one_does():
    assert (Fuse((Whole(widest=7), Pointwise())).widest, Fuse((Whole(widest=7), Pointwise())).absolute) == (7, True)
    assert not Fuse((Whole(),)).absolute


def test_each_part_must_fit_its_own_judge():
    """Adaptive thinking needs levels; the second judge has none that could think."""
    strategy = Fuse((Pointwise(), AdaptiveThinking()))
    recipe = Recipe("x", "embedded", CrossEncoder(), strategy, others=(Judge("embedded", CrossEncoder()),))
    from ponderank.backends.testing import Counting, Oracle

    class Shallow(Oracle):
        levels = 1

    check(recipe, Oracle({}))
    with pytest.raises(RecipeError, match="asks at 2 levels, the model has 1"):
        check(recipe, (Oracle({}), Shallow({})))
    with pytest.raises(RecipeError, match="asks 2 judges, the recipe has 1"):
        check(Recipe("x", "embedded", CrossEncoder(), strategy), Counting(None))


def test_a_fusion_survives_a_recipes_plain_values():
    strategy = Fuse((Pointwise(), Cascade((Pointwise(), Pointwise()), (3,))), "borda", weights=(1.0, 2.0))
    recipe = Recipe("x", "embedded", CrossEncoder(), strategy)
    plain = json.loads(json.dumps(recipe.to_dict()))
    assert Recipe.from_dict(plain, [CrossEncoder, Fuse, Cascade, Pointwise]) == recipe


@pytest.mark.parametrize(
    ("strategies", "settings", "said"),
    [
        ((), {}, "give one or more"),
        ((Pointwise(),), {"how": "mean"}, "rrf, comb-sum"),
        ((Pointwise(),), {"weights": (1.0, 2.0)}, "one weight each"),
        ((Pointwise(),), {"weights": (-1.0,)}, "0 or more"),
        ((Pointwise(),), {"weights": (0.0,)}, "not all 0"),
        ((Pointwise(),), {"first_stage_weight": math.nan}, "finite"),
    ],
)
def test_impossible_fusions_are_refused(strategies, settings, said):
    with pytest.raises(ValueError, match=said):
        Fuse(strategies, **settings)
