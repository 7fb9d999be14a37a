import math

import pytest

from ponderank.formats.classify import CrossEncoder
from ponderank.formats.passages import Passages
from ponderank.formats.sentences import sentences
from ponderank.types import Classify, Doc, Query, Reply


def judge(form, query, doc, *replies):
    """Play the engine by hand: the calls, and the judgement on these replies."""
    dialogue = form.judge(query, [doc], None)
    calls = next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([Reply(scores=r) if isinstance(r, tuple) else r for r in replies])
    return calls, stop.value.value


def test_title_and_instruction_are_joined_by_one_space():
    calls, _ = judge(CrossEncoder(), Query("q", "who", "not me"), Doc("d", "text", "Title"), (1.0,))
    assert calls == [Classify("who not me", "Title text")]


def test_one_logit_is_the_score_and_its_sigmoid_the_prob():
    _, judgement = judge(CrossEncoder(), Query("q", "a"), Doc("d", "b"), (2.0,))
    assert judgement.scores == (2.0,)
    assert judgement.probs == pytest.approx((1 / (1 + math.exp(-2)),))


@pytest.mark.parametrize(("no", "yes"), [(0.3, 1.7), (-400.0, 500.0), (500.0, -400.0), (0.0, 0.0)])
def test_two_logits_are_log_softmax(no, yes):
    _, judgement = judge(CrossEncoder(), Query("q", "a"), Doc("d", "b"), (no, yes))
    top = max(no, yes)
    expected = yes - (top + math.log(math.exp(no - top) + math.exp(yes - top)))
    assert judgement.scores[0] == pytest.approx(expected, abs=1e-12)
    assert judgement.probs[0] == pytest.approx(math.exp(expected))


def test_a_saturated_verdict_keeps_its_order():
    scores = [judge(CrossEncoder(), Query("q", "a"), Doc("d", "b"), (0.0, x))[1].scores[0] for x in (40.0, 41.0)]
    assert scores[0] < scores[1] < 0


@pytest.mark.parametrize(("how", "expected"), [("max", 3.0), ("mean", 2.0), ("first", 1.0), ("kmaxavg", 2.5)])
def test_passages_are_combined(how, expected):
    form = CrossEncoder(Passages(length=2, stride=2, aggregate=how, k=2))
    replies = [(1.0,)] if how == "first" else [(1.0,), (3.0,), (2.0,)]
    calls, judgement = judge(form, Query("q", "a"), Doc("d", "one two three four five"), *replies)
    assert [c.text for c in calls] == ["one two", "three four", "five"][: len(replies)]
    assert judgement.scores == (expected,)


def test_the_best_passage_is_evidence():
    form = CrossEncoder(Passages(length=2, stride=2))
    _, judgement = judge(form, Query("q", "a"), Doc("d", "one two three four"), (1.0,), (3.0,))
    best = judgement.evidence[0]
    assert "one two three four"[best.start : best.end] == "three four"


def test_a_cut_document_is_a_flaw():
    _, judgement = judge(CrossEncoder(), Query("q", "a"), Doc("d", "b"), Reply(scores=(1.0,), finish="truncated"))
    assert judgement.flaw == "truncated"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   \n ", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It cost 3.50 dollars. Fine.", ["It cost 3.50 dollars.", "Fine."]),
        ("Dr. Who met Mr. T. yesterday. Yes.", ["Dr. Who met Mr. T. yesterday.", "Yes."]),
        ("今日は。元気です。", ["今日は。", "元気です。"]),
        ("Heading\n\nBody text here", ["Heading", "Body text here"]),
    ],
)
def test_sentences(text, expected):
    assert [text[a:b] for a, b in sentences(text)] == expected
