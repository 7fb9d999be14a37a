"""Rewards of several documents shown at once, by hand."""

import math

import pytest

from ponderank.train.rewards_lists import group_rank, iranker, rank_r1, rearank, reason_rank
from ponderank.train.rewards_measures import divergence
from ponderank.train.rewards_rollouts import Rollout, Truth, read_grades, read_order
from ponderank.types import Judgement

LOG3 = math.log2(3)


def near(value):
    return pytest.approx(value, abs=1e-12)


def ordered(answer, n, thought="so"):
    text = f"<think>{thought}</think>\n<answer>{answer}</answer>"
    return Rollout(text, read_order(text, n))


def grouped(answer, n):
    text = f"<reason>so</reason>\n<answer>{answer}</answer>"
    return Rollout(text, read_grades(text, n))


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("<think>a\nb</think>\n<answer> [2] </answer>", 1),
        ("<think>a</think><answer>[1]</answer>", 0),
        ("<think>a</think><answer>2</answer>", 0),
        ("<think>a</think><answer>[2] or so</answer>", 0),
        ("<think>a</think>[2]", 0),
        ("", 0),
    ],
)
def test_rank_r1_rewards_the_exact_label(text, reward):
    assert rank_r1(Rollout(text), Truth((0, 1, 0))) == reward


@pytest.mark.parametrize("around", ["Sure. {}", "{} Thanks", "{}<answer>[1]</answer>", "<think>x</think>{}"])
def test_rank_r1_is_anchored_at_both_ends(around):
    text = "<think>a</think> <answer>[2]</answer>"
    assert rank_r1(Rollout(text), Truth((0, 1))) == 1
    assert rank_r1(Rollout(around.format(text)), Truth((0, 1))) == 0


def test_rank_r1_takes_any_document_of_the_best_grade_and_none_where_none_is_relevant():
    rewards = [[rank_r1(ordered(f"[{k}]", 3), Truth(grades)) for k in (1, 2, 3)] for grades in ((2, 1, 2), (0, 0, 0))]
    assert rewards == [[1, 0, 1], [0, 0, 0]]
    assert rank_r1(ordered("[1]", 0), Truth(())) == 0


# ReasonRank


def test_reason_rank_adds_three_views():
    truth = Truth((0, 3, 0), order=(1, 2, 0))
    assert reason_rank(ordered("[2] > [3] > [1]", 3), truth) == near(1.3)
    swapped = ordered("[3] > [2] > [1]", 3)
    assert reason_rank(swapped, truth) == near(1 / LOG3 + 0.2 + 0.1 * (0 + 1 + 1) / 3)
    assert reason_rank(swapped, truth, p=0.9) == near(1 / LOG3 + 0.2 + 0.1 * 0.1 * (0 + 0.9 + 0.81))


def test_reason_rank_takes_relevance_for_ndcg_not_grades():
    first, second = (reason_rank(ordered("[1] > [2]", 2), Truth((grade, 3), order=(0, 1))) for grade in (1, 3))
    assert first == second == near(1.3)


def test_reason_rank_counts_ten_documents():
    labels = " > ".join(f"[{k}]" for k in range(1, 12))
    truth = Truth((0,) * 10 + (1,), order=tuple(range(11)))
    assert reason_rank(ordered(labels, 11), truth) == near(0.1)


def test_reason_rank_without_a_full_order_is_zero_and_without_tags_minus_one():
    truth = Truth((1, 0), order=(0, 1))
    assert reason_rank(ordered("[1]", 2), truth) == 0
    assert reason_rank(ordered("1 2", 2), truth) == 0
    assert reason_rank(ordered("[0] > [1]", 2), truth) == 0
    assert reason_rank(Rollout("[1] > [2]", Judgement((2.0, 1.0))), truth) == -1


def test_reason_rank_does_not_reward_an_order_of_other_documents():
    assert reason_rank(Rollout(ordered("[1]", 1).text, Judgement((1.0,))), Truth((1, 0), order=(0, 1))) == 0


def test_reason_rank_needs_a_teachers_order():
    with pytest.raises(ValueError, match="needs a full order"):
        reason_rank(ordered("[1]", 1), Truth((1,)))


# GroupRank


def test_group_rank_adds_ranks_and_the_agreement_of_distributions():
    truth = Truth((1, 0), scores=(9, 3))
    assert group_rank(grouped('{"[1]": 6, "[2]": 2}', 2), truth) == near(1.3)
    turned = divergence((2, 6), (9, 3))
    assert group_rank(grouped('{"[1]": 2, "[2]": 6}', 2), truth) == near(1 / LOG3 + 0.2 + 0.1 * (1 - turned))


def test_group_rank_of_opposite_distributions_keeps_nothing_of_the_last_part():
    assert group_rank(grouped('{"[1]": 0, "[2]": 10}', 2), Truth((1, 0), scores=(1, 0))) == near(1 / LOG3 + 0.2)


def test_group_rank_of_zeros_only_is_that_of_equal_scores():
    truth = Truth((0, 1), scores=(0, 4))
    zeros, fives = (group_rank(grouped(f'{{"[1]": {g}, "[2]": {g}}}', 2), truth) for g in (0, 5))
    assert zeros == fives == near(1 / LOG3 + 0.2 + 0.1 * (1 - divergence((1, 1), (0, 4))))


def test_group_rank_gain_is_chosen():
    truth = Truth((1, 3), scores=(1, 3))
    linear, exponential = (
        group_rank(grouped('{"[1]": 9, "[2]": 1}', 2), truth, gain=g) for g in ("linear", "exponential")
    )
    assert linear - exponential == near((1 + 3 / LOG3) / (3 + 1 / LOG3) - (1 + 7 / LOG3) / (7 + 1 / LOG3))


def test_group_rank_tells_tags_without_grades_from_neither():
    truth = Truth((1, 0), scores=(1, 0))
    assert group_rank(grouped('{"[1]": 6}', 2), truth) == -0.1
    assert group_rank(Rollout('{"[1]": 6, "[2]": 2}'), truth) == -0.5
    with pytest.raises(ValueError, match="needs a score"):
        group_rank(grouped("", 2), Truth((1, 0)))


# Rearank


def test_rearank_rewards_what_was_gained_of_what_could_be():
    truth = Truth((0, 1, 3))
    start, best = 1 / LOG3 + 3 / 2, 3 + 1 / LOG3
    assert rearank(ordered("[3] > [2] > [1]", 3), truth) == near(1)
    assert rearank(ordered("[1] > [2] > [3]", 3), truth) == near(0.2)
    assert rearank(ordered("[2] > [3] > [1]", 3), truth) == near(0.8 * (1 + 3 / LOG3 - start) / (best - start) + 0.2)


def test_rearank_where_nothing_can_be_gained_asks_for_an_equal_order():
    truth = Truth((3, 1, 1))
    assert rearank(ordered("[1] > [3] > [2]", 3), truth) == near(1)
    assert rearank(ordered("[2] > [1] > [3]", 3), truth) == near(0.2)
    assert rearank(ordered("[2] > [1]", 2), Truth((0, 0))) == near(1)


def test_rearank_falls_as_far_as_it_is_let():
    truth, worst = Truth((3, 0, 1)), ordered("[2] > [3] > [1]", 3)
    free = rearank(worst, truth)
    assert free < -1
    assert rearank(worst, truth, least=-0.5) == near(-0.4 + 0.2)
    with pytest.raises(ValueError, match="0 or less"):
        rearank(worst, truth, least=0.1)


def test_rearank_rewards_tags_and_the_answers_form_apart():
    truth = Truth((0, 1))
    assert rearank(Rollout(""), truth) == 0
    assert rearank(ordered("none", 2), truth) == 0.1
    assert rearank(Rollout("no tags", Judgement((1.0, 2.0))), truth) == near(0.8 + 0.1)


# IRanker

SOUND = "<think>\nso\n</think>\n<answer>\npassage 2\n</answer>"


@pytest.mark.parametrize(
    ("scores", "reward"),
    [((1.0, 0.0), 1), ((0.0, 1.0), 0), ((0.0, 0.0), -0.5), ((0.0,), -0.5), ((math.nan, 0.0), -0.5)],
)
def test_iranker_rewards_excluding_what_is_not_relevant(scores, reward):
    assert iranker(Rollout(SOUND, Judgement(scores)), Truth((1, 0))) == reward


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (SOUND, 0),
        (SOUND + "\n", 0),
        ("<think> so </think>\n<answer> b </answer>", 0),
        (SOUND + "\nmore", -1),
        ("So " + SOUND, -1),
        (" " + SOUND, -1),
        (SOUND.replace("</think>\n", "</think>\n\n"), -1),
        ("<think>so</think>\n<answer>b</answer>", -2),
        (SOUND + SOUND, -2),
        ("<think>\nso\n</think>\n<answer></answer>", -1 - 2 * 0.25),
    ],
)
def test_iranker_counts_each_tag_and_the_whole_form(text, form):
    assert iranker(Rollout(text, Judgement((1.0, 0.0))), Truth((1, 0))) == near(1 + form)


def test_iranker_without_an_answer_loses_one_more():
    assert iranker(Rollout("", Judgement((1.0, 0.0))), Truth((1, 0))) == -3
    assert iranker(Rollout("<think>\nso\n</think>\n<answer>\n", Judgement((1.0, 0.0))), Truth((1, 0))) == -1 - 1 - 0.25
