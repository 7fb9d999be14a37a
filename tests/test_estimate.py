"""Dry runs: exact where calls do not depend on answers, an estimate that says so where they do."""

import pytest

from ponderank import Candidates, Doc, Query, Recipe, Reranker
from ponderank.backends.adapters import WordTokenizer
from ponderank.backends.testing import Counting, Oracle
from ponderank.estimate import Supposed, cost, is_exact, judgements_and_rounds, relevances
from ponderank.formats.classify import CrossEncoder
from ponderank.recipes import find
from ponderank.strategies.cascade import Cascade
from ponderank.strategies.pairs import AllPairs, PairHeapsort, PairSliding
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.repeat import Repeat
from ponderank.strategies.setwise import SetwiseHeapsort
from ponderank.strategies.top_down import TopDown
from ponderank.strategies.window import Window


def candidates(n, queries=1):
    docs = tuple(Doc(f"d{i}", f"text {i}") for i in range(n))
    return [Candidates(Query("same id", f"query {q}"), docs) for q in range(queries)]


def counted(name, n, queries=1):
    recipe = find(name)
    backend = Counting(WordTokenizer())
    return cost(recipe, [backend] * len(recipe.judges), candidates(n, queries))


@pytest.mark.parametrize(
    "strategy", [Pointwise(), Window(), AllPairs(), Repeat(Window()), Cascade((Pointwise(), Window()), (20,))]
)
def test_strategies_that_ask_the_same_whatever_is_answered_are_counted_exactly(strategy):
    assert is_exact(strategy, 37)


@pytest.mark.parametrize("strategy", [PairHeapsort(), PairSliding(), SetwiseHeapsort(), TopDown(sequential=True)])
def test_strategies_that_go_by_the_answers_are_estimates(strategy):
    assert not is_exact(strategy, 100)


def test_a_pairwise_sort_is_not_counted_on_ties_which_would_cost_next_to_nothing():
    found = counted("prp-sliding", 100)
    assert 1200 < found.calls < 1890
    assert not found.exact


def test_a_setwise_heap_is_counted_as_on_a_real_first_stage():
    assert 105 < counted("setwise-heapsort", 100).calls < 150


def test_windows_are_counted_exactly_and_queries_add_up():
    found = counted("window", 100, queries=3)
    assert (found.calls, found.exact) == (27, True)


def test_every_stage_of_a_cascade_counts():
    found = counted("think-top-20", 100)
    assert found.calls == 120
    assert found.exact


def test_supposed_scores_are_those_of_the_documents_whatever_the_format_reads():
    form = Supposed(CrossEncoder(), {("q", "a"): 0.25})
    dialogue = form.judge(Query("q", "who"), [Doc("a", "me")], WordTokenizer())
    call = next(dialogue)
    assert len(call) == 1
    from ponderank.types import Reply

    with pytest.raises(StopIteration) as stop:
        dialogue.send([Reply(scores=(7.0,))])
    assert stop.value.value.scores == (0.25,)


def test_the_supposed_first_stage_is_better_than_chance_and_not_perfect():
    drawn = relevances(100)
    best = sorted(drawn, reverse=True)[:10]
    assert 2 <= len(set(drawn[:10]) & set(best)) <= 9


def test_a_dry_run_asks_nothing():
    oracle = Oracle(lambda query, text: 0.0)
    with Reranker(Recipe("law", "none", CrossEncoder(), Pointwise()), backend=oracle) as reranker:
        assert reranker.dry_run(candidates(5)).calls == 5
    assert not oracle.asked


def test_no_candidates_cost_nothing():
    assert counted("prp-heapsort", 0).calls == counted("window", 1).calls == 0


def test_rounds_are_counted_beside_judgements():
    assert judgements_and_rounds(Pointwise(), 7) == (7, 1)
    assert judgements_and_rounds(AllPairs(), 10) == (90, 1)
    assert judgements_and_rounds(Pointwise(), 0) == (0, 0)
