"""Rank-K: the model thinks about a list of passages, then writes an order in which passages may be tied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import asked
from ponderank.formats.order_asking import ask_for_order
from ponderank.formats.order_reading import best_first, read_tied
from ponderank.formats.parts import filled, ours
from ponderank.formats.permutation_prompts import RANK_K, answer_tokens, first_tokens, harmless
from ponderank.formats.thoughts import END
from ponderank.types import Call, Doc, Generate, Judgement, Part, Prompt, Query, text_of


@dataclass(frozen=True, slots=True)
class RankK:
    """Judge a list by a thought and the order in its answer's last line, ``[3] > [1] = [2]``; tied passages score the same.

    Args:
        max_tokens: the longest text; a thought that is cut off is ended and its order asked for.
        passage_tokens: of each passage; 0 keeps it whole.
        temperature: of the text; the authors' README has 0.5, their script 0.7.
        seed: of the text.
        opened: the chat template begins the thought itself, as that of QwQ does, on which the model was trained.
        widest: most passages in one prompt.

    Source: Rank-K (arXiv 2505.14432), ``rerank.py`` (prompt, reading) and ``README.md`` (450 tokens, 8,000 tokens to think).
    Differs: ``[12]`` in a passage or query is rewritten to ``(12)``; reading as ``order_reading.read_tied`` says; there a text
    that was cut off is read by its last line, thought or not.

    >>> prompt = RankK().prompt(Query("q", "who"), [Doc("d", "me"), Doc("e", "you")])
    >>> text_of(prompt)[-28:]
    'Query: who\\n\\n[1] me\\n\\n[2] you\\n'
    """

    max_tokens: int = 8000
    passage_tokens: int = 450
    temperature: float = 0.5
    seed: int = 42
    opened: bool = True
    widest: int = 20

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Generate}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.passage_tokens < 0 or self.temperature < 0 or self.widest < 1:
            raise ValueError(
                f"max_tokens {self.max_tokens}, passage_tokens {self.passage_tokens}, temperature {self.temperature}, widest "
                f"{self.widest}: need 1, 0, 0 and 1 or more"
            )

    def prompt(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer | None = None) -> Prompt:
        """One user turn; without a tokenizer the passages are whole."""
        parts = [*filled(RANK_K, {"query": harmless(asked(query))}, role="user")]
        for at, doc in enumerate(docs):
            text = harmless(first_tokens(doc.full_text, self.passage_tokens, tokenizer))
            parts += [ours(f"{chr(10) * 2 * (at > 0)}[{at + 1}] ", "user"), Part(text, False, True, "user")]
        return (*parts, ours("\n", "user"))

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """A thought with its order; a second, short call where the thought was cut off."""
        seed = self.seed if self.temperature else None
        prompt = self.prompt(query, docs, tokenizer)
        call = Generate(prompt, self.max_tokens, temperature=self.temperature, seed=seed)
        short = answer_tokens(len(docs), tokenizer)
        return (yield from ask_for_order(call, len(docs), read_tied, answer_tokens=short, opened=self.opened))

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the thought with its order as the completion; equal scores are tied."""
        ranks = groupby(best_first(judgement.scores), key=lambda place: judgement.scores[place])
        order = " > ".join(" = ".join(f"[{place + 1}]" for place in tied) for _, tied in ranks)
        return text_of(self.prompt(query, docs)), f"{judgement.reasoning}\n{END}\n\n{order}"
