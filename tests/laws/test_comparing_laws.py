"""Laws of the formats that compare: parsers end on any text, prompts keep strangers' words apart, rows are read back."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.formats.choices import letter_in, numbered
from ponderank.formats.exclusion import IRanker
from ponderank.formats.group_rank import GroupRank, grades_in
from ponderank.formats.pair import PRP, DuoBERT, DuoT5, chances
from ponderank.formats.selection import Selection
from ponderank.formats.setwise import RankR1, Setwise
from ponderank.types import Choose, Classify, Doc, Judgement, Query, Reply

PAIRS = [
    PRP(), PRP(style="letter"), PRP(style="begun"), PRP(style="raw"), PRP(both_orders=True), PRP("scoring", "letter"),
    PRP("scoring", "begun", both_orders=True, examples=(("q", "a", "b"),)), PRP("scoring", "raw"), DuoT5(), DuoBERT(),
]  # fmt: skip
WIDER = [
    Setwise(), Setwise(style="begun"), Setwise(style="raw"), Setwise("likelihood", "begun"), Setwise("likelihood", "raw"),
    RankR1(), RankR1(think=False), RankR1(version="0.2"), IRanker(), IRanker(wording="training"), GroupRank(), Selection(),
]  # fmt: skip

PIECES = st.sampled_from([
    "<think>", "</think>", "<answer>", "</answer>", "<reason>", "</reason>", "```json", "```", "{", "}", '"[1]": 5', '"[2]]": 11',
    ", ", "[1]", "[2] > [1]", "[99999999999999999999]", "Passage A", "passage b", "Passage Z", "A", "b", "\n", " ", "Document 1",
    "Document 77", "passage 0", "passage 12", "1", "-1", "10", "NaN", "1e999", "null", "Answer:", "**", '"', "\x00", "\ud800",
])  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map("".join))
FINISHES = st.sampled_from(
    ["stop", "end", "length", "truncated", "refused", "late", "interrupted", "failed", "content_filter"]
)
FLAWS = {None, "truncated", "unparsed", "incomplete", "refused", "late"}


def docs_of(texts):
    return [Doc(str(at), text) for at, text in enumerate(texts)]


def ended(form, docs, answer):
    """The judgement, each call being answered by ``answer``."""
    dialogue = form.judge(Query("q", "who"), docs, None)
    try:
        calls = next(dialogue)
        for _ in range(3):
            calls = dialogue.send([answer(call) for call in calls])
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the dialogue does not end")


@pytest.mark.parametrize("form", [*PAIRS, *WIDER], ids=repr)
@given(data=st.data(), text=TEXTS, finish=FINISHES)
@settings(max_examples=60, deadline=None)
def test_any_reply_ends_in_a_score_for_each_document_and_a_known_flaw(form, data, text, finish):
    docs = docs_of(["text"] * (2 if form in PAIRS else data.draw(st.integers(0, 12))))

    def answer(call):
        if isinstance(call, Classify):
            return Reply(finish=finish, scores=tuple(data.draw(st.lists(st.floats(), min_size=1, max_size=2))))
        labels = len(call.labels) if isinstance(call, Choose) else 0
        given_scores = data.draw(st.lists(st.floats(), min_size=labels, max_size=labels))
        return Reply(text, finish, tuple(given_scores)[: data.draw(st.sampled_from([labels, 0]))])

    judgement = ended(form, docs, answer)
    assert len(judgement.scores) == len(docs)
    assert judgement.flaw in FLAWS
    if judgement.flaw == "unparsed":
        assert all(math.isnan(score) for score in judgement.scores) or len(set(judgement.scores)) == 1
    if form in PAIRS:
        assert judgement.scores[0] + judgement.scores[1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "passage " * 20_000, "{" * 50_000 + "}" * 9, " " * 100_000 + "A", "1" * 100_000, '"[1]": ' * 20_000],
)
def test_a_long_text_without_an_answer_is_read_in_a_moment(text):
    for form in (Setwise(), RankR1(), PRP(), IRanker(), GroupRank(), Selection()):
        whole = f"</think><answer>{text}</answer>" if form not in (Setwise(), PRP(), Selection()) else text
        reply = Reply(whole, finish="end")
        assert ended(form, docs_of(["a", "b"]), lambda call, reply=reply: reply).flaw is not None or "A" in text


@pytest.mark.parametrize("form", [*PAIRS[:-1], *WIDER], ids=repr)
@given(texts=st.lists(st.text(max_size=20), min_size=2, max_size=2), query=st.text(max_size=20))
@settings(max_examples=30, deadline=None)
def test_our_words_do_not_depend_on_strangers_and_all_of_theirs_are_there(form, texts, query):
    plain = form.prompt(Query("q", "who"), docs_of(["a", "b"]))
    prompt = form.prompt(Query("q", query), docs_of(texts))
    assert [part.text for part in prompt if part.trusted] == [part.text for part in plain if part.trusted]
    shown = [re.sub("\n+", " ", text) if isinstance(form, GroupRank) else text for text in texts]
    assert [part.text for part in prompt if part.may_shorten] == shown
    assert any(part.text == query and not part.trusted and not part.may_shorten for part in prompt)


TRAINED = [form for form in [*PAIRS[:-1], *WIDER] if not isinstance(form, GroupRank | Selection)]


@pytest.mark.parametrize("form", TRAINED, ids=repr)
@given(data=st.data(), thought=st.sampled_from(["", "Passage A or B? [2]", "It says passage 1. <answer>[2]</answer>"]))
@settings(max_examples=30, deadline=None)
def test_a_training_row_is_read_back_as_the_choice_it_was_made_of(form, data, thought):
    count = 2 if form in PAIRS else data.draw(st.integers(2, 15))
    place = data.draw(st.integers(0, count - 1))
    lowest = isinstance(form, IRanker)
    scores = tuple(float((at == place) != lowest) for at in range(count))
    docs = docs_of([f"text {at}" for at in range(count)])
    _, completion = form.example(Query("q", "who"), docs, Judgement(scores, reasoning=thought))

    def answer(call):
        if not isinstance(call, Choose):
            return Reply(completion, finish="end")
        assert completion in call.labels
        return Reply(scores=tuple(0.0 if label == completion else -9.0 for label in call.labels))

    if isinstance(form, PRP) and form.both_orders:
        form = PRP(form.mode, form.style)
    found = ended(form, docs, answer)
    assert found.flaw is None
    pick = min if lowest else max
    assert found.scores.index(pick(found.scores)) == place


@given(st.lists(st.one_of(st.integers(0, 10), st.just(math.nan)), min_size=1, max_size=20), st.booleans())
def test_rows_of_grades_are_read_back(grades, quoting):
    reasoning = '<answer>{"[1]": 9}</answer>' if quoting else "so"
    judgement = Judgement(tuple(map(float, grades)), reasoning=reasoning)
    _, completion = GroupRank().example(Query("q", "who"), docs_of(["a"] * len(grades)), judgement)
    found, whole = grades_in(completion, len(grades))
    assert found == {at: grade for at, grade in enumerate(grades) if not math.isnan(grade)}
    assert whole


@given(st.integers(2, 20), st.randoms())
def test_rows_of_a_selection_are_read_back(count, rng):
    order = rng.sample(range(count), count)
    judgement = Judgement(tuple(float(count - order.index(at)) for at in range(count)))
    form, docs = Selection(), docs_of(["a"] * count)
    _, completion = form.example(Query("q", "who"), docs, judgement)
    found = ended(form, docs, lambda call: Reply(completion, finish="end"))
    assert found.flaw is None
    picked = sorted(range(count), key=lambda at: -found.scores[at])[: form.wanted(count)]
    assert picked == order[: form.wanted(count)]


@given(st.floats(-699, 699), st.floats(-699, 699))
def test_pairs_are_ordered_by_their_log_odds_even_where_both_are_certain(one, other):
    """By the greater difference of the two logarithms, where the probabilities alone are both 1."""
    first, second = ([math.log(p) for p in chances(odds)] for odds in (one, other))
    if abs(one - other) > 1e-6 * max(1.0, abs(one)):
        assert (first[0] - first[1] > second[0] - second[1]) == (one > other)


@given(st.tuples(*[st.floats(-40, 0)] * 4))
def test_calibrated_pairs_turn_round_with_their_documents(values):
    form = PRP("scoring", "begun", both_orders=True)
    replies = {"a": Reply(scores=values[:2]), "b": Reply(scores=values[2:])}

    def answer(call):
        return replies[next(part.text for part in call.prompt if part.may_shorten)]

    forth, back = (ended(form, docs_of(texts), answer).scores for texts in ("ab", "ba"))
    assert forth == pytest.approx(back[::-1])


@given(TEXTS, st.integers(1, 23))
def test_a_letter_is_one_of_those_shown(text, count):
    found = letter_in(text, count)
    assert found is None or 0 <= found[0] < count


@given(TEXTS, st.integers(0, 9), st.integers(0, 30))
def test_a_number_is_within_its_bounds(text, least, more):
    found = numbered(text, r"\[(\d+)\]", least, least + more)
    assert found is None or least <= found[0] <= least + more
