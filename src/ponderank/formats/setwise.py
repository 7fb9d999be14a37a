"""Rerankers that name the best of several passages: Setwise by its letter, Rank-R1 by its number, behind a thought."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.choices import (
    BEGUN,
    LETTERS,
    SHORT,
    Style,
    doc_part,
    letter_of,
    likeliest,
    numbered,
    only,
    query_part,
    readable,
    thought_in,
)
from ponderank.formats.parts import filled, ours
from ponderank.formats.reading import flaw_of, settled, tagged
from ponderank.formats.setwise_prompts import (
    RANK_R1_SYSTEM,
    RANK_R1_USER,
    SETWISE_ASKED,
    SETWISE_ENDS,
    SETWISE_SYSTEM,
)
from ponderank.formats.thoughts import END, START, ended, was_cut
from ponderank.types import Call, Choose, Doc, Generate, Judgement, Part, Prompt, Query, Reply, Role, text_of

_ANSWER, _ANSWERED = "<answer>", "</answer>"
_NUMBER = r"\[(\d+)\]"


@dataclass(frozen=True, slots=True)
class Setwise:
    """Name the most relevant of up to 23 passages by its letter, or read how likely each letter is.

    ``"generation"`` scores 1 for the passage named and 0 for the others; an answer that names none, or several, scores all
    alike (flaw ``unparsed``). ``"likelihood"`` scores each passage by its label's log-probability: a whole order from one call.

    Args:
        mode: ``"generation"`` or ``"likelihood"``.
        style: ``"chat"`` asks any chat model, as the authors ask OpenAI's; ``"begun"`` begins the answer with `` Passage:``
            behind the chat template, as they do with Llama; ``"raw"`` is a text without turns, for T5, whose labels are
            ``Passage A`` and so on. Likelihoods need one of the latter two.
        max_tokens: the longest answer in a chat, thoughts included; elsewhere a label is all that is written.

    Source: Setwise (arXiv 2310.09497); llm-rankers ``llmrankers/setwise.py`` (``SetwiseLlmRanker``, ``OpenAiSetwiseLlmRanker``).
    Differs: there passages are cut to 128 tokens and the query to 32; here a passage is cut where the context ends. An
    unreadable answer counts as the first passage there, which in heapsort is the parent, and is not told; of an answer that
    names several, the first counts. The likelihood of ``Passage`` itself, the same for all, is in T5's scores. Their votes
    over shuffled prompts (``num_permutation``) are ``strategies.repeat``.

    >>> dialogue = Setwise().judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> text_of(next(dialogue)[0].prompt)[-47:]
    'the passage label of the most relevant passage.'
    """

    mode: Literal["generation", "likelihood"] = "generation"
    style: Style = "chat"
    max_tokens: int = 2048

    widest = len(LETTERS)
    absolute = False

    def __post_init__(self) -> None:
        if self.mode not in ("generation", "likelihood") or self.style not in SETWISE_ENDS or self.max_tokens < 1:
            raise ValueError(
                f"mode {self.mode!r}, style {self.style!r}, max_tokens {self.max_tokens}: need 'generation' or 'likelihood', "
                "'chat', 'begun' or 'raw', 1 or more"
            )
        if self.mode == "likelihood" and self.style == "chat":
            raise ValueError("likelihoods are read where a label must come; give style='begun', or 'raw' for T5")

    @property
    def needs(self) -> frozenset[type[Call]]:
        """A text, or its labels' likelihoods."""
        return frozenset({Generate if self.mode == "generation" else Choose})

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """What the model reads: a text, or a chat with the beginning of its answer where that is given."""
        role: Role = "" if self.style == "raw" else "user"
        before, after = SETWISE_ASKED
        parts = [ours(before, role), query_part(query, role)]
        for letter, doc in zip(LETTERS, docs, strict=False):
            parts += [ours(f'{after}Passage {letter}: "', role), doc_part(doc, role)]
            after = '"\n\n'
        parts.append(ours(after + SETWISE_ENDS[self.style], role))
        if self.style == "chat":
            return (ours(SETWISE_SYSTEM, "system"), *parts)
        return (*parts, ours(BEGUN, "assistant")) if self.style == "begun" else tuple(parts)

    def labels(self, count: int) -> tuple[str, ...]:
        """What may come next, by passage."""
        before = "" if self.style == "chat" else " " if self.style == "begun" else "Passage "
        return tuple(before + letter for letter in LETTERS[:count])

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call; none where there is but one passage."""
        prompt, count = self.prompt(query, docs), len(docs)
        if count < 2:
            return Judgement((0.0,) * count)
        if self.mode == "likelihood":
            (reply,) = yield [Choose(prompt, self.labels(count))]
            return named(prompt, [reply], LETTERS, count)
        (reply,) = yield [Generate(prompt, self.max_tokens if self.style == "chat" else SHORT)]
        found = letter_of(reply, self.style, count)
        flaw = flaw_of([reply], forced=found is not None and not found[1], unread=found is None)
        if found is None:
            return Judgement((0.0,) * count, reasoning=thought_in(reply.text), flaw=flaw, prompt=text_of(prompt))
        return Judgement(
            only(found[0], count), reasoning=thought_in(reply.text), flaw=flaw, prompt=text_of(prompt),
            verdict=LETTERS[found[0]],
        )  # fmt: skip

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the best passage's label as the completion."""
        letter = LETTERS[likeliest(judgement.scores)]
        label = f" {letter}" if self.style == "begun" else f"Passage {letter}"
        return text_of(self.prompt(query, docs)), label


def named(
    prompt: Prompt, replies: Sequence[Reply], names: Sequence[str], count: int, thought: str = "", *, forced: bool = False
) -> Judgement:  # fmt: skip
    """The judgement from the last reply's log-probabilities of ``count`` labels; all alike where it has none."""
    last = replies[-1]
    read = readable(last.scores, count)
    lost = forced or (read and any(math.isnan(score) for score in last.scores))
    return Judgement(
        last.scores if read else (0.0,) * count,
        reasoning=thought,
        flaw=flaw_of(replies, forced=lost, unread=not read),
        prompt=text_of(prompt),
        verdict=names[likeliest(last.scores)] if read else "",
        estimate=last.estimate,
    )


@dataclass(frozen=True, slots=True)
class RankR1:
    """Think, then name the most relevant of up to 20 passages by its number: ``<answer>[3]</answer>``.

    It scores 1, the others 0. A thought that is cut off, or an answer without a number, is ended and every label's
    log-probability read in its place (flaw ``incomplete``), which are then the scores.

    Args:
        max_tokens: the longest text.
        think: False asks for the answer at once, with the authors' prompt for that (their Setwise-SFT models).
        version: of the prompt: ``"0.1"`` or ``"0.2"``, which have models of their own.

    Passages are to be shown shuffled in every call; that is the strategy's part (``SetwiseHeapsort(shuffle=0)``).

    Source: Rank-R1 (arXiv 2503.06034); llm-rankers ``llmrankers/setwise.py`` (``RankR1SetwiseLlmRanker``: passages as
    ``[1] text``, 2,048 tokens, temperature 0) and ``Rank-R1/prompts``; version 0.2 as ``Rank-R1/create_dataset_v0.2.py``
    lays it out (``[1]: text``, empty lines between). Differs: their later ``Rank-R1/run_setwise.py`` has the colon in version
    0.1 too, with which it was not trained. The answer is read behind the thought only, and the last one counts; there the
    first ``<answer>`` behind any ``</think>``, and an answer that cannot be read is the first passage.

    >>> dialogue = RankR1().judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> "[1] me\\n[2] you\\nAfter" in text_of(next(dialogue)[0].prompt)
    True
    """

    max_tokens: int = 2048
    think: bool = True
    version: Literal["0.1", "0.2"] = "0.1"

    widest = 20
    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Generate, Choose}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.version not in ("0.1", "0.2") or self.max_tokens < 1:
            raise ValueError(f"version {self.version!r}, max_tokens {self.max_tokens}: need '0.1' or '0.2', 1 or more")

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """A system and a user turn."""
        name = "direct" if not self.think else self.version
        spaced = self.think and self.version == "0.2"
        prefix, between = ("[{}]: ", "\n\n") if spaced else ("[{}] ", "\n")
        before, after = RANK_R1_USER[name].split("{docs}")
        parts: list[Part] = []
        for at, doc in enumerate(docs):
            parts += [ours(between * (at > 0) + prefix.format(at + 1), "user"), doc_part(doc, "user")]
        words = {"query": query_part(query).text}
        shown = filled(before, words, role="user")
        tail = (ours(after, "user"),) if after else ()
        return (ours(RANK_R1_SYSTEM[name], "system"), *shown, *parts, *tail)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """A thought with its answer, and a short call where the answer has to be asked for."""
        prompt, count = self.prompt(query, docs), len(docs)
        if count < 2:
            return Judgement((0.0,) * count)
        (reply,) = yield [Generate(prompt, self.max_tokens)]
        if reply.finish in ("late", "refused"):
            flaw = flaw_of([reply], unread=True)
            return Judgement((0.0,) * count, reasoning=reply.text, flaw=flaw, prompt=text_of(prompt))
        thought, found = thought_in(reply.text), number_of(reply, count)
        if found is None:
            return (yield from self._forced(prompt, reply, count))
        flaw = flaw_of([reply], forced=not found[1])
        return Judgement(
            only(found[0] - 1, count), reasoning=thought, flaw=flaw, prompt=text_of(prompt), verdict=f"[{found[0]}]"
        )

    def _forced(self, prompt: Prompt, reply: Reply, count: int) -> Generator[list[Call], list[Reply], Judgement]:
        """The labels' log-probabilities behind a text without an answer; with the closing bracket where 1 also begins 10."""
        close = "]" * (count > 9)
        place = (*prompt, *ended(reply.text), ours(f"{_ANSWER}[", "assistant"))
        (last,) = yield [Choose(place, tuple(f"{at + 1}{close}" for at in range(count)))]
        names = tuple(f"[{at + 1}]" for at in range(count))
        return named(prompt, [reply, last], names, count, thought_in(reply.text) or reply.text.strip(), forced=True)

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the thought with the best passage's number as the completion."""
        answer = f"{_ANSWER}[{likeliest(judgement.scores) + 1}]{_ANSWERED}"
        thought = f"{START} {judgement.reasoning.strip()} {END} " if self.think else ""
        return text_of(self.prompt(query, docs)), thought + answer


def number_of(reply: Reply, count: int) -> tuple[int, bool] | None:
    """The number that a reply answers with, and whether it does so in the form asked for; None where it gives none.

    >>> number_of(Reply("<think>[1] or [2]</think> <answer>[2]</answer>"), 2)
    (2, True)
    """
    answer = settled(reply.text, cut=was_cut(reply))
    if answer is None:
        return None
    inside = tagged(re.sub(r"(?i)<(/?)answer>", r"<\1answer>", answer), "answer")
    found = numbered(answer if inside is None else inside, _NUMBER, 1, count)
    return found if found is None or inside is not None else (found[0], False)
