import math

import pytest

from ponderank import DataError
from ponderank.metrics.systems import kendall_tau, rank_systems

# one task decides the mean, most tasks decide the rest
LOPSIDED = {"peak": {"t": 1.0, "u": 0.1, "v": 0.1}, "steady": {"t": 0.2, "u": 0.2, "v": 0.2}}


def test_the_mean_and_the_majority_may_disagree_and_it_is_shown():
    found = rank_systems(LOPSIDED, resamples=0)
    assert found.ranks["mean"] == {"peak": 1.0, "steady": 2.0}
    assert found.condorcet == "steady"
    majority = ("borda", "bradley-terry", "copeland", "minimax")
    assert found.disputed == (("peak", "steady", ("mean",), majority),)
    assert found.agreement["mean", "borda"] == -1.0


def test_a_cycle_has_no_condorcet_winner():
    table = {"a": {"t": 3, "u": 1, "v": 2}, "b": {"t": 2, "u": 3, "v": 1}, "c": {"t": 1, "u": 2, "v": 3}}
    found = rank_systems(table, resamples=0)
    assert found.condorcet is None
    assert found.scores["copeland"] == {"a": 0.0, "b": 0.0, "c": 0.0}
    assert found.scores["minimax"] == {"a": -1.0, "b": -1.0, "c": -1.0}
    assert found.connected


def test_borda_counts_the_systems_below_and_half_of_those_beside():
    found = rank_systems({"a": {"t": 2, "u": 1}, "b": {"t": 1, "u": 1}, "c": {"t": 0, "u": 0}}, resamples=0)
    assert found.scores["borda"] == {"a": 3.5, "b": 2.5, "c": 0.0}


def test_a_missing_score_is_not_filled_in():
    """Mean and Borda look at the tasks all have; the pairwise rules at those that two share."""
    table = {"a": {"t": 0.5, "u": 0.9}, "b": {"t": 0.4, "u": None}, "c": {"t": 0.3, "u": 0.1}}
    found = rank_systems(table, resamples=0)
    assert found.common == ("t",)
    assert found.tasks == {"a": 2, "b": 1, "c": 2}
    assert found.scores["mean"] == {"a": 0.5, "b": 0.4, "c": 0.3}
    assert found.scores["minimax"]["c"] == -2.0


def test_without_a_task_that_all_have_the_mean_has_no_answer():
    found = rank_systems({"a": {"t": 0.5, "u": 0.3}, "b": {"t": 0.4}, "c": {"u": 0.3}}, resamples=0)
    assert all(math.isnan(value) for value in found.scores["mean"].values())
    assert found.to_dict()["rules"]["mean"]["a"] == {"score": None, "rank": None}


def test_an_unbeaten_system_is_said_to_be_held_by_the_prior_alone():
    assert not rank_systems({"a": {"t": 2.0}, "b": {"t": 1.0}}, resamples=0).connected


def test_intervals_hold_the_strengths_and_come_from_the_seed():
    found, again = (rank_systems(LOPSIDED, resamples=40, seed=3) for _ in range(2))
    assert found.intervals == again.intervals
    for system, (low, high) in found.intervals.items():
        assert low <= found.scores["bradley-terry"][system] <= high


def test_a_score_that_is_no_number_names_system_and_task():
    with pytest.raises(DataError, match="'b' on 't' is 'x'"):
        rank_systems({"a": {"t": 1.0}, "b": {"t": "x"}})


def test_one_system_is_not_enough():
    with pytest.raises(DataError, match="at least two systems"):
        rank_systems({"a": {"t": 1.0}})


def test_kendalls_tau_b_with_ties_equals_scipys():
    from scipy.stats import kendalltau

    one, other = [1, 2, 2, 3, 4, 4], [2, 1, 2, 3, 3, 5]
    assert kendall_tau(one, other) == pytest.approx(kendalltau(one, other).statistic)
