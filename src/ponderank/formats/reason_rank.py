"""ReasonRank: the model thinks about a list of passages, then answers with an order between marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.order_asking import ask_for_order
from ponderank.formats.order_reading import read_tagged
from ponderank.formats.permutation import written
from ponderank.formats.permutation_prompts import answer_tokens, chat, first_tokens, listing, titled
from ponderank.formats.thoughts import END, START
from ponderank.types import Call, Doc, Generate, Judgement, Prompt, Query, text_of

_ANSWER, _ANSWERED = "<answer>", "</answer>"
_TEMPLATES = {False: "reason-rank", True: "reason-rank-qwen3"}


@dataclass(frozen=True, slots=True)
class ReasonRank:
    """Judge a list by a thought and the order that stands between ``<answer>`` and ``</answer>`` behind it.

    Args:
        qwen3: the prompt of the 8B model, whose base thinks of its own accord; it was run with ``temperature`` 0.6.
        max_tokens: the longest text; a thought that is cut off is ended and its order asked for.
        passage_tokens: of each passage; the authors took 512 on BRIGHT and R2MED, 100 on TREC and BEIR. 0 keeps it whole.
        temperature: of the text.
        seed: of a temperature that is not 0.
        top_p: of a temperature that is not 0; ``top_k`` too: 0.95 and 20 for the 8B model.
        top_k: see ``top_p``.
        widest: most passages in one prompt.

    Source: ReasonRank (arXiv 2508.07050), ``utils.py`` and ``listwise_prompt_r1.toml`` (prompts), ``rank_listwise_os_llm.py``
    (sampling), ``run_rank_llm.sh`` (3,072 tokens to think, and 100).
    Differs: passages are cut by tokens as there; rank_llm's port of it cuts them by words, has no empty line before the first,
    and lets the model think for 10,000 tokens by default. A text without ``<answer>`` is not read digit by digit, thought
    included.

    >>> prompt = ReasonRank().prompt(Query("q", "who"), [Doc("d", "me")])
    >>> text_of(prompt)[-60:]
    'The format of the answer should be [] > [], e.g., [2] > [1].'
    """

    qwen3: bool = False
    max_tokens: int = 3172
    passage_tokens: int = 512
    temperature: float = 0.0
    seed: int = 42
    widest: int = 20
    top_p: float = 1.0
    top_k: int = 0

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Generate}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.passage_tokens < 0 or self.temperature < 0 or self.widest < 1:
            raise ValueError(
                f"max_tokens {self.max_tokens}, passage_tokens {self.passage_tokens}, temperature {self.temperature}, widest "
                f"{self.widest}: need 1, 0, 0 and 1 or more"
            )

    def prompt(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer | None = None) -> Prompt:
        """A system's and a user's turn; without a tokenizer the passages are whole."""
        contents = [first_tokens(titled(doc), self.passage_tokens, tokenizer) for doc in docs]
        return chat(listing(_TEMPLATES[self.qwen3]), replace(query, text=query.text.strip()), contents)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """A thought with its order; a second, short call where the thought was cut off."""
        seed = self.seed if self.temperature else None
        prompt = self.prompt(query, docs, tokenizer)
        call = Generate(
            prompt, self.max_tokens, temperature=self.temperature, seed=seed, top_p=self.top_p, top_k=self.top_k
        )
        short = answer_tokens(len(docs), tokenizer)
        return (yield from ask_for_order(call, len(docs), read_tagged, answer_tokens=short, begin=_ANSWER))

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the thought with its order as the completion."""
        answer = f"{_ANSWER} {written(judgement, letters=False)} {_ANSWERED}"
        return text_of(self.prompt(query, docs)), f"{START}\n{judgement.reasoning}\n{END}\n\n{answer}"
