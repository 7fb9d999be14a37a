"""Reading what models wrote: total on any string, and only the answer counts."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.formats.reading import (
    answer_part,
    cut_at_sentence,
    flaw_of,
    last_word,
    log_odds,
    number,
    probability,
    settled,
    tagged,
    thought_part,
    whole_number,
)
from ponderank.formats.thoughts import ended, own_words
from ponderank.types import Reply

MARKS = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<score>",
    "</score>",
    "\n",
    "Relevant:",
    " yes",
    " no",
    ".",
    "7",
    "10",
    "٣",
]
ANY = st.lists(st.sampled_from(MARKS) | st.text(st.characters(), max_size=6), max_size=12).map("".join)
"""Any text, with the marks that parsers look for strewn in."""


def joined(parts):
    return "".join(part.text for part in parts)


@given(ANY)
def test_every_reader_ends_on_any_string(text):
    assert text.endswith(answer_part(text))
    assert text.startswith(thought_part(text))
    assert cut_at_sentence(text) in text
    assert tagged(text, "answer") is None or tagged(text, "answer") in text
    found = number(text, 0, 10)
    assert found is None or 0 <= found <= 10
    whole = whole_number(text, 0, 10)
    assert whole is None or text[whole[1] :].startswith(str(whole[0]))
    answer = settled(text)
    assert answer is None or text.endswith(answer)
    said = last_word(text, "Relevant", ("yes", "no"))
    assert said is None or text[said[1] :].strip(" \t\n*_.!\"'`").lower().startswith(said[0])


@given(ANY)
def test_a_models_words_are_given_back_unchanged(text):
    assert joined(own_words(text)) == text


@given(ANY)
def test_only_the_marks_of_the_models_own_thought_are_special(text):
    trusted = [part.text for part in own_words(text) if part.trusted]
    assert trusted in ([], ["<think>"], ["</think>"], ["<think>", "</think>"])


@given(ANY, st.booleans())
def test_an_ended_text_has_no_open_thought(text, opened):
    parts = ended(text, opened=opened)
    marks = [part.text.strip() for part in parts if part.trusted and part.text.strip()]
    assert not marks or marks[-1] != "<think>"
    if opened and "</think>" not in text:
        assert marks[-1] == "</think>"


@given(ANY)
def test_what_was_cut_off_is_no_answer(text):
    assert settled(text, cut=True) is None


@given(ANY)
def test_an_answer_within_an_open_thought_is_none(text):
    assert settled("<think>" + text.replace("</think>", "")) is None


@given(ANY)
def test_what_a_thought_quotes_does_not_change_the_answer(text):
    assert settled(f"<think>{text}</think> <answer>3</answer>") == " <answer>3</answer>"


@given(st.integers(0, 10), st.sampled_from(["{}", " {} ", "Score: {}", "{}/100", "**{}**", "{}."]))
def test_a_whole_number_is_found_where_it_stands(value, form):
    text = form.format(value)
    assert whole_number(text, 0, 10) == (value, form.index("{"))


@pytest.mark.parametrize("text", ["", "seven", "7.5", "7 or 8", "77", "x7", "-7", "1e5", "7.0"])
def test_what_is_not_one_whole_number_in_range_is_none(text):
    assert whole_number(text, 0, 10) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Relevant: yes", ("yes", 9)),
        ("because\n**Relevant:** No.\n", ("no", 21)),
        ("Relevant:yes", ("yes", 9)),
        ("relevant: YES", ("yes", 9)),
        ("Relevant: maybe", None),
        ("Relevant: yes, but no", None),
        ("It says Relevant: yes", None),
        ("Relevant: yes\nor so", None),
        ("", None),
    ],
)
def test_the_last_line_alone_gives_the_word(text, said):
    assert last_word(text, "Relevant", ("yes", "no")) == said


@settings(deadline=2000, max_examples=25)  # milliseconds; a quadratic reader takes minutes
@given(ANY)
def test_reading_takes_time_in_proportion_to_the_text(text):
    long = (text or "*") * 2000
    settled(long), last_word(long, "Relevant", ("yes", "no")), whole_number(long, 0, 10), tagged(long, "answer")


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_log_odds_are_a_number_or_not_a_number(a, b):
    odds = log_odds((a, b))
    prob = probability(odds)
    assert math.isnan(odds) == (prob is None)
    assert prob is None or 0.0 <= prob <= 1.0


@given(
    st.lists(st.sampled_from(["stop", "end", "length", "late", "refused", "truncated", "odd"]), min_size=1),
    st.booleans(),
    st.booleans(),
)
def test_the_gravest_flaw_is_told(finishes, forced, unread):
    flaw = flaw_of([Reply(finish=finish) for finish in finishes], forced=forced, unread=unread)
    order = ["late", "refused", "unparsed", "incomplete", "truncated"]
    held = {"late": "late" in finishes, "refused": "refused" in finishes, "unparsed": unread, "incomplete": forced,
            "truncated": "truncated" in finishes}  # fmt: skip
    assert flaw == next((name for name in order if held[name]), None)


def test_a_cut_thought_is_closed_and_a_cut_answer_keeps_its_thought():
    assert joined(ended("<think> It is. Or is")) == "<think>It is.\n</think>\n\n"
    assert joined(ended("<think>It is.</think> Well. I would")) == "<think>It is.</think>\n\nWell.\n\n"
    assert joined(ended("<think>It is.</think> so")) == "<think>It is.</think>\n\n"
    assert joined(ended("It is. Or", opened=True)) == "It is.\n</think>\n\n"
    assert joined(ended("", opened=True)) == "\n</think>\n\n"
    assert joined(ended("")) == ""
