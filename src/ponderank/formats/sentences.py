"""Evidence: the sentences of a document that carry its score."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import asked
from ponderank.types import Call, Classify, Doc, Judgement, Query, Span

_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s)|[。！？]+|\n\s*\n|\n(?=\s*[-*•])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|al|Fig|No|Nos|pp|vol|approx|ca|cf|Inc|Ltd|Co|Corp|U\.S|U\.K))\.$"
)
_LONGEST = 600
"""Characters after which a text without sentence ends is cut at white space, so that evidence stays readable."""


def sentences(text: str) -> list[tuple[int, int]]:
    """Character ranges ``[start, end)`` of the sentences, in order, without surrounding white space.

    >>> text = "Dr. No slept. He woke at 3.5 a.m. again!"
    >>> [text[a:b] for a, b in sentences(text)]
    ['Dr. No slept.', 'He woke at 3.5 a.m. again!']
    """
    spans, start = [], 0
    for match in _END.finditer(text):
        end = match.end()
        following = text[end:].lstrip()[:1] if match.group().strip() else ""
        if match.group().startswith(".") and (
            _ABBREVIATION.search(text[start : match.start() + 1]) or following.islower()
        ):
            continue
        spans.append((start, end))
        start = end
    spans.append((start, len(text)))
    return [piece for a, b in spans for piece in _pieces(text, a, b)]


def _pieces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    pieces = []
    while start < end:
        stop = end
        if end - start > _LONGEST:
            cut = text.rfind(" ", start + _LONGEST // 2, start + _LONGEST)
            stop = cut if cut > start else start + _LONGEST
        body = text[start:stop]
        if body.strip():
            pieces.append((start + len(body) - len(body.lstrip()), start + len(body.rstrip())))
        start = stop
    return pieces


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which sentences of a document answer the query: each sentence scored alone by the cross-encoder, best first.

    Offsets are code points of ``Doc.text``. At most ``keep`` spans, and only those within ``within`` (score units) of the
    best; at most ``most`` sentences are asked.
    """

    keep: int = 3
    within: float = 3.0
    most: int = 64

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Classify}), init=False, repr=False, compare=False)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round, one call a sentence."""
        text = docs[0].text
        spans = sentences(text)[: self.most]
        replies = yield [Classify(asked(query), text[start:end]) for start, end in spans]
        if not spans:
            return Judgement((0.0,))
        scores = [reply.scores[-1] - (reply.scores[0] if len(reply.scores) == 2 else 0.0) for reply in replies]
        order = sorted(range(len(spans)), key=lambda i: (-scores[i], i))
        best = [i for i in order[: self.keep] if scores[i] >= scores[order[0]] - self.within]
        return Judgement((scores[order[0]],), evidence=tuple(Span(*spans[i], scores[i]) for i in best))
