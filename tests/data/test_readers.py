import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank import Candidates, DataError, Doc, Query
from ponderank.data import jsonl, msmarco, rank_llm, trec
from ponderank.data.beir import Collection
from ponderank.data.lines import records

WORD = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=8)


@pytest.fixture
def folder(tmp_path):
    """A small collection in BEIR layout."""
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text(
        '{"_id": "d1", "title": "T", "text": "a", "metadata": {"y": 1}}\n{"_id": 2, "text": "b"}\n'
    )
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "x"}\n{"_id": "q2", "text": "y"}\n')
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    return tmp_path


def test_a_collection_is_read(folder):
    collection = Collection.open(folder)
    assert list(collection.docs) == ["d1", "2"]
    assert collection.docs["d1"].full_text == "T a"
    assert collection.docs["d1"].metadata == {"y": 1}
    assert collection.splits == ["test"]
    assert [q.id for q in collection.judged_queries("test")] == ["q1"]
    assert collection.qrels("test") == {"q1": {"d1": 1}}


def test_gzipped_files_are_read_the_same(folder):
    for path in (folder / "corpus.jsonl", folder / "qrels" / "test.tsv"):
        with gzip.open(f"{path}.gz", "wb") as file:
            file.write(path.read_bytes())
        path.unlink()
    collection = Collection.open(folder)
    assert list(collection.docs) == ["d1", "2"]
    assert collection.qrels("test") == {"q1": {"d1": 1}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"_id": "d3", "text": ', r"corpus\.jsonl:3: malformed JSON at column \d+"),
        ('{"_id": "d3"}', r"corpus\.jsonl:3: no field 'text' or 'contents' with text; this line has '_id'"),
        ('["d3"]', r"corpus\.jsonl:3: expected a JSON object, found list"),
        ('{"_id": "d1", "text": "again"}', r"corpus\.jsonl:3: the id 'd1' stood at line 1 already"),
    ],
)
def test_a_bad_line_is_named(folder, line, message):
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=message):
        list(Collection.open(folder).corpus())


def test_bytes_that_are_not_utf8_are_named(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xff"}\n')
    with pytest.raises(DataError, match=r"x\.jsonl:\d: not UTF-8"):
        list(records(tmp_path / "x.jsonl"))


def test_a_byte_order_mark_is_skipped(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\n')
    assert list(records(tmp_path / "x.jsonl")) == [(1, {"a": 1})]


def test_a_missing_split_lists_those_there_are(folder):
    with pytest.raises(DataError, match=r"no split 'dev': expected qrels/dev\.tsv; this collection has test"):
        Collection.open(folder).qrels("dev")


def test_a_judged_query_that_is_not_there_is_named(folder):
    with (folder / "qrels" / "test.tsv").open("a") as file:
        file.write("q9\td1\t1\n")
    with pytest.raises(DataError, match=r"1 judged queries are not in queries\.jsonl, the first is 'q9'"):
        Collection.open(folder).judged_queries("test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q1\t0\td1\t1\t\n", r"q\.txt:1: found 4 tabs; expected 2 \(BEIR"),
        ("q1 d1\n", r"q\.txt:1: expected 3 columns \(BEIR\) or 4 \(TREC\), found 2"),
        ("q1 0 d1 yes\n", r"q\.txt:1: the grade \(last column\) is 'yes'"),
        ("q1 0 d1 0.5\n", r"q\.txt:1: the grade \(last column\) is '0\.5'"),
        ("q1 0 d1 1\nq1 0 d1 2\n", r"q\.txt:2: query 'q1' and document 'd1' were judged 1 before and 2 here"),
    ],
)
def test_bad_judgements_are_named(tmp_path, text, message):
    (tmp_path / "q.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        trec.read_qrels(tmp_path / "q.txt")


@pytest.mark.parametrize(
    "text", ["q1 0 d1 2\n", "q1\t0\td1\t2\n", "q1\td1\t2\n", "query-id\tcorpus-id\tscore\nq1\td1\t2\n", "q1 0 d1 2.0\n"]
)
def test_all_shapes_of_judgements_are_read(tmp_path, text):
    (tmp_path / "q.txt").write_text(text)
    assert trec.read_qrels(tmp_path / "q.txt") == {"q1": {"d1": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q1 Q0 d1 1 0.5\n", "expected 6 columns"),
        ("q1 Q0 d1 1 high tag\n", "the score .5th column. is 'high'"),
        ("q1 Q0 d1 1 nan tag\n", "is NaN"),
        ("q1 Q0 d1 1 2 t\nq1 Q0 d1 2 1 t\n", "stands twice for query 'q1'"),
    ],
)
def test_bad_runs_are_named(tmp_path, text, message):
    (tmp_path / "r.trec").write_text(text)
    with pytest.raises(DataError, match=message):
        trec.read_run(tmp_path / "r.trec")


@given(st.dictionaries(WORD.filter(str.split), st.lists(WORD, unique=True, max_size=20), max_size=5))
def test_a_run_survives_writing_and_reading(tmp_path_factory, rankings):
    rankings = {q: docs for q, docs in rankings.items() if docs}
    path = tmp_path_factory.mktemp("run") / "r.trec.gz"
    trec.write_run(rankings, path)
    assert {q: [d for d, _ in docs] for q, docs in trec.read_run(path).items()} == rankings


def test_written_scores_decrease_strictly_so_that_ties_cannot_reorder(tmp_path):
    trec.write_run({"q": [f"d{i}" for i in range(1000)]}, tmp_path / "r.trec")
    scores = [score for _, score in trec.read_run(tmp_path / "r.trec")["q"]]
    assert scores == sorted(set(scores), reverse=True)


def test_an_id_with_a_space_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(DataError, match="'a b' is empty or has white space"):
        trec.write_run({"q": ["ok", "a b"]}, tmp_path / "r.trec")
    assert list(tmp_path.iterdir()) == []


MANY = [
    Candidates(Query("q1", "x", "be brief"), (Doc("a", "text a", "title"), Doc("b", "text\u2028b")), (2.0, 1.0)),
    Candidates(Query("q2", "y"), (Doc("c", "c"),)),
]


def test_candidates_survive_jsonl(tmp_path):
    jsonl.write_candidates(MANY, tmp_path / "c.jsonl")
    assert list(jsonl.read_candidates(tmp_path / "c.jsonl")) == MANY


def test_candidates_survive_rank_llms_requests(tmp_path):
    rank_llm.write_requests(MANY, tmp_path / "r.jsonl")
    first, second = rank_llm.read_requests(tmp_path / "r.jsonl")
    assert first == Candidates(Query("q1", "x"), MANY[0].docs, MANY[0].scores)
    assert second.scores == (1.0,)
    row = json.loads((tmp_path / "r.jsonl").read_text("utf-8").split("\n")[0])
    assert row["candidates"][0]["doc"] == {"title": "title", "contents": "text a"}


def test_ms_marcos_files_are_read(tmp_path):
    (tmp_path / "t.tsv").write_text("q1\tp1\twhat\tpassage one\nq1\tp2\twhat\tpassage two\n")
    (only,) = msmarco.read_top1000(tmp_path / "t.tsv")
    assert [doc.id for doc in only.docs] == ["p1", "p2"]
    with pytest.raises(DataError, match=r"expected 2 tab-separated columns .pid text., found 4"):
        list(msmarco.read_collection(tmp_path / "t.tsv"))
