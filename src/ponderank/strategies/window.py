"""A window that slides from the bottom of the list to its head (RankGPT, RankVicuna, RankZephyr, full-list ranking)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan
from ponderank.strategies.sorting import rounds, spans
from ponderank.strategies.tools import ordered, placed


@dataclass(frozen=True, slots=True)
class Window:
    """Rank ``size`` documents at a time, from the bottom up, each window ``stride`` above the last.

    The best ``size - stride`` of a window are seen again by the next, so with a perfect judge the first ``size - stride``
    of the result are right. The last window starts at the head, whatever ``n`` is, and a list no longer than ``size`` is
    ranked in one call. ``passes`` more than 1 slide over the new order again.

    ``ceil((n - size) / stride) + 1`` calls a pass for ``n > size``. Scores are places, not the model's own.

    Source: RankGPT (arXiv 2304.09542), ``rank_gpt.py`` ``sliding_windows``; several passes: RankZephyr (arXiv 2312.02724).
    Differs: nothing where ``n - size`` is a multiple of ``stride``. Else the published loop (also that of llm-rankers' listwise
    ranker) never shows the head, and asks nothing at all for ``n < size``; rank_llm's asks nothing for ``n = size - stride``.
    Passes overlap: a window of the next is asked as soon as its documents are settled, with the same result.

    >>> next(Window(size=4, stride=2).plan(10))
    [(6, 7, 8, 9)]
    """

    size: int = 20
    stride: int = 10
    passes: int = 1

    absolute = False

    def __post_init__(self) -> None:
        if not 1 <= self.stride < self.size or self.passes < 1:
            raise ValueError(
                f"size {self.size}, stride {self.stride}, passes {self.passes}: need 1 <= stride < size (windows that share "
                "nothing carry nothing up) and 1 pass or more"
            )

    @property
    def widest(self) -> int:
        """A full window."""
        return self.size

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """One window after the other; of several passes, up to one window of each together."""
        order = list(range(n))
        ways = [list(spans(n, self.size, self.stride))] * self.passes
        for now in rounds(ways, math.ceil(self.size / self.stride)):
            judgements = yield [tuple(order[start:end]) for start, end in now]
            for (start, end), judgement in zip(now, judgements, strict=True):
                order[start:end] = ordered(order[start:end], judgement.scores)
        return placed(order, n)
