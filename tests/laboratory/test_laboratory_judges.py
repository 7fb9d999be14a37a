import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.laboratory.judges import Judge
from ponderank.types import Ask

UTILITIES = [0.1, 0.9, 0.5, 0.3]
LAWS = ("thurstone", "bradley-terry")


def share_of_wins(judge, gap, asks=20_000):
    answers = judge.sitting([gap, 0.0], seed=1, kind="pair").answers([(0, 1)] * asks)
    return sum(answer.scores[0] for answer in answers) / asks


def test_without_noise_every_kind_of_answer_is_right():
    judge = Judge(noise=0.0)
    told = {
        kind: judge.sitting(UTILITIES, seed=0, kind=kind).answers([(0, 1, 2, 3)])[0].scores
        for kind in ("order", "choice", "worst", "grades")
    }
    assert told == {
        "order": (1.0, 4.0, 3.0, 2.0),
        "choice": (0.0, 1.0, 0.0, 0.0),
        "worst": (0.0, 1.0, 1.0, 1.0),
        "grades": (1.0, 9.0, 5.0, 3.0),
    }
    assert judge.sitting(UTILITIES, seed=0, kind="score").answers([(2,)])[0].scores == (0.5,)


def test_thurstone_pairs_are_won_as_the_normal_law_says():
    gap, noise = 0.4, 0.5
    expected = 0.5 * math.erfc(-gap / (noise * math.sqrt(2)) / math.sqrt(2))
    assert share_of_wins(Judge(noise=noise), gap) == pytest.approx(expected, abs=0.01)


def test_bradley_terry_pairs_are_won_as_the_logistic_law_says():
    gap, noise = 0.4, 0.5
    expected = 1 / (1 + math.exp(-gap / (noise * math.sqrt(6) / math.pi)))
    assert share_of_wins(Judge(noise=noise, law="bradley-terry"), gap) == pytest.approx(expected, abs=0.01)


def test_bradley_terry_lists_are_plackett_luce():
    noise, worth = 0.7, [0.6, 0.1, -0.2]
    scale = noise * math.sqrt(6) / math.pi
    answers = Judge(noise=noise, law="bradley-terry").sitting(worth, seed=3, kind="order").answers([(0, 1, 2)] * 20_000)
    strength = [math.exp(value / scale) for value in worth]
    first = strength[2] / sum(strength)
    assert sum(a.scores[2] == 3.0 for a in answers) / len(answers) == pytest.approx(first, abs=0.01)
    exact = first * strength[0] / (strength[0] + strength[1])
    assert sum(a.scores == (2.0, 1.0, 3.0) for a in answers) / len(answers) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("law", LAWS)
def test_one_at_a_time_and_many_together_follow_one_law(law):
    judge = Judge(noise=0.6, law=law, bias=0.3, intransitivity=0.2)
    many = judge.sitting(UTILITIES, seed=5, kind="order").answers([(0, 1, 2, 3)] * 20_000)
    sitting = judge.sitting(UTILITIES, seed=5, kind="order")
    single = [sitting.answers([(0, 1, 2, 3)])[0] for _ in range(20_000)]
    for at in range(4):
        means = [np.mean([answer.scores[at] for answer in answers]) for answers in (many, single)]
        assert means[0] == pytest.approx(means[1], abs=0.04)


def test_one_document_is_scored_by_its_utility_and_noise_of_that_deviation():
    scores = [a.scores[0] for a in Judge(noise=0.5).sitting(UTILITIES, seed=2, kind="score").answers([(1,)] * 20_000)]
    assert np.mean(scores) == pytest.approx(0.9, abs=0.02)
    assert np.std(scores) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("favours", "winner"), [("early", 0), ("late", 1)])
def test_a_biased_judge_prefers_its_place_whatever_is_there(favours, winner):
    judge = Judge(noise=0.0, bias=2.0, favours=favours)
    for pair in ((0, 1), (1, 0)):
        (answer,) = judge.sitting(UTILITIES, seed=0, kind="pair").answers([pair])
        assert answer.scores.index(1.0) == winner


def test_lost_in_the_middle_puts_the_middle_last():
    answer = Judge(noise=0.0, bias=5.0, favours="ends").sitting(UTILITIES, seed=0).answers([(0, 1, 2)])[0]
    assert answer.scores[1] == 1.0


def test_bias_averages_out_over_places():
    for favours in ("early", "late"):
        assert sum(Judge(bias=1.0, favours=favours).shift(7)) == pytest.approx(0.0)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=4, unique=True), st.integers(0, 50))
def test_a_persistent_judge_answers_the_same_question_alike(group, seed):
    for law in LAWS:
        judge = Judge(noise=2.0, law=law, persistent=True, unparsed=0.2, incomplete=0.2)
        one, other = (judge.sitting(UTILITIES, seed=seed, kind="order") for _ in range(2))
        other.answers([(0, 1, 2, 3)])
        assert one.answers([tuple(group)] * 2) == other.answers([tuple(group)] * 2)


def test_a_persistent_judge_may_answer_another_order_otherwise():
    sitting = Judge(noise=5.0, persistent=True).sitting(UTILITIES, seed=0, kind="pair")
    told = [sitting.answers([pair])[0].scores for pair in ((0, 1), (1, 0), (2, 3), (3, 2), (0, 2), (2, 0))]
    assert any(a == b for a, b in zip(told[::2], told[1::2], strict=True))


def test_a_fresh_judge_may_change_its_mind():
    answers = Judge(noise=5.0).sitting(UTILITIES, seed=0, kind="pair").answers([(0, 1)] * 50)
    assert len({answer.scores for answer in answers}) == 2


def test_prejudice_is_the_same_in_every_question():
    sitting = Judge(noise=0.0, prejudice=1.0).sitting([0.0] * 30, seed=4, kind="score")
    first = [sitting.answers([(i,)])[0].scores[0] for i in range(30)]
    assert [sitting.answers([(i,)])[0].scores[0] for i in range(30)] == first
    assert np.std(first) == pytest.approx(1.0, abs=0.4)


def test_intransitive_pairs_are_fixed_and_can_go_in_circles():
    def circles(seed):
        pairs = [(0, 1), (1, 2), (2, 0)]
        sitting = Judge(noise=0.0, intransitivity=1.0).sitting([0.0] * 3, seed=seed, kind="pair")
        told = [answer.scores[0] for answer in sitting.answers(pairs)]
        turned = [answer.scores[1] for answer in sitting.answers([pair[::-1] for pair in pairs])]
        assert told == turned == [answer.scores[0] for answer in sitting.answers(pairs)]
        return len(set(told)) == 1

    assert sum(circles(seed) for seed in range(400)) / 400 == pytest.approx(0.25, abs=0.07)


def test_an_intransitive_pair_is_shifted_with_the_deviation_named():
    shifts = []
    for seed in range(3000):
        sitting = Judge(noise=0.0, intransitivity=0.5).sitting([0.0, 0.0], seed=seed, kind="pair")
        shifts.append(2 * float(sitting._beside[0, 1]))
    assert np.std(shifts) == pytest.approx(0.5, abs=0.03)


def test_unreadable_answers_are_equal_scores_with_a_flaw_at_their_rate():
    answers = Judge(unparsed=0.2).sitting(UTILITIES, seed=0, kind="order").answers([(0, 1, 2)] * 5000)
    flawed = [answer for answer in answers if answer.flaw]
    assert len(flawed) / 5000 == pytest.approx(0.2, abs=0.03)
    assert all(answer.flaw == "unparsed" and len(set(answer.scores)) == 1 for answer in flawed)


def test_lists_with_missing_documents_put_them_last_with_a_flaw_at_their_rate():
    answers = Judge(incomplete=0.3).sitting([0.0] * 12, seed=0, kind="order").answers([tuple(range(12))] * 3000)
    flawed = [answer for answer in answers if answer.flaw == "incomplete"]
    assert len(flawed) / 3000 == pytest.approx(0.3, abs=0.03)
    assert {answer.scores.count(0.0) for answer in flawed} == {1, 2, 3}
    assert all(0.0 not in answer.scores for answer in answers if not answer.flaw)


def test_noise_grows_with_width_from_a_pair_on_and_with_cheaper_levels():
    judge = Judge(noise=0.5, width_penalty=0.5, level_noise=3.0)
    assert [judge.deviation(shown) for shown in (1, 2, 8)] == [0.5, 0.5, 1.0]
    assert judge.deviation(2, level=1) == 1.5


def test_levels_and_judges_of_an_ask_are_read():
    answers = (
        Judge(noise=0.1, level_noise=100.0)
        .sitting([0.0], seed=0, kind="score")
        .answers([Ask((0,), level) for level in (0, 1) for _ in range(500)])
    )
    full, cheap = (np.std([a.scores[0] for a in part]) for part in (answers[:500], answers[500:]))
    assert cheap > 50 * full


@pytest.mark.parametrize(
    "wrong", [{"noise": -1.0}, {"unparsed": 1.5}, {"law": "elo"}, {"favours": "top"}, {"bias": float("nan")}]
)
def test_amounts_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Judge(**wrong)
