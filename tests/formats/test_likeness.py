import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.formats.likeness import Likeness, likenesses
from ponderank.types import Doc, Embed, Query, Reply


def play(form, docs, replies=()):
    dialogue = form.judge(Query("q", ""), docs, None)
    try:
        next(dialogue)
        dialogue.send(list(replies))
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a second round")


texts = st.lists(
    st.text(st.sampled_from("ab \u4eca.\u0301"), max_size=12) | st.text(max_size=20), min_size=1, max_size=8
)


@given(texts, st.integers(1, 4))
def test_likeness_is_from_0_to_1_symmetric_and_1_to_itself(some, run):
    scores = [likenesses(some[i:] + some[:i], run) for i in range(len(some))]
    for i, row in enumerate(scores):
        assert row[0] == 1.0
        assert all(0.0 <= score <= 1.0 for score in row)
        assert all(row[j - i] == scores[j][i - j] for j in range(len(some)))


def test_words_are_counted_whatever_their_case_and_marks():
    assert likenesses(["The cat, the dog.", "THE DOG the cat", "a b", ""]) == (1.0, 1.0, 0.0, 0.0)
    assert likenesses(["a a b", "a b b"])[1] == pytest.approx(4 / 5)


def test_runs_of_words_tell_copies_from_the_same_subject():
    pair = ["cats purr at night", "at night purr cats"]
    assert likenesses(pair, 1)[1] == 1.0
    assert 0 < likenesses(pair, 2)[1] < 1
    assert likenesses(pair, 3)[1] == 0.0


def test_short_texts_are_one_run():
    assert likenesses(["cats", "cats", "cats purr"], 3) == (1.0, 1.0, 0.0)


def test_signs_without_spaces_are_counted_one_by_one():
    assert likenesses(["\u4eca\u65e5\u306f", "\u4eca\u65e5\u3082"])[1] == pytest.approx(2 / 3)


def test_texts_without_words_are_like_each_other():
    assert likenesses(["", "...", "a"]) == (1.0, 1.0, 0.0)


def test_words_ask_nothing_and_vectors_once_a_document():
    docs = [Doc("a", "x", "Title"), Doc("b", "y")]
    assert Likeness().needs == frozenset()
    assert Likeness("embedding").needs == {Embed}
    assert play(Likeness(), docs).scores == (1.0, 0.0)
    calls = next(
        Likeness("embedding", pool="first", document_template="passage: {document}").judge(Query("q", ""), docs, None)
    )
    assert [(call.pool, "".join(part.text for part in call.prompt)) for call in calls] == [
        ("first", "passage: Title x"), ("first", "passage: y"),
    ]  # fmt: skip


def test_opposite_vectors_are_not_alike_and_the_first_is_like_itself():
    replies = [Reply(vectors=(v,)) for v in ((0.8, 0.6), (-0.8, -0.6), (1.0, 0.0))]
    judgement = play(Likeness("embedding"), [Doc(str(i), "") for i in range(3)], replies)
    assert judgement.scores == pytest.approx((1.0, 0.0, 0.8))
    assert judgement.flaw is None


def test_a_missing_vector_is_flawed():
    replies = [Reply(vectors=((1.0,),)), Reply(finish="refused"), Reply(vectors=((1.0,),))]
    judgement = play(Likeness("embedding"), [Doc(str(i), "") for i in range(3)], replies)
    assert math.isnan(judgement.scores[1])
    assert (judgement.scores[0], judgement.scores[2], judgement.flaw) == (1.0, 1.0, "refused")


def test_what_cannot_be_meant_is_refused():
    for fields, message in (
        ({"how": "taste"}, "how is 'taste'"),
        ({"run": 0}, "run 0"),
        ({"document_template": "x"}, "must name"),
    ):
        with pytest.raises(ValueError, match=message):
            Likeness(**fields)
