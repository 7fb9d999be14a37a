"""Ranking by attention: where a language model looks in the documents while it reads the query. Nothing is generated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import asked
from ponderank.formats.parts import ours
from ponderank.formats.reading import flaw_of
from ponderank.types import Attend, Call, Doc, Judgement, Part, Query, Role, text_of

_HEAD = " Here are some paragraphs:"
_LATE = {
    "IE": "Please find information that are relevant to the following query in the paragraphs above.",
    "QA": "Please answer the following question based on the information in the paragraphs above.",
}
_FRAMES = {
    "llama-3": (
        "<|start_header_id|>user<|end_header_id|>",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
        " \n\n",
    ),
    "mistral": ("[INST]", "[/INST]", "\n\n"),
    "own": ("", "", " \n\n"),
}
"""What stands before and after, and between two paragraphs; a space before a line break keeps it from joining a full stop."""
_NO_QUERY = "N/A"


@dataclass(frozen=True, slots=True)
class ICR:
    """Score documents by the attention that the query's tokens pay to theirs, less what they get from a query that says nothing.

    All documents stand in one prompt, the question behind them. A document's tokens whose attention, less that for ``N/A``, lies
    more than two standard deviations below its mean are left out; the rest is summed. Two calls, which share all but the question.

    Args:
        task: ``"IE"`` asks to find information, ``"QA"`` to answer a question; the authors' choice by collection: ``"QA"`` for
            TREC-COVID, FiQA, Touché, DBpedia, NQ and multi-hop questions, ``"IE"`` for all others.
        chat: the authors' own words around the prompt, for ``"llama-3"`` or ``"mistral"`` models; ``"own"`` puts it into the
            model's chat template.
        words: of a text, those that are shown; 0 shows all. The title comes on top.
        best_last: show the documents from the last to the first, so that the first stage's best stands next to the question.
        widest: most documents in a prompt; the authors advise against windows.

    Source: arXiv 2410.02642; In-Context-Reranking ``in_context_reranker.py`` (``masked_NA_calibration``, the prompt and which
    tokens count: a document's with its number, the question's from the request to the template's end), ``experiments.py``
    (title, 300 words) and ``run_icr_beir.sh`` (best last).
    Differs: tokens are placed by their offsets; theirs are counted piece by piece, and a prompt whose pieces join in one token
    raises an error. A document of one token, or of tokens all alike, scores 0 there (nothing is greater than not-a-number, or than
    the mean itself) and its sum here. Their eager attention reads the wrong rows in the second call; their other path is followed.
    Theirs runs in float16. With ``chat="own"`` no space stands before ``Here``. An instruction goes behind the query; there is no
    place for one.

    >>> dialogue = ICR().judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> nothing, real = next(dialogue)
    >>> [real.prompt[part].text for part in real.parts], real.prompt[real.since].text[:11]
    (['[1] you', '[2] me'], 'Please find')
    """

    task: Literal["IE", "QA"] = "IE"
    chat: Literal["own", "llama-3", "mistral"] = "own"
    words: int = 300
    best_last: bool = True
    widest: int = 100

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Attend}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.task not in _LATE or self.chat not in _FRAMES:
            raise ValueError(
                f"task {self.task!r}, chat {self.chat!r}: need one of {', '.join(_LATE)} and one of {', '.join(_FRAMES)}"
            )
        if self.words < 0 or self.widest < 1:
            raise ValueError(f"words {self.words}, widest {self.widest}: need 0 or more (0: all) and 1 or more")

    def call(self, query: str, docs: Sequence[Doc]) -> Attend:
        """The call with these documents from top to bottom."""
        before, after, gap = _FRAMES[self.chat]
        role: Role = "user" if self.chat == "own" else ""
        prompt = [ours(before + (_HEAD.lstrip() if role else _HEAD), role)]
        for at, doc in enumerate(docs):
            # its number belongs to a document, and to its tokens
            shown = Part(f"[{at + 1}] {self._text(doc)}", trusted=False, may_shorten=True, role=role)
            prompt += [ours(gap, role), shown]
        prompt.append(ours(gap, role))
        since = len(prompt)
        prompt += [
            ours(f"{_LATE[self.task]}{gap}Query: ", role),
            Part(query.strip(), trusted=False, role=role),
            *([ours(after)] if after else []),
        ]
        return Attend(tuple(prompt), tuple(range(2, since - 1, 2)), since)

    def _text(self, doc: Doc) -> str:
        words = doc.text.split(" ")
        return f"{doc.title}\n{' '.join(words[: self.words or len(words)])}".strip()

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round, two calls."""
        shown = list(docs)[::-1] if self.best_last else list(docs)
        nothing, real = self.call(_NO_QUERY, shown), self.call(asked(query), shown)
        replies = yield [nothing, real]
        unread = any(len(reply.vectors) != len(docs) for reply in replies)
        values = zip(replies[1].vectors, replies[0].vectors, strict=True) if not unread else ()
        scores = [calibrated(paid, bias) for paid, bias in values] or [0.0] * len(docs)
        return Judgement(
            tuple(scores[::-1] if self.best_last else scores),
            flaw=flaw_of(replies, unread=unread or all(map(math.isnan, scores))),
            prompt=text_of(real.prompt),
        )


def calibrated(paid: Sequence[float], bias: Sequence[float]) -> float:
    """A document's score: its tokens' attention less their ``bias``, summed without those far below the mean.

    Not-a-number of a document of which the model saw nothing.

    >>> calibrated((0.5, 0.25), (0.25, 0.25))
    0.25
    """
    left = [a - b for a, b in zip(paid, bias, strict=False)]  # the longer question may have cut a document shorter
    if not left:
        return math.nan
    mean = sum(left) / len(left)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in left) / (len(left) - 1)) if len(left) > 1 else math.inf
    return sum(x for x in left if x >= mean - 2 * deviation)
