import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.aggregate.kemeny import kemeny, kemeny_local, kemeny_or_local
from ponderank.aggregate.rankings import (
    borda,
    condorcet,
    copeland,
    kendall_distance,
    margins,
    preferences,
    reciprocal_rank,
    total_distance,
)

CIRCLE = [[0, 1, 2], [1, 2, 0], [2, 0, 1]]


@st.composite
def rankings(draw, most=6, partial=False):
    n = draw(st.integers(1, most))
    lists = draw(st.lists(st.permutations(range(n)), min_size=1, max_size=6))
    if partial:
        lists = [ranking[: draw(st.integers(0, n))] for ranking in lists]
    return [list(ranking) for ranking in lists], n


def by_trying_all(lists, n):
    """The smallest distance, and the orders that have it."""
    above = preferences(lists, n).tolist()
    distances = {
        order: sum(above[later][earlier] for earlier, later in itertools.combinations(order, 2))
        for order in itertools.permutations(range(n))
    }
    least = min(distances.values())
    return least, [order for order, distance in distances.items() if distance == least]


def inversions(order):
    return sum(a > b for a, b in itertools.combinations(order, 2))


@given(rankings(partial=True))
@settings(max_examples=100, deadline=None)
def test_the_kemeny_order_is_the_nearest_of_all_orders(given_):
    lists, n = given_
    found = kemeny(lists, n)
    assert sorted(found.order) == list(range(n))
    assert found.exact
    assert found.distance == found.bound == by_trying_all(lists, n)[0]
    assert found.distance == sum(kendall_distance(found.order, ranking, n) for ranking in lists)


@given(rankings())
@settings(max_examples=100, deadline=None)
def test_of_several_nearest_orders_it_is_one_that_turns_the_fewest_numbered_pairs(given_):
    lists, n = given_
    best = by_trying_all(lists, n)[1]
    assert inversions(kemeny(lists, n).order) == min(map(inversions, best))


@given(rankings(most=12))
@settings(max_examples=100, deadline=None)
def test_local_search_is_never_below_the_optimum_nor_its_bound_above(given_):
    lists, n = given_
    exact, local = kemeny(lists, n), kemeny_local(lists, n)
    assert sorted(local.order) == list(range(n))
    assert local.bound <= exact.distance <= local.distance
    assert local.gap == local.distance - local.bound
    assert not local.exact or local.distance == exact.distance


@given(rankings(most=12))
@settings(max_examples=100, deadline=None)
def test_neither_is_farther_than_the_nearest_of_the_rankings(given_):
    """Local search begins elsewhere, so that it is measured against its own start: no single move helps."""
    lists, n = given_
    above = preferences(lists, n)
    assert kemeny(lists, n).distance <= min(total_distance(ranking, above) for ranking in lists)
    local = list(kemeny_local(lists, n).order)
    for item in local:
        rest = [other for other in local if other != item]
        assert all(
            total_distance([*rest[:q], item, *rest[q:]], above) >= total_distance(local, above) for q in range(n)
        )


def noise(n, times, seed):
    shuffled = random.Random(seed)
    return [shuffled.sample(range(n), n) for _ in range(times)]


def test_wide_circles_are_solved_exactly_up_to_the_bound_and_by_local_search_above_it():
    lists = noise(24, 20, 1)
    exact, wide = kemeny_or_local(lists, 24, exact_up_to=24), kemeny_or_local(lists, 24, exact_up_to=10)
    assert exact.exact
    assert not wide.exact
    assert exact.bound == exact.distance <= wide.distance
    assert wide.bound < exact.distance


def test_one_part_that_was_not_solved_exactly_is_enough_not_to_be_exact():
    """A settled item behind a wide circle."""
    lists = [[*ranking, 24] for ranking in noise(24, 20, 1)]
    assert not kemeny_or_local(lists, 25, exact_up_to=10).exact


def by_subsets(above):
    """The smallest distance, by which item comes last in each subset."""
    n = len(above)
    least = [0] * (1 << n)
    for subset in range(1, 1 << n):
        inside = [item for item in range(n) if subset >> item & 1]
        least[subset] = min(least[subset ^ 1 << last] + sum(above[last][item] for item in inside) for last in inside)
    return least[-1]


def test_answers_in_fractions_are_solved_again_in_whole_numbers():
    """Five noisy rankings of ten items whose fractional answer is no order, found by looking for one."""
    lists = noise(10, 5, 385)
    assert kemeny(lists, 10).distance == by_subsets(preferences(lists, 10).tolist())


def test_where_whole_numbers_are_too_many_local_search_answers():
    lists = noise(10, 5, 385)
    found = kemeny_or_local(lists, 10, whole_up_to=3)
    assert not found.exact
    assert found.bound < kemeny(lists, 10).distance <= found.distance


def test_items_that_majorities_separate_are_not_searched():
    lists = [[*range(100)] for _ in range(3)]
    assert kemeny(lists, 100).order == tuple(range(100))


def test_items_that_no_ranking_holds_come_last():
    assert kemeny([[3, 1]], 5).order == (3, 1, 0, 2, 4)


def test_without_rankings_the_order_is_the_items_own():
    assert kemeny([], 3).order == (0, 1, 2)
    assert kemeny([], 0).order == ()


def test_a_circle_is_cut_where_the_numbering_is_kept_best():
    assert kemeny(CIRCLE, 3).order == (0, 1, 2)


def test_a_tie_in_a_ranking_is_no_vote():
    assert preferences([[2, (0, 1)]], 3).tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 0]]
    assert kendall_distance([[0, 1], 2], [1, 0, 2], 3) == 0


def test_a_pair_that_a_ranking_lacks_in_part_is_no_vote():
    assert preferences([[1]], 2).sum() == 0


@pytest.mark.parametrize("ranking", [[0, 0], [2], [-1], [0, (1, 0)]])
def test_an_item_twice_or_out_of_range_is_refused(ranking):
    with pytest.raises(ValueError, match="each of 0 to 1 may stand in it once"):
        preferences([ranking], 2)


def test_borda_ignores_the_rankings_that_lack_an_item():
    assert borda([[0, 1, 2], [2, 0]], 3) == [-0.5, -1.0, -1.0]


def test_borda_can_share_what_is_left_over_among_those_lacking():
    """Of four items two are lacking: they share ranks 2 and 3."""
    assert borda([[3, 1]], 4, missing="shared") == [-2.5, -1.0, -2.5, -0.0]


def test_ties_share_their_mean_rank():
    assert borda([[(0, 2), 1]], 3) == [-0.5, -2.0, -0.5]


def test_an_item_that_nobody_ranks_has_no_mean():
    assert math.isnan(borda([[0]], 2)[1])
    assert math.isnan(reciprocal_rank([[0]], 2, missing="ignored")[1])
    assert reciprocal_rank([[0]], 2)[1] == 0


def test_reciprocal_ranks_are_summed_from_rank_one():
    assert reciprocal_rank([[0, 1], [1]], 2) == pytest.approx([1 / 61, 1 / 62 + 1 / 61])


def test_or_averaged_from_rank_zero_over_those_that_hold_the_item():
    assert reciprocal_rank([[0, 1], [1]], 2, missing="ignored") == pytest.approx([1 / 60, (1 / 61 + 1 / 60) / 2])


@given(rankings(partial=True))
def test_majorities_are_antisymmetric(given_):
    """Turning all rankings round turns the scores round, ties included."""
    lists, n = given_
    forward = copeland(preferences(lists, n))
    assert copeland(preferences([ranking[::-1] for ranking in lists], n)) == [-score for score in forward]


@given(rankings(partial=True))
def test_condorcets_parts_are_each_above_all_later_ones_and_cannot_be_cut_further(given_):
    lists, n = given_
    above = preferences(lists, n)
    parts = condorcet(above)
    assert sorted(item for part in parts for item in part) == list(range(n))
    for at, part in enumerate(parts):
        assert all(above[i, j] > above[j, i] for i in part for later in parts[at + 1 :] for j in later)
        for size in range(1, len(part)):
            for top in itertools.combinations(part, size):
                rest = set(part) - set(top)
                assert not all(above[i, j] > above[j, i] for i in top for j in rest)


def test_a_circle_is_one_part_and_its_order_does_not_depend_on_the_rankings():
    for lists in itertools.permutations(CIRCLE):
        assert condorcet(preferences(lists, 3)) == [[0, 1, 2]]


def test_a_pair_that_all_rankings_lack_is_no_vote_for_either():
    """ranx counts it for the second."""
    assert condorcet(preferences([[0], [1]], 2)) == [[0, 1]]


def test_margins_count_the_rankings_that_must_turn():
    lists = [[0, 1, 2]] * 4 + [[0, 2, 1]]
    above = preferences(lists, 3)
    assert margins([0, 1, 2], above) == [3, 2]
    assert margins([0, 2, 1], above) == [3, 0]


@given(rankings(), st.integers(1, 5))
def test_identical_rankings_are_their_own_aggregate(given_, times):
    ranking, n = given_[0][0], given_[1]
    same = [ranking] * times
    above = preferences(same, n)
    place = {item: at for at, item in enumerate(ranking)}
    assert list(kemeny(same, n).order) == list(kemeny_local(same, n).order) == ranking
    assert [part[0] for part in condorcet(above)] == ranking
    for scores in (borda(same, n), reciprocal_rank(same, n), copeland(above)):
        assert sorted(range(n), key=lambda i: -scores[i]) == sorted(range(n), key=place.get)
