"""FIRST: the order of a whole list from one step, by how likely each passage's letter is to be named first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.order_reading import best_first
from ponderank.formats.parts import ours
from ponderank.formats.permutation import written
from ponderank.formats.permutation_prompts import chat, first_words, ideal, ids, listing, titled
from ponderank.formats.reading import flaw_of
from ponderank.types import Call, Choose, Doc, Judgement, Prompt, Query, text_of


@dataclass(frozen=True, slots=True)
class First:
    """Judge a list by the log-probability of each passage's letter as the first one of the answer; nothing is generated.

    Args:
        template: ``"first"``, the authors' prompt, or ``"zephyr-letters"``, rank_llm's, for its ``first_mistral``.
        words: of each passage; 0 keeps it whole.
        prefill: what the answer begins with before ``[``: the empty thought that turns a Qwen3 checkpoint's thinking off.
        widest: most passages in one prompt, 26 at most.

    Source: FIRST (arXiv 2406.15657), llm-reranker ``scripts/utils/rank_listwise_os_llm.py`` (``[`` behind the chat template,
    one step); its reproduction (arXiv 2411.05508) in rank_llm.
    Differs: every letter's own log-probability is read; there only the likeliest 30 or 120 tokens are, and letters not among
    them follow in the order shown. When it runs in batches, the reference puts no ``[`` and reads the second of two tokens.
    rank_llm at the commit read accepts the option and writes the whole order instead.

    >>> dialogue = First().judge(Query("q", "who"), [Doc("d", "me"), Doc("e", "you")], None)
    >>> [call] = next(dialogue)
    >>> call.labels, call.prompt[-1].text, call.prompt[-1].role
    (('A', 'B'), '[', 'assistant')
    """

    template: str = "first"
    words: int = 300
    prefill: str = ""
    widest: int = 20

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Choose}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not listing(self.template).letters:
            raise ValueError(f"template {self.template!r} has numbers; give 'first' or 'zephyr-letters'")
        if self.words < 0 or not 1 <= self.widest <= 26:
            raise ValueError(f"words {self.words}, widest {self.widest}: need 0 or more, and 1 to 26 letters")

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """A system's and a user's turn."""
        return chat(listing(self.template), query, [first_words(titled(doc), self.words) for doc in docs])

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round, one call."""
        prompt = self.prompt(query, docs)
        letters = ids(len(docs), letters=True)
        (reply,) = yield [Choose((*prompt, ours(f"{self.prefill}[", "assistant")), tuple(letters))]
        given = reply.scores if len(reply.scores) == len(docs) else (math.nan,) * len(docs)
        scores = tuple(score if score < math.inf else math.nan for score in given)
        unread = all(math.isnan(score) or score == -math.inf for score in scores)
        lost = any(math.isnan(score) for score in scores)
        return Judgement(
            (0.0,) * len(docs) if unread else scores,
            flaw=flaw_of([reply], forced=lost, unread=unread),
            prompt=text_of(prompt),
            verdict="" if unread else ideal([letters[place] for place in best_first(scores)]),
            estimate=reply.estimate,
        )

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the whole order in letters, as the authors' language-model loss reads it."""
        return text_of(self.prompt(query, docs)), self.prefill + written(judgement, letters=True)
