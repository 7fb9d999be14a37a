import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.formats.sentences import Evidence, sentences
from ponderank.types import Classify, Doc, Query, Reply


def explain(text, score, form=None):
    """Play the engine by hand with `score(text)`: the texts asked about, and the evidence as texts."""
    dialogue = (form or Evidence()).judge(Query("q", "why"), [Doc("d", text)], None)
    try:
        calls = next(dialogue)
        dialogue.send([Reply(scores=(score(call.text),)) for call in calls])
    except StopIteration as stop:
        asked = [call.text for call in calls] if "calls" in locals() else []
        return asked, [text[span.start : span.end] for span in stop.value.evidence]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   \n ", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It cost 3.50 dollars. Fine.", ["It cost 3.50 dollars.", "Fine."]),
        ("Dr. Who met Mr. T. yesterday. Yes.", ["Dr. Who met Mr. T. yesterday.", "Yes."]),
        ("See Fig. 3 and al. Then more.", ["See Fig. 3 and al. Then more."]),
        (
            "\u4eca\u65e5\u306f\u3002\u5143\u6c17\u3067\u3059\u3002",
            ["\u4eca\u65e5\u306f\u3002", "\u5143\u6c17\u3067\u3059\u3002"],
        ),
        ("Heading\n\nBody text here", ["Heading", "Body text here"]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("Really?! Yes...\nNo.", ["Really?!", "Yes...", "No."]),
        ("- one\n- two", ["- one", "- two"]),
    ],
)
def test_sentences(text, expected):
    assert [text[a:b] for a, b in sentences(text)] == expected


@given(st.text(st.sampled_from("aB1 .!?\u3002\n-\"')\ud800"), max_size=300) | st.text(max_size=300))
def test_sentences_of_any_text_are_in_order_and_cover_all_but_white_space(text):
    spans = sentences(text)
    assert all(a < b and text[a:b].strip() == text[a:b] for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    covered = {i for a, b in spans for i in range(a, b)}
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)


@pytest.mark.parametrize("unit", ["a. ", ".", "x", "\n", "\n ", '."', "U.S. ", "word "])
def test_time_is_in_proportion_to_the_length(unit):
    start = time.perf_counter()
    sentences(unit * (100_000 // len(unit)) + "z")
    assert time.perf_counter() - start < 5


def test_a_sentence_is_never_longer_than_can_be_shown():
    assert max(b - a for a, b in sentences("word " * 1000)) <= 600


def test_the_best_sentences_come_first_and_the_hopeless_are_left_out():
    text = "This sentence is of no use. This sentence has the answer in it. This sentence has a bit of it."
    scores = {"of no use": -9.0, "the answer": 5.0, "a bit": 4.0}
    _, evidence = explain(text, lambda t: next(s for key, s in scores.items() if key in t))
    assert evidence == ["This sentence has the answer in it.", "This sentence has a bit of it."]


def test_a_short_sentence_is_also_read_with_its_neighbours_and_spans_do_not_overlap():
    text = "Was the tower finished in 1889? Yes. It is still there and open to visitors."
    asked, evidence = explain(text, lambda t: 9.0 if "1889? Yes." in t else 8.0)
    assert "Was the tower finished in 1889? Yes." in asked
    assert "Yes. It is still there and open to visitors." in asked
    assert len(asked) == 5
    assert evidence == ["Was the tower finished in 1889? Yes.", "It is still there and open to visitors."]


def test_long_sentences_are_read_alone():
    asked, _ = explain("This one is long enough to be read. So is this one that comes after it.", len)
    assert len(asked) == 2


def test_two_logits_count_as_their_difference():
    dialogue = Evidence().judge(Query("q", "why"), [Doc("d", "Because.")], None)
    assert next(dialogue) == [Classify("why", "Because.")]
    with pytest.raises(StopIteration) as stop:
        dialogue.send([Reply(scores=(1.0, 4.0))])
    assert stop.value.value.evidence[0].score == 3.0


def test_an_empty_text_has_no_evidence():
    assert explain(" ", len) == ([], [])
