"""``--watch``: what a model thinks, on stderr, as it writes it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ponderank.engine import Written


class Thoughts:
    """Writes one document's thought at a time, live; what others think meanwhile waits for its turn."""

    def __init__(self, names: Sequence[str], out: TextIO) -> None:
        self.names, self.out = names, out
        self._waiting: dict[tuple[int, ...], list[str]] = {}
        self._done: set[tuple[int, ...]] = set()
        self._current: tuple[int, ...] | None = None

    def __call__(self, written: Written) -> None:
        """Take a piece."""
        if written.done:
            # what wrote nothing (a cross-encoder's stage before this one) has nothing to end
            if written.group in self._waiting or written.group == self._current:
                self._done.add(written.group)
        elif written.text:
            self._waiting.setdefault(written.group, []).append(written.text)
        while self._turn():
            pass
        self.out.flush()

    def _turn(self) -> bool:
        """Write what the current document has; True when it is done and another's turn has come."""
        from ponderank.cli.output import flat, readable

        if self._current is None:
            # one that is done first: it can be read to its end
            order = sorted(self._waiting, key=lambda group: group not in self._done)
            if not order:
                return False
            self._current = order[0]
            self.out.write(f"\n── {', '.join(flat(self.names[i]) for i in self._current)} ──\n")
        self.out.write(readable("".join(self._waiting.pop(self._current, []))))
        if self._current not in self._done:
            return False
        self._done.discard(self._current)
        self._current = None
        self.out.write("\n")
        return bool(self._waiting)

    def finish(self) -> None:
        """Write what is left, of thoughts that were cut short."""
        for group in [self._current, *self._waiting]:
            if group is not None:
                self._done.add(group)
        while self._turn():
            pass


@contextmanager
def watching(names: Sequence[str], *, shown: bool) -> Iterator[Callable[[Written], None] | None]:
    """Gives what to hand to ``on_written``; None if nothing shall be shown. ``names`` are the documents'."""
    if not shown:
        yield None
        return
    thoughts = Thoughts(names, sys.stderr)
    try:
        yield thoughts
    finally:
        thoughts.finish()
