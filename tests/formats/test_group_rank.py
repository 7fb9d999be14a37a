"""GroupRank, driven by hand with next and send; how answers are read: test_comparing_answers."""

import math

import pytest

from ponderank.formats.group_rank import GroupRank, grades_in
from ponderank.types import Doc, Generate, Query, Reply, text_of

QUERY = Query("q", "who")


def judged(form, texts, reply):
    dialogue = form.judge(QUERY, [Doc(str(at), text) for at, text in enumerate(texts)], None)
    (call,) = next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([reply])
    return call, stop.value.value


def answer(grades):
    return Reply(f"<reason>so</reason>\n<answer>\n```json\n{grades}\n```\n</answer>", finish="end")


def test_one_text_is_sampled_with_the_seed():
    call, _ = judged(GroupRank(seed=7), ["a"], answer('{"[1]": 3}'))
    assert isinstance(call, Generate)
    assert (call.temperature, call.seed, call.max_tokens) == (0.3, 7, 8000)


def test_grades_are_scores_that_compare_across_groups():
    _, judgement = judged(GroupRank(), ["a", "b"], answer('{"[1]": 3, "[2]": 10}'))
    assert (judgement.scores, judgement.verdict, judgement.reasoning) == ((3.0, 10.0), "3, 10", "so")
    assert GroupRank().absolute


def test_a_single_document_is_graded_too():
    assert judged(GroupRank(), ["a"], answer('{"[1]": 3}'))[1].scores == (3.0,)


def test_a_document_stands_on_one_line_and_is_cut_where_they_cut():
    call, judgement = judged(GroupRank(max_characters=5), ["a\n\nbcdefg", "h"], answer('{"[1]": 3, "[2]": 1}'))
    assert "[1]. a bcd\n\n[2]. h\n\n\n\n## Final" in text_of(call.prompt)
    assert judgement.flaw == "truncated"


def test_a_missing_grade_weighs_more_than_a_cut_document():
    assert judged(GroupRank(max_characters=1), ["ab", "c"], answer('{"[1]": 3}'))[1].flaw == "incomplete"


def test_documents_that_were_cut_by_the_engine_are_told():
    reply = answer('{"[1]": 3}')
    assert judged(GroupRank(), ["a"], Reply(reply.text, finish="end", cut_tokens=3))[1].flaw == "truncated"


def test_no_group_loses_all_its_grades_to_one_that_is_bad():
    """In the authors' code one id without a number fails the whole group, and all its documents get 0."""
    _, judgement = judged(GroupRank(), ["a", "b", "c"], answer('{"[1]": 7, "none": 1, "[3]": "high"}'))
    assert judgement.scores == pytest.approx((7.0, math.nan, math.nan), nan_ok=True)
    assert judgement.flaw == "incomplete"


def test_the_last_number_of_a_text_that_was_cut_off_is_not_a_grade():
    text = '<reason>so</reason><answer>{"[1]": 4, "[2]": 1'
    assert grades_in(text, 2, cut=True) == ({0: 4.0}, False)
    assert grades_in(text, 2) == ({0: 4.0, 1: 1.0}, False)


def test_a_row_leaves_out_what_has_no_grade():
    _, judgement = judged(GroupRank(), ["a", "b", "c"], answer('{"[1]": 7, "[3]": 2}'))
    _, completion = GroupRank().example(QUERY, [Doc("a", "a")] * 3, judgement)
    assert grades_in(completion, 3) == ({0: 7.0, 2: 2.0}, True)


@pytest.mark.parametrize("values", [{"max_tokens": 0}, {"temperature": -1.0}, {"max_characters": 0}, {"widest": 0}])
def test_arguments_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match="need"):
        GroupRank(**values)


def test_no_documents_need_no_model():
    with pytest.raises(StopIteration) as stop:
        next(GroupRank().judge(QUERY, [], None))
    assert stop.value.value.scores == ()
