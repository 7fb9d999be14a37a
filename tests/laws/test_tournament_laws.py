"""Laws of the strategies that partition, play tournaments, lay blocks, grade groups and eliminate."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.strategies.blocks import AGGREGATES, Blocks
from ponderank.strategies.elimination import Elimination
from ponderank.strategies.groups import Groups
from ponderank.strategies.top_down import TopDown
from ponderank.strategies.tournament import TournamentSort
from ponderank.strategies.tourrank import TourRank, stages
from ponderank.types import Judgement

SIZES = st.sampled_from([0, 1, 2, 3, 5, 6, 9, 10, 11, 15, 19, 20, 21, 25, 37, 100])
EVERY = [
    TopDown(), TopDown(sequential=True), TopDown(buffer=None), TopDown(window=5, cutoff=2, buffer=3), TourRank(), TourRank(3, 7),
    TournamentSort(), TournamentSort(10, 2, 3), TournamentSort(5, 1, 40), Blocks(), Blocks(10, 2, "latin"), Blocks(5, 3, "random"),
    Blocks(10, 2, "triangular", "bradley-terry"), Groups(), Groups(7, 3, 1), Elimination(), Elimination(5),
]  # fmt: skip
# those in which a single judgement decides a place: the result does not depend on where in the input a candidate stood
EXACT = [
    (TopDown(buffer=None), 10),
    (TournamentSort(), 10),
    (TournamentSort(10, 4, 25), 25),
    (Elimination(), 100),
    (Elimination(8), 7),
]


def driven(strategy, n, judge):
    """Scores ``[n]`` and the rounds it asked for."""
    plan, rounds = strategy.plan(n), []
    try:
        asked = next(plan)
        while True:
            rounds.append(asked)
            asked = plan.send([Judgement(tuple(judge(group))) for group in asked])
    except StopIteration as stop:
        return stop.value, rounds


def ranking(scores):
    return sorted(range(len(scores)), key=lambda i: (1, 0.0) if math.isnan(scores[i]) else (0, -scores[i]))


@pytest.mark.parametrize("strategy", EVERY, ids=str)
@given(n=SIZES, seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_any_answers_end_in_a_score_each_and_groups_are_sound(strategy, n, seed):
    """Noise, ties, not-a-number and infinities; nobody twice in a group, no group wider than promised, no round empty."""
    rng = random.Random(seed)
    strange = [math.nan, math.inf, -math.inf, 0.0, 0.0]
    scores, rounds = driven(strategy, n, lambda group: [rng.choice([*strange, rng.random()]) for _ in group])
    assert len(scores) == n
    for asked in rounds:
        assert asked
        for group in asked:
            assert len(set(group)) == len(group) <= strategy.widest
            assert set(group) <= set(range(n))
    assert bool(rounds) == (n > 1 or (n == 1 and strategy.absolute))


@pytest.mark.parametrize("strategy", EVERY, ids=str)
@pytest.mark.parametrize("nothing", [0.0, math.nan])
def test_where_nothing_is_answered_the_first_stages_order_stays(strategy, nothing):
    for n in (0, 1, 2, 9, 10, 11, 19, 20, 21, 37, 100):
        scores, _ = driven(strategy, n, lambda group: [nothing] * len(group))
        assert ranking(scores) == list(range(n))


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_where_nothing_is_answered_blocks_keep_the_first_stages_order(aggregate):
    for n in (2, 20, 21, 37, 100):
        plan = Blocks(aggregate=aggregate).plan(n)
        unread = [Judgement((0.0,) * len(group), flaw="unparsed") for group in next(plan)]
        with pytest.raises(StopIteration) as stop:
            plan.send(unread)
        assert ranking(stop.value.value) == list(range(n))


@pytest.mark.parametrize("strategy", EVERY, ids=str)
def test_the_same_answers_give_the_same_scores(strategy):
    relevances = random.Random(3).sample(range(1000), 37)
    first, again = (driven(strategy, 37, lambda group: [relevances[i] for i in group]) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(("strategy", "k"), EXACT, ids=str)
@given(n=SIZES, seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_a_perfect_judge_gives_the_exact_top(strategy, k, n, seed):
    relevances = [float(r) for r in random.Random(seed).sample(range(1000), n)]
    scores, _ = driven(strategy, n, lambda group: [relevances[i] for i in group])
    assert ranking(scores)[:k] == sorted(range(n), key=lambda i: -relevances[i])[:k]


@given(n=SIZES, seed=st.integers(0, 10_000))
@settings(deadline=None)
def test_a_perfect_judge_gives_the_exact_top_in_the_buffer_where_no_more_are_ahead_of_the_pivot(n, seed):
    """With the default buffer, wherever at most 20 are ahead of the tenth of the first twenty."""
    rng = random.Random(seed)
    relevances = [-(i + rng.gauss(0, 6)) for i in range(n)]
    scores, _ = driven(TopDown(), n, lambda group: [relevances[i] for i in group])
    best = sorted(range(n), key=lambda i: -relevances[i])
    pivot = sorted(range(min(n, 20)), key=lambda i: -relevances[i])[9:10]
    if not pivot or best.index(pivot[0]) <= 20:
        assert ranking(scores)[:10] == best[:10]


@given(n=st.integers(2, 300), seed=st.integers(0, 10_000))
@settings(deadline=None)
def test_call_counts_and_rounds_follow_from_the_number_of_candidates(n, seed):
    relevances = [float(r) for r in random.Random(seed).sample(range(1000), n)]

    def counted(strategy):
        _, rounds = driven(strategy, n, lambda group: [relevances[i] for i in group])
        return sum(map(len, rounds)), len(rounds)

    assert counted(Elimination(10)) == (n - 1, n - 1)
    assert counted(Groups()) == (2 * math.ceil(n / 10), 1)
    assert counted(Blocks(aggregate="win-rate")) == (math.ceil(4 * n / 20) if n > 20 else 1, 1)
    assert counted(TourRank(2)) == (2 * sum(groups for groups, _ in stages(n)), len(list(stages(n))))
    calls, rounds = counted(TopDown())
    assert rounds <= 3
    assert calls <= 2 + math.ceil(max(0, n - 20) / 19)


def test_100_candidates_cost_what_the_table_of_methods_says():
    relevances = random.Random(0).sample(range(100), 100)
    for strategy, calls, rounds in (
        (Blocks(20, 4), 20, 1), (Blocks(10, 2), 20, 1), (TourRank(), 13, 5), (TourRank(10), 130, 5), (Elimination(), 99, 99),
        (Groups(10, 2), 20, 1), (TopDown(), 7, 3),
    ):  # fmt: skip
        asked = driven(strategy, 100, lambda group: [relevances[i] for i in group])[1]
        assert (sum(map(len, asked)), len(asked)) == (calls, rounds)


@pytest.mark.parametrize("strategy", [TopDown(buffer=None), TournamentSort(), Elimination()], ids=str)
@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_with_a_perfect_judge_the_top_does_not_depend_on_the_order_of_the_input(strategy, seed):
    rng = random.Random(seed)
    relevances = rng.sample(range(1000), 37)
    tops = []
    for _ in range(2):
        rng.shuffle(relevances)
        scores, _ = driven(strategy, 37, lambda group: [relevances[i] for i in group])
        tops.append([relevances[i] for i in ranking(scores)[:10]])
    assert tops[0] == tops[1]
