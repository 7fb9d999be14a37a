import pytest

from ponderank.metrics.ranked import per_query
from ponderank.metrics.screening import depth_of_recall, recall_at_share, true_negative_rate, work_saved

TWENTY = {f"r{n}": 1 for n in range(20)}


def _ranked(*ranks):
    """A hundred documents with r0, r1, … at these ranks."""
    docs = [f"x{n}" for n in range(100)]
    for at, rank in enumerate(ranks):
        docs[rank - 1] = f"r{at}"
    return docs


def test_wss_by_hand():
    """19 of 20 are found at rank 30: (100 − 30)/100 − 0.05. Cohen et al. 2006."""
    ranked = _ranked(*range(1, 19), 30, 80)
    assert work_saved(TWENTY, ranked) == pytest.approx(0.65)
    assert work_saved(TWENTY, ranked, 100) == pytest.approx(0.20)


def test_tnr_by_hand():
    """80 are irrelevant; 30 − 19 = 11 of them were read."""
    assert true_negative_rate(TWENTY, _ranked(*range(1, 19), 30, 80)) == pytest.approx(1 - 11 / 80)


def test_tnr_is_work_saved_between_its_best_and_worst():
    """Kusa et al. 2023: best is everything relevant first, worst everything relevant last."""
    best, worst = _ranked(*range(1, 21)), _ranked(*range(81, 101))
    some = _ranked(*range(1, 19), 30, 80)
    top, low = work_saved(TWENTY, best), work_saved(TWENTY, worst)
    # one relevant document may be left unread, so the worst reads all irrelevant ones but none after the 19th relevant
    assert true_negative_rate(TWENTY, some) == pytest.approx((work_saved(TWENTY, some) - low) / (top - low))


def test_the_last_relevant_document():
    assert depth_of_recall(TWENTY, _ranked(*range(1, 20), 77)) == 77


def test_a_relevant_document_that_the_run_lacks_is_found_after_everything():
    """Two relevant, one not retrieved: N is 4, all is read, nothing saved."""
    grades, ranked = {"a": 1, "b": 1}, ["a", "x", "y"]
    assert depth_of_recall(grades, ranked) == 4
    assert work_saved(grades, ranked) == pytest.approx(-0.05)
    assert true_negative_rate(grades, ranked) == 0.0


def test_recall_at_a_share_of_the_list_rounds_up():
    assert recall_at_share({"a": 1, "b": 1}, ["a", "b", "x"], 34) == 1.0
    assert recall_at_share({"a": 1, "b": 1}, ["a", "b", "x"], 33) == 0.5


def test_grades_below_rel_are_not_relevant():
    values = per_query({"q": {"a": 1, "b": 2}}, {"q": [("b", 2.0), ("a", 1.0)]}, ["LastRel(rel=2)", "LastRel"])
    assert values == {"LastRel(rel=2)": {"q": 1.0}, "LastRel": {"q": 2.0}}


def test_without_relevant_documents_all_are_0():
    names = ["WSS@95", "TNR@95", "LastRel", "R@10%"]
    assert per_query({"q": {"a": 0}}, {"q": [("a", 1.0)]}, names) == {name: {"q": 0.0} for name in names}
