"""What holds for windows, heaps, bubbles and pairs whatever the judge answers, and what a perfect judge makes of them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.strategies.pairs import AllPairs, PairHeapsort, PairMergesort, PairQuicksort, PairSliding, SwissRounds
from ponderank.strategies.setwise import SetwiseBubble, SetwiseHeapsort
from ponderank.strategies.window import Window
from ponderank.types import Judgement

SIZES = (0, 1, 2, 3, 9, 10, 11, 15, 19, 20, 21, 25, 37, 100)
PERMUTED = st.integers(0, 60).flatmap(lambda n: st.permutations(range(n)))
K = st.integers(1, 15)
CHILDREN = st.integers(1, 20)


def driven(strategy, n, judge):
    """The groups round by round and the scores; ``judge`` gives a score for each shown."""
    plan, asked = strategy.plan(n), []
    try:
        groups = next(plan)
        while True:
            asked.append(groups)
            assert groups
            assert all(2 <= len(set(group)) == len(group) <= strategy.widest for group in groups)
            groups = plan.send([Judgement(tuple(judge(group))) for group in groups])
    except StopIteration as stop:
        return asked, list(stop.value)


def order_of(scores):
    return sorted(range(len(scores)), key=lambda i: -scores[i])


def top_of(strategy, relevance):
    """Its order, and the right one."""
    scores = driven(strategy, len(relevance), lambda group: [float(relevance[i]) for i in group])[1]
    return order_of(scores), order_of(relevance)


@settings(deadline=None)
@given(PERMUTED, K, CHILDREN)
def test_a_perfect_judge_gets_the_exact_top_from_heaps_and_bubbles(relevance, k, children):
    for strategy in (
        SetwiseHeapsort(children, k), SetwiseHeapsort(children, k, ties="earlier"), SetwiseHeapsort(children, k, shuffle=3),
        SetwiseBubble(children, k), PairHeapsort(k), PairHeapsort(k, ties="earlier"),
    ):  # fmt: skip
        order, right = top_of(strategy, relevance)
        assert order[:k] == right[:k]
        assert order[k:] == sorted(order[k:])


@settings(deadline=None)
@given(PERMUTED, K, st.integers(0, 99))
def test_a_perfect_judge_gets_the_exact_top_from_sorts_of_pairs(relevance, k, seed):
    for strategy in (PairSliding(k), PairQuicksort(k, seed)):
        order, right = top_of(strategy, relevance)
        assert order[:k] == right[:k]
    for strategy in (
        PairMergesort(),
        AllPairs(),
        AllPairs(aggregate="sum", both_orders=False),
        PairQuicksort(60, seed),
    ):
        order, right = top_of(strategy, relevance)
        assert order == right


@settings(deadline=None)
@given(PERMUTED, st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_a_perfect_judge_gets_what_a_window_carries(relevance, shared, stride, passes):
    """The first ``size - stride``; with a stride of half the size, as many more with each pass."""
    order, right = top_of(Window(shared + stride, stride), relevance)
    assert order[:shared] == right[:shared]
    order, right = top_of(Window(2 * stride, stride, passes), relevance)
    assert order[: stride * passes] == right[: stride * passes]


@settings(deadline=None)
@given(st.permutations(range(20)), st.integers(20, 40), st.integers(1, 19))
def test_a_window_as_long_as_the_list_is_the_models_order(relevance, size, stride):
    order, right = top_of(Window(size, stride), relevance)
    assert order == right


@settings(deadline=None)
@given(st.integers(1, 6).flatmap(lambda half: st.permutations(range(2**half))))
def test_of_a_power_of_two_as_many_swiss_rounds_find_the_best(relevance):
    order, right = top_of(SwissRounds(max(1, int(math.log2(len(relevance))))), relevance)
    assert order[:1] == right[:1]


EVERY = [
    Window(), Window(4, 1, 3), SetwiseHeapsort(), SetwiseHeapsort(19, 50, 1), SetwiseBubble(3, 5), SetwiseBubble(1, 2, 5),
    PairHeapsort(), PairHeapsort(3, False, "earlier"), PairSliding(3), PairQuicksort(4), PairMergesort(), SwissRounds(4), AllPairs(),
    AllPairs(aggregate="sum"), AllPairs(aggregate="first"), AllPairs(False), SwissRounds(9, False), PairMergesort(False),
]  # fmt: skip


@pytest.mark.parametrize("strategy", EVERY, ids=repr)
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.randoms(use_true_random=False))
def test_any_answers_end_in_finite_scores_for_all(strategy, n, dice):
    """Also infinities, not-a-number, and a judge that contradicts itself; the plan ends."""
    values = (0.0, 1.0, -1.0, math.nan, math.inf, -math.inf, dice.random())
    asked, scores = driven(strategy, n, lambda group: [dice.choice(values) for _ in group])
    assert len(scores) == n
    assert all(math.isfinite(score) for score in scores)
    assert sorted(order_of(scores)) == list(range(n))
    assert n > 1 or not asked


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    "strategy",
    [one for one in EVERY if not isinstance(one, SetwiseHeapsort | PairHeapsort)]
    + [SetwiseHeapsort(ties="earlier"), SetwiseHeapsort(19, ties="earlier", shuffle=2), PairHeapsort(ties="earlier")],
    ids=repr,
)
def test_equal_answers_keep_first_stage_order(strategy, n):
    for value in (0.0, math.nan):
        assert order_of(driven(strategy, n, lambda group, value=value: [value] * len(group))[1]) == list(range(n))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("strategy", [SetwiseHeapsort(), PairHeapsort()], ids=repr)
def test_in_a_heap_with_the_published_ties_equal_answers_keep_only_the_first(strategy, n):
    order = order_of(driven(strategy, n, lambda group: [0.0] * len(group))[1])
    assert order[:1] == [0][:n]


def in_turn(n, k, children, pick):
    """The published heap: one comparison after the other. Its questions and its top."""
    heap, asked = list(range(n)), []

    def sink(size, at):
        nodes = [at, *range(children * at + 1, min(children * (at + 1) + 1, size))]
        if len(nodes) > 1:
            asked.append(tuple(heap[node] for node in nodes))
            down = nodes[pick(asked[-1])]
            if down != at:
                heap[at], heap[down] = heap[down], heap[at]
                sink(size, down)

    for at in range(n // children, -1, -1):
        sink(n, at)
    top = []
    for size in range(n - 1, max(n - 1 - k, -1), -1):
        top.append(heap[0])
        heap[0] = heap[size]
        if len(top) < k:
            sink(size, 0)
    return asked, top


@settings(deadline=None)
@given(st.integers(0, 70), K, CHILDREN, st.integers(0, 10**6))
def test_asking_together_changes_neither_the_questions_nor_the_top(n, k, children, seed):
    """With a judge that answers at random, but the same question always in the same way."""

    def pick(group):
        return hash((seed, group)) % len(group)

    asked, top = in_turn(n, k, children, pick)
    rounds, scores = driven(
        SetwiseHeapsort(children, k), n, lambda group: [float(at == pick(group)) for at in range(len(group))]
    )
    assert order_of(scores)[:k] == top
    assert sorted(group for now in rounds for group in now) == sorted(set(asked))


@pytest.mark.parametrize("n", [n for n in SIZES if n > 1])
def test_calls_and_rounds_are_those_of_the_formulas(n):
    """With answers that are all equal nothing moves, so the counts are exact."""

    def counts(strategy):
        rounds = driven(strategy, n, lambda group: [0.0] * len(group))[0]
        return sum(map(len, rounds)), len(rounds)

    windows = math.ceil(max(n - 20, 0) / 10) + 1
    assert counts(Window()) == (windows, windows)
    assert counts(Window(passes=3)) == (3 * windows, windows + 2 * min(2, windows) if windows > 1 else 3)
    assert counts(AllPairs()) == (n * (n - 1), 1)
    assert counts(AllPairs(both_orders=False)) == (n * (n - 1) // 2, 1)
    assert counts(PairMergesort()) == (2 * (n - 1), 1)
    assert counts(PairSliding(passes=1)) == (2 * (n - 1), n - 1)
    assert counts(PairSliding(passes=10)) == (2 * (n - 1), n - 1)
    for children in (1, 2, 3, 9, 19):
        assert counts(SetwiseBubble(children, k=1)) == (math.ceil((n - 1) / children),) * 2
        built = (n - 2) // children + 1
        levels = 1 + next(h for h in range(n) if sum(children**at for at in range(h + 1)) >= built)
        assert counts(SetwiseHeapsort(children, k=1)) == (built, levels)
    if n >= 14:
        assert counts(SwissRounds(5)) == (5 * 2 * (n // 2), 5)


@settings(deadline=None)
@given(PERMUTED, K, CHILDREN)
def test_no_more_is_asked_than_the_bounds_say(relevance, k, children):
    n = len(relevance)

    def counts(strategy):
        rounds = driven(strategy, n, lambda group: [float(relevance[i]) for i in group])[0]
        return sum(map(len, rounds)), len(rounds)

    passes = min(k, max(n - 1, 0))
    calls, rounds = counts(PairSliding(k))
    assert calls <= 2 * sum(n - 1 - at for at in range(passes))
    assert rounds <= max(n - 1 + 2 * (passes - 1), 0)
    calls, rounds = counts(SetwiseBubble(children, k))
    assert calls <= sum(math.ceil((n - 1 - at) / children) for at in range(passes))
    assert rounds <= max(math.ceil((n - 1) / children) + 2 * (passes - 1), 0)
    calls, rounds = counts(PairQuicksort(k))
    assert calls <= n * (n - 1)
    calls, rounds = counts(PairMergesort())
    assert calls <= n * (n - 1)
    assert rounds <= 1 + n * math.ceil(math.log2(max(n, 2)))
