"""Tournaments, driven by hand."""

import random

import pytest

from ponderank.strategies.tournament import TournamentSort
from ponderank.strategies.tourrank import TourRank, stages
from ponderank.types import Judgement


def driven(strategy, relevances):
    """The rounds it asked for, and the scores it returns."""
    plan, rounds = strategy.plan(len(relevances)), []
    try:
        asked = next(plan)
        while True:
            rounds.append(asked)
            asked = plan.send([Judgement(tuple(relevances[i] for i in group)) for group in asked])
    except StopIteration as stop:
        return rounds, stop.value


def shuffled(n, seed=0):
    return [float(r) for r in random.Random(seed).sample(range(n), n)]


def test_a_tournament_of_100_is_13_judgements_in_five_rounds():
    rounds, points = driven(TourRank(), shuffled(100))
    assert [[len(group) for group in asked] for asked in rounds] == [[20] * 5, [10] * 5, [20], [10], [5]]
    assert sorted(points) == [0.0] * 50 + [1.0] * 30 + [2.0] * 10 + [3.0] * 5 + [4.0] * 3 + [5.0] * 2


def test_tournaments_are_played_side_by_side_and_their_points_added():
    rounds, points = driven(TourRank(tournaments=3), shuffled(100))
    assert [len(asked) for asked in rounds] == [15, 15, 3, 3, 3]
    assert sum(points) == 3 * (50 + 20 + 10 + 5 + 2)
    assert len(set(rounds[0])) == 15  # each shows its groups in an order of its own


def test_groups_take_every_fifth_and_are_shown_shuffled():
    plan = TourRank().plan(100)
    asked = next(plan)
    assert [sorted(group) for group in asked] == [list(range(at, 100, 5)) for at in range(5)]
    assert all(list(group) != sorted(group) for group in asked)


def test_the_two_best_win_all_with_a_perfect_judge():
    for n in (3, 9, 21, 37, 74, 75, 100, 150, 333):
        relevances = shuffled(n, n)
        _, points = driven(TourRank(), relevances)
        best = sorted(range(n), key=lambda i: -relevances[i])[:2]
        assert points[best[0]] == points[best[1]] == max(points)
        assert points.count(max(points)) == 2


@pytest.mark.parametrize("n", [2, 3, 8, 9, 10, 11, 15, 19, 20, 21, 25, 29, 30, 37, 74, 75, 100, 150, 1000])
def test_in_every_stage_some_leave_and_some_stay_and_no_group_is_too_wide(n):
    for groups, places in stages(n):
        assert groups <= places < n
        assert -(-n // groups) <= 20
        n = places
    assert n <= 2


def test_a_stage_nobody_could_read_is_won_in_first_stage_order():
    _, points = driven(TourRank(), [0.0] * 100)
    assert points == sorted(points, reverse=True)


def test_another_seed_shows_other_orders_and_the_same_seed_the_same():
    assert next(TourRank(seed=1).plan(100)) == next(TourRank(seed=1).plan(100)) != next(TourRank(seed=2).plan(100))


def test_the_first_level_of_a_tournament_sort_is_one_round():
    rounds, _ = driven(TournamentSort(), shuffled(100))
    assert rounds[0] == [tuple(range(at, at + 5)) for at in range(0, 100, 5)]
    assert [len(asked) for asked in rounds[:5]] == [20, 8, 4, 2, 1]


def test_no_group_is_asked_twice():
    for n in (6, 11, 37, 100):
        rounds, _ = driven(TournamentSort(), shuffled(n))
        asked = [frozenset(group) for groups in rounds for group in groups]
        assert len(asked) == len(set(asked))


def test_up_to_a_group_of_candidates_is_one_judgement():
    for n in (2, 4, 5):
        rounds, scores = driven(TournamentSort(), [float(i) for i in range(n)])
        assert rounds == [[tuple(range(n))]]
        assert scores == sorted(scores)


def test_a_short_group_is_filled_up_with_others():
    rounds, _ = driven(TournamentSort(), [float(-i) for i in range(6)])
    assert rounds[0] == [(0, 1, 2, 3, 4), (0, 1, 2, 3, 5)]


def test_who_did_not_win_follows_in_first_stage_order():
    relevances = shuffled(30)
    _, scores = driven(TournamentSort(k=3), relevances)
    best = sorted(range(30), key=lambda i: -relevances[i])[:3]
    ranking = sorted(range(30), key=lambda i: -scores[i])
    assert ranking == best + [i for i in range(30) if i not in best]


@pytest.mark.parametrize("options", [{"keep": 0}, {"keep": 3}, {"k": 0}, {"group": 3}])
def test_a_sort_that_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="need"):
        TournamentSort(**options)


def test_no_tournament_is_refused():
    with pytest.raises(ValueError, match="need"):
        TourRank(tournaments=0)
