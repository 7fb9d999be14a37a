import math
import random
import shutil

import pytest

from ponderank import DataError
from ponderank.metrics.exponential import err, ndcg, rbp
from ponderank.metrics.ranked import per_query


@pytest.mark.skipif(shutil.which("perl") is None, reason="gdeval.pl, which ir-measures bundles, is Perl")
def test_exponential_ndcg_and_err_equal_gdeval():
    """TREC's own script, through ir-measures, with the query ids it accepts; it prints five decimals."""
    import ir_measures

    rng = random.Random(3)
    qrels = {str(q): {f"d{d}": rng.choice([-1, 0, 1, 2, 3, 4]) for d in rng.sample(range(40), 15)} for q in range(60)}
    run = {q: {f"d{d}": float(-at) for at, d in enumerate(rng.sample(range(40), 25))} for q in qrels}
    names = ["nDCG(dcg='exp-log2')@10", "ERR@10", "nDCG(dcg='exp-log2')@3", "ERR@3"]
    ours = per_query(qrels, {q: list(docs.items()) for q, docs in run.items()}, names)
    for name in names:
        measure = ir_measures.parse_measure(name)
        theirs = ir_measures.providers.registry["gdeval"].iter_calc([measure], qrels, run)
        found = {one.query_id: one.value for one in theirs}
        assert found == pytest.approx(ours[name], abs=6e-6)


def test_query_ids_may_be_words():
    values = per_query({"a query": {"d": 3}}, {"a query": [("d", 1.0)]}, ["nDCG(dcg='exp-log2')@10"])
    assert values == {"nDCG(dcg='exp-log2')@10": {"a query": 1.0}}


def test_ndcg_by_hand():
    """Grades 0, 1, 3 in this order: (0 + 1/log2 3 + 7/2) over (7 + 1/log2 3)."""
    expected = (1 / math.log2(3) + 3.5) / (7 + 1 / math.log2(3))
    assert ndcg({"a": 3, "b": 1, "c": 0}, ["c", "b", "a"]) == pytest.approx(expected)


def test_judged_only_drops_what_is_not_judged():
    assert ndcg({"a": 1}, ["x", "a"], 1, judged_only=True) == 1.0
    assert ndcg({"a": 1}, ["x", "a"], 1) == 0.0


def test_err_refuses_grades_that_its_scale_lacks():
    with pytest.raises(DataError, match="grades up to 4"):
        err({"a": 5}, ["a"])


def test_rbp_by_hand():
    """Relevant at ranks 1 and 3, p 0.8: 0.2 · (1 + 0.64)."""
    assert rbp({"a": 1, "b": 2}, ["a", "x", "b"]) == pytest.approx(0.328)
    assert rbp({"a": 1, "b": 2}, ["a", "x", "b"], rel=2) == pytest.approx(0.128)
