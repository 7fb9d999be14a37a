from collections import Counter

import pytest

from ponderank.data.beir import Collection
from ponderank.distill.pairs import read_pairs, write_pairs
from ponderank.distill.sample import PRESETS, Part, Sampling, sample
from ponderank.errors import DataError
from ponderank.retrieval.bm25 import BM25Index
from ponderank.types import Ranking


def backwards(many):
    """A reranker that turns the order round."""
    for one in many:
        docs = one.docs[::-1]
        yield Ranking(one.query, docs, tuple(float(-i) for i in range(len(docs))))


def drawn(folder, **options):
    collection = Collection.open(folder)
    index = BM25Index.build(collection.corpus())
    options = {"count": 40, "depth": 20, "apart": ("dev",), **options}
    return sample(collection, "train", Sampling(**options), index.search, backwards)


def test_a_quarter_comes_from_each_of_the_papers_parts(collection):
    found = drawn(collection)
    assert Counter(pair.part for pair in found.pairs) == dict.fromkeys(
        ("positives", "negatives", "hard 1-5", "hard 5-10"), 10
    )


def test_positives_are_judged_relevant_and_nothing_else_is(collection):
    for pair in drawn(collection).pairs:
        assert (pair.query.id[1:] == pair.doc.id[1:]) == (pair.label == 1) == (pair.part == "positives")


def test_hard_negatives_stand_at_their_ranks_of_the_rerankers_order_without_the_relevant_ones(collection):
    index = BM25Index.build(Collection.open(collection).corpus())
    for pair in drawn(collection).pairs:
        if not pair.part.startswith("hard"):
            continue
        (found,) = index.search([pair.query], 20)
        order = [doc.id for doc in found.docs[::-1] if doc.id[1:] != pair.query.id[1:] and int(doc.id[1:]) < 20]
        first, last = (1, 5) if pair.part == "hard 1-5" else (6, 10)
        assert order.index(pair.doc.id) + 1 == pair.rank
        assert first <= pair.rank <= last


def test_nothing_of_another_split_is_drawn(collection):
    found = drawn(collection, count=200, depth=25)
    assert all(int(pair.doc.id[1:]) < 20 for pair in found.pairs)
    assert "q0" not in {pair.query.id for pair in found.pairs}
    assert found.dropped["query in another split"] == 1
    assert found.dropped["passage of another split"] > 0


def test_the_same_seed_draws_the_same_pairs_and_another_one_others(collection):
    assert drawn(collection).pairs == drawn(collection).pairs
    assert drawn(collection).pairs != drawn(collection, seed=1).pairs


def test_no_pair_of_texts_is_drawn_twice_also_in_a_second_round(collection):
    first = drawn(collection)
    opened = Collection.open(collection)
    index = BM25Index.build(opened.corpus())
    keys = {pair.key for pair in first.pairs}
    again = sample(opened, "train", Sampling(PRESETS["rank1-second-round"], 30, 20), index.search, backwards, keys)
    assert len(keys) == len(first.pairs)
    assert again.pairs
    assert keys.isdisjoint(pair.key for pair in again.pairs)


def test_a_part_that_has_too_few_gives_what_it_has_and_the_report_says_so(collection):
    found = drawn(collection, count=400, per_query=1)
    assert found.found["positives"] == 19 < found.wanted["positives"] == 100


def test_nothing_is_searched_or_reranked_for_parts_that_want_nothing(collection):
    def never(*_):
        raise AssertionError("asked for nothing")

    opened = Collection.open(collection)
    index = BM25Index.build(opened.corpus())
    judged = Sampling((Part("positives", "judged", 1.0),), 10)
    assert len(sample(opened, "train", judged, never, never).pairs) == 10
    retrieved = Sampling((Part("negatives", "first stage", 1.0), Part("hard 1-5", "reranked", 0.0, (1, 5))), 10)
    assert len(sample(opened, "train", retrieved, index.search, never).pairs) == 10


def test_hard_negatives_without_a_reranker_are_an_error(collection):
    opened = Collection.open(collection)
    with pytest.raises(DataError, match="--reranker"):
        sample(opened, "train", Sampling(), BM25Index.build(opened.corpus()).search)


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match=r"add up to 0\.5"):
        Sampling((Part("positives", "judged", 0.5),))


def test_pairs_survive_their_file(collection, tmp_path):
    pairs = drawn(collection).pairs
    assert write_pairs(pairs, tmp_path / "pairs.jsonl.gz") == len(pairs)
    assert tuple(read_pairs(tmp_path / "pairs.jsonl.gz")) == pairs


@pytest.mark.parametrize(
    "line", ['{"query_id": "q"}', '{"query_id":"q","query":"a","doc_id":"d","text":"t","part":"p","label":2}', "[]"]
)
def test_a_broken_line_of_pairs_is_named(line, tmp_path):
    (tmp_path / "pairs.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=r"pairs\.jsonl.*1"):
        list(read_pairs(tmp_path / "pairs.jsonl"))
