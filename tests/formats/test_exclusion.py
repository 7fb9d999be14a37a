"""IRanker and TourRank's selection, driven by hand with next and send; how answers are read: test_comparing_answers."""

import pytest

from ponderank.formats.exclusion import IRanker
from ponderank.formats.selection import Selection
from ponderank.types import Doc, Query, Reply

QUERY = Query("q", "who")


def docs(count):
    return [Doc(str(at), f"text {at}") for at in range(count)]


def judged(form, count, text, **fields):
    dialogue = form.judge(QUERY, docs(count), None)
    (call,) = next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([Reply(text, **{"finish": "end", **fields})])
    return call, stop.value.value


def test_who_is_left_out_is_last():
    _, judgement = judged(IRanker(), 3, "It is.\n</think>\n<answer>\npassage 1\n</answer>")
    assert (judgement.scores, judgement.verdict, judgement.reasoning) == ((1.0, 0.0, 1.0), "passage 1", "It is.")


def test_the_answer_is_begun_in_the_thought():
    call, _ = judged(IRanker(), 2, "")
    assert call.prompt[-1].text == "Let me solve this step by step.\n<think>"
    assert (call.prompt[-1].role, call.prompt[-1].trusted) == ("assistant", True)


def test_passage_12_is_not_passage_1():
    """In the authors' code ``passage 12.`` is no id, and the first that it contains is passage 1."""
    text = "so</think><answer>passage 12.</answer>"
    assert judged(IRanker(), 13, text)[1].verdict == "passage 12"


def test_words_are_not_matched_by_likeness():
    """There the nearest id by TF-IDF leaves, which is the first where none is nearer: a guess that nobody is told of."""
    assert judged(IRanker(), 3, "so</think><answer>the last one</answer>")[1].flaw == "unparsed"


@pytest.mark.parametrize("values", [{"wording": "other"}, {"max_tokens": 0}])
def test_arguments_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match="need"):
        IRanker(**values)


# -- selection --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shown", "asked"), [(20, 10), (10, 5), (5, 2), (3, 1), (2, 1)])
def test_half_are_picked_as_in_the_stages_of_a_tournament(shown, asked):
    call, _ = judged(Selection(), shown, "")
    assert f"provide you with the given query and {shown} documents" in call.prompt[1].text
    assert f"output the top {asked} documents" in "".join(part.text for part in call.prompt[-2:])


def test_who_is_named_first_scores_highest_so_that_a_stage_may_take_fewer():
    _, judgement = judged(Selection(), 6, "Document 5, Document 1, Document 2")
    assert (judgement.scores, judgement.flaw) == ((2.0, 1.0, 0.0, 0.0, 3.0, 0.0), None)


def test_more_than_asked_for_do_not_win():
    _, judgement = judged(Selection(select=1), 3, "Document 2, Document 3")
    assert (judgement.scores, judgement.flaw) == ((0.0, 1.0, 0.0), "incomplete")


def test_every_document_has_a_turn_and_its_receipt():
    call, _ = judged(Selection(), 2, "")
    roles = [part.role for part in call.prompt]
    assert [role for at, role in enumerate(roles) if not at or role != roles[at - 1]] == [
        "system", "user", "assistant", "user", "assistant", "user", "assistant", "user"
    ]  # fmt: skip


@pytest.mark.parametrize("values", [{"select": 0}, {"max_tokens": 0}, {"widest": 1}])
def test_arguments_of_a_selection_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match="need"):
        Selection(**values)


@pytest.mark.parametrize("form", [IRanker(), Selection()])
def test_one_document_needs_no_model(form):
    with pytest.raises(StopIteration) as stop:
        next(form.judge(QUERY, docs(1), None))
    assert stop.value.value.scores == (0.0,)
