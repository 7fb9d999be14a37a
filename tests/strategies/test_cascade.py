import itertools
import json
import math

import pytest
from combined_world import AsGiven, Whole, drive, order_of, perfect
from hypothesis import given
from hypothesis import strategies as st

from ponderank.formats.classify import CrossEncoder
from ponderank.recipe import Recipe
from ponderank.strategies.cascade import Cascade, falling
from ponderank.strategies.fuse import Fuse
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.window import Window

TWO = Cascade((Pointwise(), Pointwise()), (2,))


def test_the_next_stage_sees_the_best_of_the_one_before_in_its_order():
    strategy = Cascade((Pointwise(), Whole(), Whole()), (3, 2))
    tables = [[1.0, 9.0, 5.0, 7.0], [0.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 8.0]]
    rounds, scores = drive(strategy.plan(4), perfect(tables))
    assert [[(ask.group, ask.judge) for ask in asks] for asks in rounds[1:]] == [[((1, 3, 2), 1)], [((2, 3), 2)]]
    assert order_of(scores) == [3, 2, 1, 0]


def test_its_scores_are_the_next_stages_first_stage_scores():
    """The second stage adds the first's, standardised: 3 to 1 becomes 1 to -1."""
    strategy = Cascade((Pointwise(), Pointwise(prior_weight=10.0)), (2,))
    _, scores = drive(strategy.plan(3), perfect([[1.0, 3.0, 0.0], [0.0, 0.0, 99.0]]))
    assert scores[:2] == [-10.0, 10.0]


def test_the_first_stage_of_all_has_the_query_own_scores():
    assert order_of(drive(Cascade((AsGiven(), AsGiven()), (2,)).plan(3, [1.0, 3.0, 2.0]), None)[1]) == [1, 2, 0]


def test_those_that_were_not_admitted_keep_their_last_stages_order_the_latest_first():
    strategy = Cascade((Pointwise(),) * 3, (4, 2))
    tables = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.0, 0.0, 4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 1.0, 2.0, 0.0, 0.0]]
    assert order_of(drive(strategy.plan(6), perfect(tables))[1]) == [3, 2, 4, 5, 1, 0]


def test_scores_of_the_last_stage_stay_as_they_are_where_they_tell_apart():
    _, scores = drive(TWO.plan(3), perfect([[1.0, 3.0, 2.0], [0.0, 0.5, 0.25]]))
    assert scores[1:] == [0.5, 0.25]
    assert scores[0] < 0.25


def test_what_the_last_stage_leaves_alike_keeps_the_order_of_the_one_before():
    _, scores = drive(TWO.plan(3), perfect([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]))
    assert order_of(scores) == [2, 1, 0]


def test_not_a_number_from_the_last_stage_is_behind_the_admitted_and_before_the_others():
    nan = math.nan
    _, scores = drive(
        Cascade((Pointwise(), Pointwise()), (3,)).plan(4), perfect([[1.0, 2.0, 3.0, 4.0], [nan, 1.0, nan, 0.5]])
    )
    assert order_of(scores) == [1, 3, 2, 0]
    assert all(map(math.isfinite, scores))


def test_not_a_number_from_an_early_stage_is_not_admitted():
    rounds, _ = drive(TWO.plan(3), perfect([[math.nan, 1.0, 2.0], [0.0, 0.0, 0.0]]))
    assert sorted(ask.group for ask in rounds[1]) == [(1,), (2,)]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_as_few_as_are_kept_all_go_on(n):
    rounds, scores = drive(TWO.plan(n), lambda ask: [float(ask.group[0])])
    assert sum(map(len, rounds)) == 2 * n
    assert order_of(scores) == list(range(n))[::-1]


def test_stages_with_several_judges_push_the_next_further_on():
    strategy = Cascade((Fuse((Pointwise(), Pointwise())), TWO, Pointwise()), (3, 1))
    assert (strategy.judges, [judge for judge, _ in strategy.parts]) == (5, [0, 2, 4])
    rounds, _ = drive(strategy.plan(4), lambda ask: [float(ask.group[0])])
    assert [sorted({ask.judge for ask in asks}) for asks in rounds] == [[0, 1], [2], [3], [4]]


def test_levels_of_a_stage_are_asked_of_its_judge():
    strategy = Cascade((Pointwise(), LayeredExit(k=1, exits=((1, 0.0),))), (2,))
    rounds, _ = drive(strategy.plan(3), lambda ask: [float(ask.group[0])])
    assert [[(ask.group, ask.level, ask.judge) for ask in asks] for asks in rounds[1:]] == [
        [((2,), 1, 1), ((1,), 1, 1)],
        [((2,), 0, 1)],
    ]


def test_mono_then_windows_call_counts():
    strategy = Cascade((Pointwise(), Window(20, 10)), (50,))
    rounds, scores = drive(strategy.plan(100), lambda ask: [float(i) for i in ask.group])
    assert [len(asks) for asks in rounds] == [100, 1, 1, 1, 1]
    assert order_of(scores) == list(range(99, -1, -1))
    assert (strategy.widest, strategy.absolute) == (20, True)


def test_one_stage_alone_is_that_strategy():
    rounds, scores = drive(Cascade((Pointwise(),), ()).plan(3), lambda ask: [float(ask.group[0])])
    assert (len(rounds[0]), scores) == (3, [0.0, 1.0, 2.0])


@given(st.lists(st.floats(), max_size=12), st.integers(0, 12), st.randoms())
def test_falling_scores_are_finite_and_fall_strictly(values, cut, shuffled):
    """Whatever the given ones, in their own order, and whoever is below."""
    items = list(range(len(values)))
    shuffled.shuffle(items)
    admitted = sorted(items[:cut], key=lambda i: (math.isnan(values[i]), -values[i]))
    result = falling(len(values), admitted, dict(enumerate(values)), items[cut:])
    along = [result[i] for i in [*admitted, *items[cut:]]]
    assert all(map(math.isfinite, along))
    assert all(above > below for above, below in itertools.pairwise(along))


def test_a_cascade_survives_a_recipes_plain_values():
    recipe = Recipe("x", "embedded", CrossEncoder(), Cascade((Pointwise(), TWO), (7,)))
    plain = json.loads(json.dumps(recipe.to_dict()))
    assert Recipe.from_dict(plain, [CrossEncoder, Cascade, Pointwise]) == recipe


@pytest.mark.parametrize(
    ("stages", "keep", "said"),
    [((), (), "at least one stage"), ((Pointwise(),), (3,), "a number for each but the last"),
     ((Pointwise(),) * 2, (0,), "1 or more"), ((Pointwise(),) * 3, (3, 4), "none above the one before")],
)  # fmt: skip
def test_impossible_cascades_are_refused(stages, keep, said):
    with pytest.raises(ValueError, match=said):
        Cascade(stages, keep)
