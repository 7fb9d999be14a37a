import itertools
import math
import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank import DataError
from ponderank.train import curriculum

shares = st.floats(0, 1)


@given(easy=shares, step=st.integers(0, 1000), end=st.integers(1, 500))
def test_a_weight_is_the_published_line_from_easiness_to_one(easy, step, end):
    progress = min(1.0, step / end)
    expected = (easy + 1e-8) * (1 - progress) + progress
    assert curriculum.weight(easy, step, end=end) == pytest.approx(expected, abs=1e-12)


@given(easy=shares, end=st.integers(1, 100), later=st.integers(0, 10))
def test_all_samples_weigh_the_same_once_the_curriculum_has_ended(easy, end, later):
    assert curriculum.weight(easy, end + later, end=end) == 1.0


@given(easy=shares, step=st.integers(0, 10**6))
def test_a_curriculum_without_an_end_keeps_its_weights(easy, step):
    assert curriculum.weight(easy, step, end=0) == pytest.approx(easy, abs=1e-7)


@given(left=shares, right=shares, step=st.integers(0, 99))
def test_the_easier_sample_never_weighs_less_unless_the_curriculum_is_turned_round(left, right, step):
    low, high = sorted((left, right))
    assert curriculum.weight(low, step, end=100) <= curriculum.weight(high, step, end=100)
    turned = [curriculum.weight(x, step, end=100, hardest_first=True) for x in (low, high)]
    assert turned[0] >= turned[1]


@given(positive=shares, negatives=st.lists(shares, min_size=1, max_size=5))
def test_a_pair_is_as_easy_as_its_hardest_negative(positive, negatives):
    found = curriculum.pair_easiness(positive, negatives)
    assert found == min((positive - x + 1) / 2 for x in negatives)
    assert 0 <= found <= 1


def test_a_relevant_document_is_easy_when_the_first_stage_likes_it():
    assert curriculum.point_easiness(0.9, relevant=True) == 0.9
    assert curriculum.point_easiness(0.9, relevant=False) == pytest.approx(0.1)


def test_a_positive_that_was_not_retrieved_counts_as_rank_1000():
    assert curriculum.reciprocal_rank(None) == 1 / 1000
    assert curriculum.reciprocal_rank(None, unretrieved=200) == 1 / 200


@given(scores=st.lists(st.floats(-100, 100), min_size=1, max_size=8), score=st.floats(-200, 200))
def test_first_stage_scores_become_shares(scores, score):
    for share in (curriculum.normalised, curriculum.smoothed_share):
        assert 0 <= share(score, scores) <= 1


@pytest.mark.parametrize("share", [curriculum.normalised, curriculum.smoothed_share])
def test_equal_first_stage_scores_say_nothing(share):
    assert share(3.0, [3.0, 3.0, 3.0]) == share(3.0, [3.0]) == 0.5


def test_smoothed_shares_are_what_scipy_integrates():
    scores = [1.0, 4.0, 4.5, 9.0, 20.0]
    recorded = {-3.0: 0.084407822, 2.0: 0.269664361, 4.2: 0.380921383, 15.0: 0.798522666, 30.0: 0.993599429}
    # gaussian_kde(scores).integrate_box_1d(-inf, x) of scipy 1.17.1
    for x, share in recorded.items():
        assert curriculum.smoothed_share(x, scores) == pytest.approx(share, abs=1e-8)


def test_the_temperature_falls_by_one_factor_a_step_and_then_stays():
    taus = [curriculum.temperature(step, steps=10) for step in range(13)]
    assert taus[0] == pytest.approx(0.05)
    assert taus[10:] == pytest.approx([0.001] * 3)
    factors = [b / a for a, b in itertools.pairwise(taus[:11])]
    assert factors == pytest.approx([0.02**0.1] * 10)


def draw(step, *, tau=0.05, key="q", seed=1, count=2):
    similarities = [0.9, 0.85, 0.8, 0.5, 0.1, 0.88]
    return curriculum.draw_negatives(similarities, count, temperature=tau, step=step, seed=seed, key=key)


@settings(deadline=None)
@given(step=st.integers(0, 10**6), seed=st.integers(), count=st.integers(0, 6))
def test_negatives_are_different_documents(step, seed, count):
    found = draw(step, seed=seed, count=count)
    assert len(set(found)) == count
    assert set(found) <= set(range(6))


def test_a_restarted_run_draws_the_negatives_it_would_have_drawn():
    whole = [draw(step) for step in range(20)]
    assert [draw(step) for step in range(12, 20)] == whole[12:]
    assert [draw(step) for step in reversed(range(20))] == whole[::-1]
    assert len(set(whole)) > 1


def test_another_process_draws_the_same_negatives():
    code = (
        "from ponderank.train.curriculum import draw_negatives as d;"
        "print([d([0.9, 0.85, 0.8, 0.5], 2, temperature=0.05, step=s, seed=1, key='q') for s in range(9)])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": str(i)},
        ).stdout
        for i in range(2)
    }
    assert len(runs) == 1


def test_steps_seeds_and_samples_draw_apart():
    assert len({tuple(draw(step, seed=seed, key=key) for step in range(8)) for seed in (1, 2) for key in "ab"}) == 4


def test_single_negatives_are_drawn_in_proportion_to_the_softmax():
    similarities, tau = [0.9, 0.85, 0.7], 0.1
    drawn = Counter(
        curriculum.draw_negatives(similarities, 1, temperature=tau, step=step, seed=0)[0] for step in range(20_000)
    )
    total = sum(math.exp(x / tau) for x in similarities)
    for i, x in enumerate(similarities):
        assert drawn[i] / 20_000 == pytest.approx(math.exp(x / tau) / total, abs=0.015)


def test_a_lower_temperature_draws_harder_negatives():
    hardness = [sum(0 in draw(step, tau=tau, count=1) for step in range(2000)) for tau in (0.5, 0.05, 0.001)]
    assert hardness == sorted(hardness)
    assert hardness[-1] == 2000


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: draw(0, count=7), "7 negatives wanted of 6 candidates"),
        (lambda: draw(0, tau=0.0), "the temperature is 0.0; give a number above 0"),
        (lambda: curriculum.temperature(0, steps=5, end=0.0), "the temperatures are 0.05 and 0.0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(act, message):
    with pytest.raises(DataError, match=message):
        act()
