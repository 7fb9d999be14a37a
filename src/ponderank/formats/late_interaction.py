"""Late interaction: a vector a token, and each token of the query looks for its best in the document."""

from __future__ import annotations

import math
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import asked
from ponderank.formats.parts import ours
from ponderank.formats.reading import flaw_of
from ponderank.formats.sentences import sentences
from ponderank.types import Call, Doc, Embed, Judgement, Part, Prompt, Query, Reply, Span, text_of


@dataclass(frozen=True, slots=True)
class ColBERT:
    """Score by the sum over the query's tokens of each one's likeness to the document's likest token (MaxSim).

    Args:
        unit: ``"document"``, or ``"sentence"``: the score is that of the document's best sentence, by the vectors its tokens
            have in the whole document.
        keep: how many sentences are given as evidence; for a document those whose tokens win most of its score.
        query_tokens: tokens of a query; a shorter one gets masks up to here, which have vectors too.
        query_marker: stands before a query; a model trained for sentences has another one for them.
        document_marker: stands before a document.
        separator: closes a query, before the masks.
        mask: the token that fills a query up; ``""`` for models trained without.
        skip_punctuation: leave out the vectors of a document's punctuation marks.
        widest: most documents in one judgement; the scores do not depend on it. Evidence is given for one alone.

    The linear layer, the greatest length of a document and whether masks are attended to are the checkpoint's (see the backend).

    Source: ColBERT (arXiv 2004.12832) and ColBERTv2 (2112.01488), ``colbert/modeling`` (``colbert.py``, ``tokenization/``);
    sentences: AGRaME (arXiv 2405.15028).
    Differs: a query is not cut to ``query_tokens``; a longer one has no masks. A marker written in a text is no marker. Vectors
    stay in single precision; there they are halved on a GPU. Its fast path on the CPU counts likenesses below 0 as 0; here, as
    in its other paths, they count as they are.

    >>> maxsim([[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [0.8, -0.6]])
    1.6
    """

    unit: Literal["document", "sentence"] = "document"
    keep: int = 3
    query_tokens: int = 32
    query_marker: str = "[unused0]"
    document_marker: str = "[unused1]"
    separator: str = "[SEP]"
    mask: str = "[MASK]"
    skip_punctuation: bool = True
    widest: int = 1

    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Embed}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.unit not in ("document", "sentence"):
            raise ValueError(f"unit is {self.unit!r}; give 'document' or 'sentence'")
        if self.keep < 0 or self.query_tokens < 0 or self.widest < 1:
            raise ValueError(
                f"keep {self.keep}, query_tokens {self.query_tokens}, widest {self.widest}: need 0, 0 and 1 or more"
            )

    def of_query(self, query: Query, tokenizer: Tokenizer) -> Embed:
        """The call for a query's vectors: marker, query, separator, masks."""
        text = asked(query)
        masks = 0
        if self.mask and self.query_tokens:
            masks = max(self.query_tokens - 3 - tokenizer.count(text), 0)  # the others: beginning, marker, separator
        close = f"{self.separator}{self.mask * masks}"
        prompt: Prompt = (ours(self.query_marker), Part(text, trusted=False, may_shorten=True))
        return Embed((*prompt, ours(close)) if close else prompt, "tokens")

    def of_document(self, doc: Doc) -> Embed:
        """The call for a document's vectors."""
        return Embed((ours(self.document_marker), Part(doc.full_text, trusted=False, may_shorten=True)), "tokens")

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round: the query's vectors, and each document's."""
        calls = [self.of_document(doc) for doc in docs]
        of_query, *of_docs = yield [self.of_query(query, tokenizer), *calls]
        found = [self._judged(of_query, *three) for three in zip(docs, calls, of_docs, strict=True)]
        scores = tuple(score for score, _ in found)
        return Judgement(
            scores,
            evidence=found[0][1] if len(found) == 1 else (),
            flaw=flaw_of([of_query, *of_docs], unread=any(map(math.isnan, scores))),
        )

    def _judged(self, of_query: Reply, doc: Doc, call: Embed, reply: Reply) -> tuple[float, tuple[Span, ...]]:
        """A document's score and its best sentences."""
        if not of_query.vectors or not reply.vectors or len(of_query.vectors[0]) != len(reply.vectors[0]):
            return math.nan, ()
        import numpy as np

        text = text_of(call.prompt)
        counted = [at for at, (a, b) in enumerate(reply.spans) if not (self.skip_punctuation and is_mark(text[a:b]))]
        # [tokens of the document, tokens of the query]
        likeness = np.asarray(reply.vectors)[counted] @ np.asarray(of_query.vectors).T
        whole = _summed(likeness)
        if not self.keep and self.unit == "document":
            return whole, ()
        before = len(text) - len(doc.text)
        places = [(reply.spans[at][0] - before, reply.spans[at][1] - before) for at in counted]
        rows = [(span, _inside(places, span)) for span in sentences(doc.text)]
        if self.unit == "sentence":
            found = [Span(*span, _summed(likeness[inside])) for span, inside in rows if inside]
        else:
            wins = likeness.max(0)
            shares = np.bincount(likeness.argmax(0), weights=wins, minlength=len(counted))
            found = [Span(*span, float(shares[inside].sum())) for span, inside in rows if inside]
            found = [span for span in found if span.score > 0]
        found.sort(key=lambda span: -span.score)
        score = found[0].score if self.unit == "sentence" and found else whole
        return score, tuple(found[: self.keep])


def maxsim(query: Sequence[Sequence[float]], document: Sequence[Sequence[float]]) -> float:
    """The sum over the query's vectors ``[T, V]`` of each one's greatest product with one of the document's ``[U, V]``.

    >>> maxsim([[1.0, 0.0]], [[0.0, 1.0], [0.5, 0.5]])
    0.5
    """
    import numpy as np

    return _summed(np.asarray(document, dtype=float) @ np.asarray(query, dtype=float).T)


def _summed(likeness: Any) -> float:
    return float(likeness.max(0).sum())


def _inside(places: Sequence[tuple[int, int]], span: tuple[int, int]) -> list[int]:
    """The tokens that have a character in the span."""
    return [at for at, (start, end) in enumerate(places) if start < span[1] and end > span[0] and start < end]


@lru_cache(maxsize=4096)
def is_mark(text: str) -> bool:
    """Whether a token is one of ASCII's punctuation marks, once accents are taken off as BERT's tokenizer does.

    >>> is_mark("."), is_mark("a."), is_mark("≠")
    (True, False, True)
    """
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    return len(plain) == 1 and plain in string.punctuation
