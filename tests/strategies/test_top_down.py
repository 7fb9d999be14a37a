"""Top-down partitioning, driven by hand."""

import math
import random

import pytest

from ponderank.strategies.top_down import TopDown
from ponderank.types import Judgement


def driven(strategy, relevances):
    """The rounds it asked for, and its ranking."""
    plan, rounds = strategy.plan(len(relevances)), []
    try:
        asked = next(plan)
        while True:
            rounds.append(asked)
            asked = plan.send([Judgement(tuple(relevances[i] for i in group)) for group in asked])
    except StopIteration as stop:
        scores = stop.value
    return rounds, sorted(range(len(relevances)), key=lambda i: -scores[i])


def in_some_order(n, seed, noise=None):
    """Relevances: in random order, or by the first stage's places with normal noise of so many places."""
    rng = random.Random(seed)
    return (
        [float(r) for r in rng.sample(range(n), n)] if noise is None else [-(i + rng.gauss(0, noise)) for i in range(n)]
    )


def mean_calls_and_rounds(strategy, noise=None):
    found = [driven(strategy, in_some_order(100, seed, noise))[0] for seed in range(300)]
    return sum(len(asked) for rounds in found for asked in rounds) / 300, sum(map(len, found)) / 300


def test_a_scan_compares_all_others_with_the_pivot_in_one_round():
    rounds, _ = driven(TopDown(window=4, cutoff=2, buffer=4), [9.0, 8.0, 7.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert rounds == [[(0, 1, 2, 3)], [(1, 4, 5, 6), (1, 7, 8)]]


def test_sequential_asks_one_window_at_a_time_and_stops_when_the_buffer_is_full():
    relevances = [9.0, 8.0, 7.0, 6.0, 10.0, 11.0, 12.0, 13.0, 14.0]
    rounds, ranking = driven(TopDown(window=4, cutoff=2, buffer=3, sequential=True), relevances)
    assert rounds == [[(0, 1, 2, 3)], [(1, 4, 5, 6)], [(0, 6, 5)]]
    assert ranking == [6, 5, 0, 4, 1, 2, 3, 7, 8]  # 7 and 8 were never looked at


def test_at_once_those_go_on_that_were_placed_best_in_their_windows():
    relevances = [9.0, 8.0, 7.0, 6.0, 10.0, 11.0, 12.0, 13.0, 14.0]
    rounds, ranking = driven(TopDown(window=4, cutoff=2, buffer=3), relevances)
    assert rounds == [[(0, 1, 2, 3)], [(1, 4, 5, 6), (1, 7, 8)], [(0, 6, 8)]]
    assert ranking == [8, 6, 0, 5, 7, 4, 1, 2, 3]


def test_a_list_whose_head_is_right_takes_six_judgements_in_two_rounds():
    relevances = [float(-i) for i in range(100)]
    for sequential, rounds_needed in ((False, 2), (True, 6)):
        rounds, ranking = driven(TopDown(sequential=sequential), relevances)
        assert (sum(map(len, rounds)), len(rounds)) == (6, rounds_needed)
        assert ranking == list(range(100))


def test_a_list_in_random_order_takes_seven_judgements_in_three_rounds():
    assert mean_calls_and_rounds(TopDown()) == (7, 3)


def test_sequential_takes_the_published_number_of_judgements_less_the_one_that_the_published_test_costs():
    """4.8 in random order; 6.5 with noise of 33 places. It costs one where the last scan or a full window ends the search."""
    calls, rounds = mean_calls_and_rounds(TopDown(sequential=True))
    assert calls == rounds == pytest.approx(4.8 - 1, abs=0.1)
    found = [driven(TopDown(sequential=True), in_some_order(100, seed, 33))[0] for seed in range(300)]
    spared = sum(len(rounds[-1][0]) in (5, 20) for rounds in found)  # pivot and last four of the first scan, or full
    assert sum(map(len, found)) / 300 + spared / 300 == pytest.approx(6.5, abs=0.1)


def test_keeping_all_gives_a_perfect_judge_the_exact_top_whatever_the_order():
    for seed in range(50):
        relevances = in_some_order(100, seed)
        _, ranking = driven(TopDown(buffer=None), relevances)
        assert ranking[:10] == sorted(range(100), key=lambda i: -relevances[i])[:10]


def test_placing_by_windows_finds_more_of_the_top_than_the_first_that_fill_the_buffer():
    found = {False: 0, True: 0}
    for seed in range(50):
        relevances = in_some_order(100, seed)
        top = set(sorted(range(100), key=lambda i: -relevances[i])[:10])
        for sequential in found:
            found[sequential] += len(top & set(driven(TopDown(sequential=sequential), relevances)[1][:10]))
    assert found[False] > 1.7 * found[True]


def test_nothing_answered_keeps_the_first_stages_order():
    for n in (2, 19, 20, 21, 100):
        for nothing in (0.0, math.nan):
            assert driven(TopDown(), [nothing] * n)[1] == list(range(n))


@pytest.mark.parametrize("options", [{"cutoff": 0}, {"window": 10}, {"buffer": 9}])
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="need"):
        TopDown(**options)
