import math

import pytest

from ponderank.robustness.figures import Struck, change, drop_rate, plain, promotion, spread, vnap, worst_decile
from ponderank.robustness.five import five
from ponderank.robustness.order import agreement, reordered
from ponderank.robustness.questions import by_type, query_type
from ponderank.types import Candidates, Doc, Query


def test_the_worst_decile_is_a_tenth_rounded_up():
    assert worst_decile([float(i) for i in range(20)]) == 0.5
    assert worst_decile([float(i) for i in range(21)]) == 1.0
    assert worst_decile([0.25]) == 0.25


def test_one_query_has_no_deviation():
    assert spread({"q": 0.5}).sd == 0.0


def test_vnap_is_the_squared_coefficient_of_variation():
    values = {"a": 0.2, "b": 0.4, "c": 0.9}
    assert vnap(values) == pytest.approx((0.3**2 + 0.1**2 + 0.4**2) / 3 / 0.25)
    assert vnap({"a": 0.3, "b": 0.3}) == 0.0
    assert vnap({"a": 0.0}) is None


def test_vnap_does_not_change_with_the_level():
    assert vnap({"a": 0.1, "b": 0.3}) == pytest.approx(vnap({"a": 0.2, "b": 0.6}))


def test_a_drop_from_nothing_is_no_rate():
    assert drop_rate(0.0, 0.5) is None


def test_a_change_compares_the_queries_that_were_changed():
    found = change({"a": 1.0, "b": 0.5, "c": 0.0}, {"a": 0.75, "b": 0.45})
    assert (found.n, found.before, found.mean) == (2, 0.75, pytest.approx(0.6))
    assert found.drop_rate == pytest.approx(-0.2)
    assert found.lost == 0.5
    assert found.low == pytest.approx(-0.25)
    assert found.high == pytest.approx(-0.05)


def test_a_loss_of_exactly_a_tenth_is_not_more_than_that():
    assert change({"a": 0.4}, {"a": 0.4 - 0.1}).lost == 0.0


def test_no_changed_query_is_no_change():
    assert change({"a": 1.0}, {}) is None


def test_success_counts_those_that_were_outside():
    struck = [
        Struck((12, 10, 11), (0.5, 0.5, 0.5)),
        Struck((30, 11, 9), (0.5, 0.4, 0.5)),
        Struck((3, 1, 3), (0.5, 0.5, 0.4)),
    ]
    found = promotion(struck)
    assert (found["targets"], found["outside"]) == (3, 2)
    assert (found["success"], found["control_success"], found["beyond_success"]) == (0.5, 0.5, 0.0)
    assert found["rank_gain"] == pytest.approx(23 / 3)
    assert found["control_rank_gain"] == pytest.approx(22 / 3)
    assert found["harm"] == pytest.approx(0.1 / 3)
    assert found["beyond_harm"] == pytest.approx(0.0)


def test_without_targets_outside_there_is_no_success():
    found = promotion([Struck((3, 1, 3), (0.5, 0.5, 0.5))])
    assert found["success"] is None
    assert found["beyond_success"] is None


def test_agreement_is_one_for_equal_and_minus_one_for_reversed_rankings():
    assert agreement([["a", "b", "c"]] * 3) == 1.0
    assert agreement([["a", "b", "c"], ["c", "b", "a"]]) == -1.0
    assert agreement([["a"], ["a"]]) is None


def test_scores_move_with_their_documents():
    one = Candidates(Query("q", "x"), tuple(Doc(str(i), "") for i in range(5)), (5.0, 4.0, 3.0, 2.0, 1.0))
    for name in ("reversed", "shuffle-1", "shuffle-2"):
        moved = reordered(one, name, 0)
        assert [doc.id for doc in moved.docs] != [doc.id for doc in one.docs]
        assert {doc.id: score for doc, score in zip(moved.docs, moved.scores, strict=True)} == dict(
            zip("01234", one.scores, strict=True)
        )


@pytest.mark.parametrize(
    ("text", "kind"),
    [("Which one?", "what"), ("where is it", "who, when, where"), ("is it so", "yes or no"), ("", "key words"),
     ("water boils at 100 degrees", "statement"), ("it boils?", "yes or no"), ("why", "why")],
)  # fmt: skip
def test_a_query_has_a_type(text, kind):
    assert query_type(text) == kind


def test_types_with_few_queries_are_left_out():
    texts = {str(i): "how so" for i in range(5)} | {f"w{i}": "why" for i in range(4)}
    assert by_type(texts) == {"how": ["0", "1", "2", "3", "4"]}


def test_plain_values_have_no_word_for_infinity():
    assert plain({"a": [math.inf, 1 / 3], "b": spread({"q": 1.0})}) == {
        "a": [None, 0.333333], "b": {"n": 1, "mean": 1.0, "sd": 0.0, "worst_decile": 1.0},
    }  # fmt: skip


def told(**more):
    base = {"collection": "here", "queries": 40, "reranked": {"vnap": 0.5, "worst_decile": 0.1}}
    return {"measure": "nDCG@10", "base": base, "types": {}, "others": None, "queries": None, "documents": None} | more


def test_what_was_not_measured_is_none_among_the_five():
    assert [one["value"] for one in five(told())] == [0.5, None, None, None, None]


def test_the_five_name_the_worst():
    gains = {name: {"relative_gain": gain} for name, gain in (("here", 0.5), ("far", 0.1), ("away", -0.2))}
    variations = {
        "variations": {
            "swap": {"drop_rate": -0.1, "n": 40},
            "shuffle": {"drop_rate": -0.3, "n": 5},
            "frame": {"n": 0},
            "spelling": {"drop_rate": -0.9, "n": 4},
        }
    }
    attacks = {
        "attacks": {
            "a/end": {"beyond_success": 0.5},
            "b/end": {"beyond_success": 0.1},
            "c/end": {"beyond_success": None},
        }
    }
    kinds = {"what": {"relative_gain": 0.2}, "how": {"relative_gain": 0.0}}
    figures = five(told(others=gains, queries=variations, documents=attacks, types=kinds))
    shown = [(round(one["value"], 9), round(one["worst"], 9), one["where"]) for one in figures[1:]]
    assert shown == [(0.1, 0.0, "how"), (-0.05, -0.2, "away"), (-0.2, -0.3, "shuffle"), (0.3, 0.5, "a/end")]


def test_a_single_type_says_nothing_about_types():
    assert five(told(types={"what": {"relative_gain": 0.2}}))[1]["value"] is None
