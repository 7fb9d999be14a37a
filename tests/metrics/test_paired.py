import pytest

from ponderank import DataError
from ponderank.metrics.instructions import p_mrr
from ponderank.metrics.paired import Pair, pairs
from ponderank.metrics.ranked import parse, per_query

NEVIR = {"1_q1": {"a": 1, "b": 0}, "1_q2": {"b": 1, "a": 0}}


def test_both_queries_must_have_their_document_first():
    run = {"1_q1": [("a", 2.0), ("b", 1.0)], "1_q2": [("b", 2.0), ("a", 1.0)]}
    assert pairs(NEVIR, run) == {"1": Pair(strict=True, first=True, tied=False)}
    run["1_q2"].reverse()
    assert pairs(NEVIR, {**run, "1_q2": [("a", 2.0), ("b", 1.0)]}) == {"1": Pair(strict=False, first=False, tied=False)}


def test_a_tie_is_wrong_and_counted():
    run = {"1_q1": [("a", 2.0), ("b", 1.0)], "1_q2": [("b", 1.0), ("a", 1.0)]}
    values = per_query(NEVIR, run, ["PairedAccuracy", "PairedTies", "PairedAccuracy(strict=False)"])
    assert values == {
        "PairedAccuracy": {"1": 0.0},
        "PairedTies": {"1": 1.0},
        "PairedAccuracy(strict=False)": {"1": 1.0},
    }


def test_a_missing_query_is_wrong():
    assert pairs(NEVIR, {"1_q1": [("a", 2.0), ("b", 1.0)]})["1"].strict is False


def test_pairs_are_found_by_their_documents_too():
    qrels = {"x": {"a": 1, "b": 0}, "y": {"b": 1, "a": 0}}
    assert list(pairs(qrels, {})) == ["a b"]
    only_relevant = {"x": {"a": 1}, "y": {"b": 1}}
    assert list(pairs(only_relevant, {"x": [("a", 1.0), ("b", 0.0)], "y": [("b", 1.0), ("a", 0.0)]})) == ["a b"]


def test_queries_without_a_partner_are_an_error():
    with pytest.raises(DataError, match="needs queries in pairs"):
        pairs({"x": {"a": 1, "b": 0}}, {})


def test_p_mrr_by_hand():
    """FollowIR's two cases: 1 → 4 gives 1 − 1/4, 2 → 1 gives 1/2 − 1."""
    qrels = {"1-og": {"d1": 1}, "1-changed": {"d1": 0}, "2-og": {"d2": 1}, "2-changed": {}}
    lists = {"1-og": ["d1", "x", "y", "z"], "1-changed": ["x", "y", "z", "d1"]}
    lists |= {"2-og": ["x", "d2"], "2-changed": ["d2", "x"]}
    assert p_mrr(qrels, lists) == {"1": 0.75, "2": -0.5}


def test_a_document_that_a_list_lacks_stands_behind_its_end():
    qrels = {"1-og": {"a": 1}, "1-changed": {"a": 0}}
    assert p_mrr(qrels, {"1-og": ["a", "b"], "1-changed": ["b", "c"]}) == {"1": pytest.approx(1 - 1 / 3)}


def test_p_mrr_without_pairs_says_what_it_needs():
    with pytest.raises(DataError, match="X-og and X-changed"):
        p_mrr({"q": {"a": 1}}, {"q": ["a"]})


@pytest.mark.parametrize(
    "name", ["WSS", "WSS@101", "WSS@0", "LastRel@5", "ERR(p=1)@5", "pMRR@5", "PairedAccuracy(strict=2)"]
)
def test_a_measure_of_ours_asked_for_wrongly_shows_how(name):
    with pytest.raises(DataError, match="it is asked for as in"):
        parse([name])


@pytest.mark.parametrize(("name", "near"), [("WWS@95", "WSS"), ("PairedAcuracy", "PairedAccuracy"), ("pMR", "pMRR")])
def test_the_nearest_names_include_ours(name, near):
    with pytest.raises(DataError, match=near):
        parse([name])


def test_a_measure_that_needs_another_package_names_it():
    with pytest.raises(DataError, match="pip install"):
        parse(["alpha_nDCG@10"])
