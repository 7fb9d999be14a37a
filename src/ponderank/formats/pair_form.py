"""Classifiers that were trained on worded pairs (``query: …``, ``document: …``): RankLLaMA and its kin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import CrossEncoder, asked
from ponderank.formats.passages import Passages
from ponderank.types import Call, Classify, Doc, Query


@dataclass(frozen=True, slots=True)
class PairForm:
    """Score a pair by a classifier's head, each text behind a word that says what it is.

    Args:
        query_prefix: what stands before the query (and its instruction), with one space between.
        document_prefix: what stands before the title and the text.
        passages: as in ``CrossEncoder``; each passage stands behind the prefix and the title.

    The backend makes token ids of the two texts as the model's tokenizer joins a pair; for models that read them as one
    text closed by an end token there is ``TorchClassifier(joined=True)``.

    Source: RankLLaMA (arXiv 2310.08319), tevatron's ``examples/rankllama/data.py``, by which the published adapters were
    trained: ``<s> query: … <s> document: …`` without an end token. Later tevatron (``reranker/dataset.py``) joins both into
    one text and may append the end token. Differs: one space, not two, behind ``document:`` where there is no title; a
    query is not cut at 32 tokens.

    >>> dialogue = PairForm().judge(Query("q", "who"), [Doc("d", "me", "It")], None)
    >>> next(dialogue)
    [Classify(query='query: who', text='document: It me', level=0, other='')]
    """

    query_prefix: str = "query:"
    document_prefix: str = "document:"
    passages: Passages | None = None

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Classify}), init=False, repr=False, compare=False)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round, one call a passage."""
        worded = replace(query, text=f"{self.query_prefix} {asked(query)}".strip(), instruction="")
        titled = replace(docs[0], title=f"{self.document_prefix} {docs[0].title}".strip())
        return (yield from CrossEncoder(self.passages).judge(worded, [titled], tokenizer))
