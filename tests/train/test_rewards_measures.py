"""Measures of one list, by hand and against trec_eval."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ponderank.train.rewards_measures import dcg, divergence, minimum_ranks, ndcg, order_of, overlap, recall

LOG3 = math.log2(3)
LISTS = st.integers(1, 12).flatmap(lambda n: st.permutations(range(n)))
SCORES = st.lists(st.floats(-50, 50, allow_nan=False), min_size=1, max_size=12)


def near(value):
    return pytest.approx(value, abs=1e-12)


def test_equal_scores_keep_the_order_shown():
    assert order_of((1, 2, 1, 2)) == (1, 3, 0, 2)
    assert order_of(()) == ()


def test_equal_scores_share_the_best_of_their_ranks():
    assert minimum_ranks((5, 9, 5, 5, 1, 9)) == (3, 1, 3, 3, 6, 1)
    assert minimum_ranks((2, 2)) == (1, 1)
    assert minimum_ranks(()) == ()


def test_gains_are_the_grade_or_a_power_of_two_less_one():
    assert dcg((0, 1), (3, 1)) == near(3 + 1 / LOG3)
    assert dcg((0, 1), (3, 1), gain="exponential") == near(7 + 1 / LOG3)
    assert dcg((0, 1), (-2, 1)) == near(1 / LOG3)
    assert dcg((1, 0), (5, 2), k=1) == near(2)


def test_ndcg_is_a_share_of_the_best_orders():
    assert ndcg((2, 1, 0), (1, 0, 3)) == near((3 + 1 / 2) / (3 + 1 / LOG3))
    assert ndcg((2, 1, 0), (1, 0, 3), gain="exponential") == near((7 + 1 / 2) / (7 + 1 / LOG3))
    assert ndcg((1, 0), (1, 0), k=1) == 0


@pytest.mark.parametrize(("order", "grades"), [((), ()), ((0, 1), (0, 0)), ((0,), (-1,)), ((), (1,))])
def test_ndcg_and_recall_of_nothing_relevant_or_nothing_ranked_are_zero(order, grades):
    assert ndcg(order, grades) == 0
    assert recall(order, grades) == 0


def test_recall_counts_relevant_documents_above_the_cut():
    assert recall((0, 1, 2), (1, 0, 4), k=1) == 0.5
    assert recall(tuple(range(11)), (0,) * 10 + (1,)) == 0
    assert recall(tuple(range(10, -1, -1)), (0,) * 10 + (1,)) == 1


def test_average_overlap_of_twenty_falls_more_by_a_swap_at_the_top_than_at_the_bottom():
    same = list(range(20))
    assert overlap(same, same, p=1) == 1
    assert overlap(same, [1, 0, *same[2:]], p=1) == near(0.95)
    assert overlap(same, [*same[:18], 19, 18], p=1) == near(1 - 1 / 19 / 20)


def test_rank_biased_overlap_is_not_extrapolated():
    same = list(range(20))
    assert overlap(same, same, p=0.9) == near(1 - 0.9**20)
    assert overlap((0, 1), (1, 0), p=0.5) == near(0.5 * (0 + 0.5 * 1))
    assert overlap((0, 1), (2, 3), p=0.5) == 0


def test_overlap_goes_down_to_the_shorter_lists_end():
    assert overlap((0,), (0, 1, 2), p=1) == overlap((0, 1, 2), (0,), p=1) == 1
    assert overlap((), (0,), p=1) == overlap((), (), p=0.5) == 0


@pytest.mark.parametrize("p", [0, -1, 1.1, math.nan])
def test_overlap_refuses_a_p_outside_its_range(p):
    with pytest.raises(ValueError, match="more than 0, and 1 or less"):
        overlap((0,), (0,), p=p)


def test_divergence_is_in_bits():
    assert divergence((1, 0), (0, 1)) == 1
    assert divergence((1, 1), (5, 5)) == 0
    # shares (1, 0) and (1/2, 1/2), middle (3/4, 1/4)
    assert divergence((1, 0), (1, 1)) == near((math.log2(4 / 3) + 0.5 * math.log2(2 / 3) + 0.5 * math.log2(2)) / 2)


def test_scores_without_any_above_zero_are_equal_shares():
    assert divergence((0, 0), (1, 1)) == 0
    assert divergence((0, -3), (1, 0)) == divergence((1, 1), (1, 0))
    assert divergence((0, 0), (0, 0)) == divergence((), ()) == 0


def test_divergence_needs_scores_of_the_same_documents():
    with pytest.raises(ValueError, match="1 and 2 scores"):
        divergence((1,), (1, 2))


@given(SCORES, st.randoms())
def test_divergence_is_symmetric_and_within_a_bit(scores, random):
    others = random.sample(scores, len(scores))
    assert 0 <= divergence(scores, others) <= 1
    assert divergence(scores, others) == near(divergence(others, scores))
    assert divergence(scores, [7 * score for score in scores]) == near(0)


@given(LISTS, st.randoms(), st.floats(0.01, 1))
def test_overlap_is_symmetric_and_greatest_of_equal_lists(first, random, p):
    second = random.sample(first, len(first))
    assert 0 <= overlap(first, second, p=p) <= overlap(first, first, p=p) + 1e-12 <= 1 + 1e-9
    assert overlap(first, second, p=p) == near(overlap(second, first, p=p))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=15), st.randoms(), st.integers(1, 15))
def test_ndcg_and_recall_are_those_of_trec_eval(grades, random, k):
    pytrec_eval = pytest.importorskip("pytrec_eval")
    assume(any(grades))
    order = random.sample(range(len(grades)), len(grades))
    qrels = {"q": {str(place): grade for place, grade in enumerate(grades)}}
    run = {"q": {str(place): float(-rank) for rank, place in enumerate(order)}}
    told = pytrec_eval.RelevanceEvaluator(qrels, {f"ndcg_cut.{k}", f"recall.{k}"}).evaluate(run)["q"]
    assert ndcg(order, grades, k=k) == pytest.approx(told[f"ndcg_cut_{k}"], abs=1e-9)
    assert recall(order, grades, k=k) == pytest.approx(told[f"recall_{k}"], abs=1e-9)
