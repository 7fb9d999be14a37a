import pytest

from ponderank import DataError, Doc, Query
from ponderank.data.beir import Collection
from ponderank.retrieval import runs
from ponderank.retrieval.bm25 import BM25Index

DOCS = [
    Doc("a", "cats purr softly"),
    Doc("b", "dogs bark and cats run"),
    Doc("c", "", "Stars shine"),
    Doc("d", "cats purr softly"),
]


def ids(candidates):
    return [doc.id for doc in candidates.docs]


@pytest.fixture(scope="module")
def index():
    return BM25Index.build(DOCS)


def test_stems_and_titles_are_searched(index):
    assert ids(index.search([Query("q", "a shining star")], 10)[0]) == ["c"]


def test_ties_keep_the_corpus_order(index):
    assert ids(index.search([Query("q", "soft")], 10)[0]) == ["a", "d"]


@pytest.mark.parametrize("text", ["", "the of and", "zzz", "\ud800"])
def test_a_query_without_a_known_word_finds_nothing(index, text):
    assert ids(index.search([Query("q", text)], 10)[0]) == []


def test_dropping_itself_does_not_cost_a_place(index):
    assert ids(index.search([Query("a", "cats")], 2, drop_self=True)[0]) == ["d", "b"]


def test_a_saved_index_finds_the_same(index, tmp_path):
    index.save(tmp_path / "i")
    queries = [Query("1", "cats"), Query("2", "dogs run")]
    assert BM25Index.load(tmp_path / "i").search(queries, 3) == index.search(queries, 3)


def test_a_changed_corpus_is_indexed_again(tmp_path):
    collection = Collection.open(_folder(tmp_path, "cats"))
    assert len(BM25Index.open_or_build(collection, tmp_path / "i").search([Query("q", "dogs")], 5)[0].docs) == 0
    collection = Collection.open(_folder(tmp_path, "dogs"))
    assert len(BM25Index.open_or_build(collection, tmp_path / "i").search([Query("q", "dogs")], 5)[0].docs) == 1


def test_an_empty_corpus_is_refused():
    with pytest.raises(DataError, match="the corpus is empty"):
        BM25Index.build([])


def test_a_corpus_without_a_word_finds_nothing():
    assert ids(BM25Index.build([Doc("a", ""), Doc("b", "...")]).search([Query("q", "cats")], 5)[0]) == []


def test_scores_are_those_of_the_formula():
    """Lucene's BM25 by hand, on one term."""
    import math

    index = BM25Index.build([Doc("a", "cats"), Doc("b", "dogs dogs bark"), Doc("c", "bark")], k1=0.9, b=0.4)
    found = index.search([Query("q", "dogs")], 3)[0]
    idf = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2 / (2 + 0.9 * (1 - 0.4 + 0.4 * 3 / (5 / 3)))
    assert found.scores == pytest.approx((expected,), rel=1e-5)


def test_a_run_file_is_a_first_stage(tmp_path):
    (tmp_path / "r.trec").write_text("q Q0 d1 1 2 t\nq Q0 d0 2 1 t\n")
    collection = Collection.open(_folder(tmp_path, "cats", "dogs"))
    (found,) = runs.candidates(collection, tmp_path / "r.trec", [Query("q", "x")], 10)
    assert (ids(found), found.scores) == (["d1", "d0"], (2.0, 1.0))
    (tmp_path / "r.trec").write_text("q Q0 d7 1 2 t\n")
    with pytest.raises(DataError, match=r"r\.trec: query 'q' has document 'd7'"):
        list(runs.candidates(collection, tmp_path / "r.trec", [Query("q", "x")], 10))


def _folder(path, *texts):
    (path / "corpus.jsonl").write_text(
        "".join(f'{{"_id": "d{i}", "text": "{text}"}}\n' for i, text in enumerate(texts))
    )
    return path


def test_words_of_one_letter_count_if_asked_for():
    docs = [Doc("d", "vitamin D"), Doc("c", "vitamin C")]
    scores = {}
    for shortest in (1, 2):
        (found,) = BM25Index.build(docs, shortest=shortest).search([Query("q", "vitamin C")], k=2)
        scores[shortest] = {doc.id: score for doc, score in zip(found.docs, found.scores, strict=True)}
    assert scores[1]["c"] > scores[1]["d"]
    assert scores[2]["c"] == scores[2]["d"]


def test_ties_keep_the_corpus_order_at_the_cut_too():
    """Of 300 equal documents the first are found, however many are wanted; one better one comes before them."""
    docs = [Doc(f"d{i}", "cats sleep") for i in range(300)] + [Doc("best", "cats cats")]
    index = BM25Index.build(docs)
    query = [Query("q", "cats")]
    for k in (1, 2, 7, 100, 150, 299, 301):
        (found,) = index.search(query, k)
        assert [doc.id for doc in found.docs] == ["best", *(f"d{i}" for i in range(k - 1))]
