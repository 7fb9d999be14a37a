"""Laws of strategies that are made of strategies: permutations, perfect orders of perfect judges, call counts."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank import Candidates, Doc, Engine, Query, Recipe
from ponderank.aggregate.kemeny import kemeny, kemeny_local
from ponderank.aggregate.rankings import preferences, total_distance
from ponderank.backends.testing import Oracle
from ponderank.formats.classify import CrossEncoder
from ponderank.recipe import Judge
from ponderank.strategies.cascade import Cascade
from ponderank.strategies.diverse import Diverse
from ponderank.strategies.fuse import Fuse
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.repeat import Repeat
from ponderank.strategies.window import Window
from ponderank.types import Ask, Judgement

SIZES = [0, 1, 2, 3, 9, 10, 11, 15, 19, 20, 21, 25, 37, 100]
ONE = Pointwise()
WAYS = ["rrf", "comb-sum", "comb-mnz", "z-score", "borda", "interpolate"]
FUSIONS = [Fuse((ONE, Window(), ONE), how, first_stage_weight=weight) for how in WAYS for weight in (0.0, 1.0)]
REPEATS = [Repeat(inner, times=3, aggregate=way) for inner in (ONE, Window(4, 2)) for way in ("kemeny", "borda", "rrf")]
CASCADES = [Cascade((ONE, Window(4, 2), ONE), (8, 3)), Cascade((Repeat(Window(4, 2), 2), ONE), (5,))]
DIVERSE = [Diverse(ONE, k=3), Diverse(CASCADES[0], k=2, trade_off=0.2, pool=4)]
NESTED = [Cascade((Fuse((ONE, ONE)), Repeat(Fuse((ONE, Window())), 2), Diverse(ONE, k=2)), (9, 4))]
COMBINED = FUSIONS + REPEATS + CASCADES + DIVERSE + NESTED


def driven(strategy, n, answer, priors=None):
    """The number of asks in each round, and the order."""
    plan, rounds = strategy.plan(n, priors), []
    try:
        asks = next(plan)
        while True:
            rounds.append(len(asks))
            asks = [ask if isinstance(ask, Ask) else Ask(ask) for ask in asks]
            assert all(0 <= ask.judge < strategy_judges(strategy) for ask in asks)
            asks = plan.send([Judgement(tuple(answer(ask))) for ask in asks])
    except StopIteration as stop:
        scores = stop.value
    assert len(scores) == n
    return rounds, sorted(range(n), key=lambda i: (math.isnan(scores[i]), -scores[i]))


def strategy_judges(strategy):
    return getattr(strategy, "judges", 1)


def relevant(ask):
    """Every second is better than its neighbour; no likeness."""
    return [float(i ^ 1) for i in ask.group]


@pytest.mark.parametrize("strategy", COMBINED, ids=repr)
@given(n=st.sampled_from(SIZES[:-1]), draws=st.randoms(use_true_random=False), known=st.booleans())
@settings(max_examples=12, deadline=None)
def test_any_answers_end_in_a_permutation(strategy, n, draws, known):
    values = [0.0, -1.0, 1.0, math.inf, -math.inf, math.nan, 1e308, -1e308, 0.5]
    priors = [draws.choice(values) for _ in range(n)] if known else None
    _, order = driven(strategy, n, lambda ask: [draws.choice(values) for _ in ask.group], priors)
    assert sorted(order) == list(range(n))


@pytest.mark.parametrize("silence", [0.0, math.nan])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("strategy", [*FUSIONS, *CASCADES[:1], *DIVERSE], ids=repr)
def test_judges_that_say_nothing_leave_the_first_stages_order(strategy, n, silence):
    _, order = driven(strategy, n, lambda ask: [silence] * len(ask.group))
    assert order == list(range(n))


ORDERED = [*FUSIONS, *REPEATS[:3], Cascade((ONE, ONE), (7,)), Diverse(ONE, trade_off=1.0)]


@pytest.mark.parametrize(
    ("strategy", "n"),
    # the fusions hold a pass of windows, which alone orders no more than the top of a longer list
    [(one, n) for one in ORDERED for n in SIZES if n <= 20 or not isinstance(one, Fuse)],
    ids=repr,
)
def test_perfect_judges_give_a_perfect_order(strategy, n):
    best = sorted(range(n), key=lambda i: -(i ^ 1))
    assert driven(strategy, n, relevant)[1] == best


@pytest.mark.parametrize("n", SIZES)
def test_windows_repeated_find_the_perfect_top(n):
    best = sorted(range(n), key=lambda i: -(i ^ 1))
    assert driven(Repeat(Window(20, 10), times=5), n, relevant)[1][:10] == best[:10]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("times", [1, 5, 20])
def test_self_consistency_asks_times_as_often_in_as_many_rounds(n, times):
    once = math.ceil((n - 20) / 10) + 1 if n > 20 else int(n > 1)
    rounds, _ = driven(Repeat(Window(20, 10), times=times), n, relevant)
    assert rounds == [times] * once


@pytest.mark.parametrize("n", SIZES)
def test_a_fusion_asks_what_its_parts_ask_in_as_many_rounds_as_the_longest(n):
    parts = [driven(part, n, relevant)[0] for part in (ONE, Window(20, 10))]
    rounds, _ = driven(Fuse((ONE, Window(20, 10))), n, relevant)
    assert sum(rounds) == sum(map(sum, parts))
    assert len(rounds) == max(map(len, parts))


@pytest.mark.parametrize("n", SIZES)
def test_a_cascade_asks_each_stage_about_what_is_kept(n):
    rounds, _ = driven(Cascade((ONE, ONE, ONE), (20, 3)), n, relevant)
    assert rounds == ([n, min(n, 20), min(n, 3)] if n else [])


@pytest.mark.parametrize("n", SIZES)
def test_diversity_asks_for_each_pair_of_the_pool_once(n):
    pool = min(n, 30)
    rounds, _ = driven(Diverse(ONE, k=10), n, relevant)
    assert rounds[1:] == ([pool - 1] if n > 1 else [])


@given(st.integers(1, 12), st.integers(1, 9), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_kemenys_order_is_no_farther_than_any_ranking_nor_than_local_search(n, times, draws):
    rankings = [draws.sample(range(n), n) for _ in range(times)]
    above = preferences(rankings, n)
    nearest = kemeny(rankings, n).distance
    assert nearest <= kemeny_local(rankings, n).distance
    assert all(nearest <= total_distance(ranking, above) for ranking in rankings)


@given(st.lists(st.floats(-50, 50), max_size=12), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_on_the_engine_with_a_judge_each_completion_order_never_matters(relevances, seed):
    """A cascade of a fusion of two judges and a third, which knows best; replies in any order."""
    strategy = Cascade((Fuse((ONE, ONE)), ONE), (4,))
    form = CrossEncoder()
    recipe = Recipe("law", "none", form, strategy, others=(Judge("none", form), Judge("none", form)))
    asked = [Candidates(Query("q", "q"), tuple(Doc(str(i), str(i)) for i in range(len(relevances))))]

    def judge(weight, seed=None):
        return Oracle(lambda query, text: weight * relevances[int(text)], seed=seed)

    def ranking(seed):
        engine = Engine(recipe, tuple(judge(weight, seed) for weight in (1.0, 2.0, 3.0)))
        return dict(engine.run(asked))[0]

    plain = ranking(None)
    assert list(plain.order) == sorted(range(len(relevances)), key=lambda i: -relevances[i])
    assert ranking(seed) == plain
