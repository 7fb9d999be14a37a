import json

import pytest
from judging_world import pool

from ponderank.data.beir import Collection
from ponderank.data.trec import read_qrels, read_run
from ponderank.errors import DataError
from ponderank.judging.draw import draw
from ponderank.judging.opinions import of_recipe, of_trace, read_opinions, write_opinions
from ponderank.judging.pool import Pool, read_pool, scale_of, write_pool


def drawn(world, **more):
    runs = {name: read_run(world / f"{name}.trec") for name in "AB"}
    return draw(Collection.open(world), runs, read_qrels(world / "old.qrels"), **more)


def test_unjudged_are_those_in_a_top_k_without_a_grade(world):
    found = {item.doc.id for item in drawn(world, depth=2) if item.query.id == "q3"}
    assert found == {"d3b", "d3c", "d3e"}  # A has b c, B has a e; a is judged


def test_disagreeing_are_those_in_a_top_k_that_were_judged_not_relevant(world):
    found = drawn(world, depth=4, what=("disagreeing",))
    assert {(item.doc.id, item.before, item.seen) for item in found if item.query.id == "q0"} == {
        ("d0f", 0, (("A", 4),))
    }
    assert not drawn(world, depth=3, what=("disagreeing",))  # A has it at rank 4 only


def test_a_grade_below_the_least_relevant_one_disagrees_too(world):
    found = {item.doc.id for item in drawn(world, depth=1, what=("disagreeing",), relevant=3) if item.query.id == "q1"}
    assert found == {"d1a"}


def test_all_are_those_of_any_kind_in_a_top_k_each_once_with_all_its_ranks(world):
    found = {item.doc.id: item for item in drawn(world, what=("all",)) if item.query.id == "q2"}
    assert sorted(found) == ["d2a", "d2b", "d2c", "d2d", "d2e", "d2f"]
    assert found["d2a"].seen == (("A", 5), ("B", 1))
    assert {name: item.why for name, item in found.items()}["d2a"] == "judged"


def test_queries_that_were_not_judged_are_left_out_unless_nothing_was(world):
    runs = {"A": read_run(world / "A.trec")}
    only = {"q1": {"d1a": 1}}
    assert {item.query.id for item in draw(Collection.open(world), runs, only)} == {"q1"}
    assert len({item.query.id for item in draw(Collection.open(world), runs)}) == 6


def test_a_run_of_another_collection_is_refused_by_name(world):
    with pytest.raises(DataError, match=r"mine has document 'elsewhere'.*right collection"):
        draw(Collection.open(world), {"mine": {"q0": [("elsewhere", 1.0)]}})


def test_a_pool_reads_as_it_was_written(world, tmp_path):
    made = Pool(tuple(drawn(world, what=("all",))), scale_of(["0=no", "1=yes"]), 7, made={"depth": 10})
    write_pool(made, tmp_path / "p.jsonl")
    assert read_pool(tmp_path / "p.jsonl") == made


def test_the_fingerprint_is_of_what_is_judged_not_of_where_it_was_found():
    assert pool(seed=1).fingerprint == pool(seed=2).fingerprint
    assert pool(4).fingerprint != pool(5).fingerprint
    assert pool(scale=scale_of(["0=a", "1=b"])).fingerprint != pool().fingerprint


def test_all_assessors_see_the_queries_in_one_order_and_passages_in_their_own():
    many = pool(40, queries=5)
    ada, ben = many.order("ada"), many.order("ben")
    assert list(ada) == list(ben)
    assert any(ada[query] != ben[query] for query in ada)
    assert ada == many.order("ada")
    assert {item.key for items in ada.values() for item in items} == set(many.by_key)


def test_another_seed_is_another_order():
    assert list(pool(40, queries=9).order("a")) != list(pool(40, queries=9, seed=1).order("a"))


def test_a_file_that_is_no_pool_is_refused(tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps({"query_id": "q"}) + "\n")
    with pytest.raises(DataError, match="no pool"):
        read_pool(tmp_path / "x.jsonl")


def test_a_document_twice_for_a_query_is_refused():
    one = pool(1).items
    with pytest.raises(DataError, match="stands twice"):
        Pool(one + one)


@pytest.mark.parametrize("given", [["0=no"], ["0=no", "0=yes"], ["a=no", "1=yes"], ["10=no", "1=yes"], ["0", "1=yes"]])
def test_a_scale_has_two_different_digits_or_more(given):
    with pytest.raises(DataError):
        scale_of(given)


def test_a_recipe_has_an_opinion_on_every_item_and_the_file_keeps_it(tmp_path):
    from ponderank.backends.testing import Oracle
    from ponderank.reranker import Reranker

    many = pool(4)
    relevance = {item.doc.full_text: float(number) for number, item in enumerate(many.items)}
    with Reranker("default", backend=Oracle(relevance)) as reranker:
        told = list(of_recipe(many.items, reranker))
    write_opinions(told, tmp_path / "o.jsonl")
    found = read_opinions(tmp_path / "o.jsonl")
    assert found == {one.item: [one] for one in told}
    assert [found[item.key][0].score for item in many.items] == [0.0, 1.0, 2.0, 3.0]


def test_what_a_run_thought_is_read_from_its_trace(tmp_path):
    many = pool(2, queries=1)
    said = {"reasoning": "because", "verdict": "true"}
    docs = [{"id": "d0", "score": 1.5, "prob": 0.8, "judgements": [said]}, {"id": "d1", "score": 0.1, "prob": None}]
    docs.append({"id": "not in the pool", "score": 0.0, "prob": None})
    (tmp_path / "trace.jsonl").write_text(json.dumps({"query": "q0", "docs": docs}) + "\n")
    first, second = of_trace(tmp_path / "trace.jsonl", "mine", many.by_key)
    assert (first.item, first.source, first.prob, first.verdict, first.reasoning) == (
        many.items[0].key, "mine", 0.8, "true", "because",
    )  # fmt: skip
    assert (second.prob, second.reasoning) == (None, "")
