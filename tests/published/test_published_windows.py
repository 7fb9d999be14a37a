"""Windows against the loops of RankGPT, llm-rankers and rank_llm, on recorded cases (``record_windows.py``).

One pass is compared question by question, in order. Several passes overlap in ours, so their questions are compared sorted.
Where a published loop leaves out the head of the list, or asks nothing, a test says so.
"""

import json
from pathlib import Path

import pytest
from cases_a import SIZES, mended, order
from cases_a import digest as digested
from record_llm_rankers import cases
from record_windows import WINDOWS

from ponderank.strategies.window import Window
from ponderank.types import Judgement

TOLD = json.loads((Path(__file__).parent / "windows.json").read_text())
REGULAR = {
    "RankGPT": lambda n, size, stride: n >= size and (n - size) % stride == 0,
    "llm-rankers": lambda n, size, stride: n >= size and (n - size) % stride == 0,
    "rank_llm": lambda n, size, stride: n > 1 and n != size - stride,
    "rank_llm async": lambda n, size, stride: n > 1,
}
"""Where each loop shows every document, and asks about no document alone."""


def asked_and_ended(n, kind, seed, size, stride, passes):
    plan, asked = Window(size, stride, passes).plan(n), []
    try:
        groups = next(plan)
        while True:
            asked += groups
            judgements = []
            for shown in groups:
                places = mended(order(kind, seed, shown), len(shown))
                judgements.append(Judgement(tuple(float(-places.index(at)) for at in range(len(shown)))))
            groups = plan.send(judgements)
    except StopIteration as stop:
        given = stop.value
    return asked if passes == 1 else sorted(asked), sorted(range(n), key=lambda i: -given[i])


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("loop", REGULAR)
def test_the_windows_are_the_published_ones_wherever_those_show_every_document(loop, window):
    for n in [n for n in SIZES if REGULAR[loop](n, *window[:2])]:
        results = [asked_and_ended(n, *case, *window) for case in cases()]
        assert digested(results) == TOLD[f"{loop} {window} n={n}"][0], n


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("loop", ["RankGPT", "llm-rankers"])
def test_everywhere_else_the_first_two_ask_nothing_or_never_show_the_head_and_ours_does(loop, window):
    irregular = [n for n in SIZES if n > 1 and not REGULAR[loop](n, *window[:2])]
    assert irregular
    for n in irregular:
        _, calls, head = TOLD[f"{loop} {window} n={n}"]
        assert not head
        assert (calls == 0) == (n < window[0])
        assert all(any(0 in shown for shown in asked_and_ended(n, *case, *window)[0]) for case in cases()[:10])


def test_rank_llm_asks_nothing_where_a_window_starts_one_stride_above_the_head():
    assert TOLD["rank_llm (20, 10, 1) n=10"][1:] == [0, False]
    assert asked_and_ended(10, "perfect", 0, 20, 10, 1)[0] == [tuple(range(10))]


def test_rank_llm_asks_about_one_document_and_ours_does_not():
    assert TOLD["rank_llm async (20, 10, 1) n=1"][1] == 1
    assert asked_and_ended(1, "perfect", 0, 20, 10, 1)[0] == []


def test_hundred_documents_take_nine_windows():
    assert {TOLD[f"{loop} (20, 10, 1) n=100"][1] for loop in REGULAR} == {9}
