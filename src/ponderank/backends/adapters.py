"""A function becomes a backend: writing one is writing a function."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ponderank.contracts import Backend, Tokenizer
from ponderank.types import Call, Classify, Prompt, Reply


class WordTokenizer:
    """Counts words: for fakes and for servers whose tokenizer is not known."""

    def count(self, prompt: Prompt | str) -> int:
        """Words of a prompt or text."""
        return len((prompt if isinstance(prompt, str) else "".join(part.text for part in prompt)).split())


class Batched:
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
        *,
        can: frozenset[type[Call]] = frozenset({Classify}),
        tokenizer: Tokenizer | None = None,
        fingerprint: str = "function",
    ) -> None:
        self.fn, self.size, self.can, self.fingerprint = fn, size, can, fingerprint
        self.tokenizer: Tokenizer = tokenizer or WordTokenizer()
        self._waiting: deque[tuple[int, Call]] = deque()
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a call."""
        self._tickets += 1
        self._waiting.append((self._tickets, call))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Answer the oldest ``size`` calls."""
        batch = [self._waiting.popleft() for _ in range(min(self.size, len(self._waiting)))]
        replies = self.fn([call for _, call in batch]) if batch else []
        return [(ticket, reply) for (ticket, _), reply in zip(batch, replies, strict=True)]

    def close(self) -> None:
        """Drop what waits."""
        self._waiting.clear()


class Threaded:
    """A backend from ``fn(call) -> reply``, ``workers`` of them at once."""

    def __init__(
        self,
        fn: Callable[[Call], Reply],
        workers: int,
        *,
        can: frozenset[type[Call]] = frozenset({Classify}),
        tokenizer: Tokenizer | None = None,
        fingerprint: str = "function",
    ) -> None:
        self.fn, self.workers, self.can, self.fingerprint = fn, workers, can, fingerprint
        self.tokenizer: Tokenizer = tokenizer or WordTokenizer()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="ponderank")
        self._waiting: deque[tuple[int, Call]] = deque()
        self._running: dict[Future[Reply], int] = {}
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a call."""
        self._tickets += 1
        self._waiting.append((self._tickets, call))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Keep the workers busy and return what has finished; empty when nothing is queued."""
        while self._waiting and len(self._running) < 4 * self.workers:
            ticket, call = self._waiting.popleft()
            self._running[self._pool.submit(self.fn, call)] = ticket
        if not self._running:
            return []
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        return [(self._running.pop(future), future.result()) for future in done]

    def close(self) -> None:
        """Stop the threads; calls not yet started are dropped."""
        self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)


class Shared:
    """One backend for several engines and threads: each ``channel`` is a backend that is sent its own replies only.

    Calls of all channels wait in the one backend together, so they share its batches.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._lock = threading.Lock()
        self._owner: dict[int, deque[tuple[int, Reply]]] = {}

    def channel(self) -> _Channel:
        """A view of the backend; closing it closes nothing."""
        return _Channel(self)

    def add(self, call: Call, box: deque[tuple[int, Reply]]) -> int:
        """Queue a call whose reply goes to ``box``."""
        with self._lock:
            ticket = self.backend.add(call)
            self._owner[ticket] = box
            return ticket

    def step(self, box: deque[tuple[int, Reply]]) -> list[tuple[int, Reply]]:
        """What lies in ``box``; if nothing does, one step of the backend first."""
        with self._lock:
            if not box:
                for ticket, reply in self.backend.step():
                    self._owner.pop(ticket).append((ticket, reply))
            replies = list(box)
            box.clear()
            return replies


class _Channel:
    """See ``Shared``."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._box: deque[tuple[int, Reply]] = deque()
        backend = shared.backend
        self.can, self.fingerprint, self.tokenizer = backend.can, backend.fingerprint, backend.tokenizer

    def add(self, call: Call) -> int:
        """Queue a call."""
        return self._shared.add(call, self._box)

    def step(self) -> list[tuple[int, Reply]]:
        """This channel's replies."""
        return self._shared.step(self._box)

    def close(self) -> None:
        """Nothing: the backend is shared."""
