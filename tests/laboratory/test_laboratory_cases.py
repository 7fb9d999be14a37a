import numpy as np
import pytest

from ponderank.errors import DataError
from ponderank.laboratory.cases import Cases
from ponderank.laboratory.measures import dcg, ideal_dcg, tau
from ponderank.metrics.ranked import per_query

QRELS = {"q": {"a": 3, "b": 1, "c": 0, "d": -1}, "empty": {"a": 0}, "r": {"x": 2}}


def test_ndcg_equals_that_of_ir_measures():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = int(rng.integers(1, 30))
        grades = {f"d{at}": int(grade) for at, grade in enumerate(rng.integers(-1, 4, n))}
        order = [f"d{at}" for at in rng.permutation(n + 5)]  # five that nobody judged
        ideal = ideal_dcg(list(grades.values()))
        ours = dcg([grades.get(name, 0) for name in order]) / ideal if ideal else 0.0
        run = {"q": [(name, float(-at)) for at, name in enumerate(order)]}
        assert ours == pytest.approx(per_query({"q": grades}, run, ["nDCG@10"])["nDCG@10"]["q"])


def test_tau_equals_that_of_scipy():
    from scipy.stats import kendalltau

    rng = np.random.default_rng(1)
    for n in (2, 3, 20, 57):
        utilities, order = rng.standard_normal(n), rng.permutation(n)
        expected = kendalltau(-np.argsort(order), utilities).statistic
        assert tau(order.tolist(), utilities) == pytest.approx(expected)


def test_queries_without_a_relevant_document_are_left_out_and_the_others_come_in_turn():
    cases = Cases(QRELS, k=5)
    assert [cases.draw(trial=trial, seed=0).query for trial in range(4)] == ["q", "r", "q", "r"]


def test_candidates_are_the_judged_filled_up_with_unjudged():
    assert sorted(Cases(QRELS, k=6).draw(trial=0, seed=0).grades) == [0, 0, 0, 0, 1, 3]


def test_of_more_judged_than_k_a_draw_is_taken_and_the_ideal_stays_that_of_all():
    cases = Cases({"q": {f"d{at}": int(at < 10) for at in range(20)}}, k=5)
    drawn = {tuple(sorted(cases.draw(trial=trial, seed=0).grades)) for trial in range(50)}
    assert len(drawn) > 1
    assert {len(one) for one in drawn} == {5}
    assert cases.draw(trial=0, seed=0).ideal == ideal_dcg([1] * 10)


def test_utilities_lie_between_the_grades_of_the_scale():
    linear = Cases(QRELS, k=4, within=0.0, order="ideal")
    assert linear.draw(trial=0, seed=0).utilities.tolist() == pytest.approx([1.0, 1 / 3, 0.0, 0.0])
    steep = Cases(QRELS, k=4, within=0.0, order="ideal", gain="exponential")
    assert steep.draw(trial=0, seed=0).utilities.tolist() == pytest.approx([1.0, 1 / 7, 0.0, 0.0])


def test_orders_lay_the_same_candidates_otherwise_and_scores_stay_with_them():
    laid = {
        order: Cases(QRELS, k=30, order=order).draw(trial=0, seed=3)
        for order in ("first-stage", "random", "reversed", "ideal")
    }
    pairs = [sorted(zip(case.priors, case.utilities.tolist(), strict=True)) for case in laid.values()]
    assert all(one == pairs[0] for one in pairs)
    assert list(laid["first-stage"].priors) == sorted(laid["first-stage"].priors, reverse=True)
    assert laid["reversed"].priors == laid["first-stage"].priors[::-1]
    assert laid["ideal"].utilities.tolist() == sorted(laid["ideal"].utilities, reverse=True)
    assert laid["random"].priors not in (laid["first-stage"].priors, laid["reversed"].priors)


def test_a_run_gives_candidates_their_order_and_scores():
    run = {"q": [("c", 9.0), ("z", 8.0), ("a", 7.0), ("b", 6.0)], "unjudged": [("a", 1.0)]}
    cases = Cases(QRELS, run, k=3)
    assert cases.queries == ("q",)
    case = cases.draw(trial=0, seed=0)
    assert case.grades.tolist() == [0.0, 0.0, 3.0]
    assert case.priors == (9.0, 8.0, 7.0)
    assert case.ideal == ideal_dcg([3, 1])


def test_the_same_seed_draws_the_same_case_and_another_another():
    cases = Cases(QRELS, k=10)
    assert cases.draw(trial=1, seed=0).priors == cases.draw(trial=1, seed=0).priors
    assert cases.draw(trial=1, seed=0).priors != cases.draw(trial=1, seed=1).priors


def test_nothing_relevant_is_bad_input_that_names_the_file(tmp_path):
    path = tmp_path / "qrels.txt"
    path.write_text("q 0 d 0\n")
    with pytest.raises(DataError, match=r"qrels\.txt.*nothing to simulate"):
        Cases.read(path)
