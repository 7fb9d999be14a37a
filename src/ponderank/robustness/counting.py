"""Counting what a suite would ask, without asking it."""

from __future__ import annotations

from ponderank.backends.testing import Counting
from ponderank.contracts import Tokenizer
from ponderank.types import Call, Reply, Usage


class Distinct(Counting):
    """Counts calls in ``usage``; with ``equal_once`` equal ones a single time, as a cache would have it."""

    def __init__(self, tokenizer: Tokenizer, can: frozenset[type[Call]], *, equal_once: bool) -> None:
        super().__init__(tokenizer, can)
        self.usage = Usage()
        self._seen: set[Call] | None = set() if equal_once else None

    def _neutral(self, call: Call) -> Reply:
        reply = super()._neutral(call)
        if self._seen is None or call not in self._seen:
            self.usage += reply.usage
        if self._seen is not None:
            self._seen.add(call)
        return reply
