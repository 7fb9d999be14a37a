import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.formats.list_t5 import ListT5, filled_up, order, scores
from ponderank.types import Doc, Query, Reply, text_of

DOCS = [Doc(str(at), f"text {at}", "T" if at % 2 else "") for at in range(5)]


def judge(docs, reply):
    dialogue = ListT5().judge(Query("q", "who"), docs, None)
    calls = next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([reply])
    return calls, stop.value.value


def test_each_passage_has_a_prompt_of_its_own():
    (call,), _ = judge(DOCS, Reply("3 1 4 2 5", "end"))
    assert [text_of(prompt) for prompt in call.prompts] == [
        "Query: who, Index: 1, Context: text 0", "Query: who, Index: 2, Context: T text 1",
        "Query: who, Index: 3, Context: text 2", "Query: who, Index: 4, Context: T text 3",
        "Query: who, Index: 5, Context: text 4",
    ]  # fmt: skip
    assert call.max_tokens == 6


def test_only_the_passage_may_be_cut_and_neither_it_nor_the_query_is_trusted():
    (call,), _ = judge(DOCS, Reply("3 1 4 2 5", "end"))
    for prompt in call.prompts:
        assert [part.may_shorten for part in prompt] == [False, False, False, True]
        assert [part.trusted for part in prompt] == [True, False, True, False]


def test_the_most_relevant_is_written_last():
    _, judgement = judge(DOCS, Reply("3 1 4 2 5", "end"))
    assert judgement.scores == (2.0, 4.0, 1.0, 3.0, 5.0)
    assert (judgement.flaw, judgement.verdict) == (None, "3 1 4 2 5")


def test_a_passage_alone_needs_no_call():
    with pytest.raises(StopIteration) as stop:
        next(ListT5().judge(Query("q", "who"), DOCS[:1], None))
    assert stop.value.value.scores == (1.0,)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_fewer_than_five_are_shown_more_than_once_and_scored_once(n):
    (call,), judgement = judge(DOCS[:n], Reply("1 2 3 4 5", "end"))
    assert len(call.prompts) == 5
    assert [text_of(prompt).split("Context: ")[1] for prompt in call.prompts] == [
        DOCS[at].full_text for at in filled_up(n, 5)
    ]
    assert judgement.scores == tuple(map(float, range(1, n + 1)))
    assert judgement.flaw is None


def test_what_is_not_named_is_last_in_its_order():
    _, judgement = judge(DOCS, Reply("4 2", "end"))
    assert judgement.scores == (3.0, 5.0, 2.0, 4.0, 1.0)
    assert judgement.flaw == "incomplete"


@pytest.mark.parametrize("text", ["3 1 4 2 2", "3 1 4 2 5 5", "3 1 4 2 9", "3 1 4 2 5 .", "4 2"])
def test_a_repair_is_counted(text):
    assert judge(DOCS, Reply(text, "end"))[1].flaw == "incomplete"


def test_of_a_number_said_twice_the_last_mention_counts():
    assert order("5 1 2 3 4 5", 5)[0] == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("text", ["", "none", "0", "-1", "9", "1.5", "x1"])
def test_where_nothing_can_be_read_all_score_alike(text):
    _, judgement = judge(DOCS, Reply(text, "end"))
    assert (judgement.scores, judgement.flaw) == ((0.0,) * 5, "unparsed")


def test_cut_passages_are_said():
    assert judge(DOCS, Reply("3 1 4 2 5", "end", cut_tokens=3))[1].flaw == "truncated"


@pytest.mark.parametrize("finish", ["refused", "late"])
def test_no_answer_leaves_all_alike(finish):
    _, judgement = judge(DOCS, Reply(finish=finish))
    assert (judgement.scores, judgement.flaw) == ((0.0,) * 5, finish)


@given(text=st.text(max_size=40), n=st.integers(1, 7))
def test_any_text_is_read(text, n):
    named, whole = order(text, n)
    assert len(set(named)) == len(named)
    assert set(named) <= set(range(n))
    assert not whole or len(named) == n
    assert len(set(scores(named, n))) == (n if named else 1)


@given(places=st.permutations(range(5)))
def test_a_whole_order_is_read_back(places):
    assert order(" ".join(str(place + 1) for place in reversed(places)), 5) == (list(places), True)


def test_a_call_of_one_passage_is_refused():
    with pytest.raises(ValueError, match="size 1; give 2 or more"):
        ListT5(size=1)
