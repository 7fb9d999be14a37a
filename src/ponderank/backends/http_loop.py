"""An event loop in a thread of its own, begun when it is first needed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
_HELD_S = 0.1
"""In such short waits Ctrl-C gets through everywhere."""


class LoopThread:
    """Runs jobs for other threads; ``begin`` is called before each loop of its own, ``end`` inside it when it stops."""

    def __init__(self, begin: Callable[[], None], end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._begin, self._end = begin, end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether it was begun and not stopped."""
        return self._loop is not None and self._loop.is_running()

    def soon(self, fn: Callable[..., object], *args: object) -> None:
        """Call a function in the loop."""
        self._started().call_soon_threadsafe(fn, *args)

    def run(self, job: Coroutine[Any, Any, T]) -> T:
        """A job's result; an interruption of the calling thread cancels it."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(job, self._started())
        while True:
            try:
                return future.result(timeout=_HELD_S)
            except TimeoutError:
                if future.done():
                    raise
            except BaseException:
                future.cancel()
                raise

    def stop(self) -> None:
        """End the loop and its jobs; another may be begun afterwards."""
        with self._lock:
            thread, self._thread, loop = self._thread, None, self._loop
        if thread is not None and loop is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=5.0)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._thread is None:
                self._loop = asyncio.new_event_loop()
                self._begin()
                self._thread = threading.Thread(
                    target=self._work, args=(self._loop,), name="ponderank-http", daemon=True
                )
                self._thread.start()
            assert self._loop is not None
            return self._loop

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=2.0))
            loop.run_until_complete(self._end())
            loop.close()
