"""A time limit in front of a backend; the clock is ours."""

import math

import pytest

from ponderank.backends.deadline import Deadline
from ponderank.backends.testing import Scripted
from ponderank.engine import Engine
from ponderank.formats.rank1 import Rank1
from ponderank.recipe import Recipe
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Candidates, Choose, Doc, Generate, Query, Reply

RANK1 = Recipe("rank1", "", Rank1(), Pointwise())
MANY = Candidates(Query("q", "who"), tuple(Doc(str(i), f"text {i}") for i in range(4)))


class Slow(Scripted):
    """Writes for ever: a text ends only when interrupted; choices are answered at once, unless it hangs."""

    def __init__(self, clock, *, hangs=False):
        super().__init__([])
        self.clock, self.hangs, self.waiting, self.interrupted = clock, hangs, {}, set()

    def add(self, call):
        self.calls.append(call)
        self.waiting[len(self.calls)] = call
        return len(self.calls)

    def step(self):
        self.clock.now += 1.0
        if self.hangs:
            return []
        done = [t for t, call in self.waiting.items() if isinstance(call, Choose) or t in self.interrupted]
        return [(t, self.reply(self.waiting.pop(t))) for t in done]

    def reply(self, call):
        return Reply(scores=(-1.0, -2.0)) if isinstance(call, Choose) else Reply("So far.", "interrupted")

    def interrupt(self, tickets):
        self.interrupted |= set(tickets)

    def cancel(self, tickets):
        for ticket in tickets:
            self.waiting.pop(ticket, None)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def ranked(*, seconds, hangs=False):
    clock = Clock()
    slow = Slow(clock, hangs=hangs)
    limited = Deadline(slow, seconds, grace=3.0, clock=clock)
    ((_, ranking),) = Engine(RANK1, limited).run([MANY])
    return ranking, slow, clock


def test_at_the_deadline_thoughts_are_cut_short_and_their_verdicts_forced():
    ranking, slow, clock = ranked(seconds=5.0)
    assert ranking.flaws() == {"incomplete": 4}
    assert all(score == 1.0 for score in ranking.scores)
    assert clock.now <= 5.0 + 3.0
    assert sum(isinstance(call, Generate) for call in slow.calls) == 4


def test_what_has_no_verdict_when_the_grace_is_over_is_last_in_its_order_and_marked():
    ranking, slow, clock = ranked(seconds=5.0, hangs=True)
    assert [doc.id for doc in ranking.docs] == ["0", "1", "2", "3"]
    assert ranking.flaws() == {"late": 4}
    assert all(math.isnan(score) for score in ranking.scores)
    assert not slow.waiting
    assert clock.now <= 9.0


def test_what_is_asked_after_the_deadline_is_answered_without_the_backend():
    clock = Clock()
    slow = Slow(clock)
    limited = Deadline(slow, 5.0, grace=2.0, clock=clock)
    clock.now = 6.0
    text = limited.add(Generate((), 5))
    choice = limited.add(Choose((), ("a", "b")))
    assert dict(limited.step()) == {text: Reply(finish="interrupted")}
    assert choice in dict(limited.step())
    clock.now = 8.0
    late = limited.add(Choose((), ("a", "b")))
    ((ticket, reply),) = limited.step()
    assert (ticket, reply.finish) == (late, "late")
    assert len(slow.calls) == 1


def test_before_the_deadline_nothing_changes():
    clock = Clock()
    limited = Deadline(Scripted([Reply("x", scores=(1.0,))]), 5.0, clock=clock)
    ticket = limited.add(Choose((), ("a",)))
    assert limited.step() == [(ticket, Reply("x", scores=(1.0,)))]


def test_a_deadline_of_nothing_is_refused():
    with pytest.raises(ValueError, match="more than 0"):
        Deadline(Scripted([]), 0.0)


def test_what_was_interrupted_is_not_kept_in_a_cache(tmp_path):
    from ponderank.backends.cache import Cached

    clock = Clock()
    call = Generate((), 5)
    cached = Cached(Slow(clock), tmp_path / "c.sqlite")
    ticket = cached.add(call)
    cached.interrupt([ticket])
    assert dict(cached.step())[ticket].finish == "interrupted"
    cached.close()
    again = Cached(Scripted([Reply("whole")]), tmp_path / "c.sqlite")
    ticket = again.add(call)
    assert dict(again.step())[ticket].text == "whole"
    again.close()
