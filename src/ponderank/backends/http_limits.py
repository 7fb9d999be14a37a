"""How hard a server is pressed: requests at once, requests a minute, pauses. Knows nothing of what is asked."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a server is pressed. Times in seconds; ``wait`` is the longest pause between two tries."""

    concurrency: int = 64
    per_minute: float | None = None
    timeout: float = 900.0
    connect: float = 10.0
    retries: int = 6
    backoff: float = 0.5
    wait: float = 60.0


class Gate:
    """Lets through as many requests at once as the server bears: one more with each answer, half at each "too many"."""

    def __init__(self, limits: Limits) -> None:
        self.most, self.limit = limits.concurrency, float(limits.concurrency)
        self.running = 0
        self._between = 60.0 / limits.per_minute if limits.per_minute else 0.0
        self._burst = max(self._between, 1.0) if self._between else 0.0  # a second's worth at once, at least one
        self._due = self._closed_until = self._halved = 0.0
        self._halving = limits.backoff
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a place, the end of a pause, and the requests per minute."""
        while self.running >= max(1, int(self.limit)):
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self._wake()  # the place was ours; let another have it
                raise
        self.running += 1
        try:
            while (pause := self._closed_until - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            if self._between:
                now = time.monotonic()
                self._due = max(self._due, now) + self._between
                await asyncio.sleep(max(0.0, self._due - now - self._burst))
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.running -= 1
        self._wake()

    def answered(self) -> None:
        """The server answered: it may bear one more."""
        self.limit = min(float(self.most), self.limit + 1.0 / self.limit)
        self._wake()

    def overloaded(self, pause: float) -> None:
        """The server is overloaded: half as many, and none at all for ``pause`` seconds."""
        now = time.monotonic()
        self._closed_until = max(self._closed_until, now + pause)
        if now - self._halved > self._halving:  # a burst of refusals is one sign, not many
            self.limit, self._halved = max(1.0, self.limit / 2), now

    def _wake(self) -> None:
        free = max(1, int(self.limit)) - self.running
        while free > 0 and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
