"""A time limit in front of a backend: what is being written is cut short, what is asked later is not asked."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection

from ponderank.contracts import Backend, Cancels, Interrupts, Streams
from ponderank.types import Call, Choose, Classify, Generate, Likelihood, Reply


class Deadline:
    """A backend that has ``seconds`` from now; after that every call still ends, and soon.

    At the deadline texts are interrupted: the backend gives what it has (``finish="interrupted"``), texts not begun are
    empty. Short calls, such as forced verdicts, are still asked within a grace of ``grace`` seconds. What is not
    answered then is given up: ``finish="late"``, scores not-a-number, so that such documents rank last, in first-stage order.
    """

    def __init__(
        self,
        backend: Backend,
        seconds: float,
        *,
        grace: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not seconds > 0:
            raise ValueError(f"a deadline of {seconds} s; give more than 0")
        self.backend, self._clock = backend, clock
        self.can, self.tokenizer = backend.can, backend.tokenizer
        if hasattr(backend, "levels"):
            self.levels = backend.levels
        self.due = clock() + seconds
        self.over = self.due + (max(1.0, seconds / 5) if grace is None else grace)
        self._running: dict[int, Call] = {}
        self._ready: list[tuple[int, Reply]] = []
        self._own = 0

    @property
    def fingerprint(self) -> str:
        """The backend's."""
        return self.backend.fingerprint

    def add(self, call: Call) -> int:
        """Queue a call, or answer it at once if its time is over."""
        now = self._clock()
        if now < self.due or (now < self.over and not isinstance(call, Generate)):
            ticket = self.backend.add(call)
            self._running[ticket] = call
            return ticket
        self._own -= 1  # the backend's tickets count up from 1
        reply = Reply(finish="interrupted") if isinstance(call, Generate) and now < self.over else late(call)
        self._ready.append((self._own, reply))
        return self._own

    def step(self) -> list[tuple[int, Reply]]:
        """The backend's replies; past the deadline interrupt it, past the grace give up."""
        if self._ready:
            ready, self._ready = self._ready, []
            return ready
        now = self._clock()
        if now >= self.over:
            given_up, self._running = self._running, {}
            if isinstance(self.backend, Cancels):
                self.backend.cancel(list(given_up))
            return [(ticket, late(call)) for ticket, call in given_up.items()]
        if now >= self.due and isinstance(self.backend, Interrupts):
            self.backend.interrupt([ticket for ticket, call in self._running.items() if isinstance(call, Generate)])
        replies = [(ticket, reply) for ticket, reply in self.backend.step() if ticket in self._running]
        for ticket, _ in replies:
            del self._running[ticket]
        return replies

    def written(self) -> list[tuple[int, str]]:
        """What the backend wrote."""
        return self.backend.written() if isinstance(self.backend, Streams) else []

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        gone = set(tickets)
        self._ready = [item for item in self._ready if item[0] not in gone]
        for ticket in gone:
            self._running.pop(ticket, None)
        if isinstance(self.backend, Cancels):
            self.backend.cancel([ticket for ticket in gone if ticket > 0])

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()


def late(call: Call) -> Reply:
    """The reply to a call that nobody answered in time.

    >>> late(Choose((), ("a", "b"))).scores
    (nan, nan)
    """
    wanted = len(call.labels) if isinstance(call, Choose) else int(isinstance(call, Classify | Likelihood))
    return Reply(finish="late", scores=(math.nan,) * wanted)
