import math

import numpy as np
import pytest

from ponderank import DataError
from ponderank.metrics.compare import against, bootstrap_interval, compare, holm, randomisation_test, t_test


def _differences(n, shift=0.05, seed=0):
    return [float(value) for value in np.random.default_rng(seed).normal(shift, 0.2, size=n)]


@pytest.mark.parametrize("n", [2, 10, 43])
def test_the_t_test_equals_scipys(n):
    from scipy.stats import ttest_1samp

    differences = _differences(n)
    assert t_test(differences) == pytest.approx(ttest_1samp(differences, 0).pvalue, rel=1e-10)


def test_the_exact_randomisation_test_equals_scipys():
    from scipy.stats import permutation_test

    differences = [*_differences(8), 0.0]
    theirs = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert randomisation_test(differences) == pytest.approx(theirs.pvalue)


def test_the_drawn_randomisation_test_is_near_the_exact_one():
    """Eleven queries have 2,048 signs; a thousand draws are within four standard errors."""
    differences = _differences(11)
    exact = randomisation_test(differences)
    drawn = randomisation_test(differences, resamples=1000)
    assert abs(drawn - exact) < 4 * math.sqrt(exact * (1 - exact) / 1000)
    assert drawn != exact


def test_a_seed_gives_one_answer_and_another_seed_another():
    differences = _differences(43)
    one, again, other = (randomisation_test(differences, resamples=500, seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    assert bootstrap_interval(differences, seed=1) == bootstrap_interval(differences, seed=1)


def test_no_drawn_p_value_is_0():
    assert randomisation_test([1.0] * 40, resamples=200) == pytest.approx(1 / 201)


def test_many_queries_are_drawn_in_parts():
    """Three thousand queries times two thousand draws are six million numbers, in three parts."""
    differences = _differences(3000, shift=0.0)
    assert 0 < randomisation_test(differences, resamples=2000) <= 1
    low, high = bootstrap_interval(differences, resamples=2000)
    error = np.std(differences, ddof=1) / math.sqrt(3000)
    assert (high - low) == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_holm_on_its_textbook_example():
    """The example of Wikipedia's article on the method: of four, the first and the fourth are rejected at 0.05."""
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [p <= 0.05 for p in adjusted] == [True, False, False, True]


def test_holm_stops_at_1_and_passes_over_what_is_no_number():
    adjusted = holm([0.6, math.nan, 0.7])
    assert adjusted[0] == adjusted[2] == 1.0
    assert math.isnan(adjusted[1])


def test_without_correction_p_values_stay():
    base = {"a": 0.0, "b": 0.1, "c": 0.0}
    systems = {"x": {"a": 0.3, "b": 0.1, "c": 0.2}, "y": {"a": 0.1, "b": 0.5, "c": 0.2}}
    for test, field in (("t", "t_p"), ("randomisation", "randomisation_p")):
        for one in against(base, systems, test=test, correction="none").values():
            assert one.adjusted_p == getattr(one, field)


def test_equal_systems_do_not_differ():
    same = {"a": 0.3, "b": 0.1}
    found = compare(same, dict(same))
    assert (found.difference, found.t_p, found.randomisation_p, found.ties) == (0.0, 1.0, 1.0, 2)
    assert (found.low, found.high) == (0.0, 0.0)


def test_one_query_has_no_t_test_and_says_so_as_null():
    assert compare({"a": 0.0}, {"a": 1.0}).to_dict()["t_p"] is None


def test_systems_must_be_about_the_same_queries():
    with pytest.raises(DataError, match="not about the same queries"):
        compare({"a": 0.0}, {"b": 1.0})
