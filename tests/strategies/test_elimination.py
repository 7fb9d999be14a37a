"""Elimination, driven by hand."""

import math
import random

import pytest

from ponderank.strategies.elimination import Elimination
from ponderank.types import Judgement


def driven(strategy, relevances):
    """The groups it asked for, and its ranking."""
    plan, groups = strategy.plan(len(relevances)), []
    try:
        (group,) = next(plan)
        while True:
            groups.append(group)
            (group,) = plan.send([Judgement(tuple(relevances[i] for i in group))])
    except StopIteration as stop:
        scores = stop.value
    return groups, sorted(range(len(relevances)), key=lambda i: -scores[i])


def test_all_that_remain_are_shown_and_the_worst_leaves():
    groups, ranking = driven(Elimination(), [2.0, 0.0, 3.0, 1.0])
    assert groups == [(0, 1, 2, 3), (0, 2, 3), (0, 2)]
    assert ranking == [2, 0, 3, 1]


def test_100_candidates_are_99_judgements_and_a_perfect_judge_gives_the_perfect_order():
    relevances = [float(r) for r in random.Random(0).sample(range(100), 100)]
    groups, ranking = driven(Elimination(), relevances)
    assert len(groups) == 99
    assert ranking == sorted(range(100), key=lambda i: -relevances[i])


@pytest.mark.parametrize("size", [2, 5, 20])
def test_with_a_size_only_the_last_are_shown_and_the_top_is_still_exact(size):
    relevances = [float(r) for r in random.Random(size).sample(range(60), 60)]
    groups, ranking = driven(Elimination(size), relevances)
    assert max(map(len, groups)) == size == Elimination(size).widest
    assert len(groups) == 59
    assert ranking[: size - 1] == sorted(range(60), key=lambda i: -relevances[i])[: size - 1]


@pytest.mark.parametrize("nothing", [0.0, math.nan])
def test_where_nothing_is_answered_the_last_leaves(nothing):
    assert driven(Elimination(), [nothing] * 9)[1] == list(range(9))


def test_who_has_no_score_leaves_before_the_worst():
    assert driven(Elimination(), [1.0, math.nan, -5.0])[1] == [0, 2, 1]


def test_one_candidate_or_none_is_not_asked_about():
    for n in (0, 1):
        with pytest.raises(StopIteration) as stop:
            next(Elimination().plan(n))
        assert len(stop.value.value) == n


def test_a_size_of_one_is_refused():
    with pytest.raises(ValueError, match="need"):
        Elimination(1)
