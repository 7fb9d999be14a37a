"""Pairs, driven by hand with next and send; how answers are read: test_comparing_answers."""

import math

import pytest

from ponderank.errors import BackendError
from ponderank.formats.pair import PRP, DuoBERT, DuoT5, chances
from ponderank.types import Choose, Classify, Doc, Generate, Query, Reply, text_of

QUERY, DOCS = Query("q", "who"), [Doc("a", "me"), Doc("b", "you", "It")]


def play(form, *replies, docs=DOCS, query=QUERY):
    """The calls of the one round, and the judgement on these replies."""
    dialogue = form.judge(query, docs, None)
    asked = next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send(list(replies))
    return asked, stop.value.value


def said(*texts):
    return [Reply(text) for text in texts]


@pytest.mark.parametrize(
    ("form", "kind"), [(PRP(), Generate), (PRP("scoring", "letter"), Choose), (PRP("scoring", "raw"), Choose)]
)
def test_what_is_asked_is_what_is_needed(form, kind):
    asked, _ = play(form, Reply("A", scores=(0.0, 0.0)))
    assert {type(call) for call in asked} == {kind} == form.needs


@pytest.mark.parametrize(
    ("style", "labels"), [("letter", ("A", "B")), ("begun", (" A", " B")), ("raw", ("Passage A", "Passage B"))]
)
def test_labels_are_what_stands_at_their_place(style, labels):
    asked, _ = play(PRP("scoring", style), Reply(scores=(-1.0, -2.0)))
    assert asked[0].labels == labels


def test_a_score_is_the_probability_of_one_label_against_the_other():
    _, judgement = play(PRP("scoring", "raw"), Reply(scores=(-1.0, -2.0)))
    assert judgement.scores == pytest.approx((1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))))
    assert (judgement.verdict, judgement.flaw) == ("A", None)


@pytest.mark.parametrize("odds", [-600.0, -45.0, -40.0, -1.0, 0.0, 1e-9, 40.0, 45.0, 600.0])
def test_log_odds_survive_where_the_probability_is_1(odds):
    first, second = chances(odds)
    assert math.log(first) - math.log(second) == pytest.approx(odds)


@pytest.mark.parametrize("scores", [(), (math.nan, -1.0), (-math.inf, -math.inf), (-1.0, -2.0, -3.0)])
def test_scores_that_say_nothing_are_a_tie(scores):
    _, judgement = play(PRP("scoring", "raw"), Reply(scores=scores))
    assert (judgement.scores, judgement.flaw, judgement.verdict) == ((0.5, 0.5), "unparsed", "?")


# -- both orders ------------------------------------------------------------------------------------------------------


def test_both_orders_are_asked_in_one_round():
    asked, _ = play(PRP(both_orders=True), *said("Passage A", "Passage B"))
    shown = [[part.text for part in call.prompt if part.may_shorten] for call in asked]
    assert shown == [["me", "It you"], ["It you", "me"]]


@pytest.mark.parametrize(
    ("texts", "scores", "verdict", "flaw"),
    [
        (("Passage A", "Passage B"), (1.0, 0.0), "A, B", None),
        (("Passage B", "Passage A"), (0.0, 1.0), "B, A", None),
        (("Passage A", "Passage A"), (0.5, 0.5), "A, A", None),
        (("Passage A", "neither"), (0.5, 0.5), "A, ?", "incomplete"),
        (("", ""), (0.5, 0.5), "?, ?", "unparsed"),
    ],
)
def test_in_words_both_orders_must_agree(texts, scores, verdict, flaw):
    _, judgement = play(PRP(both_orders=True), *said(*texts))
    assert (judgement.scores, judgement.verdict, judgement.flaw) == (scores, verdict, flaw)


def test_calibration_is_the_mean_of_the_two_log_odds():
    form = PRP("scoring", "begun", both_orders=True)
    _, judgement = play(form, Reply(scores=(-1.0, -4.0)), Reply(scores=(-2.0, -1.0)))
    assert judgement.scores == pytest.approx(chances((3.0 + 1.0) / 2))


def test_a_liking_for_a_place_cancels_out():
    form = PRP("scoring", "begun", both_orders=True)
    _, judgement = play(form, Reply(scores=(-0.1, -5.1)), Reply(scores=(-0.1, -5.1)))
    assert judgement.scores == (0.5, 0.5)


def test_the_released_calibration_squeezes_what_ours_keeps():
    """Nested softmaxes: with certain, agreeing orders theirs says .73; ours says what the model said."""

    def softmax(first, second):
        return math.exp(first) / (math.exp(first) + math.exp(second))

    certain = softmax(softmax(20.0, 0.0), softmax(0.0, 20.0))
    assert certain == pytest.approx(0.7311, abs=1e-4)
    form = PRP("scoring", "begun", both_orders=True)
    _, judgement = play(form, Reply(scores=(0.0, -20.0)), Reply(scores=(-20.0, 0.0)))
    assert judgement.scores == chances(20.0)


def test_one_order_that_is_missing_leaves_the_other():
    form = PRP("scoring", "begun", both_orders=True)
    _, judgement = play(form, Reply(scores=(-1.0, -2.0)), Reply())
    assert judgement.scores == pytest.approx(chances(1.0))
    assert judgement.flaw == "incomplete"


def test_labels_that_are_impossible_either_way_are_a_tie():
    form = PRP("scoring", "begun", both_orders=True)
    _, judgement = play(form, Reply(scores=(-0.1, -math.inf)), Reply(scores=(-0.1, -math.inf)))
    assert judgement.scores == (0.5, 0.5)


# -- examples ---------------------------------------------------------------------------------------------------------

EXAMPLE = ("query?", "better", "worse")


@pytest.mark.parametrize(
    ("style", "answers"),
    [
        ("chat", ["Passage A", "Passage B"]),
        ("letter", ["A", "B"]),
        ("begun", ["Passage: A", "Passage: B", " Passage:"]),
    ],
)
def test_an_example_is_shown_in_both_orders_with_its_answer(style, answers):
    prompt = PRP(style=style, examples=(EXAMPLE,)).prompt(QUERY, DOCS)
    assert [part.text for part in prompt if part.role == "assistant"] == answers
    text = text_of(prompt)
    assert text.index('A: "better"') < text.index('B: "worse"') < text.index('A: "worse"') < text.index('A: "me"')


def test_examples_are_not_ours_to_trust_and_are_never_cut():
    prompt = PRP(examples=(EXAMPLE,)).prompt(QUERY, DOCS)
    assert all(not part.trusted for part in prompt if part.text in EXAMPLE)
    assert [part.text for part in prompt if part.may_shorten] == ["me", "It you"]


def test_an_example_has_three_texts():
    with pytest.raises(ValueError, match="a query, a passage"):
        PRP(examples=(("a", "b"),))


@pytest.mark.parametrize("values", [{"mode": "guess"}, {"style": "loud"}, {"max_tokens": 0}, {"mode": "scoring"}])
def test_arguments_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match=r"need|style="):
        PRP(**values)


# -- duoT5, duoBERT ---------------------------------------------------------------------------------------------------


def test_duot5_compares_true_with_false():
    asked, judgement = play(DuoT5(), Reply(scores=(-0.5, -2.5)))
    assert asked[0].labels == ("true", "false")
    assert judgement.scores == pytest.approx(chances(2.0))


def test_duot5_puts_an_instruction_behind_the_query():
    asked, _ = play(DuoT5(), Reply(scores=(0.0, 0.0)), query=Query("q", "who", "Plays only."))
    assert text_of(asked[0].prompt) == "Query: who Plays only. Document0: me Document1: It you Relevant:"


def test_duobert_reads_a_query_and_two_texts():
    asked, judgement = play(DuoBERT(), Reply(scores=(-1.0, 2.0)))
    assert asked == [Classify("who", "me", other="It you")]
    assert judgement.scores == pytest.approx(chances(3.0))


def test_duobert_with_one_logit_takes_it_for_the_log_odds():
    assert play(DuoBERT(), Reply(scores=(-2.0,)))[1].scores == pytest.approx(chances(-2.0))


def test_duobert_shows_two_texts_even_where_one_is_empty():
    asked, _ = play(DuoBERT(), Reply(scores=(0.0,)), docs=[Doc("a", "me"), Doc("b", "")])
    assert asked[0].other.strip() == ""
    assert asked[0].other


def test_a_head_that_does_not_compare_is_refused():
    dialogue = DuoBERT().judge(QUERY, DOCS, None)
    next(dialogue)
    with pytest.raises(BackendError, match="3 logits"):
        dialogue.send([Reply(scores=(1.0, 2.0, 3.0))])


@pytest.mark.parametrize("form", [DuoT5(), DuoBERT()])
def test_numbers_that_are_none_are_a_tie(form):
    _, judgement = play(form, Reply(scores=(math.nan, 1.0)))
    assert (judgement.scores, judgement.flaw) == ((0.5, 0.5), "unparsed")


@pytest.mark.parametrize("form", [PRP(), DuoT5(), DuoBERT()])
def test_texts_that_were_cut_are_told(form):
    reply = Reply("Passage A", finish="truncated", scores=(0.0, -1.0))
    assert play(form, reply)[1].flaw == "truncated"


@pytest.mark.parametrize("form", [PRP(), DuoT5(), DuoBERT()])
def test_one_document_needs_no_model(form):
    with pytest.raises(StopIteration) as stop:
        next(form.judge(QUERY, DOCS[:1], None))
    assert stop.value.value.scores == (0.5,)
