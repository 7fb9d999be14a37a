import math

import pytest

from ponderank.strategies.window import Window
from ponderank.types import Judgement

SIZES = (0, 1, 2, 3, 9, 10, 11, 15, 19, 20, 21, 25, 37, 100)


def drive(strategy, n, judge):
    plan, asked = strategy.plan(n), []
    try:
        groups = next(plan)
        while True:
            asked.append(groups)
            groups = plan.send([Judgement(tuple(judge(i) for i in group)) for group in groups])
    except StopIteration as stop:
        return asked, stop.value


def order_of(scores):
    return sorted(range(len(scores)), key=lambda i: -scores[i])


@pytest.mark.parametrize("n", [0, 1])
def test_what_needs_no_order_is_not_asked_about(n):
    assert drive(Window(), n, float) == ([], [float(n)] * n)


@pytest.mark.parametrize("n", [2, 9, 10, 19, 20])
def test_a_list_no_longer_than_the_window_is_one_call(n):
    assert drive(Window(), n, float)[0] == [[tuple(range(n))]]


def test_windows_go_from_the_bottom_to_the_head():
    assert drive(Window(), 100, lambda i: 0.0)[0] == [[tuple(range(end - 20, end))] for end in range(100, 10, -10)]


@pytest.mark.parametrize(("n", "starts"), [(21, [1, 0]), (25, [5, 0]), (37, [17, 7, 0])])
def test_the_last_window_starts_at_the_head(n, starts):
    assert [asked[0][0] for asked in drive(Window(), n, lambda i: 0.0)[0]] == starts


@pytest.mark.parametrize("n", [n for n in SIZES if n > 1])
@pytest.mark.parametrize(("size", "stride"), [(20, 10), (20, 15), (10, 5), (4, 2), (7, 3), (2, 1)])
def test_the_calls_are_those_of_the_formula_and_everybody_is_shown(n, size, stride):
    asked = [group for now in drive(Window(size, stride), n, float)[0] for group in now]
    assert len(asked) == math.ceil(max(n - size, 0) / stride) + 1
    assert {i for group in asked for i in group} == set(range(n))
    assert all(2 <= len(group) <= size for group in asked)


def test_a_winner_is_carried_to_the_head():
    asked, scores = drive(Window(4, 2), 8, lambda i: float(i == 7))
    assert asked == [[(4, 5, 6, 7)], [(2, 3, 7, 4)], [(0, 1, 7, 2)]]
    assert order_of(scores) == [7, 0, 1, 2, 3, 4, 5, 6]
    assert sorted(scores) == [float(rank) for rank in range(1, 9)]


def test_another_pass_slides_over_the_new_order():
    """One pass carries two of four up; three passes of two carry all six."""
    one, three = (order_of(drive(Window(4, 2, passes), 10, float)[1]) for passes in (1, 3))
    assert one[:2] == [9, 8]
    assert one[:4] != [9, 8, 7, 6]
    assert three[:6] == [9, 8, 7, 6, 5, 4]


def test_a_pass_begins_when_its_documents_are_settled():
    """Nine windows a pass; the second follows two windows behind."""
    asked = drive(Window(20, 10, 2), 100, float)[0]
    assert [len(now) for now in asked] == [1, 1, *[2] * 7, 1, 1]
    assert asked[2][1] == (*range(79, 69, -1), *range(89, 79, -1))  # the last twenty, after two windows


def test_it_shows_as_many_as_a_window_holds():
    assert Window(size=7, stride=3).widest == 7
    assert not Window().absolute


@pytest.mark.parametrize(("size", "stride", "passes"), [(20, 0, 1), (20, 20, 1), (1, 1, 1), (10, 20, 1), (20, 10, 0)])
def test_windows_that_carry_nothing_up_are_refused(size, stride, passes):
    with pytest.raises(ValueError, match="need 1 <= stride < size"):
        Window(size, stride, passes)
