"""Orders as language models write them: a corpus of answers, each with the order and the flaw that it must come to."""

import json
from pathlib import Path

import pytest

from ponderank.formats.order_reading import Order, order_judgement, read_order, read_tagged, read_tied
from ponderank.formats.permutation import RankGPT, RankLLM
from ponderank.formats.rank_k import RankK
from ponderank.formats.reason_rank import ReasonRank
from ponderank.types import Doc, Query, Reply

CORPUS = json.loads((Path(__file__).parent / "malformed" / "listwise.json").read_text("utf-8"))
FORMS = {
    "numbers": RankGPT(),
    "letters": RankLLM("zephyr-letters"),
    "tied": RankK(opened=False),
    "tagged": ReasonRank(),
}


class Words:
    """Counts words."""

    def count(self, prompt):
        return len(str(prompt).split())


def judged(form, n, *replies):
    """The judgement that a format makes of these replies, the last of them again and again."""
    dialogue = form.judge(Query("q", "who"), [Doc(str(i), f"text {i}") for i in range(n)], Words())
    asked = next(dialogue)
    waiting = list(replies)
    try:
        while True:
            reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            asked = dialogue.send([reply for _ in asked])
    except StopIteration as stop:
        return stop.value


def shown(judgement):
    """The scores as an order in the corpus's words."""
    by_score = {}
    for place, score in enumerate(judgement.scores):
        by_score.setdefault(score, []).append(place + 1)
    return [sorted(by_score[score]) for score in sorted(by_score, reverse=True)]


def test_the_corpus_is_wide():
    assert len(CORPUS) >= 60
    assert len({(one["family"], one["answer"]) for one in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("one", CORPUS, ids=lambda one: f"{one['family']}: {one['what']}")
def test_an_answer_comes_to_its_order_and_its_flaw(one):
    judgement = judged(FORMS[one["family"]], one["n"], Reply(one["answer"], "end"), Reply("", "end"))
    wanted = [sorted(map(int, group.split("="))) for group in one["order"].split()]
    if one["flaw"] == "unparsed":
        assert judgement.scores == (0.0,) * one["n"]
    else:
        assert shown(judgement) == wanted
    assert judgement.flaw == one["flaw"]


def test_the_best_scores_n_and_the_worst_one():
    assert read_order("[2] > [1] > [3]", 3).scores(3) == (2.0, 3.0, 1.0)


def test_the_missing_follow_in_the_order_shown():
    assert read_order("[4] > [2]", 5).whole(5) == [3, 1, 0, 2, 4]


def test_what_was_repaired_is_told():
    assert read_order("[4] > [4] > [9]", 5).repairs == {"missing", "repeated", "unknown"}
    assert read_order("(2) > (1)", 2).repairs == {"form"}
    assert read_order("[2] > [1] > [3]\n[1] > [2] > [3]", 3).repairs == {"other"}


def test_an_order_in_a_sentence_needs_the_sign():
    assert read_order("I looked at [3], [1], [2] and found nothing.", 3) is None
    assert read_order("I say [3] > [1] > [2] and stop.", 3).whole(3) == [2, 0, 1]


def test_tied_passages_score_the_same():
    assert read_tied("[3] > [1] = [2]", 3).scores(3) == (2.0, 2.0, 3.0)


def test_what_is_tied_to_a_passage_that_was_not_shown_is_tied_to_nothing():
    assert read_tied("[3] > [9] = [1] = [2]", 3).groups == ((2,), (0, 1))


def test_only_the_last_answer_between_marks_is_read():
    assert read_tagged("<answer>[1] > [2]</answer> <answer>[2] > [1]</answer>", 2).groups == ((1,), (0,))


def test_an_unread_order_keeps_every_score_equal():
    judgement = order_judgement(None, 3, (), [Reply("?")])
    assert (judgement.scores, judgement.flaw) == ((0.0, 0.0, 0.0), "unparsed")


@pytest.mark.parametrize("finish", ["late", "refused"])
def test_nobody_answering_is_no_parsing_problem(finish):
    assert order_judgement(None, 2, (), [Reply("", finish)]).flaw == finish


def test_a_shortened_prompt_is_told_where_the_order_is_whole():
    replies = [Reply("[2] > [1]", cut_tokens=5)]
    assert order_judgement(Order(((1,), (0,))), 2, (), replies).flaw == "truncated"
