import random

import pytest

from ponderank import DataError
from ponderank.metrics.ranked import evaluate, missing, per_query


def test_equal_to_trec_eval_on_random_runs():
    """nDCG@10, AP and RR of trec_eval itself, on runs without ties, with unjudged, negative and missing."""
    pytrec_eval = pytest.importorskip("pytrec_eval")
    rng = random.Random(0)
    for _ in range(50):
        qrels = {f"q{q}": {f"d{d}": rng.choice([-1, 0, 1, 2]) for d in rng.sample(range(30), 12)} for q in range(4)}
        run = {f"q{q}": [(f"d{d}", float(-i)) for i, d in enumerate(rng.sample(range(30), 20))] for q in range(4)}
        theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "map", "recip_rank"}).evaluate(
            {q: dict(d) for q, d in run.items()}
        )
        ours = per_query(qrels, run, ["nDCG@10", "AP", "RR"])
        for query, values in theirs.items():
            assert ours["nDCG@10"][query] == pytest.approx(values["ndcg_cut_10"])
            assert ours["AP"][query] == pytest.approx(values["map"])
            assert ours["RR"][query] == pytest.approx(values["recip_rank"])


@pytest.mark.parametrize("order", [["a", "b"], ["b", "a"]])
def test_ties_keep_the_order_given_in_every_measure(order):
    values = evaluate({"q": {"a": 1}}, {"r": {"q": [(name, 0.5) for name in order]}}, ["RR", "RR@10", "nDCG@10"])["r"]
    assert values["RR"] == values["RR@10"] == 1 / (order.index("a") + 1)


def test_scores_that_differ_below_32_bits_keep_their_order():
    run = {"q": [("z", 1 - 1e-12), ("a", 1.0)]}
    assert evaluate({"q": {"a": 1}}, {"r": run}, ["nDCG@10"])["r"]["nDCG@10"] == 1.0


def test_a_judged_query_without_results_counts_nothing():
    qrels = {"q1": {"a": 1}, "q2": {"a": 1}}
    run = {"q1": [("a", 1.0)]}
    assert evaluate(qrels, {"r": run}, ["nDCG@10"])["r"]["nDCG@10"] == 0.5
    assert missing(qrels, run) == ["q2"]


def test_an_unknown_measure_has_the_nearest_names():
    with pytest.raises(DataError, match="no measure 'nDGC@10'; did you mean nDCG"):
        evaluate({"q": {"a": 1}}, {"r": {}}, ["nDGC@10"])


def test_no_judgements_is_an_error():
    with pytest.raises(DataError, match="the qrels are empty"):
        evaluate({}, {"r": {}})
