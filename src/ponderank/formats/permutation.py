"""Listwise rerankers that write an order, ``[3] > [1] > [2]``: RankGPT in turns, RankVicuna and RankZephyr in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.order_asking import ask_for_order
from ponderank.formats.order_reading import best_first, read_order
from ponderank.formats.permutation_prompts import (
    answer_tokens,
    chat,
    first_tokens,
    first_words,
    ideal,
    ids,
    listing,
    titled,
    without_turns,
)
from ponderank.types import Call, Doc, Generate, Judgement, Prompt, Query, text_of


@dataclass(frozen=True, slots=True)
class RankGPT:
    """Ask a chat model for an order, each passage in a turn of its own.

    Args:
        template: ``"rankgpt"``, or ``"dear"``: the steps that DeAR's second stage was trained to reason in.
        words: of each passage; 0 keeps it whole.
        max_tokens: the longest answer, its thought included; 0 is what the answer alone takes, for models that do not think.
        temperature: 0 takes the likeliest words, which orders need.
        seed: of a temperature that is not 0.
        top_p: of a temperature that is not 0: the share of the probability that words are drawn from.
        opened: the chat template begins the thought itself (DeepSeek-R1, QwQ), so that ``<think>`` does not stand in the text.
        widest: most passages in one prompt.

    Source: RankGPT (arXiv 2304.09542), ``rank_gpt.py``; DeAR (arXiv 2508.16998), ``listwise_rerank/prompts.py``.
    Differs: ``[12]`` in a passage or query is rewritten to ``(12)``, as rank_llm does in passages; ids are read as
    ``order_reading.read_order`` says, not as any digits of the answer; the first bounds no answer's length. A thought
    that was cut off gets its order asked for.

    >>> prompt = RankGPT().prompt(Query("q", "who"), [Doc("d", "me [2]")])
    >>> [(part.role, part.text) for part in prompt[5:8]]
    [('user', '[1] '), ('user', 'me (2)'), ('assistant', 'Received passage [1].')]
    """

    template: str = "rankgpt"
    words: int = 300
    max_tokens: int = 0
    temperature: float = 0.0
    seed: int = 42
    opened: bool = False
    widest: int = 20
    top_p: float = 1.0

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Generate}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if listing(self.template).replies is None:
            raise ValueError(f"template {self.template!r} has no turns; give 'rankgpt' or 'dear', or use RankLLM")
        _bounds(self.words, self.max_tokens, self.widest)

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """The whole conversation, the last turn being the user's."""
        return chat(listing(self.template), query, [first_words(titled(doc), self.words) for doc in docs])

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call; a second, short one where a thought was cut off."""
        short = answer_tokens(len(docs), tokenizer)
        call = Generate(
            self.prompt(query, docs),
            self.max_tokens or short,
            temperature=self.temperature,
            seed=self.seed if self.temperature else None,
            top_p=self.top_p,
        )
        return (yield from ask_for_order(call, len(docs), read_order, answer_tokens=short, opened=self.opened))

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the conversation, and the order, behind the reasoning if there is one, as the completion."""
        thought = f"<think>\n{judgement.reasoning}\n</think>\n\n" if judgement.reasoning and self.max_tokens else ""
        return text_of(self.prompt(query, docs)), thought + written(judgement, letters=False)


@dataclass(frozen=True, slots=True)
class RankLLM:
    """Ask a model that was trained for it for an order, all passages in one turn: RankVicuna, RankZephyr, CodeRankLLM.

    Args:
        template: ``"zephyr"``, rank_llm's present prompt; ``"vicuna"``, the one it was published with; ``"full"``, that of full
            ranking; ``"zephyr-letters"``, with ``[A]`` for ``[1]``; ``"code"`` and ``"code-issue"``, for code that a doc string or
            an issue asks for; see ``permutation_prompts.LISTINGS``.
        words: of each passage; 0 keeps it whole.
        passage_tokens: in place of words, so that lines and indents stay; 0 counts words.
        around: what stands around the prompt in a model without a chat template (``permutation_prompts.AROUND``), with
            ``{system}`` and ``{user}`` in it; empty asks in the model's chat.
        max_tokens: the longest answer; 0 is what an answer takes.
        widest: most passages in one prompt; 26 with letters.

    Source: RankVicuna (arXiv 2309.15088), RankZephyr (arXiv 2312.02724): rank_llm's prompt templates and
    ``rank_listwise_os_llm.py``; full ranking (arXiv 2412.14574): fullrank's ``utils.py``, ``rank_listwise_os_llm.py``; CoRNStack
    (arXiv 2412.01007): llm-reranker's ``llm_util.py``, ``rank_listwise_os_llm.py``.
    Differs: as ``permutation_prompts`` and ``order_reading.read_order`` say. There an answer is also made at least as long as
    the ideal one. The ``vicuna`` prompt's ``[4] > [2]`` is what rank_llm's class for it gave; its command line gave ``[2] > [1]``.

    >>> prompt = RankLLM().prompt(Query("q", "who"), [Doc("d", "me [2]")])
    >>> [part.text for part in prompt if part.role == "user"][3:6]
    ['[1] ', 'me (2)', '\\n']
    """

    template: str = "zephyr"
    words: int = 300
    around: str = ""
    max_tokens: int = 0
    widest: int = 20
    passage_tokens: int = 0

    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Generate}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        form = listing(self.template)
        if form.replies is not None:
            raise ValueError(f"template {self.template!r} is in turns; use RankGPT")
        if self.around and not self.around.partition("{system}")[2].count("{user}") == 1:
            raise ValueError(f"around is {self.around!r}; it needs {{system}} and then {{user}}")
        _bounds(self.words, self.max_tokens, self.widest, letters=form.letters)
        if self.passage_tokens < 0:
            raise ValueError(f"passage_tokens {self.passage_tokens}: need 0 or more")

    def prompt(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer | None = None) -> Prompt:
        """A system's and a user's turn, or one text; passages are whole without a tokenizer that could count them."""
        if self.passage_tokens:
            contents = [first_tokens(titled(doc), self.passage_tokens, tokenizer) for doc in docs]
        else:
            contents = [first_words(titled(doc), self.words) for doc in docs]
        turns = chat(listing(self.template), query, contents)
        return without_turns(turns, self.around) if self.around else turns

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call."""
        letters = listing(self.template).letters
        short = answer_tokens(len(docs), tokenizer, letters=letters)
        call = Generate(self.prompt(query, docs, tokenizer), self.max_tokens or short)
        read = partial(read_order, letters=letters)
        return (yield from ask_for_order(call, len(docs), read, answer_tokens=short))

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the order as the completion."""
        return text_of(self.prompt(query, docs)), written(judgement, letters=listing(self.template).letters)


def written(judgement: Judgement, *, letters: bool) -> str:
    """A judgement's order as a model is to write it; equal scores in the order shown.

    >>> written(Judgement((1.0, 3.0, 2.0)), letters=False)
    '[2] > [3] > [1]'
    """
    names = ids(len(judgement.scores), letters=letters)
    return ideal([names[place] for place in best_first(judgement.scores)])


def _bounds(words: int, max_tokens: int, widest: int, *, letters: bool = False) -> None:
    if words < 0 or max_tokens < 0 or not 1 <= widest <= (26 if letters else 1000):
        raise ValueError(
            f"words {words}, max_tokens {max_tokens}, widest {widest}: need 0 or more, 0 or more, 1 or more (at most 26 letters)"
        )
