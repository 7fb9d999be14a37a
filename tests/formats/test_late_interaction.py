import math
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.backends.adapters import WordTokenizer
from ponderank.formats.late_interaction import ColBERT, is_mark, maxsim
from ponderank.types import Doc, Embed, Query, Reply, text_of

WORDS = {"cat": (1.0, 0.0, 0.0), "dog": (0.0, 1.0, 0.0), "pet": (0.6, 0.8, 0.0)}


def embedded(call):
    """A vector a word or mark: known words have theirs, all else the third direction."""
    text = text_of(call.prompt)
    spans = [match.span() for match in re.finditer(r"\[\w+\]|\w+|[^\w\s]", text)]
    vectors = tuple(
        WORDS.get(text[a:b], (0.0, 0.0, 0.0) if b - a == 1 or text[a] == "[" else (0.0, 0.0, 1.0)) for a, b in spans
    )
    return Reply(vectors=vectors, spans=tuple(spans))


def play(form, query, *docs, replies=embedded):
    dialogue = form.judge(Query("q", query), list(docs), WordTokenizer())
    calls = next(dialogue)
    try:
        dialogue.send([replies(call) for call in calls])
    except StopIteration as stop:
        return calls, stop.value
    raise AssertionError("a second round")


def test_a_query_is_filled_up_with_masks_and_a_long_one_stays_whole():
    form, tokenizer = ColBERT(), WordTokenizer()
    for words, masks in ((0, 29), (1, 28), (28, 1), (29, 0), (40, 0)):
        text = text_of(form.of_query(Query("q", "cat " * words), tokenizer).prompt)
        assert text == "[unused0]" + "cat " * words + "[SEP]" + "[MASK]" * masks
    assert text_of(ColBERT(mask="").of_query(Query("q", "cat"), tokenizer).prompt) == "[unused0]cat[SEP]"


def test_markers_are_ours_and_texts_are_not():
    form = ColBERT()
    for call in (form.of_query(Query("q", "[unused1]"), WordTokenizer()), form.of_document(Doc("d", "[unused0]"))):
        assert [part.trusted for part in call.prompt][:2] == [True, False]
        assert call.pool == "tokens"


def test_each_token_of_the_query_looks_for_its_best():
    calls, judgement = play(ColBERT(), "cat dog", Doc("d", "the cat. a pet"))
    assert judgement.scores == pytest.approx([1.0 + 0.8])
    assert all(isinstance(call, Embed) for call in calls)


def test_evidence_of_a_document_are_the_sentences_that_win_its_score():
    text = "A dog here. A pet there. The cat sat."
    _, judgement = play(ColBERT(), "cat dog", Doc("d", text, "Title of cats"))
    assert [text[span.start : span.end] for span in judgement.evidence] == ["A dog here.", "The cat sat."]
    assert sum(span.score for span in judgement.evidence) == pytest.approx(judgement.scores[0])


def test_the_best_sentence_scores_its_document_by_sentences():
    text = "A dog here. A pet there. The cat sat."
    _, judgement = play(ColBERT(unit="sentence"), "cat dog", Doc("d", text))
    assert judgement.scores == pytest.approx([1.4])
    assert [(text[span.start : span.end], round(span.score, 6)) for span in judgement.evidence] == [
        ("A pet there.", 1.4), ("A dog here.", 1.0), ("The cat sat.", 1.0),
    ]  # fmt: skip


def test_a_title_counts_for_the_document_and_is_no_evidence():
    _, judgement = play(ColBERT(), "cat", Doc("d", "nothing here", "cat"))
    assert judgement.scores == (1.0,)
    assert judgement.evidence == ()


def test_a_text_without_sentences_is_scored_as_a_whole():
    _, judgement = play(ColBERT(unit="sentence"), "cat", Doc("d", " ", "cat"))
    assert judgement.scores == (1.0,)
    assert judgement.evidence == ()


def test_sentences_that_were_cut_off_are_no_evidence():
    text = "A dog here. The cat sat."

    def cut(call):
        reply = embedded(call)
        kept = [
            i
            for i, (_, end) in enumerate(reply.spans)
            if end <= len("[unused1]A dog here.") or "[SEP]" in text_of(call.prompt)
        ]
        return Reply(
            vectors=tuple(reply.vectors[i] for i in kept), spans=tuple(reply.spans[i] for i in kept), cut_tokens=4
        )

    _, judgement = play(ColBERT(unit="sentence"), "cat dog", Doc("d", text), replies=cut)
    assert (judgement.scores, judgement.flaw) == ((1.0,), "truncated")
    assert [span.start for span in judgement.evidence] == [0]


def test_punctuation_counts_only_if_it_is_asked_for():
    def reply(call):
        text = text_of(call.prompt)
        if "[SEP]" in text:
            return Reply(vectors=((1.0, 0.0),), spans=((9, 12),))
        return Reply(vectors=((0.5, 0.0), (1.0, 0.0)), spans=((9, 12), (12, 13)))

    for form, score in ((ColBERT(), 0.5), (ColBERT(skip_punctuation=False), 1.0)):
        assert play(form, "cat", Doc("d", "dog!"), replies=reply)[1].scores == (score,)


def test_widths_do_not_change_scores():
    docs = [Doc("a", "cat"), Doc("b", "a dog. a pet."), Doc("c", "")]
    _, together = play(ColBERT(widest=3), "cat dog", *docs)
    assert together.scores == tuple(play(ColBERT(), "cat dog", doc)[1].scores[0] for doc in docs)
    assert together.evidence == ()


@pytest.mark.parametrize(("finish", "flaw"), [("refused", "refused"), ("late", "late"), ("stop", "unparsed")])
@pytest.mark.parametrize("missing", ["[unused0]", "[unused1]"])
def test_without_vectors_there_is_no_score(finish, flaw, missing):
    def reply(call):
        return Reply(finish=finish) if text_of(call.prompt).startswith(missing) else embedded(call)

    _, judgement = play(ColBERT(), "cat", Doc("d", "cat"), replies=reply)
    assert math.isnan(judgement.scores[0])
    assert (judgement.flaw, judgement.evidence) == (flaw, ())


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 12))
@settings(deadline=None)
def test_maxsim_is_the_sum_of_maxima(seed, queries, documents):
    rng = random.Random(seed)
    query, doc = ([[rng.uniform(-1, 1) for _ in range(3)] for _ in range(n)] for n in (queries, documents))
    expected = sum(max(sum(a * b for a, b in zip(q, d, strict=True)) for d in doc) for q in query)
    assert maxsim(query, doc) == pytest.approx(expected)


@given(st.text(max_size=200), st.text(max_size=40))
@settings(deadline=None)
def test_evidence_lies_in_the_text_best_first(text, title):
    for unit in ("document", "sentence"):
        _, judgement = play(ColBERT(unit=unit), "cat dog", Doc("d", text, title))
        scores = [span.score for span in judgement.evidence]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) <= 3
        assert all(0 <= span.start < span.end <= len(text) for span in judgement.evidence)


def test_marks():
    assert all(map(is_mark, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"))
    assert not any(map(is_mark, ["", "a", "..", "\u3002", "\u2603", "[SEP]"]))


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="unit is 'word'"):
        ColBERT(unit="word")
    with pytest.raises(ValueError, match="keep -1"):
        ColBERT(keep=-1)
