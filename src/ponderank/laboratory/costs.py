"""What judgements cost in tokens, by rules of thumb that are settings."""

from __future__ import annotations

from dataclasses import dataclass

from ponderank.laboratory.judges import Kind

_WRITTEN = {"score": (1, 0), "pair": (1, 0), "choice": (1, 0), "worst": (1, 0), "order": (0, 5), "grades": (10, 6)}
"""Output tokens of an answer by kind: so many, and so many for each document shown: ``[12] > ``, ``"[12]": 7, ``."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a judgement: ``call + doc · shown`` read; by kind of answer 1 (score, pair, choice, worst), 5 a document (an order) or
    10 + 6 a document (grades) written, and ``thought`` more.

    Args:
        doc: tokens of a document.
        call: tokens of instructions and query, in each call.
        thought: tokens written before each answer.

    >>> Tokens(doc=100, call=50).of("order", calls=2, shown=40)
    4300
    """

    doc: int = 100
    call: int = 100
    thought: int = 0

    def __post_init__(self) -> None:
        if min(self.doc, self.call, self.thought) < 0:
            raise ValueError(
                f"tokens of a document {self.doc}, a call {self.call}, a thought {self.thought}: need 0 or more"
            )

    def of(self, kind: Kind, *, calls: int, shown: int) -> int:
        """Tokens read and written in so many judgements that showed so many documents together."""
        each, by_document = _WRITTEN[kind]
        return calls * (self.call + self.thought + each) + shown * (self.doc + by_document)
