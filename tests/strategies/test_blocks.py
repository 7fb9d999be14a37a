"""Overlapping blocks: who shares one, and what is made of their answers."""

import math
import random
from collections import Counter

import pytest

from ponderank.strategies.block_designs import DESIGNS, blocks_of, hang_together
from ponderank.strategies.blocks import AGGREGATES, Blocks, comparisons
from ponderank.types import Judgement


def driven(strategy, n, judge):
    plan = strategy.plan(n)
    try:
        asked = next(plan)
        plan.send([judge(group) for group in asked])
    except StopIteration as stop:
        return stop.value
    raise AssertionError("more than one round")


def perfect(relevances):
    return lambda group: Judgement(tuple(relevances[i] for i in group))


@pytest.mark.parametrize(
    ("n", "size", "replicas", "calls"), [(100, 20, 4, 20), (100, 10, 2, 20), (37, 20, 4, 8), (20, 20, 4, 1)]
)
def test_calls_are_as_many_as_the_formula_says(n, size, replicas, calls):
    for design in ("equi-replicate", "random"):
        assert len(blocks_of(design, n, size, replicas, 0)) == calls


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("n", [2, 3, 9, 10, 11, 15, 19, 20, 21, 25, 37, 55, 100])
def test_blocks_hang_together_hold_nobody_twice_and_are_no_wider_than_their_size(n, design):
    for size in (2, 3, 5, 10, 20):
        for seed in range(3):
            blocks = blocks_of(design, n, size, 2, seed)
            assert hang_together(blocks, n)
            assert all(len(set(block)) == len(block) == min(n, size) for block in blocks)


def test_everybody_is_shown_equally_often_where_that_is_possible():
    for n, size, replicas in ((100, 20, 4), (100, 10, 2), (40, 20, 3), (64, 8, 5)):
        counts = Counter(i for block in blocks_of("equi-replicate", n, size, replicas, 7) for i in block)
        assert set(counts.values()) == {replicas}


def test_a_latin_square_has_all_in_two_blocks_which_share_at_most_one():
    blocks = blocks_of("latin", 100, 10, 2, 0)
    assert len(blocks) == 20
    assert all(len(set(a) & set(b)) <= 1 for at, a in enumerate(blocks) for b in blocks[:at])


def test_a_triangle_has_all_in_two_blocks_and_any_two_blocks_share_exactly_one():
    blocks = blocks_of("triangular", 55, 10, 2, 0)
    assert len(blocks) == 11
    assert all(len(set(a) & set(b)) == 1 for at, a in enumerate(blocks) for b in blocks[:at])


def test_a_design_that_does_not_fit_the_number_is_equi_replicate():
    for design in ("latin", "triangular"):
        assert blocks_of(design, 37, 10, 2, 3) == blocks_of("equi-replicate", 37, 10, 2, 3)


def test_what_falls_apart_is_drawn_again():
    """Pairs, each item in two: a random draw is nearly always several circles."""
    for n in (20, 60):
        for seed in range(20):
            assert hang_together(blocks_of("equi-replicate", n, 2, 2, seed), n)


def test_equal_scores_are_ties_and_a_missing_score_loses():
    assert comparisons((3, 1, 2), Judgement((1.0, 1.0, math.nan))) == [(3, 1, 0.5), (3, 2, 1.0), (1, 2, 1.0)]


def test_a_block_that_could_not_be_read_says_nothing_but_equal_grades_do():
    assert comparisons((3, 1), Judgement((0.0, 0.0), flaw="unparsed")) == []
    assert comparisons((3, 1), Judgement((0.0, 0.0))) == [(3, 1, 0.5)]


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_perfect_judge_of_one_block_gives_the_perfect_order(aggregate):
    relevances = [float(r) for r in random.Random(1).sample(range(12), 12)]
    scores = driven(Blocks(aggregate=aggregate), 12, perfect(relevances))
    assert sorted(range(12), key=lambda i: -scores[i]) == sorted(range(12), key=lambda i: -relevances[i])


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_perfect_judge_gives_most_of_the_top_ten_of_100(aggregate):
    found = 0
    for seed in range(5):
        relevances = [float(r) for r in random.Random(seed).sample(range(100), 100)]
        scores = driven(Blocks(aggregate=aggregate, seed=seed), 100, perfect(relevances))
        top, ours = (set(sorted(range(100), key=lambda i, by=by: -by[i])[:10]) for by in (relevances, scores))
        found += len(top & ours)
    assert found > 38


def test_nobody_beats_the_best_by_win_rate():
    for seed in range(10):
        relevances = [float(r) for r in random.Random(seed).sample(range(100), 100)]
        scores = driven(Blocks(aggregate="win-rate", seed=seed), 100, perfect(relevances))
        assert scores[relevances.index(99.0)] == 1.0 == max(scores)


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_where_nothing_could_be_read_all_are_equal(aggregate):
    for n in (2, 21, 100):
        scores = driven(Blocks(aggregate=aggregate), n, lambda group: Judgement((0.0,) * len(group), flaw="unparsed"))
        assert len(set(scores)) == 1


def test_newman_and_bradley_terry_differ_only_where_there_are_ties():
    relevances = [float(i % 7) for i in range(30)]
    untied = [float(i) for i in range(30)]
    by = {(rule, tied): driven(Blocks(10, 3, aggregate=rule), 30, perfect(relevances if tied else untied))
          for rule in ("newman", "bradley-terry") for tied in (False, True)}  # fmt: skip
    assert by["newman", False] == by["bradley-terry", False]
    assert by["newman", True] != by["bradley-terry", True]


def test_one_candidate_or_none_is_not_asked_about():
    for n in (0, 1):
        with pytest.raises(StopIteration) as stop:
            next(Blocks().plan(n))
        assert stop.value.value == [0.0] * n


@pytest.mark.parametrize("options", [{"size": 1}, {"replicas": 1}, {"design": "square"}, {"aggregate": "mean"}])
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="need"):
        Blocks(**options)
