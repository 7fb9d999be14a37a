"""TFRank's rewards, by hand."""

import math

import pytest

from ponderank.train.rewards_rollouts import Rollout, Truth
from ponderank.train.rewards_tfrank import tfrank_format, tfrank_listwise, tfrank_pairwise, tfrank_pointwise

LOG3 = math.log2(3)
EMPTY = "<think>\n\n</think>\n\n"


def near(value):
    return pytest.approx(value, abs=1e-12)


THOUGHT = "x" * 256


@pytest.mark.parametrize(
    ("text", "thinks", "reward"),
    [
        (EMPTY + "yes(3)", False, 1),
        (EMPTY + " \n", False, 0),
        ("so " + EMPTY + "yes(3)", False, 0),
        ("<think></think>yes(3)", False, 0),
        (f"<think>\n{THOUGHT}\n</think>\n\nyes(3)", False, 0),
        (f"<think>\n{THOUGHT}\n</think>\n\nyes(3)", True, 1),
        (f"<think>\n{THOUGHT[1:]}\n</think>\n\nyes(3)", True, 0),
        (f"<think>\n{THOUGHT[1:]} \n</think>\n\nyes(3)", True, 0),
        (f"<think>\n{'x' * 4096}\n</think>\n\nyes(3)", True, 1),
        (f"<think>\n{'x' * 4097}\n</think>\n\nyes(3)", True, 0),
        (f"<think>\n{THOUGHT}\n</think>\n\n", True, 0),
        (EMPTY + "yes(3)", True, 0),
    ],
)
def test_tfrank_format_is_an_empty_thought_or_one_of_some_length(text, thinks, reward):
    assert tfrank_format(text, thinks=thinks) == reward


@pytest.mark.parametrize(
    ("answer", "grade", "rank"),
    [
        ("yes(3)", 3, 1),
        ("yes ( 3.0 )", 3, 1),
        ("Yes(3)", 3, 0.75),
        ("yes(2)", 4, 0.75),
        ("no(1)", 4, 0),
        ("yes(4)", 1, 0),
        ("no(3)", 3, 0),
        ("yes(1)", 3, 0.5),
        ("no(0)", 1, 0.875),
        ("no(2)", 1, 0.5),
        ("yes(9)", 4, 0.5),
        ("yes", 3, 0),
        ("yes(3) indeed", 3, 0),
        ("maybe(3)", 3, 0),
    ],
)
def test_tfrank_pointwise_rewards_word_and_grade_by_halves(answer, grade, rank):
    assert tfrank_pointwise(Rollout(EMPTY + answer), Truth((grade,))) == near(rank + 0.5)


@pytest.mark.parametrize(
    ("answer", "grade", "form", "rank"),
    [
        ("yes", 2, "word", 1),
        ("YES", 2, "word", 0.5),
        ("no", 2, "word", 0),
        ("yes(3)", 3, "word", 0),
        ("3", 3, "grade", 1),
        ("3", 1, "grade", 0.25),
        ("4", 0, "grade", 0),
        ("5", 4, "grade", 0),
        ("3.0", 3, "grade", 0),
    ],
)
def test_tfrank_pointwise_knows_words_and_grades_alone(answer, grade, form, rank):
    assert tfrank_pointwise(Rollout(EMPTY + answer), Truth((grade,)), form=form) == near(rank + 0.5)


def test_tfrank_pointwise_cut_says_what_is_a_yes():
    assert [tfrank_pointwise(Rollout(EMPTY + "yes"), Truth((1,)), form="word", cut=cut) for cut in (1, 2)] == [1.5, 0.5]


def test_tfrank_reads_an_answer_behind_a_thought_that_is_too_short():
    rollout = Rollout("<think>\nshort\n</think>\n\nyes(3)")
    assert tfrank_pointwise(rollout, Truth((3,)), thinks=True) == 1
    assert tfrank_pointwise(rollout, Truth((3,))) == 0


@pytest.mark.parametrize(
    ("answer", "rank"),
    [
        ("[1](3) > [2](1)", 1),
        ("[2](1) < [1](3)", 1),
        ("[1](3) = [2](1)", 2 / 3),
        ("[2](1) > [1](3)", 2 / 3),
        ("[1](3) > [2](3)", (1 + 0.5 + 1 - math.sqrt(2) / 4) / 3),
        ("[1](4) > [2](1)", (1 + 0.75 + 1 - math.sqrt(0.5) / 4) / 3),
        ("[2](3) > [1](1)", (0 + 1 + 0.5) / 3),
        ("[1](3) > [2](1) so", 0),
        ("[1](3) > [1](3)", 0),
        ("[1](3) > [3](1)", 0),
        ("[1] > [2]", 0),
        ("[1](3)", 0),
    ],
)
def test_tfrank_pairwise_rewards_relation_difference_and_grades_by_thirds(answer, rank):
    assert tfrank_pairwise(Rollout(EMPTY + answer), Truth((3, 1))) == near(rank + 0.5)


@pytest.mark.parametrize(
    ("grades", "answer", "rank"),
    [
        ((3, 1), "[1] > [2]", 1),
        ((3, 1), "[2] < [1]", 1),
        ((3, 1), "[1] = [2]", 0),
        ((2, 2), "[2] = [1]", 1),
        ((3, 1), "[1](3) > [2](1)", 0),
    ],
)
def test_tfrank_pairwise_without_grades_rewards_the_relation(grades, answer, rank):
    assert tfrank_pairwise(Rollout(EMPTY + answer), Truth(grades), graded=False) == rank + 0.5


def listwise(answer, grades, **options):
    return tfrank_listwise(Rollout(EMPTY + answer), Truth(grades), **options) - 0.5


def test_tfrank_listwise_is_exact_only_in_the_true_order():
    assert listwise("[3] > [2] > [1]", (0, 1, 2), graded=False) == near(1)
    start = (1 / LOG3 + 3 / 2) / (3 + 1 / LOG3)
    reached = (1 + 3 / LOG3) / (3 + 1 / LOG3)
    assert listwise("[2] > [3] > [1]", (0, 1, 2), graded=False) == near((reached - start) / (1 - start) / 2)
    assert listwise("[1] > [2] > [3]", (0, 1, 2), graded=False) == near(0)


def test_tfrank_listwise_takes_ties_as_sets():
    assert listwise("[3] > [2] = [1]", (1, 1, 2), graded=False) == near(1)
    assert listwise("[3] > [1] > [2]", (1, 1, 2), graded=False) == near(0.5)
    assert listwise("[2] = [1]", (0, 0), graded=False) == near(0.5)


def test_tfrank_listwise_of_a_perfect_start_is_never_above_it():
    assert listwise("[1] > [2]", (2, 0), graded=False) == near(0.5)
    assert listwise("[2] > [1]", (2, 0), graded=False) == near((1 / LOG3 - 1) / 2)


def test_tfrank_listwise_falls_to_five_at_most():
    grades = (4, 0, 1)
    start = (15 + 1 / 2) / (15 + 1 / LOG3)
    assert (0 - start) / (1 - start) < -5
    assert listwise("[2] > [3] > [1]", grades, graded=False) == near(-2.5)


def test_tfrank_listwise_gains_by_all_documents():
    answer = " > ".join(f"[{k}]" for k in (1, 11, *range(2, 11)))
    start = 1 / math.log2(12)
    assert listwise(answer, (0,) * 10 + (4,), graded=False) == near((1 / LOG3 - start) / (1 - start) / 2)


def test_tfrank_listwise_with_grades_adds_their_nearness():
    assert listwise("[2](4) > [1](2)", (2, 4)) == near(1)
    assert listwise("[2](4) > [1](0)", (2, 4)) == near((2 + 1 - math.sqrt(2) / 4) / 3)


@pytest.mark.parametrize(
    "answer", ["[1] > [1]", "[1]", "[1] > [3]", "[1](2) > [2](1)", "[1] > [2] > ", "[1], [2]", "none"]
)
def test_tfrank_listwise_wants_each_document_once(answer):
    assert listwise(answer, (0, 2), graded=False) == 0


def test_tfrank_without_an_answer_gets_nothing():
    assert tfrank_listwise(Rollout("[1] > [2]"), Truth((1, 0)), graded=False) == 0
    assert tfrank_listwise(Rollout(EMPTY + "[1]"), Truth(()), graded=False) == 0.5
