"""Thinking, end to end: a language model behind `Reranker`."""

import math

import pytest

import tiny_lm
from ponderank import BackendError, Doc, Query, RecipeError, Reranker
from ponderank.backends.testing import Scripted
from ponderank.engine import Engine, Written
from ponderank.formats.rank1 import Rank1
from ponderank.recipe import Recipe, thinking
from ponderank.strategies.adaptive import AdaptiveThinking
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Candidates, Generate, Reply, Usage

RANK1 = Recipe("rank1", "", Rank1(max_tokens=24), Pointwise())
DOCS = [f"nobody knows who wrote it {i} " * (i + 1) for i in range(6)]
MANY = Candidates(Query("q", "who wrote it"), tuple(Doc(str(i), text) for i, text in enumerate(DOCS)))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    pytest.importorskip("transformers")
    return tiny_lm.model(tmp_path_factory.mktemp("lm") / "qwen3")


@pytest.fixture
def thinker(checkpoint):
    with Reranker(RANK1, model=checkpoint, slots=4) as reranker:
        yield reranker


@pytest.mark.torch
def test_a_checkpoint_is_run_in_torch_and_ranks(thinker):
    ranking = thinker.rank("who wrote it", DOCS)
    assert sorted(doc.id for doc in ranking.docs) == list("012345")
    assert all(math.isfinite(score) for score in ranking.scores)
    assert ranking.usage.output_tokens > 0
    assert ranking.judgement(0).prompt.startswith("Determine if")


@pytest.mark.torch
def test_what_it_writes_can_be_watched(thinker):
    told = []
    ranking = thinker.rank("who wrote it", DOCS, on_written=told.append)
    texts = {step.group: "".join(w.text for w in told if w.group == step.group) for step in ranking.trace}
    assert {w.group for w in told if w.done} == set(texts)
    assert all(step.judgement.reasoning in texts[step.group] for step in ranking.trace)


@pytest.mark.torch
def test_a_deadline_is_kept(checkpoint):
    import time

    endless = Recipe("rank1", "", Rank1(max_tokens=400), Pointwise())
    with Reranker(endless, model=checkpoint, slots=2) as reranker:
        start = time.perf_counter()
        ranking = reranker.rank("who wrote it", DOCS * 8, deadline=0.5)
        assert time.perf_counter() - start < 10
    assert len(ranking) == 48
    assert ranking.flaws()["incomplete"] > 0


@pytest.mark.torch
def test_what_was_answered_is_not_asked_again(checkpoint, tmp_path):
    rankings = []
    for _ in range(2):
        with Reranker(RANK1, model=checkpoint, cache=tmp_path / "c.sqlite", slots=1) as reranker:
            rankings.append(reranker.rank("who wrote it", DOCS))
            asked = reranker.backend.asked
    assert asked == 0
    assert [step.judgement.reasoning for step in rankings[0].trace] == [
        step.judgement.reasoning for step in rankings[1].trace
    ]
    assert rankings[0].scores == rankings[1].scores


@pytest.mark.torch
def test_adaptive_thinking_thinks_about_some(checkpoint):
    adaptive = Recipe("adaptive", "", Rank1(max_tokens=8), AdaptiveThinking(k=2, thoughts=3, batch=2))
    with Reranker(adaptive, model=checkpoint) as reranker:
        ranking = reranker.rank("who wrote it", DOCS)
    assert sum(step.level == 0 for step in ranking.trace) <= 3
    assert sum(step.level == 1 for step in ranking.trace) == 6


@pytest.mark.torch
def test_a_dry_run_counts_and_asks_nothing(thinker):
    usage = thinker.dry_run([MANY])
    assert (usage.calls, usage.output_tokens) == (6, 6 * 24)
    assert usage.prompt_tokens == sum(
        thinker.backend.tokenizer.count(Rank1().prompt(MANY.query, doc)) for doc in MANY.docs
    )


@pytest.mark.torch
def test_a_model_that_thinks_has_explained_itself(thinker):
    ranking = thinker.rank("who wrote it", DOCS)
    assert thinker.explain(ranking) == ranking


def script(n, written=5):
    """Replies to ``n`` texts that are cut off, each followed by its verdict."""
    return [Reply("Hm.", "length", usage=Usage(1, 10, 0, written))] * n + [
        Reply(scores=(-1.0, -2.0), usage=Usage(1, 12))
    ] * n


def test_the_tokens_of_a_query_are_divided_among_its_documents():
    backend = Scripted(script(6))
    list(Engine(RANK1, backend, query_tokens=60).run([MANY]))
    assert [call.max_tokens for call in backend.calls if isinstance(call, Generate)] == [10] * 6


def test_a_document_without_tokens_left_is_judged_without_a_thought():
    backend = Scripted(script(6)[6:])
    ((_, ranking),) = Engine(RANK1, backend, query_tokens=5).run([MANY])
    assert not any(isinstance(call, Generate) for call in backend.calls)
    assert ranking.flaws() == {"incomplete": 6}


def test_what_is_left_is_for_those_who_are_asked_later():
    many = Candidates(MANY.query, MANY.docs[:3])
    adaptive = Recipe("a", "", Rank1(), AdaptiveThinking(k=1, batch=1, thoughts=2))
    direct = [Reply(scores=(-1.0, -2.0))] * 3
    thought = [Reply("Hm", stop="</think> true", scores=(-1.0, -2.0), usage=Usage(1, 9, 0, 40))] * 2
    backend = Scripted([*direct, *thought])
    list(Engine(adaptive, backend, query_tokens=100).run([many]))
    assert [call.max_tokens for call in backend.calls if isinstance(call, Generate)] == [100, 60]


def test_a_thought_can_be_bounded_or_left_out():
    assert thinking(RANK1, tokens=7).format.max_tokens == 7
    assert thinking(RANK1, think=False).format.think is False
    assert thinking(RANK1) == RANK1


@pytest.mark.parametrize("options", [{"tokens": 7}, {"think": False}])
def test_what_does_not_think_cannot_be_told_how_to(options):
    from ponderank.recipes import find

    with pytest.raises(RecipeError, match="default"):
        thinking(find("default"), **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"engine": "lamacpp", "model": "x"}, RecipeError, "llamacpp"),
        ({"engine": "onnx", "model": "x"}, RecipeError, "transformers"),
        ({}, RecipeError, "no model of its own"),
        ({"model": "jhu-clsp/rank1-7b"}, BackendError, "hf download"),
    ],
)
def test_an_engine_that_does_not_fit_is_named_with_those_that_do(options, error, message):
    with pytest.raises(error, match=message):
        Reranker(RANK1, **options)


def test_thoughts_are_shown_one_at_a_time_and_cannot_move_the_cursor():
    import io

    from ponderank.cli.watch import Thoughts

    out = io.StringIO()
    thoughts = Thoughts(["a", "b"], out)
    for group, text, done in [
        ((0,), "one ", 0),
        ((1,), "two", 0),
        ((0,), "\x1b[2Jmore", 0),
        ((1,), "", 1),
        ((0,), "", 1),
    ]:
        thoughts(Written("q", group, text, bool(done)))
    thoughts.finish()
    assert out.getvalue() == "\n── a ──\none \ufffd[2Jmore\n\n── b ──\ntwo\n"


def test_a_stage_that_writes_nothing_does_not_end_the_thoughts_of_the_next():
    import io

    from ponderank.cli.watch import Thoughts

    out = io.StringIO()
    thoughts = Thoughts(["a", "b"], out)
    thoughts(Written("q", (0,), "", done=True))  # a cross-encoder judged it first
    thoughts(Written("q", (0,), "so "))
    thoughts(Written("q", (1,), "but "))
    thoughts(Written("q", (0,), "it is"))
    thoughts(Written("q", (0,), "", done=True))
    assert "so it is" in out.getvalue()
