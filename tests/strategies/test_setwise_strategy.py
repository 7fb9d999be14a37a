import math

import pytest

from ponderank.strategies.setwise import SetwiseBubble, SetwiseHeapsort
from ponderank.types import Judgement

EITHER = pytest.mark.parametrize("strategy", [SetwiseHeapsort, SetwiseBubble])


def drive(strategy, n, judge):
    """``judge`` gives the scores of a group."""
    plan, asked = strategy.plan(n), []
    try:
        groups = next(plan)
        while True:
            asked.append(groups)
            groups = plan.send([Judgement(tuple(judge(group))) for group in groups])
    except StopIteration as stop:
        given = stop.value
    return asked, sorted(range(n), key=lambda i: -given[i])


def larger(group):
    return [float(i) for i in group]


def picked(group):
    """As a model answers that names one label."""
    return [float(i == max(group)) for i in group]


def equal(group):
    return [0.0 for _ in group]


@EITHER
@pytest.mark.parametrize("n", [0, 1])
def test_what_needs_no_comparison_is_not_asked_about(strategy, n):
    assert drive(strategy(), n, larger) == ([], list(range(n)))


@EITHER
def test_two_are_compared_once(strategy):
    assert drive(strategy(), 2, larger) == ([[(0, 1)]], [1, 0])


@EITHER
@pytest.mark.parametrize("children", [1, 2, 3, 9, 19, 50])
@pytest.mark.parametrize("k", [1, 3, 10, 50])
def test_the_top_is_right_and_the_rest_in_first_stage_order(strategy, children, k):
    order = drive(strategy(children, k), 25, picked)[1]
    top = sorted(range(25), reverse=True)[:k]
    assert order == top + [i for i in range(25) if i not in top]


def test_nodes_of_a_level_are_compared_together_and_the_parent_is_shown_first():
    asked = drive(SetwiseHeapsort(2, 1), 15, equal)[0]
    assert asked == [[(6, 13, 14), (5, 11, 12), (4, 9, 10), (3, 7, 8)], [(2, 5, 6), (1, 3, 4)], [(0, 1, 2)]]


def test_who_moves_down_is_compared_again_below():
    """6 moves above 2, then above 0, which then stands above 5 and 2."""
    assert drive(SetwiseHeapsort(2, 2), 7, larger)[0][:3] == [[(2, 5, 6), (1, 3, 4)], [(0, 4, 6)], [(0, 5, 2)]]


def test_the_next_root_is_taken_while_a_leaf_still_sinks():
    """Each of ten leaves sinks five levels: 50 rounds after the heap stands, if one waited for the other."""
    asked = drive(SetwiseHeapsort(2, 10), 100, lambda group: [-float(i * 37 % 100) for i in group])[0]
    assert sum(map(len, asked)) > 120
    assert len(asked) < 40


def unread(group):
    return [math.nan] * len(group)


@pytest.mark.parametrize("judge", [equal, unread])
@pytest.mark.parametrize(
    "strategy", [SetwiseBubble(), SetwiseHeapsort(ties="earlier"), SetwiseHeapsort(9, ties="earlier")]
)
def test_nothing_that_can_be_read_leaves_first_stage_order(strategy, judge):
    assert drive(strategy, 30, judge)[1] == list(range(30))


def test_the_published_tie_leaves_the_last_leaves_on_top():
    """The parent stays; after the first is taken, that is the last of the list."""
    assert drive(SetwiseHeapsort(2, 3), 30, equal)[1][:4] == [0, 29, 28, 1]


def test_an_unknown_rule_for_ties_is_refused():
    with pytest.raises(ValueError, match="need one of parent, earlier"):
        SetwiseHeapsort(ties="first")


@EITHER
def test_of_two_equal_ones_the_first_moves_up(strategy):
    assert drive(strategy(3, 1), 4, lambda group: [float(i in (1, 3)) for i in group])[1] == [1, 0, 2, 3]


def test_a_bubble_pass_goes_up_in_steps_of_its_children():
    assert drive(SetwiseBubble(3, 1), 9, equal)[0] == [[(5, 6, 7, 8)], [(2, 3, 4, 5)], [(0, 1, 2)]]


def test_the_winner_changes_places_with_the_front():
    asked, order = drive(SetwiseBubble(2, 1), 5, picked)
    assert asked == [[(2, 3, 4)], [(0, 1, 4)]]
    assert order == [4, 0, 1, 2, 3]


def test_bubbles_do_not_ask_again_about_what_did_not_change():
    """In order already: the first pass asks all, a later one only its topmost, shorter comparison."""
    asked = drive(SetwiseBubble(2, 3), 9, equal)[0]
    assert sorted(group for now in asked for group in now) == [(0, 1, 2), (1, 2), (2, 3, 4), (4, 5, 6), (6, 7, 8)]


@EITHER
def test_shuffled_calls_show_the_same_documents_in_an_order_the_seed_decides(strategy):
    plain, first, again, other = (drive(strategy(4, 5, shuffle), 30, picked) for shuffle in (None, 1, 1, 2))
    assert first == again
    assert first[0] != other[0]
    assert first[1] == plain[1]
    assert [[sorted(group) for group in now] for now in first[0]] == [
        [sorted(group) for group in now] for now in plain[0]
    ]


@EITHER
def test_shuffled_the_parent_still_stays_where_nothing_is_better(strategy):
    assert drive(strategy(4, 5, 7), 30, equal)[1] == drive(strategy(4, 5), 30, equal)[1]


@EITHER
def test_it_shows_one_more_than_its_children(strategy):
    assert strategy(children=19).widest == 20
    assert not strategy().absolute


@EITHER
@pytest.mark.parametrize(("children", "k"), [(0, 10), (2, 0), (-1, 1)])
def test_no_children_and_no_top_are_refused(strategy, children, k):
    with pytest.raises(ValueError, match="need 1 or more of each"):
        strategy(children, k)
