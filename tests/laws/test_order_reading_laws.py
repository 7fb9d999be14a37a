"""Laws of reading orders: every string comes to a permutation or to nothing, and what was repaired is never hidden."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.formats.order_reading import read_order, read_tagged, read_tied
from ponderank.formats.permutation import RankGPT, RankLLM
from ponderank.formats.rank_k import RankK
from ponderank.formats.reason_rank import ReasonRank
from ponderank.types import Doc, Query, Reply

PIECES = ["[1]", "[2]", "[3]", "[20]", "[0]", "[A]", "[b]", ">", " > ", "=", ",", "\n", " ", "1", "2 ", "(3)", "[", "]", "<answer>",
          "</answer>", "</think>", "<think>", "e.g. ", "1. ", "passage ", "．", "［２］", "②", "٣", "word", "9" * 30]  # fmt: skip
ANSWERS = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
SIZES = st.integers(1, 26)


def letters(answer, n):
    return read_order(answer, n, letters=True)


READERS = [read_order, letters, read_tied, read_tagged]
FORMS = [
    RankGPT(widest=26),
    RankLLM(widest=26),
    RankLLM("zephyr-letters", widest=26),
    RankK(widest=26),
    ReasonRank(widest=26),
]


class Words:
    """Counts words."""

    def count(self, prompt):
        return len(str(prompt).split())


@given(ANSWERS, SIZES, st.sampled_from(READERS))
def test_whatever_a_model_writes_is_a_permutation_or_nothing(answer, n, read):
    order = read(answer, n)
    if order is not None:
        assert sorted(order.whole(n)) == list(range(n))
        assert len(order.scores(n)) == n
        assert max(order.scores(n)) == n


@given(ANSWERS, SIZES, st.sampled_from(READERS))
def test_what_is_left_out_or_not_shown_is_told(answer, n, read):
    order = read(answer, n)
    if order is not None:
        written = [place for group in order.groups for place in group]
        assert written
        assert len(set(written)) == len(written)
        assert ("missing" in order.repairs) == (len(written) < n)


@given(st.permutations(range(1, 21)), st.integers(1, 20))
def test_an_order_in_the_form_asked_for_is_read_as_it_is(order, n):
    kept = [i for i in order if i <= n]
    found = read_order(" > ".join(f"[{i}]" for i in kept), n)
    assert [place + 1 for place in found.whole(n)] == kept
    assert not found.repairs


@given(st.permutations(range(1, 11)), st.lists(st.integers(0, 14), max_size=6), st.integers(1, 10))
def test_the_published_repair_rule_holds_where_brackets_are_kept(order, noise, kept):
    """Digits to ids, out of range dropped, the first of the same kept, missing appended (RankGPT, ``receive_permutation``)."""
    ids = [*order[:kept], *noise]
    theirs = [i - 1 for i in dict.fromkeys(ids) if 1 <= i <= 10]
    theirs += [i for i in range(10) if i not in theirs]
    found = read_order(" > ".join(f"[{i}]" for i in ids), 10)
    assert found.whole(10) == theirs
    assert bool(found.repairs) == (ids != order)


@given(st.permutations(range(1, 8)), st.data())
def test_ties_are_read_as_they_were_written(order, data):
    signs = data.draw(st.lists(st.sampled_from([" > ", " = "]), min_size=6, max_size=6))
    text = f"[{order[0]}]" + "".join(f"{sign}[{i}]" for sign, i in zip(signs, order[1:], strict=True))
    groups = [tuple(int(i.strip("[]")) - 1 for i in group.split(" = ")) for group in text.split(" > ")]
    assert read_tied(text, 7).groups == tuple(groups)


@given(st.text(max_size=60), st.permutations(range(1, 6)), st.sampled_from(FORMS))
def test_a_thought_never_moves_anything(thought, order, form):
    """Also one that quotes an order; behind it stands the answer."""
    thought = thought.replace("<", "(")
    quoting = f"<think>{thought} [5] > [4] > [3] > [2] > [1] <answer>[5] > [4] > [3] > [2] > [1]</answer></think>\n\n"
    names = "ABCDE" if getattr(form, "template", "") == "zephyr-letters" else "12345"
    answer = " > ".join(f"[{names[i - 1]}]" for i in order)
    answer = f"<answer> {answer} </answer>" if isinstance(form, ReasonRank) else answer
    dialogue = form.judge(Query("q", "who"), [Doc(str(i), "x") for i in range(5)], Words())
    next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([Reply(quoting + answer, "end")])
    scores = stop.value.value.scores
    assert sorted(range(1, 6), key=lambda i: -scores[i - 1]) == order
    assert stop.value.value.flaw is None


@given(
    ANSWERS,
    ANSWERS,
    st.sampled_from(["end", "stop", "length", "late", "refused", "interrupted"]),
    st.sampled_from(FORMS),
    SIZES,
)
def test_every_dialogue_ends_in_one_score_a_passage(first, second, finish, form, n):
    dialogue = form.judge(Query("q", "who"), [Doc(str(i), "x") for i in range(n)], Words())
    next(dialogue)
    try:
        dialogue.send([Reply(first, finish)])
        dialogue.send([Reply(second, "length")])
        pytest.fail("a third call")
    except StopIteration as stop:
        judgement = stop.value
    assert len(judgement.scores) == n
    assert all(score == score for score in judgement.scores)
    assert judgement.flaw is not None or max(judgement.scores) == n
    assert (judgement.flaw in ("unparsed", "late", "refused")) == (max(judgement.scores) == 0.0)


@pytest.mark.parametrize("text", ["1 " * 50_000 + "x", "1" * 100_000, "[1]" * 30_000 + "x", "[1]\n" * 30_000, "[" * 100_000,
                                  "1. [1] x\n" * 10_000, "\n" * 100_000, "passage " * 20_000, "a: " * 30_000,
                                  ("[1]" + " " * 47 + "x") * 2_000])  # fmt: skip
@pytest.mark.parametrize("read", READERS)
def test_reading_takes_time_in_proportion_to_the_text(text, read):
    began = time.perf_counter()
    read(text, 100 if read is not letters else 26)
    assert time.perf_counter() - began < 5  # seconds; a quadratic reader takes half a minute
