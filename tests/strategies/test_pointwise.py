import math

import pytest

from ponderank.strategies.pointwise import Pointwise, standardised
from ponderank.types import Judgement


def drive(strategy, scores, priors=None):
    plan = strategy.plan(len(scores), priors)
    groups = next(plan)
    with pytest.raises(StopIteration) as stop:
        plan.send([Judgement((scores[i],)) for (i,) in groups])
    return stop.value.value


def test_nothing_to_rank_asks_nothing():
    with pytest.raises(StopIteration) as stop:
        next(Pointwise().plan(0))
    assert stop.value.value == []


def test_priors_are_standardised_and_weighed():
    assert drive(Pointwise(prior_weight=2.0), [0.0, 1.0], [30.0, 10.0]) == [2.0, -1.0]


def test_equal_priors_change_nothing():
    assert drive(Pointwise(prior_weight=2.0), [0.0, 1.0], [7.0, 7.0]) == [0.0, 1.0]


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_where_the_first_stage_scale_begins_does_not_matter(shift):
    there = drive(Pointwise(prior_weight=1.0), [0.0] * 3, [1.0 + shift, 2.0 + shift, 4.0 + shift])
    assert there == pytest.approx(drive(Pointwise(prior_weight=1.0), [0.0] * 3, [1.0, 2.0, 4.0]), abs=1e-6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([math.inf, 1.0, 3.0], [2**-0.5, -(2**0.5), 2**-0.5]),
        ([math.nan, 1.0, 3.0], [-(2**-0.5), -(2**-0.5), 2**0.5]),
        ([math.inf, math.nan], [0.0, 0.0]),
        ([1e308, -1e308], [1.0, -1.0]),
    ],
)
def test_priors_that_are_not_finite_count_as_the_nearest_that_are(values, expected):
    assert standardised(values) == pytest.approx(expected)
