"""Ranking in the background: one thread, one engine, and everything submitted meanwhile shares its steps."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future

from ponderank.engine import Engine
from ponderank.errors import BackendError
from ponderank.types import Candidates, Ranking


class Background:
    """Ranks what any thread submits. The thread starts with the first submission.

    Args:
        engine: makes an engine.
        together: rankings under way at once; the rest wait their turn, so that memory is bounded.
    """

    def __init__(self, engine: Callable[[], Engine], *, together: int = 64) -> None:
        self._engine, self._together = engine, together
        self._inbox: queue.SimpleQueue[tuple[Future[Ranking], Candidates] | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = self._dropping = False

    def submit(self, candidates: Candidates) -> Future[Ranking]:
        """Queue a ranking. Its future raises what went wrong with it; others go on.

        Raises:
            BackendError: closed already.
        """
        future: Future[Ranking] = Future()
        with self._lock:
            if self._closed:
                raise BackendError("this reranker is closed; make another")
            if self._worker is None:
                self._worker = threading.Thread(target=self._serve, name="ponderank-submit", daemon=True)
                self._worker.start()
            self._inbox.put((future, candidates))
        return future

    def close(self, *, finish: bool = True) -> None:
        """End the thread when it has finished what was submitted, or cancelled it. May be called twice."""
        with self._lock:
            worker, self._worker, self._closed = self._worker, None, True
            self._dropping = self._dropping or not finish
        if worker is not None:
            self._inbox.put(None)
            worker.join()

    def _serve(self) -> None:
        """Admit between the engine's steps, until closed and done."""
        engine = self._engine()
        waiting: dict[Future[Ranking], Candidates] = {}
        is_open = True
        while is_open or waiting:
            finished: list[tuple[Future[Ranking], Ranking]] = []
            try:
                is_open = is_open and self._admit(waiting, engine)
                if not self._dropping:
                    finished = engine.step()
            except Exception:  # whose fault it was is not known: each is asked again alone, and the guilty fail
                engine.close()
                engine = self._engine()
                self._one_by_one(waiting)
                waiting = {}
            for future, ranking in finished:
                del waiting[future]
                future.set_result(ranking)
            if self._dropping:
                engine.close()
                self._drop(waiting)
                return

    def _admit(self, waiting: dict[Future[Ranking], Candidates], engine: Engine) -> bool:
        """Take what was submitted while there is room, and wait if there is nothing to do; False once closed."""
        while not waiting or (len(waiting) < self._together and not self._inbox.empty()):
            item = self._inbox.get()
            if item is None:
                return False
            future, candidates = item
            if future.set_running_or_notify_cancel():
                waiting[future] = candidates
                engine.add(future, candidates)
        return True

    def _one_by_one(self, waiting: dict[Future[Ranking], Candidates]) -> None:
        for future, candidates in waiting.items():
            try:
                ((_, ranking),) = self._engine().run([candidates])
            except Exception as error:  # handed to the one who waits, whatever it is
                future.set_exception(error)
            else:
                future.set_result(ranking)

    def _drop(self, waiting: Iterable[Future[Ranking]]) -> None:
        for future in waiting:
            future.set_exception(CancelledError("the reranker was closed"))
        while not self._inbox.empty():
            item = self._inbox.get()
            if item is not None:
                item[0].cancel()
