"""Elimination: the worst leaves, step by step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan
from ponderank.strategies.tools import ordered, placed


@dataclass(frozen=True, slots=True)
class Elimination:
    """Show all that remain and remove the one with the lowest score, until one is left: ``n - 1`` judgements, one after the other.

    With ``size`` only the last ``size`` of those that remain are shown, in first-stage order: a judge without errors then still
    gives the exact top ``size - 1``. Of equals, or where nothing was answered, the last shown leaves.

    Source: IRanker (ulab-uiuc/IRanker, ``eval/eval_passage.py``), which shows all.
    Differs: ``size``; an answer that cannot be read is not matched to a passage by likeness.

    >>> from ponderank.types import Judgement
    >>> plan = Elimination(size=2).plan(3)
    >>> next(plan), plan.send([Judgement((0.0, 1.0))])
    ([(1, 2)], [(0, 2)])
    """

    size: int | None = None

    absolute = False

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 2:
            raise ValueError(f"size {self.size}: need 2 or more, or None to show all")

    @property
    def widest(self) -> int:
        """As many as are shown at once; without ``size`` there is no bound."""
        return self.size or sys.maxsize

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """``n - 1`` rounds of one judgement each."""
        left, gone = list(range(n)), list[int]()
        while len(left) > 1:
            shown = tuple(left[-self.size :] if self.size else left)
            (judgement,) = yield [shown]
            gone.append(ordered(shown, judgement.scores)[-1])
            left.remove(gone[-1])
        return placed(left + gone[::-1], n)
