import random

import numpy as np
import pytest

from ponderank.laboratory.judges import Judge
from ponderank.robustness.places import Answer, worth
from ponderank.robustness.position import orders


def answers(judge, kind, width, queries=20, groups=1, shuffles=1, seed=0):
    """What a simulated judge answers: by query, by group, to each order and its reverse."""
    told = {}
    for query in range(queries):
        rng = random.Random(f"{seed}|{query}")
        told[str(query)] = []
        for number in range(groups):
            utilities = np.linspace(1.0, 0.0, width)
            sitting = judge.sitting(utilities, seed=[seed, query, number], kind=kind)
            told[str(query)].append(
                [
                    tuple(_answer(sitting, order) for order in (shown, shown[::-1]))
                    for shown in orders(range(width), shuffles, rng)
                ]
            )
    return told


def _answer(sitting, order):
    (judgement,) = sitting.answers([order])
    return Answer(tuple(map(str, order)), judgement.scores, judgement.flaw or "")


def column(found, name):
    return [place[name]["mean"] for place in found["places"]]


@pytest.mark.parametrize("kind", ["order", "choice", "worst", "grades"])
@pytest.mark.parametrize("width", [2, 3, 4, 7])
def test_a_judge_that_minds_only_the_passages_has_no_lean_at_all(kind, width):
    found = worth(answers(Judge(noise=0.0, prejudice=1.0), kind, width), width)
    assert found["earlier"] in ({"mean": 0.5, "se": 0.0}, {"mean": None, "se": None})
    assert found["direction"] in ("none", None)
    assert column(found, "gain") == [0.0] * width
    assert found["flipped"]["mean"] in (0.0, None)
    assert found["top_changed"]["mean"] in (0.0, None)


@pytest.mark.parametrize(("kind", "width"), [("order", 2), ("order", 10), ("choice", 5), ("worst", 5)])
def test_noise_is_no_lean(kind, width):
    found = worth(answers(Judge(noise=1.0), kind, width, queries=60, groups=3), width)
    assert abs(found["earlier"]["mean"] - 0.5) < 4 * found["earlier"]["se"]
    assert found["flipped"]["mean"] > 0.1
    for place in found["places"]:
        assert abs(place["gain"]["mean"]) < 4 * place["gain"]["se"]


@pytest.mark.parametrize(
    ("favours", "direction", "gains"), [("early", "early", [2.0, 1.0, 0.0, -1.0, -2.0]), ("late", "late", [-2.0, -1.0, 0.0, 1.0, 2.0])]
)  # fmt: skip
def test_a_judge_that_sees_places_only_is_found_whole(favours, direction, gains):
    found = worth(answers(Judge(noise=0.0, bias=1000.0, favours=favours), "order", 5), 5)
    share = float(direction == "early")
    assert found["direction"] == direction
    assert found["earlier"] == {"mean": share, "se": 0.0}
    assert (found["flipped"]["mean"], found["flipped_early"]["mean"], found["flipped_late"]["mean"]) == (
        1.0,
        share,
        1 - share,
    )
    assert found["lean"]["mean"] == 2 * share - 1
    assert column(found, "gain") == gains
    assert column(found, "mean_rank") == [3.0 - gain for gain in gains]
    assert column(found, "first") == [float(gain == 2.0) for gain in gains]
    assert found["top_changed"]["mean"] == 1.0


def test_a_liking_for_both_ends_shows_in_the_places_and_is_no_direction():
    found = worth(answers(Judge(noise=0.0, bias=1000.0, favours="ends"), "order", 8, queries=40, shuffles=3), 8)
    gains = column(found, "gain")
    assert found["direction"] == "none"
    assert gains == pytest.approx(gains[::-1], abs=0.5)
    assert gains[0] > gains[1] > gains[2] > gains[3]
    assert gains[0] == pytest.approx(3.0, abs=0.3)
    assert sum(gains) == pytest.approx(0.0, abs=1e-6)


def test_one_order_and_its_reverse_cannot_tell_the_middle_from_the_ends():
    found = worth(answers(Judge(noise=0.0, bias=1000.0, favours="ends"), "order", 8, shuffles=0), 8)
    assert (
        max(map(abs, column(found, "gain"))) < 0.6
    )  # half a rank: equal places are told apart by what was shown first


def test_a_small_bias_of_pairs_is_told_by_its_direction():
    found = worth(answers(Judge(noise=0.7, bias=0.8, favours="late"), "pair", 2, queries=60, groups=6), 2)
    assert found["direction"] == "late"
    assert found["flipped_late"]["mean"] > found["flipped_early"]["mean"]
    assert found["lean"]["mean"] == pytest.approx(found["flipped_early"]["mean"] - found["flipped_late"]["mean"])
    # of pairs without a tie the share of both ways' wins and the lean are one figure
    assert found["lean"]["mean"] == pytest.approx(2 * found["earlier"]["mean"] - 1)


def both(first, second, docs="ab", flaws=("", "")):
    return Answer(tuple(docs), first, flaws[0], "as-is"), Answer(tuple(docs)[::-1], second, flaws[1], "reversed")


def test_the_four_ways_a_pair_can_go_are_told_apart():
    same, early, late = both((1.0, 0.0), (0.0, 1.0)), both((1.0, 0.0), (1.0, 0.0)), both((0.0, 1.0), (0.0, 1.0))
    tied = both((0.5, 0.5), (1.0, 0.0))
    found = worth({"q": [[same], [early], [early], [late], [tied]]}, 2)
    assert (found["flipped"]["mean"], found["flipped_early"]["mean"], found["flipped_late"]["mean"]) == (
        0.75,
        0.5,
        0.25,
    )
    assert found["lean"]["mean"] == 0.25
    assert found["earlier"]["mean"] == pytest.approx(6 / 9)


def test_what_cannot_be_read_is_counted_and_compared_with_nothing():
    lost = both((0.0, 0.0), (1.0, 0.0), flaws=("unparsed", ""))
    found = worth({"q": [[lost]], "p": [[both((1.0, 0.0), (0.0, 1.0))]]}, 2)
    assert (found["answers"], found["unread"], found["flaws"], found["flawed"]) == (4, 1, {"unparsed": 1}, 0.25)
    assert found["flawed_by_order"] == {"as-is": 0.5, "reversed": 0.0}
    assert found["earlier"] == {"mean": 0.5, "se": None}
    assert found["direction"] is None


def test_a_tie_that_was_said_is_an_answer():
    found = worth({"q": [[both((0.5, 0.5), (0.5, 0.5))]]}, 2)
    assert (found["unread"], found["flawed"]) == (0, 0.0)
    assert (found["earlier"]["mean"], column(found, "first")) == (None, [0.5, 0.5])


def test_nothing_read_is_no_figure():
    lost = both((0.0, 0.0), (0.0, 0.0), flaws=("unparsed", "refused"))
    found = worth({"q": [[lost]]}, 2)
    assert found["unread"] == 2
    assert (found["earlier"]["mean"], found["direction"], column(found, "gain")) == (None, None, [None, None])


def test_a_passage_without_a_score_is_last_and_counted_by_place():
    found = worth({"q": [[both((1.0, None), (1.0, None), flaws=("incomplete", ""))]]}, 2)
    assert column(found, "without_score") == [0.0, 1.0]
    assert column(found, "mean_rank") == [1.0, 2.0]


def test_an_order_filled_up_as_shown_leans_and_whole_ones_do_not():
    cut = both((4.0, 3.0, 2.0, 1.0), (4.0, 3.0, 2.0, 1.0), docs="abcd", flaws=("incomplete", ""))
    right = both((4.0, 3.0, 2.0, 1.0), (1.0, 2.0, 3.0, 4.0), docs="abcd")
    found = worth({"q": [[cut, right]]}, 4)
    assert (found["earlier"]["mean"], found["earlier_whole"]["mean"], found["unread"]) == (0.75, 0.5, 0)


def test_tau_compares_all_orders_of_a_group():
    right = both((3.0, 2.0, 1.0), (1.0, 2.0, 3.0), docs="abc")
    wrong = both((1.0, 2.0, 3.0), (3.0, 2.0, 1.0), docs="abc")
    assert worth({"q": [[right, right]]}, 3)["tau"]["mean"] == 1.0
    assert worth({"q": [[right, wrong]]}, 3)["tau"]["mean"] == pytest.approx((2 - 4) / 6)


def pairs(better, docs):
    """All pairs, judged alike in both orders."""
    return [
        [both((float(better(a, b)), float(better(b, a))), (float(better(b, a)), float(better(a, b))), docs=(a, b))]
        for at, a in enumerate(docs)
        for b in docs[at + 1 :]
    ]


def test_circular_triads_are_counted_among_all_triples():
    beats = {("a", "b"), ("b", "c"), ("c", "a"), ("a", "d"), ("b", "d"), ("c", "d")}
    found = worth({"q": pairs(lambda x, y: (x, y) in beats, "abcd")}, 2)["circular"]
    assert found["passages"] == 4
    assert (found["both_orders"]["mean"], found["one_order"]["mean"]) == (0.25, 0.25)


def test_a_judge_of_places_goes_round_nowhere():
    early = [[both((1.0, 0.0), (1.0, 0.0), docs=(a, b))] for a, b in ("ab", "ac", "bc")]
    found = worth({"q": early}, 2)["circular"]
    assert (found["both_orders"]["mean"], found["one_order"]["mean"]) == (0.0, 0.0)


def test_pairs_that_were_not_all_shown_have_no_triads():
    assert worth({"q": pairs(lambda x, y: x < y, "abc")[:2]}, 2)["circular"] is None
