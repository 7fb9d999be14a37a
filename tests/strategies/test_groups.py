"""Groups graded together."""

import math

import pytest

from ponderank.strategies.groups import Groups
from ponderank.strategies.pointwise import standardised
from ponderank.types import Judgement


def driven(strategy, n, judge, priors=None):
    plan = strategy.plan(n, priors)
    try:
        asked = next(plan)
        plan.send([judge(group) for group in asked])
    except StopIteration as stop:
        return stop.value
    raise AssertionError("more than one round")


def grades(by):
    return lambda group: Judgement(tuple(by[i] for i in group))


def test_all_groups_of_all_repeats_are_one_round():
    asked = next(Groups().plan(100))
    assert [len(group) for group in asked] == [10] * 20
    assert sorted(i for group in asked[:10] for i in group) == sorted(i for group in asked[10:] for i in group)


def test_each_repeat_has_other_groups_and_the_same_seed_the_same():
    asked = next(Groups().plan(100))
    assert not {frozenset(group) for group in asked[:10]} & {frozenset(group) for group in asked[10:]}
    assert asked == next(Groups().plan(100)) != next(Groups(seed=1).plan(100))


@pytest.mark.parametrize("n", [1, 2, 9, 10, 11, 19, 21, 25, 37])
def test_groups_are_even_none_is_too_wide_and_everybody_is_in_one(n):
    asked = next(Groups(repeats=1).plan(n))
    sizes = [len(group) for group in asked]
    assert len(sizes) == math.ceil(n / 10)
    assert max(sizes) - min(sizes) <= 1
    assert sorted(i for group in asked for i in group) == list(range(n))


def test_a_score_is_the_mean_of_the_grades():
    turn = iter([0.0, 4.0])
    scores = driven(Groups(size=2), 2, lambda group: Judgement((next(turn),) * 2))
    assert scores == [2.0, 2.0]


def test_a_missing_grade_is_left_out_and_an_unreadable_answer_is_no_grade():
    answers = iter([Judgement((5.0, 3.0)), Judgement((math.nan, 1.0), flaw="incomplete")])
    shown = next(Groups(size=2).plan(2))
    scores = driven(Groups(size=2), 2, lambda group: next(answers))
    assert scores[shown[1][0]] == 5.0 if shown[0][0] == shown[1][0] else 3.0
    answers = iter([Judgement((5.0, 5.0)), Judgement((0.0, 0.0), flaw="unparsed")])
    assert driven(Groups(size=2), 2, lambda group: next(answers)) == [5.0, 5.0]


def test_who_has_no_grade_has_the_lowest_given():
    judge = grades([7.0, math.nan, 3.0])
    assert driven(Groups(), 3, judge) == [7.0, 3.0, 3.0]
    assert driven(Groups(), 3, grades([math.nan] * 3)) == [0.0] * 3


def test_the_weight_of_the_first_stage_gives_the_published_order():
    """0.6 · grade / 10 + 0.4 · the retriever's score, in units of the grade and of the scores' deviation."""
    graded, priors = [7.0, 8.0, 6.0, 7.0, 2.0], [0.62, 0.4, 0.71, 0.6, 0.9]
    mean = sum(priors) / 5
    deviation = math.sqrt(sum((prior - mean) ** 2 for prior in priors) / 5)
    assert standardised(priors)[0] == pytest.approx((priors[0] - mean) / deviation)
    scores = driven(Groups(prior_weight=0.4 / 0.6 * 10 * deviation), 5, grades(graded), priors)
    published = [0.6 * grade / 10 + 0.4 * prior for grade, prior in zip(graded, priors, strict=True)]
    assert (
        sorted(range(5), key=lambda i: -scores[i]) == sorted(range(5), key=lambda i: -published[i]) == [0, 3, 2, 1, 4]
    )


def test_a_single_candidate_is_graded_too_for_grades_stand_alone():
    assert Groups().absolute
    assert driven(Groups(), 1, grades([7.0])) == [7.0]


@pytest.mark.parametrize("options", [{"size": 0}, {"repeats": 0}])
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="need"):
        Groups(**options)
