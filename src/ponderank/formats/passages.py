"""Long documents as passages: where to cut, and how the passages' scores become the document's."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Passages:
    """Passages of ``length`` words, one every ``stride`` words.

    ``aggregate``: ``"max"`` (MaxP), ``"first"`` (FirstP), ``"mean"`` (MeanP), ``"kmaxavg"`` (mean of the ``k`` best).

    Source: MaxP and FirstP, Dai and Callan (arXiv 1905.09217: 150 words, stride 75, the title before each); kMaxAvgP,
    Xu et al. (CEDR line).
    Differs: words are runs without white space; the last passage ends with the document.

    >>> Passages(length=2, stride=1).split("a b c")
    [(0, 3), (2, 5)]
    """

    length: int = 150
    stride: int = 75
    aggregate: Literal["max", "first", "mean", "kmaxavg"] = "max"
    k: int = 3

    def __post_init__(self) -> None:
        if self.length < 1 or not 1 <= self.stride <= self.length or self.k < 1:
            raise ValueError(
                f"length {self.length}, stride {self.stride}, k {self.k}: need 1 <= stride <= length and k >= 1"
            )
        if self.aggregate not in ("max", "first", "mean", "kmaxavg"):
            raise ValueError(f"aggregate is {self.aggregate!r}; give 'max', 'first', 'mean' or 'kmaxavg'")

    def split(self, text: str) -> list[tuple[int, int]]:
        """Character ranges ``[start, end)`` of the passages; the whole text when it is short enough."""
        words = [match.span() for match in _WORD.finditer(text)]
        if len(words) <= self.length:
            return [(0, len(text))]
        if self.aggregate == "first":
            return [(words[0][0], words[self.length - 1][1])]
        spans = []
        for start in range(0, len(words), self.stride):
            end = min(start + self.length, len(words))
            spans.append((words[start][0], words[end - 1][1]))
            if end == len(words):
                break
        return spans

    def combine(self, scores: Sequence[float]) -> float:
        """The document's score from its passages', in reading order."""
        if self.aggregate == "max":
            return max(scores)
        if self.aggregate == "first":
            return scores[0]
        best = scores if self.aggregate == "mean" else heapq.nlargest(self.k, scores)
        return sum(best) / len(best)
