import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.formats.attention import ICR, calibrated
from ponderank.types import Doc, Part, Query, Reply, text_of

DOCS = [Doc("a", "first text", "One"), Doc("b", "second text"), Doc("c", "third text", "Three")]


def judge(form, docs, nothing, real, **reply):
    dialogue = form.judge(Query("q", "who"), docs, None)
    calls = next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([Reply(vectors=nothing, **reply), Reply(vectors=real, **reply)])
    return calls, stop.value.value


def flat(*values):
    return tuple((value, 2 * value) for value in values)


def test_the_two_calls_differ_in_the_query_alone():
    nothing, real = next(ICR(chat="mistral").judge(Query("q", "who"), DOCS, None))
    assert (nothing.parts, nothing.since) == (real.parts, real.since)
    assert [(a.text, b.text) for a, b in zip(nothing.prompt, real.prompt, strict=True) if a != b] == [("N/A", "who")]


def test_the_prompt_is_the_published_one():
    real = next(ICR(chat="llama-3", task="QA").judge(Query("q", " who "), DOCS[:2], None))[1]
    assert text_of(real.prompt) == (
        "<|start_header_id|>user<|end_header_id|> Here are some paragraphs: \n\n[1] second text \n\n[2] One\nfirst text \n\n"
        "Please answer the following question based on the information in the paragraphs above. \n\nQuery: who"
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
    )


def test_documents_and_the_query_are_not_trusted_and_only_documents_may_be_cut():
    real = next(ICR().judge(Query("q", "who"), DOCS, None))[1]
    assert [part.text for part in real.prompt if not part.trusted] == [
        "[1] Three\nthird text", "[2] second text", "[3] One\nfirst text", "who",
    ]  # fmt: skip
    assert [at for at, part in enumerate(real.prompt) if part.may_shorten] == list(real.parts)


def test_in_the_models_own_template_every_part_is_the_users():
    real = next(ICR().judge(Query("q", "who"), DOCS, None))[1]
    assert {part.role for part in real.prompt} == {"user"}
    assert real.prompt[0] == Part("Here are some paragraphs:", True, role="user")


def test_a_text_is_cut_at_its_words_behind_its_title():
    doc = Doc("a", "w " * 400, "A title of more")
    assert len(ICR().call("who", [doc]).prompt[2].text.split()) == 1 + 4 + 300
    assert ICR(words=0).call("who", [doc]).prompt[2].text.count("w") == 400


def test_an_instruction_goes_behind_the_query():
    real = next(ICR().judge(Query("q", "who", "Only books."), DOCS, None))[1]
    assert real.prompt[-1].text == "who Only books."


@pytest.mark.parametrize("best_last", [True, False])
def test_scores_are_in_the_order_of_the_documents_whatever_the_prompts(best_last):
    values = flat(3.0, 2.0, 1.0)
    shown = values[::-1] if best_last else values
    calls, judgement = judge(ICR(best_last=best_last), DOCS, flat(0.0, 0.0, 0.0), shown)
    assert calls[1].prompt[2].text.startswith("[1] Three" if best_last else "[1] One")
    assert judgement.scores == pytest.approx((9.0, 6.0, 3.0))
    assert judgement.flaw is None


def test_attention_for_no_query_is_taken_off():
    _, judgement = judge(ICR(best_last=False), DOCS, flat(3.0, 0.0, 1.0), flat(4.0, 2.0, 1.0))
    assert judgement.scores == pytest.approx((3.0, 6.0, 0.0))


def test_a_token_far_below_the_mean_does_not_count():
    rest = [0.1] * 30
    assert calibrated([*rest, 0.0], [*[0.0] * 30, 5.0]) == pytest.approx(3.0)
    assert calibrated([*rest, 5.0], [0.0] * 31) == pytest.approx(8.0)


def test_a_document_of_one_token_or_of_like_ones_keeps_its_sum():
    assert calibrated([0.75], [0.25]) == 0.5
    assert calibrated([0.5, 0.5], [0.25, 0.25]) == 0.5


@given(rows=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_a_score_is_never_less_than_with_every_token(rows):
    """Only what lies below the mean is left out; of a negative sum nothing else can be gained."""
    paid, bias = zip(*rows, strict=True)
    kept = calibrated(paid, bias)
    left = [a - b for a, b in rows]
    assert math.isfinite(kept)
    assert kept >= sum(left) - 1e-9 or sum(left) > 0


def test_a_document_cut_to_nothing_has_no_score_and_it_is_said():
    _, judgement = judge(ICR(best_last=False), DOCS, ((0.1,), (), (0.1,)), ((0.2,), (), (0.3,)), cut_tokens=4)
    assert math.isnan(judgement.scores[1])
    assert judgement.scores[2] > judgement.scores[0]
    assert judgement.flaw == "truncated"


def test_where_the_question_cut_a_document_shorter_the_tokens_that_both_read_count():
    _, judgement = judge(ICR(best_last=False), DOCS[:1], ((0.1, 0.1, 0.1),), ((0.4, 0.4),), cut_tokens=1)
    assert judgement.scores == pytest.approx((0.6,))


@pytest.mark.parametrize(("finish", "flaw"), [("refused", "refused"), ("late", "late"), ("stop", "unparsed")])
def test_without_vectors_all_score_alike(finish, flaw):
    _, judgement = judge(ICR(), DOCS, (), (), finish=finish)
    assert (judgement.scores, judgement.flaw) == ((0.0, 0.0, 0.0), flaw)


@pytest.mark.parametrize("given", [{"task": "AB"}, {"chat": "gpt"}, {"words": -1}, {"widest": 0}])
def test_what_is_not_known_is_refused(given):
    with pytest.raises(ValueError, match="need"):
        ICR(**given)
