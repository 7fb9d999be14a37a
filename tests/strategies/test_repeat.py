import pytest
from combined_world import AsGiven, Whole, drive, order_of, perfect

from ponderank.strategies.adaptive import AdaptiveThinking
from ponderank.strategies.fuse import Fuse
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.repeat import Repeat
from ponderank.strategies.window import Window
from ponderank.types import Judgement


def test_each_run_sees_all_candidates_in_another_order_the_first_too():
    rounds, _ = drive(Repeat(Whole(), times=5).plan(10), perfect(range(10)))
    shown = [ask.group for ask in rounds[0]]
    assert len(set(shown)) == 5
    assert tuple(range(10)) not in shown
    assert all(sorted(group) == list(range(10)) for group in shown)


def test_the_first_can_be_left_as_given():
    rounds, _ = drive(Repeat(Whole(), times=3, first_as_given=True).plan(10), perfect(range(10)))
    assert [ask.group == tuple(range(10)) for ask in rounds[0]] == [True, False, False]


def test_the_seed_decides_the_shuffles():
    groups = [drive(Repeat(Whole(), times=2, seed=seed).plan(10), perfect(range(10)))[0] for seed in (1, 1, 2)]
    assert groups[0] == groups[1] != groups[2]


def test_twenty_windows_over_a_hundred_are_180_calls_in_9_rounds():
    rounds, scores = drive(Repeat(Window(20, 10), times=20).plan(100), perfect(range(100)))
    assert [len(asks) for asks in rounds] == [20] * 9
    assert order_of(scores)[:10] == list(range(99, 89, -1))


@pytest.mark.parametrize("aggregate", ["kemeny", "borda", "rrf"])
def test_a_judge_that_likes_what_is_shown_first_is_outvoted_by_the_shuffles(aggregate):
    """Whatever is shown first wins: in one look at the first stage's order the worst."""

    def biased(ask):
        return [99 if place == 0 else i for place, i in enumerate(ask.group)]

    best = [5, 4, 3, 2, 1, 0]
    assert order_of(drive(Whole().plan(6), biased)[1]) != best
    assert order_of(drive(Repeat(Whole(), times=20, aggregate=aggregate).plan(6), biased)[1]) == best


def test_of_equals_in_a_run_the_first_shown_is_first():
    """With one run and a judge that prefers candidate 3 and says no more, the others stay as they were shown."""
    rounds, scores = drive(Repeat(Whole(), times=1).plan(6), lambda ask: [float(i == 3) for i in ask.group])
    assert order_of(scores) == [3, *(i for i in rounds[0][0].group if i != 3)]


def test_mean_ranks_and_mean_reciprocal_ranks_are_the_scores():
    """Every run says 1 before 0."""
    for aggregate, told in (("borda", [-1.0, 0.0]), ("rrf", [1 / 61, 1 / 60]), ("kemeny", [1.0, 2.0])):
        assert drive(Repeat(Whole(), 3, aggregate).plan(2), perfect([0, 1]))[1] == pytest.approx(told)


def test_not_a_number_is_last_in_its_run():
    _, scores = drive(Repeat(Whole(), times=3).plan(3), lambda ask: [float("nan") if i == 0 else -i for i in ask.group])
    assert order_of(scores) == [1, 2, 0]


def test_the_strategy_is_told_the_first_stages_scores_of_those_it_is_shown():
    _, scores = drive(Repeat(AsGiven(), times=3).plan(4, [0.5, 4.0, 1.0, 2.0]), None)
    assert order_of(scores) == [1, 3, 2, 0]


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_are_not_shuffled_and_not_repeated(n):
    rounds, scores = drive(Repeat(Whole()).plan(n), None)
    assert (rounds, len(scores)) == ([], n)
    rounds, _ = drive(Repeat(Pointwise()).plan(n), lambda ask: [1.0])
    assert sum(map(len, rounds)) == n


def test_it_is_as_wide_and_asks_as_many_levels_and_judges_as_what_it_repeats():
    assert (Repeat(Window()).widest, Repeat(Window()).absolute, Repeat(Window()).levels) == (20, False, 1)
    assert (Repeat(AdaptiveThinking()).levels, Repeat(AdaptiveThinking()).absolute) == (2, True)
    fused = Fuse((Pointwise(), Window()))
    assert (Repeat(fused).judges, Repeat(fused).parts) == (2, fused.parts)
    assert (Repeat(Window()).judges, Repeat(Window()).parts) == (1, None)


def test_levels_and_judges_of_asks_stay_as_they_are():
    rounds, _ = drive(Repeat(AdaptiveThinking(k=1, thoughts=1), times=2).plan(3), lambda ask: [float(ask.group[0])])
    assert [ask.level for ask in rounds[0]] == [1] * 6
    assert [ask.level for ask in rounds[1]] == [0] * 2
    rounds, _ = drive(Repeat(Fuse((Pointwise(), Pointwise())), times=2).plan(2), lambda ask: [0.0])
    assert [ask.judge for ask in rounds[0]] == [0, 0, 1, 1] * 2


@pytest.mark.parametrize(
    ("settings", "said"), [({"times": 0}, "times is 0"), ({"aggregate": "mean"}, "kemeny, borda, rrf")]
)
def test_impossible_repeats_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        Repeat(Pointwise(), **settings)


def test_runs_in_which_nothing_was_read_leave_the_first_stages_order():
    _, scores = drive(Repeat(Window(size=20, stride=10), times=5).plan(30), lambda ask: [0.0] * len(ask.group))
    assert order_of(scores) == list(range(30))


def test_one_run_that_was_read_counts_alone():
    plan = Repeat(Window(size=4, stride=2), times=4, aggregate="borda").plan(4)
    groups = next(plan)
    right = Judgement(tuple(float(i) for i in groups[2]))
    unread = Judgement((0.0,) * 4, flaw="unparsed")
    with pytest.raises(StopIteration) as stop:
        plan.send([right if at == 2 else unread for at in range(4)])
    assert sorted(range(4), key=lambda i: -stop.value.value[i]) == [3, 2, 1, 0]
