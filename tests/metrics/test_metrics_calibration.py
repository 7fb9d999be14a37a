import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.errors import DataError
from ponderank.metrics.calibration import brier, curve, ece, edges, log_loss, reliability

probs = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def test_probabilities_that_hold_have_no_error():
    p = [0.25] * 4 + [0.75] * 4
    y = [0, 0, 0, 1, 0, 1, 1, 1]
    assert ece(p, y, bins=2) == ece(p, y, bins=2, binning="mass") == 0.0


def test_the_error_is_the_gaps_of_the_bins_weighted_by_their_pairs():
    # three pairs at .9 of which one is relevant, one pair at .1 that is not
    assert ece([0.9, 0.9, 0.9, 0.1], [1, 0, 0, 0], bins=10) == pytest.approx(0.75 * (0.9 - 1 / 3) + 0.25 * 0.1)


def test_one_probability_for_all_is_off_by_its_distance_to_the_base_rate():
    assert ece([0.7] * 10, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]) == pytest.approx(0.4)


def test_bins_of_equal_mass_see_errors_that_cancel_out_in_one_wide_bin():
    p, y = [0.01, 0.01, 0.03, 0.03], [0, 0, 0, 0]
    crowded = ([*p, 0.05, 0.05], [*y, 1, 0])
    assert ece(*crowded, bins=2, binning="mass") > ece(*crowded, bins=2, binning="width")


def test_equal_probabilities_share_a_bin_of_equal_mass():
    assert [bin.count for bin in curve([0.1] * 9 + [0.8], [0] * 9 + [1], bins=20, binning="mass")] == [9, 1]


def test_a_probability_of_one_is_in_the_last_bin_and_zero_in_the_first():
    assert [(bin.low, bin.high) for bin in curve([0.0, 1.0], [0, 1], bins=4)] == [(0.0, 0.25), (0.75, 1.0)]


@settings(max_examples=30, deadline=None)
@given(probs, st.integers(1, 20), st.sampled_from(["width", "mass"]), st.randoms())
def test_the_error_is_that_of_a_plain_count_over_bins(p, bins, binning, random):
    y = [random.randint(0, 1) for _ in p]
    inner = edges(p, bins, binning)
    groups: dict[int, list[int]] = {}
    for i, value in enumerate(p):
        groups.setdefault(sum(value >= edge for edge in inner), []).append(i)
    gaps = [abs(sum(p[i] - y[i] for i in held)) for held in groups.values()]
    assert ece(p, y, bins, binning) == pytest.approx(sum(gaps) / len(p), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(probs, st.randoms())
def test_no_calibration_error_is_larger_than_the_mean_gap_of_single_pairs(p, random):
    y = [random.randint(0, 1) for _ in p]
    assert 0 <= ece(p, y) <= np.mean(np.abs(np.subtract(p, y))) + 1e-9


def test_brier_and_log_loss_are_those_of_the_closed_forms():
    assert brier([0.3, 0.6], [0, 1]) == pytest.approx((0.09 + 0.16) / 2)
    assert log_loss([0.3, 0.6], [0, 1]) == pytest.approx(-(math.log(0.7) + math.log(0.6)) / 2)


def test_a_certainty_that_is_wrong_costs_much_but_not_infinitely():
    assert log_loss([1.0], [0]) == pytest.approx(-math.log(1e-12), rel=1e-3)


def test_the_figures_agree_with_the_single_functions():
    rng = np.random.default_rng(0)
    p = rng.random(500)
    y = (rng.random(500) < p).astype(int)
    found = reliability(p, y, [f"q{i // 10}" for i in range(500)], bins=7, resamples=50)
    assert found.ece_width.value == pytest.approx(ece(p, y, 7))
    assert found.ece_mass.value == pytest.approx(ece(p, y, 7, "mass"))
    assert (found.brier.value, found.log_loss.value) == pytest.approx((brier(p, y), log_loss(p, y)))
    assert (found.pairs, found.queries, found.base_rate) == (500, 50, y.mean())


def test_intervals_are_over_queries_and_not_over_pairs():
    # a query's pairs are all right or all wrong: many pairs teach no more than few
    y = np.repeat(np.arange(20) % 2, 50)
    p = np.full(1000, 0.5)
    p[::2] = 0.6
    by_query = reliability(p, y, [str(i // 50) for i in range(1000)]).log_loss
    by_pair = reliability(p, y, [str(i) for i in range(1000)]).log_loss
    assert by_query.high - by_query.low > 3 * (by_pair.high - by_pair.low)


def test_the_floor_is_what_a_perfect_calibration_shows():
    rng = np.random.default_rng(1)
    p = rng.random(400)
    drawn = [ece(p, rng.random(400) < p) for _ in range(200)]
    assert reliability(p, rng.random(400) < p, ["q"] * 400).ece_floor == pytest.approx(np.mean(drawn), rel=0.15)


def test_the_same_seed_draws_the_same_intervals():
    p, y, queries = [0.2, 0.7, 0.4], [0, 1, 1], ["a", "b", "c"]
    assert reliability(p, y, queries, seed=3) == reliability(p, y, queries, seed=3)


@pytest.mark.parametrize("columns", [([], [], []), ([0.5], [1, 0], ["q"]), ([0.5], [1], [])])
def test_columns_that_do_not_go_together_are_refused(columns):
    with pytest.raises(DataError, match="as many of each"):
        reliability(*columns)
