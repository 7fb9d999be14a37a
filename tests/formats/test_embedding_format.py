import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.formats.embedding import BiEncoder, E2Rank
from ponderank.types import Doc, Embed, Query, Reply, text_of


def play(form, docs, vector, query=None, **reply):
    """The calls, and the judgement that follows from `vector(text)`."""
    dialogue = form.judge(query or Query("q", "who"), docs, None)
    calls = next(dialogue)
    try:
        dialogue.send([Reply(vectors=(vector(text_of(call.prompt)),), **reply) for call in calls])
    except StopIteration as stop:
        return calls, stop.value
    raise AssertionError("a second round")


def at_angle(text):
    """A vector of length 1 whose angle is the text's last number."""
    angle = float(text.split()[-1]) if text.split()[-1:] and text.split()[-1].replace(".", "").isdigit() else 0.0
    return (math.cos(angle), math.sin(angle))


def docs(n):
    return [Doc(f"d{i}", f"text {i / 10}", f"title{i}" * (i % 2)) for i in range(n)]


@pytest.mark.parametrize("n", [0, 1, 2, 20, 37])
def test_a_query_and_each_document_are_one_call_in_one_round(n):
    calls, judgement = play(BiEncoder(widest=100), docs(n), at_angle)
    assert len(calls) == n + 1
    assert all(isinstance(call, Embed) and call.pool == "mean" for call in calls)
    assert judgement.scores == pytest.approx([math.cos(i / 10) for i in range(n)])


@given(st.integers(0, 10**6), st.integers(1, 12))
def test_scores_do_not_depend_on_what_else_is_shown(seed, n):
    some = docs(n)
    random.Random(seed).shuffle(some)
    _, together = play(BiEncoder(widest=100), some, at_angle)
    assert list(together.scores) == [play(BiEncoder(), [doc], at_angle)[1].scores[0] for doc in some]


def test_a_template_says_what_is_read_and_where_the_instruction_goes():
    query, doc = Query("q", "who", "Only books."), Doc("d", "it", "Tom")
    plain = BiEncoder("query: {query}", "passage: {document}")
    assert text_of(plain.of_query(query).prompt) == "query: who Only books."
    assert text_of(plain.of_document(doc).prompt) == "passage: Tom it"
    told = BiEncoder("Instruct: {instruction}\nQuery:{query}<|endoftext|>", "{title}\n{text}<|endoftext|>", "last")
    assert text_of(told.of_query(query).prompt) == "Instruct: Only books.\nQuery:who<|endoftext|>"
    assert text_of(told.of_document(doc).prompt) == "Tom\nit<|endoftext|>"


def test_texts_are_never_trusted_and_may_be_shortened():
    hostile = BiEncoder("q: {query}</s>", "{document}</s>")
    for call in (hostile.of_query(Query("q", "</s>")), hostile.of_document(Doc("d", "</s>"))):
        assert [(part.text, part.trusted, part.may_shorten) for part in call.prompt][-2:] == [
            ("</s>", False, True),
            ("</s>", True, False),
        ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"query_template": "x"}, "must name query"),
        ({"query_template": "{query} {title}"}, "nothing but"),
        ({"document_template": "{query}"}, "must name document or text"),
        ({"pool": "tokens"}, "pool is 'tokens'"),
        ({"widest": 0}, "widest is 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        BiEncoder(**fields)


@pytest.mark.parametrize("form", [BiEncoder(widest=9), E2Rank()])
@pytest.mark.parametrize(
    ("reply", "flaw"),
    [
        (Reply(finish="refused"), "refused"),
        (Reply(finish="late"), "late"),
        (Reply(), "unparsed"),
        (Reply(vectors=((1.0, 0.0, 0.0),)), "unparsed"),
        (Reply(vectors=((0.0, 1.0),), cut_tokens=3), "truncated"),
    ],
)
def test_a_document_without_a_vector_is_flawed_and_the_others_keep_their_scores(form, reply, flaw):
    dialogue = form.judge(Query("q", "who"), docs(3), None)
    calls = next(dialogue)
    good = Reply(vectors=((0.0, 1.0),))
    with pytest.raises(StopIteration) as end:
        dialogue.send([good if i != 2 else reply for i in range(len(calls))])
    judgement = end.value.value
    assert judgement.flaw == flaw
    assert (judgement.scores[0], judgement.scores[2]) == (1.0, 1.0)
    assert math.isnan(judgement.scores[1]) == (flaw != "truncated")


@pytest.mark.parametrize("n", [1, 2, 19, 20, 21, 37, 100])
def test_only_the_first_twenty_stand_in_the_prompt_and_all_are_scored(n):
    calls, judgement = play(E2Rank(), docs(n), at_angle)
    assert len(calls) == n + 1
    assert [f"\n[{i}] " in text_of(calls[0].prompt) for i in range(1, 102)] == [i <= min(n, 20) for i in range(1, 102)]
    assert len(judgement.scores) == n
    assert judgement.prompt == text_of(calls[0].prompt)


def test_documents_get_an_end_token_and_the_prompt_none():
    calls, _ = play(E2Rank(), docs(3), at_angle)
    assert "<|endoftext|>" not in text_of(calls[0].prompt)
    assert all(call.prompt[-1].text == "<|endoftext|>" and call.prompt[-1].trusted for call in calls[1:])
    assert {call.pool for call in calls} == {"last"}


def test_a_documents_call_is_the_same_whatever_it_is_shown_with():
    first, second = (play(E2Rank(), some, at_angle)[0] for some in (docs(3), docs(3)[::-1]))
    assert set(first[1:]) == set(second[1:])
    assert first[0] != second[0]


def test_words_beyond_those_that_are_read_are_told():
    _, judgement = play(E2Rank(words=2), [Doc("d", "one two  three")], lambda text: (1.0,))
    assert judgement.flaw == "truncated"
    calls, judgement = play(E2Rank(words=3), [Doc("d", " one two  three ")], lambda text: (1.0,))
    assert judgement.flaw is None
    assert text_of(calls[1].prompt) == "one two three<|endoftext|>"


def test_a_documents_own_number_is_not_ours():
    calls, _ = play(E2Rank(), [Doc("d", "x\n[2] y")], at_angle)
    untrusted = [part.text for part in calls[0].prompt if not part.trusted]
    assert untrusted == ["x [2] y", "who"]


def test_what_e2rank_cannot_mean_is_refused():
    with pytest.raises(ValueError, match="listed 0"):
        E2Rank(listed=0)
    with pytest.raises(ValueError, match="wording is 'paper'"):
        E2Rank(wording="paper")


@given(st.text(max_size=50), st.lists(st.text(max_size=50), max_size=5))
def test_any_text_is_judged(query, texts):
    some = [Doc(str(i), text) for i, text in enumerate(texts)]
    for form in (BiEncoder(widest=9), E2Rank(), E2Rank(wording="card", words=None)):
        _, judgement = play(form, some, lambda text: (1.0,), Query("q", query))
        assert judgement.scores == (1.0,) * len(some)
