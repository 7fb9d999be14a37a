"""Cross-encoders: query and document read together, one call a passage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.passages import Passages
from ponderank.types import Call, Classify, Doc, Judgement, Query, Reply, Span


@dataclass(frozen=True, slots=True)
class CrossEncoder:
    """Score a pair by a classifier's head.

    One logit is the score itself, ``prob`` its sigmoid. Two logits (monoBERT) score as ``log P(relevant)``, the log-softmax
    of the second, in double precision; ``prob`` is its exponential.

    ``passages`` splits documents longer than a passage and combines the passages' scores; a document within one passage
    is one call either way. ``slope`` and ``intercept`` calibrate ``prob`` of a one-logit head:
    ``sigmoid(slope * score + intercept)``.

    Source: monoBERT (arXiv 1901.04085), scoring as pygaggle's ``MonoBERT``. Differs: instruction appended to the query
    after one space, as Rank1 and mteb join them; only the document is shortened (see ``backends.pairs``).

    >>> form = CrossEncoder()
    >>> dialogue = form.judge(Query("q", "who"), [Doc("d", "me")], None)
    >>> next(dialogue)
    [Classify(query='who', text='me', level=0)]
    """

    passages: Passages | None = None
    slope: float = 1.0
    intercept: float = 0.0
    level: int = 0

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Classify}), init=False, repr=False, compare=False)

    def at_level(self, level: int) -> CrossEncoder:
        """The same judgement at a shallower exit."""
        return replace(self, level=level)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round, one call a passage."""
        text = docs[0].full_text
        spans = self.passages.split(text) if self.passages else [(0, len(text))]
        replies = yield [Classify(asked(query), text[start:end], self.level) for start, end in spans]
        scores = [_score(reply) for reply in replies]
        score = scores[0] if len(scores) == 1 else self.passages.combine(scores)  # type: ignore[union-attr]
        evidence: tuple[Span, ...] = ()
        if len(spans) > 1:
            ordered = sorted(range(len(spans)), key=lambda i: (-scores[i], i))
            evidence = tuple(Span(*spans[i], scores[i]) for i in ordered[:3])
        truncated = any(reply.finish == "truncated" for reply in replies)
        prob = (
            math.exp(min(score, 0.0)) if len(replies[0].scores) == 2 else sigmoid(self.slope * score + self.intercept)
        )
        return Judgement((score,), (prob,), evidence=evidence, flaw="truncated" if truncated else None)


def asked(query: Query) -> str:
    """The query as the model reads it: its instruction behind it, unless they are the same."""
    if query.instruction and query.instruction != query.text:
        return f"{query.text} {query.instruction}".strip()
    return query.text


def _score(reply: Reply) -> float:
    if len(reply.scores) == 2:
        no, yes = reply.scores
        return -_softplus(no - yes)  # log softmax, exact where the probability rounds to 0 or 1
    return reply.scores[0]


def _softplus(x: float) -> float:
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


def sigmoid(x: float) -> float:
    """The logistic function, without overflow.

    >>> sigmoid(-1000.0), sigmoid(0.0)
    (0.0, 0.5)
    """
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x)) if x > -700 else 0.0
