"""Prompts to token ids with the place of each token, for models that give a vector a token."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from ponderank.backends.prompts import Fitted, PromptTokenizer
from ponderank.types import Prompt

_UNUSED = re.compile(r"\[unused\d+\]")


@dataclass(frozen=True, slots=True)
class Placed(Fitted):
    """A prompt's ids ``[T]`` and each one's ``[start, end)`` in code points of the prompt's joined text, before any cut.

    Empty spans are tokens that stand in none of the prompt's parts: ``[CLS]``, a chat template's words.
    """

    spans: list[tuple[int, int]] = field(default_factory=list)


class SpanTokenizer(PromptTokenizer):
    """A ``PromptTokenizer`` that tells where tokens stand.

    BERT's words without a use (``[unused0]``), with which ColBERT marks queries and documents, are special tokens in trusted
    parts. What the tokenizer puts behind a text (``[SEP]``) is not put there a second time if our own words hold it.
    """

    def __init__(self, folder: str | Path) -> None:
        from tokenizers import AddedToken

        super().__init__(folder)
        unused = [word for word in self.inner.get_vocab() if _UNUSED.fullmatch(word)]
        if unused:
            self.inner.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in unused])
            self._added |= {self.inner.token_to_id(word) for word in unused}

    def fit(self, prompt: Prompt, room: int | None) -> Placed:
        """The ids within ``room`` tokens, documents shortened as by ``PromptTokenizer.fit``, and their spans."""
        fitted, places = self.located(prompt, room)
        begins = [0, *accumulate(len(part.text) for part in prompt)]
        spans = [
            (0, 0) if place.part < 0 else (begins[place.part] + place.start, begins[place.part] + place.end)
            for place in places
        ]
        own = fitted.ids[: len(fitted.ids) - len(self._after)]
        chat = any(part.role for part in prompt)
        whole = len(fitted.ids) if chat or not set(self._after) & set(own) else len(own)
        return Placed(fitted.ids[:whole], fitted.cut_tokens, fitted.too_long, spans[:whole])
