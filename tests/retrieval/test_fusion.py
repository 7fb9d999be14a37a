import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.retrieval.fusion import comb_mnz, comb_sum, interpolated, reciprocal_rank, standard_sum

SPARSE = [("a", 12.0), ("b", 9.0), ("c", 3.0)]
DENSE = [("d", 0.9), ("b", 0.8), ("a", 0.1)]
RUNS = st.lists(
    st.dictionaries(st.sampled_from("abcdefg"), st.floats(-9, 9)).map(
        lambda run: sorted(run.items(), key=lambda item: -item[1])
    ),
    max_size=4,
)


def test_reciprocal_rank_by_hand():
    assert reciprocal_rank([SPARSE, DENSE]) == [
        ("a", pytest.approx(1 / 61 + 1 / 63)),
        ("b", pytest.approx(2 / 62)),
        ("d", pytest.approx(1 / 61)),
        ("c", pytest.approx(1 / 63)),
    ]


def test_a_documents_rank_is_its_place_in_the_run_whatever_the_scores_say():
    assert reciprocal_rank([[("a", 0.0), ("b", 5.0)]], k=1) == [("a", 0.5), ("b", 1 / 3)]


def test_a_sum_of_z_scores_gives_a_lacking_document_the_runs_lowest():
    """Deviations are the population's; the second run lacks b, whose z there is -1 as a's."""
    fused = dict(standard_sum([[("a", 2.0), ("b", 0.0)], [("c", 3.0), ("a", 1.0)]]))
    assert fused == pytest.approx({"a": 0.0, "b": -2.0, "c": 0.0})


def test_combsum_by_hand():
    assert dict(comb_sum([SPARSE, DENSE])) == pytest.approx({"a": 1.0, "b": 2 / 3 + 7 / 8, "c": 0.0, "d": 1.0})


def test_combmnz_by_hand():
    assert dict(comb_mnz([SPARSE, DENSE])) == pytest.approx({"a": 2.0, "b": 2 * (2 / 3 + 7 / 8), "c": 0.0, "d": 1.0})


def test_interpolation_keeps_the_scores_own_scales():
    fused = dict(interpolated(SPARSE, DENSE, 0.1))
    assert fused == pytest.approx({"a": 1.29, "b": 1.62, "c": 0.39, "d": 1.11})


def test_weights_are_one_a_run():
    for fuse in (comb_sum, comb_mnz, standard_sum):
        with pytest.raises(ValueError, match="2 runs but 1 weights"):
            fuse([SPARSE, DENSE], [1.0])


@pytest.mark.parametrize("fuse", [reciprocal_rank, standard_sum, comb_sum, comb_mnz])
def test_equals_stay_in_the_order_in_which_they_first_come(fuse):
    assert [name for name, _ in fuse([[("b", 1.0)], [("a", 1.0)]])] == ["b", "a"]


@pytest.mark.parametrize("fuse", [reciprocal_rank, standard_sum, comb_sum, comb_mnz])
def test_nothing_fused_is_nothing(fuse):
    assert fuse([]) == []
    assert fuse([[], []]) == []


@given(RUNS, st.sampled_from([reciprocal_rank, standard_sum, comb_sum, comb_mnz]))
def test_every_document_of_any_run_comes_once_best_first(runs, fuse):
    fused = fuse(runs)
    assert sorted(name for name, _ in fused) == sorted({name for run in runs for name, _ in run})
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)


@given(
    st.permutations("abcde"), st.integers(1, 3), st.sampled_from([reciprocal_rank, standard_sum, comb_sum, comb_mnz])
)
def test_a_run_fused_with_itself_keeps_its_order(names, times, fuse):
    run = [(name, 5.0 - at) for at, name in enumerate(names)]
    assert [name for name, _ in fuse([run] * times)] == list(names)
