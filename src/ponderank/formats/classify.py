"""Cross-encoders: query and document read together, one call a passage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.errors import BackendError
from ponderank.formats.passages import Passages
from ponderank.types import Call, Classify, Doc, Flaw, Judgement, Query, Reply, Span


@dataclass(frozen=True, slots=True)
class CrossEncoder:
    """Score a pair by a classifier's head.

    One logit is the score itself, ``prob`` its sigmoid. Two logits (monoBERT) score as ``log P(relevant)``, the log-softmax
    of the second, in double precision; ``prob`` is its exponential. A model's calibration (``ponderank.calibration``) takes
    the place of both.

    ``passages`` splits texts longer than a passage and combines the passages' scores, each read behind the title; a text
    within one passage is one call either way. The best passages are the evidence.

    Source: monoBERT (arXiv 1901.04085), scoring as pygaggle's ``MonoBERT``. Differs: instruction appended to the query
    after one space, as Rank1 and mteb join them; only the document is shortened (see ``backends.pairs``).

    >>> form = CrossEncoder()
    >>> dialogue = form.judge(Query("q", "who"), [Doc("d", "me")], None)
    >>> next(dialogue)
    [Classify(query='who', text='me', level=0, other='')]
    """

    passages: Passages | None = None
    level: int = 0

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Classify}), init=False, repr=False, compare=False)

    def at_level(self, level: int) -> CrossEncoder:
        """The same judgement at a shallower exit."""
        return replace(self, level=level)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round, one call a passage."""
        doc = docs[0]
        spans = self.passages.split(doc.text) if self.passages else [(0, len(doc.text))]
        query_text = asked(query)
        texts = [replace(doc, text=doc.text[start:end]).full_text for start, end in spans]
        replies = yield [Classify(query_text, text, self.level) for text in texts]
        scores = [_score(reply) for reply in replies]
        score = self.passages.combine(scores) if self.passages else scores[0]
        flaw: Flaw | None = "truncated" if any(reply.finish == "truncated" for reply in replies) else None
        two = len(replies[0].scores) == 2
        prob = math.exp(min(score, 0.0)) if two else sigmoid(score)
        return Judgement((score,), (prob,), evidence=_best(spans, scores) if len(spans) > 1 else (), flaw=flaw)


def _best(spans: Sequence[tuple[int, int]], scores: Sequence[float], keep: int = 3) -> tuple[Span, ...]:
    order = sorted(range(len(spans)), key=lambda i: (-scores[i], i))
    return tuple(Span(*spans[i], scores[i]) for i in order[:keep])


def asked(query: Query) -> str:
    """The query as the model reads it: its instruction behind it, unless they are the same."""
    if query.instruction and query.instruction != query.text:
        return f"{query.text} {query.instruction}".strip()
    return query.text


def _score(reply: Reply) -> float:
    if len(reply.scores) not in (1, 2):
        raise BackendError(f"the model's head has {len(reply.scores)} logits; a reranker has one, or two (no, yes)")
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
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    return 0.0 if x <= -700 else math.exp(x) / (1 + math.exp(x))
