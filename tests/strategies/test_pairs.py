import itertools
import math

import pytest

from ponderank.strategies.duels import share
from ponderank.strategies.pairs import AllPairs, PairHeapsort, PairMergesort, PairQuicksort, PairSliding, SwissRounds
from ponderank.types import Judgement

SORTS = [PairHeapsort(), PairSliding(), PairQuicksort(), PairMergesort()]
EVERY = pytest.mark.parametrize("strategy", [AllPairs(), SwissRounds(), *SORTS], ids=lambda one: type(one).__name__)


def drive(strategy, n, judge):
    """``judge`` gives the scores of the two shown."""
    plan, asked = strategy.plan(n), []
    try:
        groups = next(plan)
        while True:
            asked.append(groups)
            groups = plan.send([Judgement(tuple(judge(*group))) for group in groups])
    except StopIteration as stop:
        return asked, list(stop.value)


def order_of(scores):
    return sorted(range(len(scores)), key=lambda i: -scores[i])


def larger(a, b):
    return (1.0, 0.0) if a > b else (0.0, 1.0)


def smaller(a, b):
    return larger(b, a)


def tied(a, b):
    return (0.5, 0.5)


def first_shown(a, b):
    """A model that likes the first place whatever stands there."""
    return (0.9, 0.1)


def unread(a, b):
    return (math.nan, math.nan)


@EVERY
@pytest.mark.parametrize("n", [0, 1])
def test_what_needs_no_comparison_is_not_asked_about(strategy, n):
    asked, scores = drive(strategy, n, larger)
    assert asked == []
    assert len(scores) == n


@EVERY
def test_each_pair_is_asked_in_both_orders_in_one_round(strategy):
    for now in drive(strategy, 12, larger)[0]:
        assert sorted(now) == sorted(group[::-1] for group in now)


@EVERY
def test_no_question_is_asked_twice(strategy):
    asked = [
        group for now in drive(strategy, 25, lambda a, b: (float(a * 7 % 25), float(b * 7 % 25)))[0] for group in now
    ]
    assert len(set(asked)) == len(asked)


@EVERY
def test_without_both_orders_it_asks_half(strategy):
    half = type(strategy)(both_orders=False)
    both_asked, both_scores = drive(strategy, 25, smaller)
    asked, scores = drive(half, 25, smaller)
    assert 2 * sum(map(len, asked)) == sum(map(len, both_asked))
    assert order_of(scores) == order_of(both_scores)


@EVERY
def test_without_both_orders_the_leader_is_shown_first(strategy):
    asked, _ = drive(type(strategy)(both_orders=False), 2, larger)
    assert asked == [[(0, 1)]]


@EVERY
@pytest.mark.parametrize("judge", [tied, first_shown, unread])
def test_ties_and_answers_that_disagree_leave_first_stage_order(strategy, judge):
    if isinstance(strategy, PairHeapsort):
        strategy = PairHeapsort(ties="earlier")
    assert order_of(drive(strategy, 30, judge)[1]) == list(range(30))


def test_in_a_heap_the_published_tie_leaves_the_last_leaves_on_top():
    assert order_of(drive(PairHeapsort(k=3), 30, first_shown)[1])[:4] == [0, 29, 28, 1]


@EVERY
def test_a_pair_is_the_widest_it_shows(strategy):
    assert strategy.widest == 2
    assert not strategy.absolute


@pytest.mark.parametrize(
    ("judgements", "given"),
    [
        ([(1, 0), (0, 1)], 1.0), ([(0, 1), (1, 0)], 0.0), ([(1, 0), (1, 0)], 0.5), ([(1, 0), (0.5, 0.5)], 0.5),
        ([(1, 0)], 1.0), ([(0, 1)], 0.0), ([(0.5, 0.5)], 0.5), ([(math.nan, 0)], 0.5), ([(1, 0), (math.nan, 1)], 0.5),
        ([(0.6, 0.4), (0.3, 0.7)], 1.0), ([(math.inf, 0), (-math.inf, 0)], 1.0),
    ],
)  # fmt: skip
def test_only_a_win_in_every_answer_is_a_win(judgements, given):
    assert share([Judgement(scores) for scores in judgements]) == given


# all pairs


def test_all_pairs_are_one_round_of_all_ordered_pairs():
    asked, _ = drive(AllPairs(), 100, larger)
    assert len(asked) == 1
    assert len(asked[0]) == 9900
    assert set(asked[0]) == set(itertools.permutations(range(100), 2))


def test_a_win_counts_one_and_a_tie_one_half_for_each():
    """0 beats 1, 1 beats 2, and 0 against 2 is decided by who is shown first."""
    wins = {(0, 1): (1, 0), (1, 0): (0, 1), (1, 2): (1, 0), (2, 1): (0, 1), (0, 2): (1, 0), (2, 0): (1, 0)}
    assert drive(AllPairs(), 3, lambda a, b: wins[a, b])[1] == [1.5, 1.0, 0.5]


def test_the_sum_adds_both_scores_of_each_judgement():
    """As duoT5: s_a += p, s_b += 1 - p, over both orders."""
    probs = {(0, 1): 0.75, (1, 0): 0.5}
    assert drive(AllPairs(aggregate="sum"), 2, lambda a, b: (probs[a, b], 1 - probs[a, b]))[1] == [1.25, 0.75]


def test_the_sum_in_one_order_takes_each_pair_once():
    assert drive(AllPairs(both_orders=False, aggregate="sum"), 2, lambda a, b: (0.75, 0.25))[1] == [0.75, 0.25]


def test_first_adds_only_what_was_given_to_the_first_shown():
    """As duoBERT's SUM."""
    probs = {(0, 1): 0.75, (1, 0): 0.5}
    assert drive(AllPairs(aggregate="first"), 2, lambda a, b: (probs[a, b], 1 - probs[a, b]))[1] == [0.75, 0.5]


@pytest.mark.parametrize("aggregate", ["wins", "sum", "first"])
def test_a_liking_for_a_place_leaves_exact_ties(aggregate):
    """Sums of the same numbers in another order must not differ in the last bit."""
    scores = drive(AllPairs(aggregate=aggregate), 30, lambda a, b: (0.7, 0.3))[1]
    assert len(set(scores)) == 1


def test_first_without_both_orders_is_refused():
    with pytest.raises(ValueError, match="never be shown first"):
        AllPairs(both_orders=False, aggregate="first")


def test_an_unknown_aggregate_is_refused():
    with pytest.raises(ValueError, match="need one of wins, sum, first"):
        AllPairs(aggregate="max")


# sorts


def test_a_heap_compares_the_second_child_with_the_better_of_the_two():
    assert [now[0] for now in drive(PairHeapsort(k=1), 3, larger)[0]] == [(0, 1), (1, 2)]
    assert [now[0] for now in drive(PairHeapsort(k=1), 3, smaller)[0]] == [(0, 1), (0, 2)]


def test_a_pass_carries_the_best_up_by_neighbours():
    asked, scores = drive(PairSliding(passes=1), 4, larger)
    assert [now[0] for now in asked] == [(2, 3), (1, 3), (0, 3)]
    assert order_of(scores) == [3, 0, 1, 2]


def test_the_next_pass_follows_two_comparisons_behind():
    asked, _ = drive(PairSliding(passes=3), 50, lambda a, b: larger(a * 31 % 50, b * 31 % 50))
    assert sum(map(len, asked)) > 2 * 2 * 49
    assert len(asked) <= 49 + 2 * 2


def test_a_sliding_pass_over_what_did_not_change_asks_nothing():
    assert sum(map(len, drive(PairSliding(passes=10), 40, smaller)[0])) == 2 * 39


def test_the_rest_stay_as_the_passes_left_them():
    assert order_of(drive(PairSliding(passes=2), 6, larger)[1]) == [5, 4, 0, 1, 2, 3]


def test_a_pivot_meets_all_in_one_round():
    asked, _ = drive(PairQuicksort(k=3), 40, larger)
    assert len(asked[0]) == 2 * 39
    assert len({i for group in asked[0] for i in group}) == 40


def test_below_the_top_nothing_is_divided():
    """A division that leaves k above the pivot has done with all below it."""
    asked, scores = drive(PairQuicksort(k=1, seed=3), 100, larger)
    assert order_of(scores)[0] == 99
    assert sum(map(len, asked)) < 2 * 350


def test_pivots_follow_the_seed():
    first, again, other = (drive(PairQuicksort(seed=seed), 50, larger)[0] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_list_in_order_is_one_round_of_neighbours():
    asked, scores = drive(PairMergesort(), 60, smaller)
    assert len(asked) == 1
    assert len(asked[0]) == 2 * 59
    assert order_of(scores) == list(range(60))


def test_runs_are_merged_side_by_side():
    """Four runs of five make two merges of nine comparisons each."""
    value = [10, 12, 14, 16, 18, 11, 13, 15, 17, 19, 0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    asked, scores = drive(PairMergesort(), 20, lambda a, b: smaller(value[a], value[b]))
    assert order_of(scores) == sorted(range(20), key=lambda i: value[i])
    assert [len(now) for now in asked] == [2 * 19, *[4] * 9, *[2] * 10]


# rounds of a tournament


def test_neighbours_meet_and_then_winners_meet():
    asked, _ = drive(SwissRounds(rounds=2), 4, larger)
    assert [now[::2] for now in asked] == [[(0, 1), (2, 3)], [(1, 3), (0, 2)]]


def test_the_score_is_the_games_won_and_strong_opponents_split_ties():
    """Of those with two wins, 3 met winners of 2, 1 and 3 games, 6 of 3, 1 and 1, and 2 of 2, 0 and 1."""
    scores = drive(SwissRounds(rounds=3), 8, larger)[1]
    assert [round(score, 3) for score in scores] == [0.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 3.0]
    assert order_of(scores) == [7, 3, 6, 2, 5, 1, 4, 0]


def test_with_an_odd_number_one_sits_out_each_round_and_loses_nothing():
    asked, scores = drive(SwissRounds(rounds=3), 5, smaller)
    assert [len(now) for now in asked] == [4, 4, 4]
    out = [set(range(5)) - {i for group in now for i in group} for now in asked]
    assert out[0] == {4}
    assert len(set.union(*out)) == 3
    assert order_of(scores)[0] == 0


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 13])
def test_nobody_meets_anybody_twice_however_many_rounds(n):
    asked, scores = drive(SwissRounds(rounds=40), n, larger)
    groups = [group for now in asked for group in now]
    assert len(set(groups)) == len(groups)
    assert order_of(scores)[0] == n - 1


@pytest.mark.parametrize(("n", "rounds"), [(14, 5), (15, 5), (24, 10), (100, 7), (101, 40)])
def test_where_there_is_room_every_round_is_full(n, rounds):
    asked, _ = drive(SwissRounds(rounds=rounds), n, lambda a, b: larger(a * 17 % n, b * 17 % n))
    assert [len(now) for now in asked] == [n // 2 * 2] * rounds


@pytest.mark.parametrize(
    ("kind", "options"),
    [(PairHeapsort, {"k": 0}), (PairSliding, {"passes": 0}), (PairQuicksort, {"k": -1}), (SwissRounds, {"rounds": 0})],
)
def test_less_than_one_is_refused(kind, options):
    with pytest.raises(ValueError, match="need 1 or more"):
        kind(**options)


def test_an_unknown_rule_for_ties_is_refused():
    with pytest.raises(ValueError, match="need one of parent, earlier"):
        PairHeapsort(ties="later")
