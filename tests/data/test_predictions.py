import json

import pytest

from ponderank import DataError, Doc, Query
from ponderank.data import predictions
from ponderank.types import Ranking

RANKINGS = [
    Ranking(Query("q1", "x"), (Doc("b", "text b", "T"), Doc("a", "text a")), (2.0, 1.0)),
    Ranking(Query("q2", "y"), (Doc("c", "text c"),), (0.5,)),
]
RUN = {"q1": [("b", 2.0), ("a", 1.0)], "q2": [("c", 0.5)]}


@pytest.mark.parametrize("name", ["results.jsonl", "results.json", "results.json.gz"])
def test_rank_llms_results_survive_writing_and_reading(tmp_path, name):
    predictions.write_results(RANKINGS, tmp_path / name)
    assert predictions.read_results(tmp_path / name) == RUN


def test_results_are_also_requests_for_the_next_stage(tmp_path):
    from ponderank.data.rank_llm import read_requests

    predictions.write_results(RANKINGS, tmp_path / "r.jsonl")
    first, _ = read_requests(tmp_path / "r.jsonl")
    assert [doc.full_text for doc in first.docs] == ["T text b", "text a"]


def test_the_candidates_order_counts_where_scores_contradict_it(tmp_path):
    rows = [{"docid": "a", "score": 1.0}, {"docid": "b", "score": 9.0}]
    (tmp_path / "r.jsonl").write_text(json.dumps({"query": {"qid": 7, "text": "x"}, "candidates": rows}) + "\n")
    assert predictions.read_results(tmp_path / "r.jsonl") == {"7": [("a", 2.0), ("b", 1.0)]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"query": "x", "candidates": []}\n', r"r:1: expected 'query' with an object"),
        ('{"query": {"qid": 1}, "candidates": []}\n{"query": {}, "candidates": []}\n', r"r:2: no field 'qid' or 'id'"),
        (
            '{"query": {"qid": 1}, "candidates": [{"docid": "a"}, {"docid": "a"}]}\n',
            r"r:1: a document of query '1' stands twice",
        ),
        (
            '{"query": {"qid": 1}, "candidates": []}\n{"query": {"qid": 1}, "candidates": []}\n',
            r"r:2: query '1' stands twice",
        ),
        ('[{"query": {"qid": 1}, "candidates": []},\n', r"r:2: malformed JSON"),
        ("[1]", r"r: item 1 is no object"),
    ],
)
def test_bad_results_are_named(tmp_path, text, message):
    (tmp_path / "r").write_text(text)
    with pytest.raises(DataError, match=message):
        predictions.read_results(tmp_path / "r")


def test_mtebs_predictions_keep_the_order_and_other_subsets(tmp_path):
    path = tmp_path / "NevIR_predictions.json"
    predictions.write_predictions(RUN, path, subset="en", model="ponderank/default", revision="1")
    predictions.write_predictions({"q": [("z", 1.0)]}, path, subset="de", split="dev")
    read = predictions.read_predictions(path, subset="en")
    assert {query: [doc for doc, _ in docs] for query, docs in read.items()} == {"q1": ["b", "a"], "q2": ["c"]}
    assert predictions.read_predictions(path, subset="de", split="dev") == {"q": [("z", 1.0)]}
    assert json.loads(path.read_text())["mteb_model_meta"] == {"model_name": "ponderank/default", "revision": "1"}


def test_brights_scores_are_read_as_they_are(tmp_path):
    (tmp_path / "score.json").write_text('{"q": {"a": 1, "b": 2.5}}')
    assert predictions.read_predictions(tmp_path / "score.json") == {"q": [("b", 2.5), ("a", 1.0)]}


@pytest.mark.parametrize(
    ("value", "given", "message"),
    [
        ({"mteb_model_meta": {}, "en": {"test": {}}, "de": {"test": {}}}, {}, "has the subsets en, de; choose one"),
        (
            {"mteb_model_meta": {}, "en": {"test": {}}},
            {"subset": "fr"},
            "no subset 'fr' in this prediction file; it has en",
        ),
        ({"mteb_model_meta": {}, "en": {"test": {}}}, {"split": "dev"}, "no split 'dev'"),
        ({"q": {"a": "high"}}, {}, "query 'q', document 'a': the score is 'high'"),
        ({"q": ["a"]}, {}, "query 'q' has list; expected documents with scores"),
        ([1], {}, "expected an object"),
    ],
)
def test_bad_predictions_are_named(tmp_path, value, given, message):
    (tmp_path / "p.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match=message):
        predictions.read_predictions(tmp_path / "p.json", **given)
