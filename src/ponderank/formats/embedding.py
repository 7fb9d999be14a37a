"""Embeddings: query and documents become vectors, and the score is their cosine."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import Literal

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import asked
from ponderank.formats.parts import filled, ours, values_of
from ponderank.formats.reading import flaw_of
from ponderank.types import Call, Doc, Embed, Judgement, Part, Prompt, Query, Reply, text_of

Pool = Literal["last", "first", "mean"]
_NAMES = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class BiEncoder:
    """Score by the cosine of two vectors: the query's and the document's, each read alone.

    Args:
        query_template: what the model reads of a query; ``{query}`` holds its instruction behind it, unless the template names
            ``{instruction}`` itself.
        document_template: the same of a document: ``{document}`` (title and text), or ``{title}`` and ``{text}``.
        pool: which vector stands for a text, as the model was trained: ``"mean"``, ``"first"`` or ``"last"`` token.
        widest: most documents in one judgement; the scores do not depend on it.

    Templates are our words: a special token in them (``<|endoftext|>`` at the end of a text) is one.

    Source: Sentence-BERT (arXiv 1908.10084). Differs: nothing; a query too long for the model loses its end, and is reported.

    >>> dialogue = BiEncoder("query: {query}").judge(Query("q", "who"), [Doc("d", "me")], None)
    >>> [text_of(call.prompt) for call in next(dialogue)]
    ['query: who', 'me']
    """

    query_template: str = "{query}"
    document_template: str = "{document}"
    pool: Pool = "mean"
    widest: int = 1

    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Embed}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check(self.query_template, "query_template", "query", ("query", "instruction"))
        _check(self.document_template, "document_template", "document or text", ("document", "title", "text"))
        if self.pool not in ("last", "first", "mean"):
            raise ValueError(f"pool is {self.pool!r}; give 'last', 'first' or 'mean'")
        if self.widest < 1:
            raise ValueError(f"widest is {self.widest}; give 1 or more")

    def of_query(self, query: Query) -> Embed:
        """The call for a query's vector."""
        text = query.text if "{instruction}" in self.query_template else asked(query)
        values = {"query": text, "instruction": query.instruction}
        return Embed(filled(self.query_template, values, shorten="query"), self.pool)

    def of_document(self, doc: Doc) -> Embed:
        """The call for a document's vector."""
        longest = "text" if "{text}" in self.document_template else "document"
        values = values_of(Query("", ""), doc)
        return Embed(filled(self.document_template, values, shorten=longest), self.pool)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round: the query's vector, and each document's."""
        of_query, *of_docs = yield [self.of_query(query), *(self.of_document(doc) for doc in docs)]
        return likened(of_query, of_docs)


EVALUATED = "Given a web search query and some relevant documents, rerank the documents that answer the query"
_END = "<|endoftext|>"
_NO_THOUGHT = "<think>\n\n</think>\n\n"


@dataclass(frozen=True, slots=True)
class E2Rank:
    """Score by the cosine of the documents' vectors with that of a prompt: the query together with the first documents.

    The prompt is a query enriched by what the first stage found, as in pseudo-relevance feedback: one reading of a long text
    for a query, and one of each document, which need not know of the others.

    Args:
        listed: how many of the documents shown stand in the prompt.
        words: of a document, as it is read; None for all of it, its white space as it is.
        task: the prompt's first sentence.
        wording: ``"evaluation"`` is what the paper's figures were made with; ``"card"`` the model card's, which has no line before
            the query and an end token behind each document listed.

    Source: E2Rank (arXiv 2510.22733), ``src/eval.py`` (prompt, 20 of 100 documents, 1,024 words, no end token behind the
    prompt) and ``README.md``.
    Differs: an instruction goes behind the query; there is no place for one. Documents too long for the model's context are
    shortened; there the end of the prompt was.

    >>> dialogue = E2Rank().judge(Query("q", "who"), [Doc("d", "me")], None)
    >>> print(text_of(next(dialogue)[0].prompt))
    <user>
    Given a web search query and some relevant documents, rerank the documents that answer the query:
    Documents:
    [1] me
    Search Query: who
    <assistant>
    <think>
    <BLANKLINE>
    </think>
    <BLANKLINE>
    <BLANKLINE>
    """

    listed: int = 20
    words: int | None = 1024
    task: str = EVALUATED
    wording: Literal["evaluation", "card"] = "evaluation"
    widest: int = 100

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Embed}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.listed < 1 or self.widest < 1 or (self.words is not None and self.words < 1):
            raise ValueError(f"listed {self.listed}, words {self.words}, widest {self.widest}: need 1 or more")
        if self.wording not in ("evaluation", "card"):
            raise ValueError(f"wording is {self.wording!r}; give 'evaluation' or 'card'")

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """The user's turn and an empty thought."""
        card = self.wording == "card"
        parts = [ours(f"{self.task}:\nDocuments:\n", "user")]
        for number, doc in enumerate(docs[: self.listed], 1):
            parts.append(ours(f"{chr(10) * (number > 1)}[{number}] ", "user"))
            parts.append(Part(self._text(doc)[0], trusted=False, may_shorten=True, role="user"))
            if card:
                parts.append(ours(_END, "user"))
        parts.append(ours("Search Query:" if card else "\nSearch Query: ", "user"))
        return (*parts, Part(asked(query), trusted=False, role="user"), ours(_NO_THOUGHT, "assistant"))

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round: the prompt's vector, and each document's."""
        prompt = self.prompt(query, docs)
        of_prompt, *of_docs = yield [Embed(prompt, "last"), *(self.of_document(doc) for doc in docs)]
        return likened(of_prompt, of_docs, prompt=text_of(prompt), cut=any(self._text(doc)[1] for doc in docs))

    def of_document(self, doc: Doc) -> Embed:
        """The call for a document's vector: its text, and the end token that the model was trained to read it at."""
        return Embed((Part(self._text(doc)[0], trusted=False, may_shorten=True), ours(_END)), "last")

    def _text(self, doc: Doc) -> tuple[str, bool]:
        """The document as it is read, and whether that is not all of it."""
        if self.words is None:
            return doc.full_text, False
        words = doc.full_text.split(maxsplit=self.words)
        return " ".join(words[: self.words]), len(words) > self.words


def likened(of_query: Reply, of_docs: Sequence[Reply], *, prompt: str = "", cut: bool = False) -> Judgement:
    """The cosine of each document's vector with the query's; not-a-number where one is missing.

    >>> likened(Reply(vectors=((1.0, 0.0),)), [Reply(vectors=((0.6, 0.8),))]).scores
    (0.6,)
    """
    scores = tuple(cosine(of_query, reply) for reply in of_docs)
    flaw = flaw_of([of_query, *of_docs], unread=any(map(math.isnan, scores)))
    return Judgement(scores, flaw=flaw or ("truncated" if cut else None), prompt=prompt)


def cosine(a: Reply, b: Reply) -> float:
    """The product of two replies' first vectors, which have length 1; not-a-number where one has none."""
    if not a.vectors or not b.vectors or len(a.vectors[0]) != len(b.vectors[0]):
        return math.nan
    return float(sum(map(mul, a.vectors[0], b.vectors[0])))


def _check(template: str, field_name: str, needed: str, known: Sequence[str]) -> None:
    named = set(_NAMES.findall(template))
    if not named & set(needed.split(" or ")) or named - set(known):
        allowed = ", ".join(f"{{{name}}}" for name in known)
        raise ValueError(f"{field_name} is {template!r}; it must name {needed}, and nothing but {allowed}")
