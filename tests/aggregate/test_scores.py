import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.aggregate.scores import SCALES, by_points, comb_mnz, comb_sum, interpolated, rrf, scaler

NAN = math.nan
ANY = st.one_of(st.none(), st.floats())


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.sampled_from(sorted(SCALES)))
def test_a_scale_changes_no_order(scores, name):
    scaled = scaler(name)(scores)
    for i, one in enumerate(scores):
        for j, other in enumerate(scores):
            assert not (one > other and scaled[i] < scaled[j])


@given(st.lists(ANY, max_size=8), st.sampled_from(sorted(SCALES)))
def test_a_scale_gives_a_finite_number_for_everything(scores, name):
    scaled = scaler(name)(scores)
    assert len(scaled) == len(scores)
    assert all(map(math.isfinite, scaled))


@given(st.lists(ANY, min_size=1, max_size=8), st.sampled_from(sorted(set(SCALES) - {"borda"})))
def test_a_missing_score_is_never_above_one_that_is_there(scores, name):
    """But under Borda, where all that are missing share the points left over, as the last one there may have fewer."""
    scaled = scaler(name)(scores)
    present = [value for value, score in zip(scaled, scores, strict=True) if score is not None and score == score]
    missing = [value for value, score in zip(scaled, scores, strict=True) if score is None or score != score]
    assert not present or not missing or max(missing) <= min(present)


@given(st.lists(ANY, max_size=8), st.sampled_from(sorted(SCALES)))
def test_none_and_not_a_number_are_the_same(scores, name):
    assert scaler(name)(scores) == scaler(name)([NAN if score is None else score for score in scores])


@pytest.mark.parametrize(
    ("name", "scaled"),
    [
        ("none", [4.0, 1.0, 2.0, 1.0]),
        ("min-max", [1.0, 0.0, 1 / 3, 0.0]),
        ("z-score", [5 / math.sqrt(14), -4 / math.sqrt(14), -1 / math.sqrt(14), -4 / math.sqrt(14)]),
        ("sum", [3 / 4, 0.0, 1 / 4, 0.0]),
        ("max", [1.0, 0.0, 0.5, 0.25]),
        ("rank", [1.0, 0.0, 2 / 3, 1 / 3]),
        ("borda", [1.0, 0.25, 0.75, 0.5]),
    ],
)
def test_the_scales_by_hand(name, scaled):
    """The second is missing; mean and deviation are those of 4, 2 and 1."""
    assert scaler(name)([4.0, None, 2.0, 1.0]) == pytest.approx(scaled)


def test_a_missing_z_score_is_the_lowest_and_not_the_average():
    """With 0 it would be before the second."""
    assert comb_sum([[3.0, 1.0, None], [0.0, 0.0, 0.0]], scale="z-score") == pytest.approx([1.0, -1.0, -1.0])


def test_scores_below_0_divided_by_the_largest_keep_their_order():
    """Divided by the maximum, -1, they would turn round."""
    assert scaler("max")([-1.0, -2.0, None]) == [-0.5, -1.0, -1.0]


def test_all_equal_is_more_than_missing():
    assert comb_sum([[2.0, 2.0, None]]) == [1.0, 1.0, 0.0]


def test_infinite_scores_count_as_the_nearest_finite_one():
    assert scaler("min-max")([math.inf, 3.0, 1.0, -math.inf]) == [1.0, 1.0, 0.0, 0.0]


def test_huge_scores_have_a_finite_range():
    assert scaler("min-max")([1.7e308, -1.7e308, 0.0]) == pytest.approx([1.0, 0.0, 0.5])
    assert scaler("z-score")([1.7e308, -1.7e308]) == pytest.approx([1.0, -1.0])


def test_missing_points_are_shared():
    """Of 4 points 2 and 1 are left over: each of the two gets 1.5."""
    assert [4 * share for share in by_points([None, 5.0, None, 6.0])] == [1.5, 3.0, 1.5, 4.0]


def test_combsum_by_hand():
    assert comb_sum([[1.0, 0.0], [0.0, 4.0], [2.0, 3.0]], [1.0, 1.0, 2.0]) == [1.0, 3.0]


def test_combmnz_multiplies_by_the_lists_that_hold_the_item():
    assert comb_mnz([[1.0, 0.0, None], [1.0, 0.0, 2.0], [0.0, None, 3.0]]) == pytest.approx([3 * 1.5, 0.0, 2 * 2.0])


@pytest.mark.parametrize("scale", ["z-score", "max", "none"])
def test_combmnz_refuses_scales_on_which_more_lists_would_push_down(scale):
    with pytest.raises(ValueError, match="needs scores of 0 or more"):
        comb_mnz([[1.0, 2.0]], scale=scale)


def test_reciprocal_ranks_by_hand():
    assert rrf([[0.9, 0.1, None], [1.0, 2.0, 3.0]]) == pytest.approx([1 / 61 + 1 / 63, 1 / 62 + 1 / 62, 1 / 61])
    assert rrf([[0.9, 0.1], [1.0, 2.0]], [1.0, 3.0], k=1) == pytest.approx([1 / 2 + 3 / 3, 1 / 3 + 3 / 2])


def test_equal_scores_are_ranked_in_the_items_order():
    assert rrf([[1.0, 2.0, 2.0]], k=0) == pytest.approx([1 / 3, 1.0, 1 / 2])


def test_interpolation_by_hand():
    assert interpolated([10.0, 0.0], [0.0, 20.0], 0.75) == [7.5, 5.0]
    assert interpolated([10.0, 0.0], [0.0, 20.0], 0.75, scale="min-max") == [0.75, 0.25]


@pytest.mark.parametrize("weight", [-0.1, 1.1, NAN])
def test_a_share_outside_0_to_1_is_refused(weight):
    with pytest.raises(ValueError, match="0 to 1"):
        interpolated([1.0], [1.0], weight)


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"the lists have \[1, 2\] scores"):
        comb_sum([[1.0], [1.0, 2.0]])


def test_one_weight_a_list():
    with pytest.raises(ValueError, match="1 lists but 2 weights"):
        rrf([[1.0]], [1.0, 2.0])


def test_an_unknown_scale_is_told_the_known_ones():
    with pytest.raises(ValueError, match="known: none, min-max, z-score"):
        comb_sum([[1.0]], scale="minmax")


def test_no_lists_are_no_scores():
    assert comb_sum([]) == comb_mnz([]) == rrf([]) == []
