"""Adaptive thinking, driven by hand."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.strategies.adaptive import AdaptiveThinking, chances_above
from ponderank.types import Ask, Judgement


def driven(strategy, direct, thought, priors=None):
    """The rounds it asked for, and the scores it returns."""
    plan, rounds = strategy.plan(len(direct), priors), []
    try:
        asked = next(plan)
        while True:
            rounds.append(asked)
            asked = plan.send([Judgement(((direct if ask.level else thought)[ask.group[0]],)) for ask in asked])
    except StopIteration as stop:
        return rounds, stop.value


def test_all_are_judged_without_a_thought_first():
    rounds, _ = driven(AdaptiveThinking(k=1), [5.0, 0.0, -5.0], [5.0, 0.0, -5.0])
    assert rounds[0] == [Ask((0,), 1), Ask((1,), 1), Ask((2,), 1)]


def test_who_is_surely_in_or_out_is_not_thought_about():
    direct = [20.0, 19.0, 1.0, 0.9, -20.0, -21.0]
    rounds, _ = driven(AdaptiveThinking(k=3, direct_noise=1.0, thought_noise=0.5), direct, direct)
    assert {ask.group[0] for ask in rounds[1]} == {2, 3}


def test_a_thought_moves_its_document():
    scores = driven(AdaptiveThinking(k=1, direct_noise=2.0, thought_noise=1.0), [1.0, 0.9, -9.0], [-8.0, 8.0, 0.0])[1]
    assert sorted(range(3), key=lambda i: -scores[i])[0] == 1


def test_no_more_is_thought_than_allowed():
    direct = [0.0] * 30
    for thoughts in (0, 3, 7):
        rounds, _ = driven(AdaptiveThinking(k=5, thoughts=thoughts, batch=4), direct, [float(i) for i in range(30)])
        assert sum(len(asked) for asked in rounds[1:]) == thoughts


def test_nobody_is_thought_about_twice_and_rounds_are_no_wider_than_a_batch():
    rounds, _ = driven(AdaptiveThinking(k=5, batch=4), [0.0] * 30, [float(i % 7) for i in range(30)])
    thought = [ask.group[0] for asked in rounds[1:] for ask in asked]
    assert len(thought) == len(set(thought))
    assert max(map(len, rounds[1:])) <= 4


def test_where_all_are_in_the_top_nothing_is_in_doubt_but_their_places():
    direct = [float(i) for i in range(10)]
    assert len(driven(AdaptiveThinking(k=10, within=False), direct, direct)[0]) == 1
    rounds, scores = driven(AdaptiveThinking(k=10), direct, direct[::-1])
    assert len(rounds) > 1
    assert scores != direct


def test_a_settled_top_is_settled_within_too():
    """Two are surely in the top two, and which of them is first is in doubt: only those are thought about."""
    direct = [9.0, 9.1, -9.0, -9.1]
    rounds, scores = driven(AdaptiveThinking(k=2, direct_noise=1.0, thought_noise=0.5), direct, [12.0, 6.0, 0.0, 0.0])
    assert {ask.group[0] for asked in rounds[1:] for ask in asked} == {0, 1}
    assert scores[0] > scores[1] > scores[2]
    assert len(driven(AdaptiveThinking(k=2, direct_noise=1.0, within=False), direct, direct)[0]) == 1


def test_the_first_stages_scores_count():
    scores = driven(AdaptiveThinking(k=2, prior_weight=3.0), [0.0, 0.0], [0.0, 0.0], priors=[1.0, 9.0])[1]
    assert scores[1] > scores[0]


def test_a_thought_without_a_score_changes_nothing():
    scores = driven(AdaptiveThinking(k=1), [1.0, 0.9], [math.nan, math.nan])[1]
    assert scores == [1.0, 0.9]


def test_what_has_no_score_counts_as_the_lowest():
    scores = driven(AdaptiveThinking(k=2, thoughts=0), [1.0, math.nan, -2.0], [0.0] * 3)[1]
    assert scores == [1.0, -2.0, -2.0]


def test_no_candidates_no_questions():
    assert driven(AdaptiveThinking(), [], [])[1] == []


def test_with_true_noises_thinking_where_in_doubt_beats_thinking_at_random():
    """On problems drawn from the beliefs themselves, the same number of thoughts, the top five."""
    rng, wins = random.Random(0), 0.0
    for _ in range(60):
        truth = [rng.gauss(0, 3) for _ in range(40)]
        direct = [t + rng.gauss(0, 2) for t in truth]
        thought = [t + rng.gauss(0, 0.5) for t in truth]
        best = set(sorted(range(40), key=lambda i: -truth[i])[:5])
        adaptive = AdaptiveThinking(k=5, thoughts=12, direct_noise=2.0, thought_noise=0.5, batch=4)
        scores = driven(adaptive, direct, thought)[1]
        picked = set(rng.sample(range(40), 12))
        blind = [thought[i] if i in picked else direct[i] for i in range(40)]
        wins += len(best & set(sorted(range(40), key=lambda i: -scores[i])[:5]))
        wins -= len(best & set(sorted(range(40), key=lambda i: -blind[i])[:5]))
    assert wins / 60 > 0.3


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0.1, 5)), min_size=2, max_size=30), st.integers(1, 10))
def test_the_chances_add_up_to_the_size_of_the_top(beliefs, k):
    means, noise = zip(*beliefs, strict=True)
    chances = chances_above(means, noise, k)
    assert sum(chances) == pytest.approx(min(k, len(means)), abs=1e-3)


@pytest.mark.parametrize("options", [{"k": 0}, {"batch": 0}, {"thoughts": -1}, {"direct_noise": 0.0}, {"doubt": 0.5}])
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="need"):
        AdaptiveThinking(**options)
