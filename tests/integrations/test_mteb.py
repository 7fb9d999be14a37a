"""The adapter on rows as mteb hands them over; with mteb installed also mteb's own mock tasks, which need no network."""

import json

import pytest

from ponderank.integrations.mteb import CrossEncoder, Search, read_query
from ponderank.types import Doc, Query, Ranking

CORPUS = [
    {"id": "a", "title": "Cats", "text": "purr softly"},
    {"id": "b", "title": "", "text": "dogs bark at cats"},
    {"id": "c", "title": "", "text": "fish swim"},
    {"id": "d", "title": "", "text": "birds sing"},
]
QUERIES = [{"id": "q1", "text": "which animals purr?"}, {"id": "q2", "text": "cats", "instruction": "about barking"}]


@pytest.fixture(scope="module")
def model():
    with Search("default", depth=2, threads=1) as search:
        search.index(CORPUS)
        yield search


def test_given_candidates_are_ranked_whole_and_only_they(model):
    found = model.search(QUERIES[:1], top_k=10, top_ranked={"q1": ["c", "a"]})
    assert list(found) == ["q1"]
    assert list(found["q1"]) == ["a", "c"]


def test_without_candidates_bm25_finds_them(model):
    found = model.search(QUERIES, top_k=10)
    assert set(found["q2"]) == {"a", "b"}


def test_a_list_of_most_of_the_corpus_is_what_bm25_may_choose_from(model):
    found = model.search([{"id": "q", "text": "cats"}], top_k=10, top_ranked={"q": ["b", "c", "d"]})
    assert list(found["q"]) == ["b"]


def test_no_more_than_top_k_come_back(model):
    assert len(model.search(QUERIES[:1], top_k=1, top_ranked={"q1": ["c", "a"]})["q1"]) == 1


def test_an_instruction_stays_apart_from_the_query():
    joined = {"id": "1", "text": "art not paintings", "query": "art", "instruction": "not paintings"}
    assert read_query(joined) == Query("1", "art", "not paintings")


def test_a_conversation_is_one_query():
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}]
    assert read_query({"id": "1", "text": turns}).text == "user: hi; assistant: yes?"


def test_tied_scores_fall_in_our_order_in_32_bits():
    import numpy as np

    from ponderank.integrations.mteb import _scored

    docs = tuple(Doc(str(n), "x") for n in range(4))
    scores = list(_scored(Ranking(Query("q", "x"), docs, (25.0, 25.0, 25.0, -1.0))).values())
    assert all(a > b for a, b in zip(map(np.float32, scores), map(np.float32, scores[1:]), strict=False))
    assert scores[0] == 25
    assert scores[3] == -1


def test_pairs_are_scored_in_their_order_whatever_the_batches():
    queries = [{"id": ["q1", "q2"], "text": ["purr", "bark"]}, {"id": ["q1"], "text": ["purr"]}]
    docs = [{"id": ["b", "b"], "text": ["dogs bark"] * 2}, {"id": ["a"], "text": ["cats purr"]}]
    with CrossEncoder("default", "main", threads=1) as model:
        scores = model.predict(queries, docs)
    assert scores.shape == (3,)
    assert scores[2] > scores[0]
    assert scores[1] > scores[0]


@pytest.fixture(scope="module")
def mteb():
    """mteb itself; it brings torch and sentence-transformers."""
    return pytest.importorskip("mteb")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Search, CrossEncoder])
def test_mtebs_mock_run_passes(mteb, kind):
    from mteb.models.models_protocols import CrossEncoderProtocol, SearchProtocol
    from mteb.results.task_result import TaskError

    with kind("default", threads=1) as model:
        assert isinstance(model, SearchProtocol if kind is Search else CrossEncoderProtocol)
        assert not isinstance(model, CrossEncoderProtocol if kind is Search else SearchProtocol)
        told = mteb.mock_run(model)
    failed = {name: one.exception for name, one in told.items() if isinstance(one, TaskError)}
    if kind is CrossEncoder:  # mteb gives a cross-encoder nothing to rank in plain retrieval
        failed = {name: why for name, why in failed.items() if "requires top_ranked" not in why}
    assert not failed
    assert sum(one is not None for _, one in told.items()) > 4


@pytest.mark.slow
def test_predictions_are_saved_and_read_back_as_a_run(mteb, tmp_path):
    from mteb.mocks.mock_tasks import MockInstructionReranking

    from ponderank.data.predictions import read_predictions

    with Search("default", threads=1) as model:
        mteb.evaluate(
            model, MockInstructionReranking(), cache=None, prediction_folder=tmp_path, show_progress_bar=False
        )
        name = model.mteb_model_meta.name
    (path,) = tmp_path.glob("*_predictions.json")
    assert json.loads(path.read_text())["mteb_model_meta"]["model_name"] == name
    task = MockInstructionReranking()
    task.load_data()
    assert set(read_predictions(path)) == set(task.dataset["default"]["test"]["queries"]["id"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Search, CrossEncoder])
def test_mteb_reranks_candidates_of_any_run_of_ours(mteb, tmp_path, kind):
    from mteb.mocks.mock_tasks import MockRetrievalTask

    from ponderank.backends.adapters import Batched
    from ponderank.data.predictions import read_predictions, write_predictions
    from ponderank.types import Reply

    task = MockRetrievalTask()
    task.load_data()
    first = {}
    for split, data in task.dataset["default"].items():
        first[split] = {query: [(doc, 0.0) for doc in data["corpus"]["id"]] for query in data["queries"]["id"]}
        write_predictions(first[split], tmp_path / "first.json", split=split)
    task.convert_to_reranking(tmp_path / "first.json", top_k=10)
    asked = []

    def tied(calls):
        asked.extend(calls)
        return [Reply(scores=(1.0,)) for _ in calls]

    with kind("default", backend=Batched(tied, 8)) as model:
        mteb.evaluate(model, task, cache=None, prediction_folder=tmp_path / "out", show_progress_bar=False)
    (path,) = (tmp_path / "out").glob("*_predictions.json")
    assert asked
    for split, given in first.items():
        ranked = read_predictions(path, split=split)
        # all scores are tied, so the first stage's order stays
        assert {query: [doc for doc, _ in docs] for query, docs in ranked.items()} == {
            query: [doc for doc, _ in docs] for query, docs in given.items()
        }


@pytest.mark.slow
def test_a_task_of_mteb_is_a_collection(mteb, tmp_path):
    from mteb.mocks.mock_tasks import MockInstructionReranking

    from ponderank.data.facts import Facts
    from ponderank.data.laid_out import lay_out
    from ponderank.data.mteb_tasks import of_task

    opened = lay_out(of_task(MockInstructionReranking(), "", Facts("mteb:mock")), tmp_path / "x")
    assert opened.facts.given
    assert opened.splits == ["test"]
    assert all(query.instruction for query in opened.queries.values())
