"""How far a long command is: one line with rate and time left, on stderr, only when stderr is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ponderank.engine import Progress

Shown = Callable[["Progress", int], None]
"""Told the progress and how many queries there are."""


@contextmanager
def shown(label: str) -> Iterator[Shown | None]:
    """Give a function that shows progress while the block runs; None when nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("queries · {task.fields[rate]} ·"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    start = time.perf_counter()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, rate="")

        def show(progress: Progress, queries: int) -> None:
            speed = rate(progress.calls, time.perf_counter() - start)
            bar.update(task, completed=progress.done, total=queries, rate=speed)

        yield show


@contextmanager
def counted(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function that is told how many are done, and of how many; None when nobody would see it.

    The bar appears with the first of them and goes with the last, so that another one may follow it.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn(label), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("·"), TimeRemainingColumn(),
        TextColumn("left"),
    )  # fmt: skip
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=None)

    def show(done: int, total: int) -> None:
        if not bar.live.is_started:
            bar.start()
        bar.update(task, completed=done, total=total)
        if done == total:
            bar.stop()

    try:
        yield show
    finally:
        bar.stop()


def rate(calls: int, seconds: float) -> str:
    """Calls a second, for people.

    >>> rate(300, 2.0)
    '150 calls/s'
    >>> rate(1, 4.0)
    '0.25 calls/s'
    """
    if seconds <= 0:
        return ""
    speed = calls / seconds
    return f"{speed:,.0f} calls/s" if speed >= 10 else f"{speed:.2g} calls/s"
