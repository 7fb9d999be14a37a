"""Rewards of one document and of a query, by hand; and every reward's range, for any text."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ponderank.train.rewards import REWARDS, advantages, erank, prorank, retro_star
from ponderank.train.rewards_lists import group_rank, iranker, rank_r1, rearank, reason_rank
from ponderank.train.rewards_rollouts import Rollout, Truth, read_grade, read_grades, read_order
from ponderank.train.rewards_tfrank import tfrank_listwise, tfrank_pairwise, tfrank_pointwise
from ponderank.types import Judgement

EMPTY = "<think>\n\n</think>\n\n"
PIECES = [
    *("<think>", "</think>", "<answer>", "</answer>", "<reason>", "</reason>", "<score>", "</score>", EMPTY),
    *("\n", " ", "\n</think>\n\n", "[1]", "[2]", "[3]", "[0]", " > ", " = ", "<", "(3)", "(0.5)", "yes", "no(1)", "No"),
    *(
        '{"[1]": 5, "[2]": 1, "[3]": 0}',
        "```json",
        "```",
        "[" * 3000,
        "0",
        "1",
        "７",
        "9" * 30,
        "x" * 300,
        "\x00",
        "\ud800",
    ),
]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.permutations(["[1]", "[2]", "[3]"]).map(lambda labels: f"<think>a</think><answer>{' > '.join(labels)}</answer>"),
    st.permutations(["[1]", "[2]", "[3]"]).map(lambda labels: EMPTY + " > ".join(labels)),
    st.lists(st.integers(0, 10), min_size=3, max_size=3).map(
        lambda g: f'<reason></reason><answer>{{"[1]": {g[0]}, "[2]": {g[1]}, "[3]": {g[2]}}}</answer>'
    ),
)
GRADES = st.lists(st.integers(-1, 4).map(float), min_size=3, max_size=3).map(tuple)


def near(value):
    return pytest.approx(value, abs=1e-12)


def scored(*rows):
    """Rollouts with these scores, None for one that could not be read."""
    unread = Judgement((math.nan,), flaw="unparsed")
    return [[Rollout("", unread if s is None else Judgement((float(s),))) for s in row] for row in rows]


@pytest.mark.parametrize(
    ("text", "grade", "reward"),
    [
        ("1", 2, 1.5),
        ("0", 0, 1.5),
        ("1", 0, 0.5),
        ("0", 1, 0.5),
        ("1 ", 1, 0),
        ("", 1, 0),
        ("10", 1, 0),
        ("１", 1, 0),
        ("yes", 1, 0),
    ],
)
def test_prorank_rewards_a_lone_digit_and_the_right_one(text, grade, reward):
    assert prorank(Rollout(text), Truth((grade,)), form=0.5, right=1.0) == reward


def test_a_reward_of_one_document_refuses_several():
    with pytest.raises(ValueError, match="a truth of 2 documents; this reward is of 1"):
        prorank(Rollout("1"), Truth((1, 0)), form=1, right=1)
    with pytest.raises(ValueError, match="a truth of 1 documents; this reward is of 2"):
        tfrank_pairwise(Rollout(""), Truth((1,)))


# ERank

ERANK = {"above": -5.0, "unread": -9.0, "weight": 0.5}


def test_erank_ranks_all_rollouts_of_the_query_with_shared_ranks():
    found = erank(scored((9, 7), (9, 2), (1, 8)), Truth((1, 1, 0), scores=(9, 9, 3)), **ERANK)
    assert found == ((1.0, 1 / 4), (1.0, 1 / 5), (-0.5 * 4, -5.0))


def test_erank_penalises_irrelevant_scores_above_any_relevant_one_but_not_equal_ones():
    found = erank(scored((6, 3), (3, 4)), Truth((1, 0), scores=(9, 2)), **ERANK)
    assert found[1] == (-0.5 * 1, -5.0)


def test_erank_leaves_unread_rollouts_out_of_the_ranks():
    found = erank(scored((None, 4), (None, 4)), Truth((1, 0), scores=(9, 4)), **ERANK)
    assert found == ((-9.0, 1.0), (-9.0, 0.0))


def test_a_reward_of_a_query_wants_judgements_of_one_document():
    rollouts = [[Rollout("", Judgement((1.0, 2.0))), Rollout("", Judgement((3.0,)))]]
    assert erank(rollouts, Truth((1,), scores=(1,)), **ERANK) == ((-9.0, 1.0),)


def test_erank_without_a_relevant_score_has_nothing_to_be_above():
    found = erank(scored((None,), (10,)), Truth((1, 0), scores=(9, 10)), **ERANK)
    assert found == ((-9.0,), (0.0,))
    assert erank([], Truth(()), **ERANK) == ()


def test_erank_and_retro_star_want_a_row_a_document_and_erank_the_models_scores():
    with pytest.raises(ValueError, match="one row a document"):
        erank(scored((1,)), Truth((1, 0), scores=(1, 1)), **ERANK)
    with pytest.raises(ValueError, match="one row a document"):
        retro_star(scored((1,)), Truth((1, 0)), unread=0.0)
    with pytest.raises(ValueError, match="needs a score of each"):
        erank(scored((1,)), Truth((1,)), **ERANK)


# Retro*


def test_retro_star_mixes_agreement_and_distance():
    found = retro_star(scored((90, 80, 40), (50, 30, 85)), Truth((1, 0)), unread=-1.0)
    # means 70 and 55; nearest 80 and 50, farthest 40 and 85
    assert found[0] == near((0.25 * 1, 0.75 + 0.25 * 2 / 3, -0.75 + 0.25 * 1 / 3))
    assert found[1] == near((0.75 + 0.25 * 2 / 3, 0.25 * 1, -0.75 + 0.25 * 1 / 3))


def test_retro_star_agreement_counts_only_where_rollouts_differ_enough():
    near_ones = retro_star(scored((50, 60, 75)), Truth((1,)), unread=-1.0, alpha=1)
    assert near_ones == ((0, 0, 0),)
    assert retro_star(scored((40, 60, 80)), Truth((1,)), unread=-1.0, alpha=1) == ((-1, 1, -1),)
    assert retro_star(scored((50, 60, 75)), Truth((1,)), unread=-1.0, alpha=1, threshold=10) == ((0, 1, -1),)


def test_retro_star_rewards_all_that_tie_and_none_where_all_do():
    assert retro_star(scored((0, 50, 50, 100)), Truth((1,)), unread=-1.0, alpha=1) == ((-1, 1, 1, -1),)
    assert retro_star(scored((0, 100)), Truth((1,)), unread=-1.0, alpha=1) == ((0, 0),)
    assert retro_star(scored((10, 10, 80, 80, 80)), Truth((1,)), unread=-1.0, alpha=1) == ((-1, -1, 1, 1, 1),)


def test_retro_star_ties_between_documents_count_for_neither():
    assert retro_star(scored((50,), (50,)), Truth((1, 0)), unread=-1.0) == ((0,), (0,))


def test_retro_star_leaves_unread_rollouts_out_of_means_and_shares():
    found = retro_star(scored((60, None), (20, None)), Truth((1, 0)), unread=-1.0, alpha=0)
    assert found == ((1, -1), (1, -1))
    assert retro_star(scored((None, None), ()), Truth((1, 0)), unread=-1.0) == ((-1, -1), ())


def test_retro_star_without_documents_of_the_other_kind_has_only_agreement():
    assert retro_star(scored((50,), (90,)), Truth((1, 1)), unread=-1.0) == ((0,), (0,))


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_retro_star_refuses_an_alpha_that_is_no_share(alpha):
    with pytest.raises(ValueError, match="give 0 to 1"):
        retro_star([], Truth(()), unread=0.0, alpha=alpha)


# advantages and the table


def test_advantages_are_standardised_by_the_groups_own_deviation():
    assert advantages((3.0, 1.0, 2.0)) == near((math.sqrt(1.5), -math.sqrt(1.5), 0))


@pytest.mark.parametrize("rewards", [(), (0.7,), (0.1, 0.1, 0.1)])
def test_advantages_of_equal_rewards_are_zero(rewards):
    assert advantages(rewards) == (0.0,) * len(rewards)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_advantages_refuse_a_reward_that_is_no_number(bad):
    with pytest.raises(ValueError, match="finite"):
        advantages((0.0, bad))


@given(st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=2, max_size=16))
def test_advantages_have_mean_zero_and_deviation_one(rewards):
    found = advantages(rewards)
    assert math.fsum(found) == pytest.approx(0, abs=1e-6)
    spread = math.fsum(a * a for a in found) / len(found)
    assert spread == pytest.approx(float(min(rewards) != max(rewards)), abs=1e-6)


def test_constants_that_no_paper_gives_must_be_given():
    needs = {name: reward.needs for name, reward in REWARDS.items() if reward.needs}
    assert needs == {"prorank": ("form", "right"), "erank": ("above", "unread", "weight"), "retro-star": ("unread",)}


def test_every_reward_names_its_paper():
    assert all("arXiv" in reward.paper for reward in REWARDS.values())


# any text


def between(reward, least, most):
    return math.isfinite(reward) and least - 1e-12 <= reward <= most + 1e-12


@given(TEXTS, GRADES, st.permutations(range(3)))
def test_any_text_has_a_reward_within_its_range(text, grades, order):
    truth = Truth(grades, tuple(order), tuple(abs(grade) for grade in grades))
    listed, graded = Rollout(text, read_order(text, 3)), Rollout(text, read_grades(text, 3))
    assert rank_r1(listed, truth) in (0, 1)
    reward = reason_rank(listed, truth)
    assert reward == -1 or between(reward, 0, 1.3)
    reward = group_rank(graded, truth)
    assert reward in (-0.5, -0.1) or between(reward, 0, 1.3)
    assert between(rearank(listed, truth), -math.inf, 1)
    assert between(rearank(listed, truth, least=-1), -0.8, 1)
    assert between(iranker(listed, truth), -3, 1)
    assert between(tfrank_listwise(listed, truth, graded=False), -2.5, 1.5)
    assert between(tfrank_listwise(listed, truth, thinks=True), -5 / 3, 1.5)


@given(TEXTS, st.floats(-1, 4), st.floats(-1, 4), st.booleans())
def test_any_text_about_one_document_or_two_has_a_reward_within_its_range(text, first, second, thinks):
    rollout = Rollout(text, read_grade(text, most=10))
    for form in ("grade", "word", "word(grade)"):
        assert between(tfrank_pointwise(rollout, Truth((first,)), form=form, thinks=thinks), 0, 1.5)
    for graded in (True, False):
        assert between(tfrank_pairwise(rollout, Truth((first, second)), graded=graded, thinks=thinks), 0, 1.5)
    assert prorank(rollout, Truth((first,)), form=0.25, right=1) in (0, 0.25, 1.25)


@given(
    st.lists(st.lists(TEXTS | st.integers(0, 12).map("<answer>{}</answer>".format), max_size=4), min_size=2, max_size=2)
)
def test_rewards_of_a_query_keep_their_shape_and_range_for_any_texts(rows):
    rollouts = [[Rollout(text, read_grade(text, most=10)) for text in row] for row in rows]
    truth = Truth((1, 0), scores=(8, 2))
    pooled = erank(rollouts, truth, above=-4.0, unread=-8.0, weight=0.1)
    apart = retro_star(rollouts, truth, unread=-1.0, threshold=2)
    assert [len(row) for row in pooled] == [len(row) for row in apart] == [len(row) for row in rows]
    assert all(reward == -8 or between(reward, 1e-9, 1) for reward in pooled[0])
    assert all(reward in (-8, -4) or between(reward, -6.4, 0) for reward in pooled[1])
    assert all(reward == -1 or between(reward, -0.75, 1) for row in apart for reward in row)


@given(st.text(max_size=20), st.text(max_size=20))
def test_rank_r1_is_never_rewarded_with_words_around_the_turn(before, behind):
    assume(before.strip() or behind.strip())
    assert rank_r1(Rollout(f"{before}<think>a</think><answer>[1]</answer>{behind}"), Truth((1,))) == 0


@given(TEXTS, st.integers(0, 4))
def test_what_is_read_strictly_names_every_document(text, n):
    for scores in (Rollout(text, read_order(text, n)).scores, Rollout(text, read_grades(text, n)).scores):
        assert scores is None or len(scores) == n
