"""Setwise and Rank-R1, driven by hand with next and send; how answers are read: test_comparing_answers."""

import math

import pytest

from ponderank.formats.setwise import RankR1, Setwise
from ponderank.types import Choose, Doc, Generate, Query, Reply, text_of

QUERY = Query("q", "who")


def docs(count):
    return [Doc(str(at), f"text {at}") for at in range(count)]


def play(form, *replies, count=3, query=QUERY):
    """The calls, and the judgement on these replies, one a round."""
    dialogue = form.judge(query, docs(count), None)
    asked = [*next(dialogue)]
    for at, reply in enumerate(replies):
        try:
            asked += dialogue.send([reply])
        except StopIteration as stop:
            assert at == len(replies) - 1
            return asked, stop.value
    raise AssertionError("the dialogue goes on")


def end_of(call):
    return "".join(part.text for part in call.prompt if part.role == "assistant")


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (Setwise(), Generate), (Setwise(style="begun"), Generate), (Setwise("likelihood", "begun"), Choose),
        (Setwise("likelihood", "raw"), Choose),
    ],
)  # fmt: skip
def test_what_is_asked_is_what_is_needed(form, kind):
    asked, _ = play(form, Reply("Passage A", scores=(0.0, 0.0, 0.0)))
    assert {type(call) for call in asked} == {kind} == form.needs


def test_the_answer_is_begun_or_not():
    assert end_of(play(Setwise(style="begun"), Reply(" A"))[0][0]) == " Passage:"
    assert end_of(play(Setwise(), Reply("A"))[0][0]) == ""


def test_a_chat_may_think_and_a_begun_answer_is_short():
    assert play(Setwise(max_tokens=99), Reply("A"))[0][0].max_tokens == 99
    assert play(Setwise(style="begun", max_tokens=99), Reply("A"))[0][0].max_tokens < 20


def test_labels_are_what_stands_at_their_place():
    assert play(Setwise("likelihood", "begun"), Reply(scores=(0.0,) * 3))[0][0].labels == (" A", " B", " C")
    asked, _ = play(Setwise("likelihood", "raw"), Reply(scores=(0.0,) * 2), count=2)
    assert asked[0].labels == ("Passage A", "Passage B")


def test_likelihoods_are_the_scores():
    _, judgement = play(Setwise("likelihood", "raw"), Reply(scores=(-3.0, -0.5, -math.inf)))
    assert judgement.scores == (-3.0, -0.5, -math.inf)
    assert (judgement.verdict, judgement.flaw) == ("B", None)


@pytest.mark.parametrize("scores", [(), (-1.0,), (math.nan,) * 3, (-math.inf,) * 3])
def test_likelihoods_that_say_nothing_leave_all_alike(scores):
    _, judgement = play(Setwise("likelihood", "raw"), Reply(scores=scores))
    assert (judgement.scores, judgement.flaw, judgement.verdict) == ((0.0, 0.0, 0.0), "unparsed", "")


def test_a_label_without_a_likelihood_is_told():
    _, judgement = play(Setwise("likelihood", "raw"), Reply(scores=(-1.0, math.nan, -2.0)))
    assert judgement.flaw == "incomplete"
    assert math.isnan(judgement.scores[1])


def test_a_server_that_estimates_is_told():
    reply = Reply(scores=(-1.0, -2.0, -3.0), estimate="' C' not among the 5 likeliest: bounded")
    assert play(Setwise("likelihood", "begun"), reply)[1].estimate == reply.estimate


def test_a_thought_is_kept():
    _, judgement = play(Setwise(), Reply("<think>B has it.</think>\n\nPassage B"))
    assert (judgement.reasoning, judgement.verdict) == ("B has it.", "B")


def test_documents_that_were_cut_are_told():
    assert play(Setwise(), Reply("Passage A", cut_tokens=7))[1].flaw == "truncated"


def test_an_instruction_stands_behind_the_query():
    asked, _ = play(Setwise(), Reply("A"), query=Query("q", "who", "Plays only."))
    assert 'Given a query "who Plays only.", which' in text_of(asked[0].prompt)


def test_only_passages_may_be_shortened_and_only_they_and_the_query_are_not_ours():
    for form in (Setwise(), RankR1(), RankR1(version="0.2")):
        prompt = form.prompt(QUERY, docs(3))
        assert [part.text for part in prompt if part.may_shorten] == ["text 0", "text 1", "text 2"]
        assert [part.text for part in prompt if not part.trusted] == ["who", "text 0", "text 1", "text 2"]


def test_the_last_letter_is_w():
    _, judgement = play(Setwise(), Reply("Passage W"), count=23)
    assert judgement.scores == (0.0,) * 22 + (1.0,)
    assert Setwise().widest == 23


@pytest.mark.parametrize(
    "values",
    [
        {"mode": "guess"},
        {"style": "loud"},
        {"max_tokens": 0},
        {"mode": "likelihood"},
        {"mode": "likelihood", "style": "chat"},
    ],
)
def test_arguments_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match=r"need|style="):
        Setwise(**values)


# -- Rank-R1 ----------------------------------------------------------------------------------------------------------


def test_a_thought_that_is_cut_off_is_ended_and_the_answer_read():
    asked, judgement = play(
        RankR1(), Reply("<think>The second has it. It says <answer>[1]</answer> and", finish="length"),
        Reply(scores=(-3.0, -0.1, -4.0)),
    )  # fmt: skip
    assert end_of(asked[1]) == "<think>The second has it.\n</think>\n\n<answer>["
    assert asked[1].labels == ("1", "2", "3")
    assert (judgement.scores, judgement.flaw, judgement.verdict) == ((-3.0, -0.1, -4.0), "incomplete", "[2]")


def test_a_forced_number_is_closed_where_one_also_begins_ten():
    asked, _ = play(RankR1(), Reply("", finish="length"), Reply(scores=(0.0,) * 20), count=20)
    assert asked[1].labels == tuple(f"{at}]" for at in range(1, 21))


def test_what_a_cut_off_thought_quotes_is_not_trusted():
    asked, _ = play(RankR1(), Reply("<think>It says <|im_end|>.", finish="length"), Reply(scores=(0.0,) * 3))
    assert all(not part.trusted for part in asked[1].prompt if "<|im_end|>" in part.text)


def test_nobody_is_asked_again_who_was_late_or_refused():
    for finish in ("late", "refused"):
        asked, judgement = play(RankR1(), Reply("", finish=finish))
        assert (len(asked), judgement.flaw) == (1, finish)


def test_without_a_thought_the_answer_is_read_at_once():
    _, judgement = play(RankR1(think=False), Reply("<answer>[2]</answer>"))
    assert (judgement.scores, judgement.flaw) == ((0.0, 1.0, 0.0), None)


@pytest.mark.parametrize("values", [{"version": "0.3"}, {"max_tokens": 0}])
def test_rank_r1_has_two_versions(values):
    with pytest.raises(ValueError, match="need"):
        RankR1(**values)


@pytest.mark.parametrize("form", [Setwise(), RankR1()])
@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_passages_need_no_model(form, count):
    with pytest.raises(StopIteration) as stop:
        next(form.judge(QUERY, docs(count), None))
    assert stop.value.value.scores == (0.0,) * count
