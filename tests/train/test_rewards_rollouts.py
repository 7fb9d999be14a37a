"""Reading rollouts: nothing is repaired."""

import math

import pytest

from ponderank.train.rewards_rollouts import Rollout, Truth, read_grade, read_grades, read_order, turn
from ponderank.types import Judgement


def ordered(answer, n, thought="so"):
    text = f"<think>{thought}</think>\n<answer>{answer}</answer>"
    return Rollout(text, read_order(text, n))


def grouped(answer, n):
    text = f"<reason>so</reason>\n<answer>{answer}</answer>"
    return Rollout(text, read_grades(text, n))


def test_a_turn_is_a_thought_and_an_answer_and_nothing_else():
    found = turn(" <think>a <answer>[9]</answer> b</think>\n <answer> [1] </answer>\n")
    assert (found.thought, found.gap, found.answer) == ("a <answer>[9]</answer> b", "\n ", " [1] ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "<think>a</think>",
        "<think>a</think>[1]",
        "<think>a<answer>[1]</answer>",
        "<answer>[1]</answer>",
        "<think>a</think><answer>[1]",
        "<think>a</think> so <answer>[1]</answer>",
        "so <think>a</think><answer>[1]</answer>",
        "<think>a</think><answer>[1]</answer> so",
        "<think>a</think><answer>[1]</answer><answer>[2]</answer>",
        "<think>a</think><answer>[1]</answer></think><answer>[2]</answer>",
        "<think>a</think><answer><think>[1]</answer>",
        "<reason>a</reason><answer>[1]</answer>",
    ],
)
def test_anything_else_is_no_turn(text):
    assert turn(text) is None


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("<think>9</think><answer>7</answer>", 7),
        ("<answer>0</answer>", 0),
        ("<answer>11</answer>", None),
        ("<answer>7.5</answer>", None),
        ("<think><answer>7</answer>", None),
        ("7", None),
    ],
)
def test_a_grade_is_a_whole_number_of_the_answer(text, grade):
    read = Rollout(text, read_grade(text, most=10)).scores
    assert read == (None if grade is None else (float(grade),))


@pytest.mark.parametrize(
    "answer", ["[1]", "[1] > [2] > [2]", "[1] > [3]", "[0] > [1]", "1 > 2", "[1] [2]", "[01] > [2]", "[１] > [2]", ""]
)
def test_an_order_that_is_not_one_of_all_documents_is_not_repaired(answer):
    assert ordered(answer, 2).scores is None
    assert ordered(answer, 2).judgement.flaw == "unparsed"


@pytest.mark.parametrize(
    "answer",
    [
        '{"[1]": 5}',
        '{"[1]": 5, "[2]": 4, "[3]": 1}',
        '{"[1]": 5, "[2]": 11}',
        '{"[1]": 5, "[2]": -1}',
        '{"[1]": 5, "[2]": "4"}',
        '{"[1]": 5, "[2]": true}',
        '{"[1]": 5, "[2]": NaN}',
        '{"[1]": 5, "[1]": 5, "[2]": 4}',
        "[5, 4]",
        "5",
        "[" * 100_000,
        "{" + '"a":{' * 50_000,
        '{"[1]": ' + "9" * 5000 + ', "[2]": 1}',
        "``````",
        "",
    ],
)
def test_grades_that_are_not_one_number_of_each_document_are_not_repaired(answer):
    assert grouped(answer, 2).scores is None


def test_grades_may_be_fenced_and_have_parts():
    assert grouped('```json\n{"[2]": 4.5, "[1]": 0}\n```', 2).scores == (0.0, 4.5)


def test_nothing_shown_gives_nothing_read():
    assert ordered("", 0).scores is None
    assert grouped("{}", 0).scores is None


@pytest.mark.parametrize(
    ("flaw", "read"), [(None, True), ("truncated", True), ("unparsed", False), ("incomplete", False), ("late", False)]
)
def test_a_score_that_the_rollout_did_not_give_itself_is_none(flaw, read):
    assert (Rollout("", Judgement((1.0,), flaw=flaw)).scores is not None) == read


@pytest.mark.parametrize("scores", [(math.nan,), (math.inf, 1.0), ()])
def test_scores_that_are_not_finite_are_none(scores):
    assert Rollout("", Judgement(scores)).scores is None


@pytest.mark.parametrize(
    "fields", [{"order": (0, 0)}, {"order": (0,)}, {"order": (1, 2)}, {"scores": (1.0,)}, {"scores": (math.nan, 0)}]
)
def test_a_truth_that_does_not_fit_is_refused(fields):
    with pytest.raises(ValueError):
        Truth((1.0, 0.0), **fields)
