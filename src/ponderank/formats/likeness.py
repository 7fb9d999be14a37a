"""How like texts are to each other, for strategies that avoid saying the same twice."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.embedding import BiEncoder, Pool, cosine
from ponderank.formats.reading import flaw_of
from ponderank.types import Call, Doc, Embed, Judgement, Query

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""Runs of letters and digits; Chinese, Japanese and Korean characters one by one, since nothing parts their words."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Tell how like each document shown is to the first one shown, from 0 to 1; the query is not looked at.

    Args:
        how: ``"words"``, the cosine of counts of words, which asks no model; ``"embedding"``, the cosine of two vectors, 0 where
            it is below.
        run: words in a row that are counted as one; more than 1 for near copies rather than for the same subject.
        document_template: as ``BiEncoder`` has it.
        pool: as ``BiEncoder`` has it.
        widest: most documents in one judgement.

    Source: the cosine of maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998). Differs: counts of words without
    weights, for a judgement sees no collection.

    >>> dialogue = Likeness().judge(Query("q", ""), [Doc("a", "cats purr"), Doc("b", "Cats sleep"), Doc("c", "rain")], None)
    >>> next(dialogue)
    Traceback (most recent call last):
    StopIteration: Judgement(scores=(1.0, 0.5, 0.0), ...
    """

    how: Literal["words", "embedding"] = "words"
    run: int = 1
    document_template: str = "{document}"
    pool: Pool = "mean"
    widest: int = 1000

    absolute = True

    def __post_init__(self) -> None:
        if self.how not in ("words", "embedding"):
            raise ValueError(f"how is {self.how!r}; give 'words' or 'embedding'")
        if self.run < 1 or self.widest < 1:
            raise ValueError(f"run {self.run}, widest {self.widest}: need 1 or more")
        self._encoder()

    @property
    def needs(self) -> frozenset[type[Call]]:
        """No call at all for words."""
        return frozenset({Embed}) if self.how == "embedding" else frozenset()

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """No round for words, else one: each document's vector."""
        if self.how == "words":
            return Judgement(likenesses([doc.full_text for doc in docs], self.run))
        encoder = self._encoder()
        replies = yield [encoder.of_document(doc) for doc in docs]
        found = [cosine(replies[0], reply) for reply in replies]
        flaw = flaw_of(replies, unread=any(map(math.isnan, found)))
        return Judgement((1.0, *(x if math.isnan(x) else min(max(x, 0.0), 1.0) for x in found[1:])), flaw=flaw)

    def _encoder(self) -> BiEncoder:
        return BiEncoder(document_template=self.document_template, pool=self.pool)


def likenesses(texts: Sequence[str], run: int = 1) -> tuple[float, ...]:
    """The cosine of each text's counts of words, ``run`` in a row, with the first text's; 1 for the same words.

    >>> likenesses(["a b c", "A, b, c!", "c b a"], run=2)
    (1.0, 1.0, 0.0)
    """
    counts = [_counted(text, run) for text in texts]
    first, square = counts[0], sum(n * n for n in counts[0].values())
    found = []
    for other in counts:
        lengths = math.sqrt(square * sum(n * n for n in other.values()))
        product = sum(n * other[word] for word, n in first.items())
        found.append(1.0 if other == first else min(product / lengths, 1.0) if lengths else 0.0)
    return tuple(found)


def _counted(text: str, run: int) -> Counter[tuple[str, ...]]:
    """How often each run of words stands in a text; one with fewer words is one run."""
    words = _WORD.findall(text.casefold())
    run = min(run, len(words)) or 1
    return Counter(tuple(words[at : at + run]) for at in range(len(words) - run + 1))
