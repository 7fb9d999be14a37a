import math

import pytest

from ponderank.errors import BackendError
from ponderank.formats.classify import CrossEncoder
from ponderank.formats.passages import Passages
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


def test_each_passage_is_read_behind_the_title_and_evidence_counts_in_the_text():
    form = CrossEncoder(Passages(length=2, stride=2))
    doc = Doc("d", "one two three four", "A long title")
    calls, judgement = judge(form, Query("q", "a"), doc, (1.0,), (3.0,))
    assert [call.text for call in calls] == ["A long title one two", "A long title three four"]
    best = judgement.evidence[0]
    assert doc.text[best.start : best.end] == "three four"


def test_a_text_within_one_passage_is_asked_as_it_is():
    doc = Doc("d", "  one\ttwo ", "Title")
    with_passages, _ = judge(CrossEncoder(Passages(length=2, stride=2)), Query("q", "a"), doc, (1.0,))
    without, _ = judge(CrossEncoder(), Query("q", "a"), doc, (1.0,))
    assert with_passages == without


def test_a_level_is_in_every_call():
    calls, _ = judge(CrossEncoder(Passages(1, 1)).at_level(2), Query("q", "a"), Doc("d", "one two"), (1.0,), (1.0,))
    assert [call.level for call in calls] == [2, 2]


@pytest.mark.parametrize("logits", [(), (1.0, 2.0, 3.0)])
def test_a_head_that_is_no_rerankers_is_refused(logits):
    dialogue = CrossEncoder().judge(Query("q", "a"), [Doc("d", "b")], None)
    next(dialogue)
    with pytest.raises(BackendError, match=f"head has {len(logits)} logits"):
        dialogue.send([Reply(scores=logits)])


@pytest.mark.parametrize("settings", [{"length": 0}, {"stride": 0}, {"length": 5, "stride": 6}, {"k": 0}])
def test_impossible_passages_are_refused(settings):
    with pytest.raises(ValueError, match="need 1 <= stride <= length and k >= 1"):
        Passages(**settings)
