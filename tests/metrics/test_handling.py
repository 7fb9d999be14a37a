import pytest

from ponderank import DataError
from ponderank.metrics.handling import drop_self, handled, ordered, tied_in_top
from ponderank.metrics.ranked import evaluate

TIED = {"q": [("a", 1.0), ("c", 1.0), ("b", 1.0), ("d", 2.0)]}


def _order(run, **how):
    return [doc for doc, _ in ordered(run, **how)["q"]]


def test_ties_keep_the_files_order():
    assert _order(TIED) == ["d", "a", "c", "b"]


def test_trec_eval_puts_the_higher_id_first():
    assert _order(TIED, ties="trec") == ["d", "c", "b", "a"]


def test_ids_are_compared_as_bytes():
    assert _order({"q": [("Z", 1.0), ("é", 1.0), ("a", 1.0)]}, ties="trec") == ["é", "a", "Z"]


def test_the_first_stage_decides_and_what_it_lacks_comes_last():
    first = {"q": [("b", 9.0), ("c", 8.0)]}
    assert _order(TIED, ties="first-stage", first=first) == ["d", "b", "c", "a"]


def test_the_first_stages_order_needs_the_first_stage():
    with pytest.raises(DataError, match="need the first stage's run"):
        ordered(TIED, ties="first-stage")


def test_an_unknown_rule_names_the_known_ones():
    with pytest.raises(DataError, match="file, trec, first-stage"):
        ordered(TIED, ties="random")


def test_the_rule_changes_the_measure():
    run = {"mine": TIED}
    qrels = {"q": {"b": 1}}
    assert evaluate(qrels, run, ["RR@10"])["mine"] == {"RR@10": 0.25}
    assert evaluate(qrels, run, ["RR@10"], ties="trec")["mine"] == {"RR@10": pytest.approx(1 / 3)}


def test_a_tie_across_the_tenth_rank_counts():
    docs = [(f"d{n}", float(20 - n)) for n in range(9)] + [("x", 1.0), ("y", 1.0), ("z", 1.0)]
    assert tied_in_top({"q": docs}) == {"q": 1}


def test_self_matches_are_counted_and_dropped_on_demand():
    run = {"q": [("q", 2.0), ("a", 1.0)], "p": [("a", 1.0)]}
    kept, dropped = drop_self(run)
    assert (kept["q"], dropped) == ([("a", 1.0)], 1)
    assert "1 self-matches kept" in str(handled({"q": {"a": 1}}, run))
    assert "1 self-matches dropped" in str(handled({"q": {"a": 1}}, kept, dropped=dropped))


def test_what_was_done_is_counted():
    qrels = {"q": {"b": 1}, "none": {"b": 0}, "gone": {"b": 1}}
    done = handled(qrels, {**TIED, "none": [("b", 1.0)], "other": [("b", 1.0)]}, ties="trec")
    assert (done.queries, done.missing, done.without_relevant, done.unjudged) == (3, ("gone",), 1, 1)
    assert (done.tied_documents, done.tied_queries) == (3, 1)
    assert "by document id, descending" in str(done)
    assert done.to_dict()["missing"] == ["gone"]


def test_a_query_with_an_empty_list_counts_0_in_every_measure():
    names = ["nDCG@10", "Judged@10", "RR@10", "Accuracy"]
    assert evaluate({"q": {"a": 1}}, {"r": {"q": []}}, names)["r"] == dict.fromkeys(names, 0.0)
