"""Evidence: the sentences of a document that carry its score."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import asked
from ponderank.types import Call, Classify, Doc, Judgement, Query, Span

_END = re.compile(r"(?<![.!?])[.!?]++[\"'”’)\]]*+(?=\s)|[。！？]+|\n\s*\n|\n(?=\s*[-*•])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|al|Fig|No|Nos|pp|vol|approx|ca|cf|Inc|Ltd|Co|Corp|U\.S|U\.K))\.$"
)
_LOOK = 16
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
        # bounded look-around: a long text costs time in proportion to its length
        before = text[max(start, match.start() - _LOOK) : match.start() + 1]
        following = text[end : end + _LOOK].lstrip()[:1]
        if match.group().startswith(".") and (_ABBREVIATION.search(before) or following.islower()):
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
    """Which sentences of a document answer the query: each scored by the cross-encoder without the others, best first.

    A sentence of at most ``short`` characters ("Yes.", a heading) says little alone: it is also scored together with
    each of its neighbours. Spans do not overlap; their offsets are code points of ``Doc.text``. At most ``keep`` are
    given, and only those within ``within`` (score units) of the best; the first ``most`` sentences are asked about.
    """

    keep: int = 3
    within: float = 3.0
    most: int = 64
    short: int = 20

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Classify}), init=False, repr=False, compare=False)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round, one call a sentence or pair of sentences."""
        text = docs[0].text
        spans = self._asked(sentences(text)[: self.most])
        if not spans:
            return Judgement((0.0,))
        replies = yield [Classify(asked(query), text[start:end]) for start, end in spans]
        scores = [reply.scores[-1] - (reply.scores[0] if len(reply.scores) == 2 else 0.0) for reply in replies]
        order = sorted(range(len(spans)), key=lambda i: (-scores[i], i))
        best: list[Span] = []
        for i in order:
            start, end = spans[i]
            apart = all(end <= span.start or span.end <= start for span in best)
            if apart and len(best) < self.keep and scores[i] >= scores[order[0]] - self.within:
                best.append(Span(start, end, scores[i]))
        return Judgement((scores[order[0]],), evidence=tuple(best))

    def _asked(self, alone: list[tuple[int, int]]) -> list[tuple[int, int]]:
        pairs = itertools.pairwise(alone)
        return alone + [(a[0], b[1]) for a, b in pairs if min(a[1] - a[0], b[1] - b[0]) <= self.short]
