"""A function becomes a backend: writing one is writing a function."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypedDict, Unpack

from ponderank.contracts import Backend, Cancels, Interrupts, Streams, Tokenizer
from ponderank.errors import BackendError
from ponderank.types import Call, Classify, Generate, Prompt, Reply


class WordTokenizer:
    """Counts words: for fakes and for servers whose tokenizer is not known."""

    def count(self, prompt: Prompt | str) -> int:
        """Words of a prompt or text."""
        return len((prompt if isinstance(prompt, str) else "".join(part.text for part in prompt)).split())


class _Options(TypedDict, total=False):
    """``can``: the calls that ``fn`` answers, by default ``Classify``; what counts tokens; what names the function in a cache."""

    can: frozenset[type[Call]]
    tokenizer: Tokenizer
    fingerprint: str


class _Queued:
    """What the two below share: calls wait, oldest first, under tickets that count up."""

    def __init__(
        self,
        can: frozenset[type[Call]] = frozenset({Classify}),
        tokenizer: Tokenizer | None = None,
        fingerprint: str = "function",
    ) -> None:
        self.can, self.fingerprint = can, fingerprint
        self.tokenizer: Tokenizer = tokenizer or WordTokenizer()
        self._waiting: deque[tuple[int, Call]] = deque()
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a call."""
        self._tickets += 1
        self._waiting.append((self._tickets, call))
        return self._tickets

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        gone = set(tickets)
        self._waiting = deque(item for item in self._waiting if item[0] not in gone)

    def close(self) -> None:
        """Drop what waits."""
        self._waiting.clear()


class Batched(_Queued):
    """A backend from ``fn(calls) -> replies``, asked up to ``size`` calls at a time, oldest first.

    >>> backend = Batched(lambda calls: [Reply(scores=(float(len(c.text)),)) for c in calls], size=8)
    >>> ticket = backend.add(Classify("q", "abc"))
    >>> backend.step()[0][1].scores
    (3.0,)
    """

    def __init__(
        self,
        fn: Callable[[Sequence[Call]], Sequence[Reply]],
        size: int,
        **options: Unpack[_Options],
    ) -> None:
        super().__init__(**options)
        self.fn, self.size = fn, size

    def step(self) -> list[tuple[int, Reply]]:
        """Answer the oldest ``size`` calls; if ``fn`` raises, these are lost and the others wait on."""
        batch = [self._waiting.popleft() for _ in range(min(self.size, len(self._waiting)))]
        replies = self.fn([call for _, call in batch]) if batch else []
        return [(ticket, reply) for (ticket, _), reply in zip(batch, replies, strict=True)]


class Threaded(_Queued):
    """A backend from ``fn(call) -> reply``, ``workers`` of them at once."""

    def __init__(
        self,
        fn: Callable[[Call], Reply],
        workers: int,
        **options: Unpack[_Options],
    ) -> None:
        super().__init__(**options)
        self.fn, self.workers = fn, workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="ponderank")
        self._running: dict[Future[Reply], int] = {}

    def step(self) -> list[tuple[int, Reply]]:
        """Keep the workers busy and return what has finished; empty when nothing is queued.

        Raises what ``fn`` raised, once for each call that failed; all others are answered.
        """
        while self._waiting and len(self._running) < 4 * self.workers:
            ticket, call = self._waiting.popleft()
            self._running[self._pool.submit(self.fn, call)] = ticket
        if not self._running:
            return []
        done = [future for future in wait(self._running, return_when=FIRST_COMPLETED)[0] if future in self._running]
        good = [future for future in done if future.exception() is None]
        if done and not good:
            del self._running[done[0]]
            done[0].result()
        return [(self._running.pop(future), future.result()) for future in good]

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls; those that a worker is at are finished in vain."""
        super().cancel(tickets)
        gone = set(tickets)
        for future in [future for future, ticket in self._running.items() if ticket in gone]:
            future.cancel()
            del self._running[future]

    def close(self) -> None:
        """Stop the threads; calls not yet started are dropped."""
        super().close()
        self._pool.shutdown(wait=True, cancel_futures=True)


def interrupted(waiting: deque[tuple[int, Call]], tickets: Collection[int]) -> list[tuple[int, Reply]]:
    """Take the texts among ``tickets`` out of a queue they were still waiting in; their replies, empty, ``"interrupted"``.

    >>> waiting = deque([(1, Generate((), 5)), (2, Classify("q", "a"))])
    >>> [ticket for ticket, _ in interrupted(waiting, [1, 2])], len(waiting)
    ([1], 1)
    """
    wanted = set(tickets)
    gone = {ticket for ticket, call in waiting if ticket in wanted and isinstance(call, Generate)}
    kept = [item for item in waiting if item[0] not in gone]
    waiting.clear()
    waiting.extend(kept)
    return [(ticket, Reply(finish="interrupted")) for ticket in sorted(gone)]


class Shared:
    """One backend for several engines and threads: each ``channel`` is a backend that is sent its own replies only.

    Calls of all channels wait in the one backend together, so they share its batches. If the backend raises, each
    channel that waits for a call is told, since whose was lost cannot be known.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._lock = threading.RLock()  # an abandoned iterator may be collected, and cancel, in the middle of a step
        self._owner: dict[int, _Channel] = {}

    def channel(self) -> _Channel:
        """A view of the backend; closing it closes nothing."""
        return _Channel(self)

    def add(self, call: Call, channel: _Channel) -> int:
        """Queue a call whose reply goes to ``channel``."""
        with self._lock:
            ticket = self.backend.add(call)
            self._owner[ticket] = channel
            return ticket

    def step(self, channel: _Channel) -> list[tuple[int, Reply]]:
        """What lies in the channel's box; if nothing does, one step of the backend first."""
        with self._lock:
            if not channel.box and not channel.error:
                self._step(channel)
            if channel.error:
                error, channel.error = channel.error, None
                raise BackendError(f"a step shared with another ranking failed: {error}") from error
            replies, channel.box = channel.box, []
            return replies

    def _step(self, channel: _Channel) -> None:
        try:
            replies = self.backend.step()
        except BaseException as error:  # raised on; the others must not wait for ever
            for other in set(self._owner.values()) - {channel}:
                other.error = error
            raise
        for ticket, text in self.backend.written() if isinstance(self.backend, Streams) else ():
            if ticket in self._owner:
                self._owner[ticket].texts.append((ticket, text))
        for ticket, reply in replies:
            owner = self._owner.pop(ticket, None)  # None: cancelled
            if owner is not None:
                owner.box.append((ticket, reply))

    def interrupt(self, tickets: Collection[int]) -> None:
        """Cut calls short, if the backend can."""
        with self._lock:
            if isinstance(self.backend, Interrupts):
                self.backend.interrupt(tickets)

    def cancel(self, tickets: Collection[int], channel: _Channel) -> None:
        """Drop a channel's calls."""
        with self._lock:
            for ticket in tickets:
                self._owner.pop(ticket, None)
            gone = set(tickets)
            channel.box = [item for item in channel.box if item[0] not in gone]
            if isinstance(self.backend, Cancels):
                self.backend.cancel(tickets)


class _Channel:
    """See ``Shared``."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.box: list[tuple[int, Reply]] = []
        self.texts: list[tuple[int, str]] = []
        self.error: BaseException | None = None
        backend = shared.backend
        self.can, self.tokenizer = backend.can, backend.tokenizer
        if hasattr(backend, "levels"):
            self.levels = backend.levels

    @property
    def fingerprint(self) -> str:
        """The backend's."""
        return self._shared.backend.fingerprint

    def add(self, call: Call) -> int:
        """Queue a call."""
        return self._shared.add(call, self)

    def step(self) -> list[tuple[int, Reply]]:
        """This channel's replies."""
        return self._shared.step(self)

    def written(self) -> list[tuple[int, str]]:
        """What was written for this channel."""
        texts, self.texts = self.texts, []
        return texts

    def interrupt(self, tickets: Collection[int]) -> None:
        """Cut these calls short."""
        self._shared.interrupt(tickets)

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        self._shared.cancel(tickets, self)

    def close(self) -> None:
        """Nothing: the backend is shared."""
