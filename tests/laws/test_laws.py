"""Laws that hold for every input."""

import json
import random
import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank import Candidates, DataError, Doc, Engine, Query, Recipe, Reranker
from ponderank.backends.testing import Counting, Oracle
from ponderank.formats.classify import CrossEncoder
from ponderank.formats.passages import Passages
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise

POINTWISE = Recipe("law", "none", CrossEncoder(), Pointwise())
RELEVANCES = st.lists(st.floats(-50, 50, allow_nan=False), max_size=40)
TEXT = st.text(st.characters(), max_size=40)


def many(relevances, n_queries=1):
    return [
        Candidates(Query(f"q{q}", f"query {q}"), tuple(Doc(str(i), f"text {q} {i}") for i in range(len(relevances))))
        for q in range(n_queries)
    ]


def oracle(relevances, seed=None):
    return Oracle(lambda query, text: relevances[int(text.split()[-1])], seed=seed)


@given(RELEVANCES)
def test_a_ranking_is_a_permutation_of_its_input(relevances):
    candidates = many(relevances)
    ((_, ranking),) = Engine(POINTWISE, oracle(relevances)).run(candidates)
    assert sorted(doc.id for doc in ranking.docs) == sorted(doc.id for doc in candidates[0].docs)
    assert sorted(ranking.order) == list(range(len(relevances)))


@given(RELEVANCES)
def test_a_perfect_oracle_gives_a_perfect_order_with_ties_in_first_stage_order(relevances):
    ((_, ranking),) = Engine(POINTWISE, oracle(relevances)).run(many(relevances))
    assert list(ranking.order) == sorted(range(len(relevances)), key=lambda i: -relevances[i])
    assert list(ranking.scores) == sorted(relevances, reverse=True)


@given(RELEVANCES, st.integers(0, 5))
def test_completion_order_never_matters(relevances, seed):
    plain = dict(Engine(POINTWISE, oracle(relevances)).run(many(relevances, 3)))
    shuffled = dict(Engine(POINTWISE, oracle(relevances, seed)).run(many(relevances, 3)))
    assert shuffled == plain


@given(RELEVANCES, st.integers(1, 4))
def test_pointwise_asks_once_a_document_and_the_dry_run_knows(relevances, n_queries):
    backend = oracle(relevances)
    queries = many(relevances, n_queries)
    asked = sum(ranking.usage.calls for _, ranking in Engine(POINTWISE, backend).run(queries))
    assert asked == len(backend.asked) == n_queries * len(relevances)
    dry = Engine(POINTWISE, Counting(backend.tokenizer))
    assert sum(ranking.usage.calls for _, ranking in dry.run(queries)) == asked


@given(RELEVANCES, st.integers(1, 12), st.floats(0, 3), st.integers(0, 1000))
def test_an_early_exit_with_true_bounds_keeps_the_top_k(relevances, k, bound, seed):
    """Each shallow score is off by at most the margin: the top k must be the full model's."""
    rng = random.Random(seed)
    off = [[rng.uniform(-bound, bound) for _ in relevances] for _ in range(2)]

    class Exits(Oracle):
        def _reply(self, call):
            i = int(call.text.split()[-1])
            reply = super()._reply(call)
            return replace(reply, scores=(relevances[i] + (off[call.level - 1][i] if call.level else 0.0),))

    recipe = Recipe("law", "none", CrossEncoder(), LayeredExit(k=k, exits=((2, bound + 1e-9), (1, bound + 1e-9))))
    ((_, ranking),) = Engine(recipe, Exits(lambda *_: 0.0)).run(many(relevances))
    assert sorted(ranking.order) == list(range(len(relevances)))
    best = sorted(range(len(relevances)), key=lambda i: -relevances[i])[:k]
    assert list(ranking.order[:k]) == best
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)


@given(RELEVANCES, st.integers(1, 12), st.floats(0, 60))
def test_an_early_exit_asks_all_then_only_the_survivors(relevances, k, margin):
    """Calls = n at the exit + those within two margins of the k-th; n in all when everybody fits in the top k."""
    recipe = Recipe("law", "none", CrossEncoder(), LayeredExit(k=k, exits=((1, margin),)))
    ((_, ranking),) = Engine(recipe, oracle(relevances)).run(many(relevances))
    n = len(relevances)
    bar = sorted(relevances, reverse=True)[k - 1] - 2 * margin if n > k else 0.0
    assert ranking.usage.calls == (n if n <= k else n + sum(r >= bar for r in relevances))


@given(st.lists(st.floats(), max_size=20), st.integers(1, 5), st.lists(st.floats(), min_size=20, max_size=20))
def test_any_scores_and_priors_end_in_a_permutation(relevances, k, priors):
    """Also infinities and not-a-number."""
    for strategy in (Pointwise(prior_weight=1.0), LayeredExit(k=k, exits=((2, 1.0), (1, 0.5)), prior_weight=1.0)):
        asked = [replace(one, scores=tuple(priors[: len(relevances)])) for one in many(relevances)]
        ((_, ranking),) = Engine(Recipe("law", "none", CrossEncoder(), strategy), oracle(relevances)).run(asked)
        assert sorted(ranking.order) == list(range(len(relevances)))
        assert all(json.loads(line) for line in ranking.to_jsonl().splitlines())


@given(st.lists(RELEVANCES, max_size=8), st.integers(1, 4), st.integers(0, 99))
def test_in_input_order_every_query_comes_once_whatever_the_window(lists, ahead, seed):
    queries = [replace(one, query=Query(f"q{i}", f"q{i}")) for i, lst in enumerate(lists) for one in many(lst)]
    backend = Oracle(lambda query, text: lists[int(query[1:])][int(text.split()[-1])], seed=seed)
    results = list(Engine(POINTWISE, backend).run(queries, ahead=ahead, in_order=True))
    assert [index for index, _ in results] == list(range(len(queries)))
    assert [ranking.query for _, ranking in results] == [one.query for one in queries]


@given(st.lists(TEXT, max_size=8), TEXT)
@settings(max_examples=60, deadline=None)
def test_any_text_ends_in_a_ranking_that_is_json(texts, query):
    with Reranker(POINTWISE, backend=Oracle(lambda q, text: float(len(text)))) as reranker:
        ranking = reranker.rank(query, texts)
    assert len(ranking) == len(texts)
    for line in ranking.to_jsonl().encode("utf-8", "backslashreplace").decode().split("\n")[:-1]:
        json.loads(line)
    assert str(ranking)
    assert ranking._repr_html_()


@pytest.mark.parametrize("text", ["", " ", "\x00\x1b[2J", "\ud800", "x" * 100_000, "a " * 50_000, "[SEP] [CLS] </s>"])
def test_the_embedded_model_takes_any_text(text, embedded):
    ranking = embedded.rank(text or "q", ["a plain text", text])
    assert sorted(ranking.order) == [0, 1]
    assert all(score == score for score in ranking.scores)


def test_no_documents_is_an_empty_ranking(embedded):
    assert len(embedded.rank("q", [])) == 0


def test_one_document_is_ranked(embedded):
    assert [doc.text for doc in embedded.rank("q", ["only"]).docs] == ["only"]


def test_two_documents_with_one_explicit_id_are_refused(embedded):
    with pytest.raises(DataError, match="documents 0 and 1 share the id 'x'"):
        embedded.rank("q", [{"id": "x", "text": "a"}, {"id": "x", "text": "b"}])


def test_equal_texts_without_ids_are_two_documents(embedded):
    assert sorted(doc.id for doc in embedded.rank("q", ["same", "same"]).docs) == ["0", "1"]


@given(st.text(string.printable, max_size=400), st.integers(1, 20), st.data())
def test_passages_are_in_order_and_cover_every_word(text, length, data):
    stride = data.draw(st.integers(1, length))
    spans = Passages(length, stride).split(text)
    assert spans == sorted(spans)
    covered = set()
    for start, end in spans:
        assert 0 <= start <= end <= len(text)
        covered.update(range(start, end))
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)
