import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.calibrate.fit import Pairs, cross_fitted, evened, fit, mapped
from ponderank.errors import DataError
from ponderank.formats.classify import sigmoid


def drawn(slope, intercept, n=8_000, seed=0):
    """Pairs whose labels are drawn from a known sigmoid of their scores."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(20, 6, n)
    labels = rng.random(n) < 1 / (1 + np.exp(-(slope * scores + intercept)))
    return Pairs(tuple(f"q{i // 20}" for i in range(n)), tuple(map(float, scores)), tuple(map(int, labels)))


def test_platt_finds_the_sigmoid_that_labels_were_drawn_from():
    found = fit(drawn(0.3, -8.0), "platt")
    assert found.slope == pytest.approx(0.3, abs=0.02)
    assert found.intercept == pytest.approx(-8.0, abs=0.5)


def test_temperature_finds_the_slope_and_has_no_intercept():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 4, 6_000)
    labels = rng.random(6_000) < 1 / (1 + np.exp(-0.5 * scores))
    found = fit(Pairs(("q",) * 6_000, tuple(map(float, scores)), tuple(map(int, labels))), "temperature")
    assert found.slope == pytest.approx(0.5, abs=0.05)
    assert found.intercept == 0.0


def test_isotonic_follows_a_curve_that_is_no_sigmoid():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, 6_000)
    labels = rng.random(6_000) < np.where(scores < 0.5, 0.1, 0.6)
    found = fit(Pairs(("q",) * 6_000, tuple(map(float, scores)), tuple(map(int, labels))), "isotonic")
    assert [found.prob(x) for x in (0.2, 0.4, 0.6, 0.8)] == pytest.approx([0.1, 0.1, 0.6, 0.6], abs=0.05)


def test_platt_has_the_least_loss_towards_its_smoothed_targets():
    pairs = drawn(0.3, -6.0, n=400)
    found = fit(pairs, "platt")
    up = sum(pairs.labels)
    targets = [(up + 1) / (up + 2) if label else 1 / (400 - up + 2) for label in pairs.labels]

    def loss(slope, intercept):
        z = slope * np.asarray(pairs.scores) + intercept
        return float(np.mean(np.logaddexp(0, z) - np.asarray(targets) * z))

    best = loss(found.slope, found.intercept)
    for ds, di in ((1e-3, 0), (-1e-3, 0), (0, 1e-2), (0, -1e-2), (1e-3, -0.02), (-1e-3, 0.02)):
        assert loss(found.slope + ds, found.intercept + di) > best


def test_platt_stays_finite_where_the_scores_separate_the_kinds():
    found = fit(Pairs(("q",) * 4, (-2.0, -1.0, 1.0, 2.0), (0, 0, 1, 1)), "platt")
    assert 0.5 < found.prob(2.0) < 0.9999


def brute(y, w):
    """The best rising steps by looking at every way to cut the list into blocks."""
    n, best = len(y), (math.inf, None)
    for cuts in range(2 ** (n - 1)):
        bounds = [0, *(i for i in range(1, n) if cuts >> (i - 1) & 1), n]
        steps = [np.average(y[a:b], weights=w[a:b]) for a, b in pairwise(bounds)]
        if all(a <= b for a, b in pairwise(steps)):
            values = np.repeat(steps, np.diff(bounds))
            best = min(best, (float(w @ (y - values) ** 2), values.tolist()), key=lambda one: one[0])
    return best[1]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3)), min_size=3, max_size=6))
def test_isotonic_is_the_best_of_all_rising_steps(rows):
    y = np.array([0, *(label for label, _ in rows), 1], float)
    w = np.array([1, *(weight for _, weight in rows), 1], float)
    pairs = Pairs(("q",) * len(y), tuple(map(float, range(len(y)))), tuple(map(int, y)), weights=tuple(w))
    wanted, found = brute(y, w), mapped(fit(pairs, "isotonic"), pairs.scores)
    inner = [i for i, value in enumerate(wanted) if 0 < value < 1]
    assert [found[i] for i in inner] == pytest.approx([wanted[i] for i in inner])


def test_isotonic_pools_equal_scores_before_it_looks_at_their_order():
    found = fit(Pairs(("q",) * 4, (1.0, 1.0, 1.0, 2.0), (1, 0, 0, 1)), "isotonic")
    assert found.prob(1.0) == pytest.approx(1 / 3)


def test_isotonic_is_never_certain():
    found = fit(Pairs(("q",) * 8, tuple(map(float, range(8))), (0, 0, 0, 1, 0, 1, 1, 1)), "isotonic")
    assert found.prob(-100.0) == pytest.approx(1 / 5)  # three pairs, none relevant
    assert found.prob(100.0) == pytest.approx(4 / 5)


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=4, max_size=30), st.randoms())
def test_whatever_is_fitted_a_higher_score_is_never_less_likely(method, scores, random):
    labels = [1, 0, *(random.randint(0, 1) for _ in scores[2:])]
    try:
        found = fit(Pairs(("q",) * len(scores), tuple(scores), tuple(labels)), method)
    except DataError:
        return  # higher scores did not mean more relevant
    probs = [found.prob(score) for score in sorted([*scores, -1e9, 1e9, -math.inf, math.inf])]
    assert all(0 <= a <= b <= 1 for a, b in pairwise(probs))


def test_log_probabilities_are_told_from_the_formats_own_and_taken_as_log_odds():
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 3, 10_000)
    labels = rng.random(10_000) < 1 / (1 + np.exp(-(0.5 * odds - 1)))
    scores = tuple(-math.log1p(math.exp(-x)) for x in odds)
    own = tuple(math.exp(score) for score in scores)
    found = fit(Pairs(("q",) * 10_000, scores, tuple(map(int, labels)), own), "platt")
    assert found.scale == "logprob"
    assert (found.slope, found.intercept) == pytest.approx((0.5, -1.0), abs=0.06)
    assert found.prob(-math.log1p(math.exp(-2.0))) == pytest.approx(sigmoid(found.slope * 2 + found.intercept))


@pytest.mark.parametrize("labels", [(0, 0, 0), (1, 1, 1)])
def test_one_kind_of_pair_is_not_enough_and_the_remedy_is_said(labels):
    with pytest.raises(DataError, match="assume-negative"):
        fit(Pairs(("q",) * 3, (1.0, 2.0, 3.0), labels))


def test_no_pairs_at_all_are_refused():
    with pytest.raises(DataError, match="no pairs at all"):
        fit(Pairs((), (), ()))


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_scores_that_fall_with_relevance_are_refused(method):
    with pytest.raises(DataError, match="turn the order around"):
        fit(Pairs(("q",) * 4, (-2.0, -1.0, 1.0, 2.0), (1, 1, 0, 0)), method)


def test_a_query_is_never_tested_by_a_fit_that_saw_it():
    # every query has a base rate of its own: a fit that saw it would know
    pairs = drawn(0.3, -6.0, n=200)
    whole = cross_fitted(pairs, folds=5, seed=1)
    first = pairs.queries[0]
    turned = tuple(
        1 - label if query == first else label for query, label in zip(pairs.queries, pairs.labels, strict=True)
    )
    again = cross_fitted(Pairs(pairs.queries, pairs.scores, turned), folds=5, seed=1)
    mine = np.array([query == first for query in pairs.queries])
    assert again[mine] == pytest.approx(whole[mine], abs=0)
    assert not np.allclose(again[~mine], whole[~mine])


def test_folds_are_drawn_by_the_seed():
    pairs = drawn(0.3, -6.0, n=200)
    assert cross_fitted(pairs, seed=1).tolist() == cross_fitted(pairs, seed=1).tolist()
    assert cross_fitted(pairs, seed=1).tolist() != cross_fitted(pairs, seed=2).tolist()


def test_one_query_cannot_be_fitted_and_tested():
    with pytest.raises(DataError, match="1 queries"):
        cross_fitted(Pairs(("q",) * 2, (0.0, 1.0), (0, 1)))


def test_weights_make_collections_count_the_same():
    names = ["large"] * 90 + ["small"] * 10
    weights = evened(names)
    assert sum(weights[:90]) == pytest.approx(sum(weights[90:])) == pytest.approx(50)
    y = (0,) * 90 + (1,) * 10
    pairs = Pairs(tuple(map(str, range(100))), (0.0,) * 90 + (0.0,) * 9 + (1.0,), y, weights=weights)
    assert fit(pairs, "isotonic").prob(0.0) == pytest.approx(45 / 95)
