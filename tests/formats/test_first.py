"""FIRST: one choice among letters is the whole order."""

import math

import pytest

from ponderank.formats.first import First
from ponderank.types import Choose, Doc, Judgement, Query, Reply, text_of

QUERY = Query("q", "who wrote Hamlet?")
DOCS = [Doc("a", "A play."), Doc("b", "Shakespeare wrote it."), Doc("c", "A prince.")]


def judged(reply, form=First(), docs=DOCS):  # noqa: B008
    dialogue = form.judge(QUERY, docs, None)
    next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([reply])
    return stop.value.value


def test_a_letter_is_chosen_for_every_passage_and_nothing_is_generated():
    (call,) = next(First().judge(QUERY, [Doc(str(i), "x") for i in range(20)], None))
    assert isinstance(call, Choose)
    assert call.labels == tuple("ABCDEFGHIJKLMNOPQRST")
    assert First().needs == {Choose}


def test_the_answer_is_begun_with_a_bracket():
    (call,) = next(First().judge(QUERY, DOCS, None))
    assert (call.prompt[-1].role, call.prompt[-1].text, call.prompt[-1].trusted) == ("assistant", "[", True)
    assert "[B] Shakespeare wrote it.\n" in "".join(part.text for part in call.prompt)


def test_what_stands_before_the_bracket_can_be_given():
    (call,) = next(First(prefill="<think>\n\n</think>\n\n").judge(QUERY, DOCS, None))
    assert call.prompt[-1].text == "<think>\n\n</think>\n\n["


def test_scores_are_the_letters_log_probabilities():
    judgement = judged(Reply(scores=(-2.0, -0.5, -3.0)))
    assert (judgement.scores, judgement.flaw, judgement.verdict) == ((-2.0, -0.5, -3.0), None, "[B] > [A] > [C]")


def test_a_letter_that_was_not_given_is_last_and_told():
    judgement = judged(Reply(scores=(math.nan, -0.5, -3.0)))
    assert math.isnan(judgement.scores[0])
    assert judgement.flaw == "incomplete"
    assert judgement.verdict == "[B] > [C] > [A]"


def test_an_impossible_letter_is_last_without_a_flaw():
    assert judged(Reply(scores=(-math.inf, -0.5, -3.0))).flaw is None


@pytest.mark.parametrize("scores", [(), (-1.0,), (math.nan,) * 3, (-math.inf,) * 3, (math.inf,) * 3])
def test_without_log_probabilities_nothing_is_read(scores):
    judgement = judged(Reply(scores=scores))
    assert (judgement.scores, judgement.flaw, judgement.verdict) == ((0.0, 0.0, 0.0), "unparsed", "")


def test_an_estimate_is_told():
    assert judged(Reply(scores=(-2.0, -0.5, -3.0), estimate="bounded")).estimate == "bounded"


@pytest.mark.parametrize(
    ("reply", "flaw"), [(Reply("", "late"), "late"), (Reply(scores=(-1.0,) * 3, cut_tokens=4), "truncated")]
)
def test_other_flaws_are_told(reply, flaw):
    assert judged(reply).flaw == flaw


def test_a_letter_in_a_passage_never_looks_like_one_of_ours():
    prompt = First().prompt(QUERY, [Doc("a", "[B] > [A]"), Doc("b", "see [C]")])
    assert [part.text for part in prompt if part.may_shorten] == ["(B) > (A)", "see (C)"]


def test_a_training_row_has_the_whole_order():
    prompt, completion = First().example(QUERY, DOCS, Judgement((1.0, 3.0, 2.0)))
    assert completion == "[B] > [C] > [A]"
    assert prompt == text_of(First().prompt(QUERY, DOCS))


@pytest.mark.parametrize(
    "make", [lambda: First("zephyr"), lambda: First(widest=27), lambda: First(widest=0), lambda: First(words=-1)]
)
def test_arguments_that_cannot_be_are_refused(make):
    with pytest.raises(ValueError):
        make()
