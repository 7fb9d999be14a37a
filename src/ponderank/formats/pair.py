"""Rerankers that compare two passages: prompted (PRP, LLM-RankFusion), trained (duoT5, duoBERT).

Their judgements are ``(p, 1 - p)``, p being the probability that the first passage is the more relevant one. Both are computed
from the log-odds x in double precision, as ``sigmoid(x)`` and ``sigmoid(-x)``: where p rounds to 1, the other still is about
``exp(-x)``, so that ``log(p / (1 - p))`` gives x back and no order is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.errors import BackendError
from ponderank.formats.choices import BEGUN, LETTERS, SHORT, letter_of, likeliest, query_part, thought_in
from ponderank.formats.classify import asked, sigmoid
from ponderank.formats.pair_prompts import DUO_T5, PRP_ANSWERED, PRP_ASKED, PRP_SYSTEM
from ponderank.formats.parts import filled, ours
from ponderank.formats.reading import flaw_of, log_odds
from ponderank.types import Call, Choose, Classify, Doc, Generate, Judgement, Part, Prompt, Query, Reply, Role, text_of


@dataclass(frozen=True, slots=True)
class PRP:
    """Ask which of two passages is more relevant, or read how likely either answer is.

    ``"generation"`` gives (1, 0), (0, 1), or (.5, .5) for an answer that cannot be read (flaw ``unparsed``). ``"scoring"`` gives
    the labels' probabilities against each other.

    Args:
        mode: ``"generation"`` or ``"scoring"``.
        style: ``"chat"``, ``"begun"``, ``"raw"`` as in ``Setwise``; ``"letter"`` asks for a single letter, whose probability can
            be read from any chat server that gives log-probabilities. Scoring needs one of the latter three.
        both_orders: ask both orders in one judgement. Scoring then takes the mean of the two log-odds, which cancels a
            preference for a place; generation a tie unless the two agree. The strategy need not ask both orders itself.
        examples: what the model is shown before, each a query, a passage that is more relevant, one that is less; each is
            shown in both orders.
        max_tokens: the longest answer in a chat, thoughts included; elsewhere a label is all that is written.

    Source: PRP (arXiv 2306.17563); llm-rankers ``llmrankers/pairwise.py``. Examples and calibration: LLM-RankFusion
    (arXiv 2406.00231), ``rankers/pairwise.py`` and ``calibration.py``.
    Differs: there passages are cut to 128 tokens; here where the context ends. Unreadable answers of a chat count as A there;
    of an answer that names both, the first counts. The released calibration is a softmax of the two orders' probabilities,
    which makes .27 to .73 of 0 to 1; the mean log-odds order alike and keep their scale. It reads the token ``A`` where
    a model would write `` A``; here the latter. In the style ``"letter"`` examples are answered by the letter, there by
    ``Passage: A``. The authors' own examples are not published.

    >>> dialogue = PRP().judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> text_of(next(dialogue)[0].prompt)[-30:]
    'Output Passage A or Passage B:'
    """

    mode: Literal["generation", "scoring"] = "generation"
    style: Literal["chat", "letter", "begun", "raw"] = "chat"
    both_orders: bool = False
    examples: tuple[tuple[str, str, str], ...] = ()
    max_tokens: int = 2048

    widest = 2
    absolute = False

    def __post_init__(self) -> None:
        if self.mode not in ("generation", "scoring") or self.style not in PRP_ASKED or self.max_tokens < 1:
            raise ValueError(
                f"mode {self.mode!r}, style {self.style!r}, max_tokens {self.max_tokens}: need 'generation' or 'scoring', "
                "'chat', 'letter', 'begun' or 'raw', 1 or more"
            )
        if self.mode == "scoring" and self.style == "chat":
            raise ValueError("scores are read where a label must come; give style='letter', 'begun', or 'raw' for T5")
        if any(len(example) != 3 for example in self.examples):
            raise ValueError("an example is a query, a passage that is more relevant and one that is less")

    @property
    def needs(self) -> frozenset[type[Call]]:
        """A text, or its labels' likelihoods."""
        return frozenset({Generate if self.mode == "generation" else Choose})

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """What the model reads: a text, or a chat with the beginning of its answer where that is given."""
        role: Role = "" if self.style == "raw" else "user"
        system = (ours(PRP_SYSTEM[self.style], "system"),) if self.style in PRP_SYSTEM else ()
        last = _shown(PRP_ASKED[self.style], query, docs, role)
        begun = (ours(BEGUN, "assistant"),) if self.style == "begun" else ()
        return (*system, *self._examples(role), *last, *begun)

    def _examples(self, role: Role) -> Prompt:
        """Each example twice: its better passage first, then second."""
        parts: list[Part] = []
        answers, between = PRP_ANSWERED[self.style], "\n\n" * (self.style == "raw")
        for query, better, worse in self.examples:
            for letter, texts in (("A", (better, worse)), ("B", (worse, better))):
                docs = [Doc("", text) for text in texts]
                shown = _shown(PRP_ASKED[self.style], Query("", query), docs, role, may_shorten=False)
                parts += [*shown, ours(answers.format(letter) + between, "assistant" if role else "")]
        return tuple(parts)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round of one call, or of one an order."""
        if len(docs) < 2:
            return Judgement((0.5,) * len(docs))
        prompts = [self.prompt(query, docs)]
        if self.both_orders:
            prompts.append(self.prompt(query, docs[::-1]))
        replies = yield [self._call(prompt) for prompt in prompts]
        odds, clear = self._said(replies)
        read = [value for value in odds if not math.isnan(value)]
        repaired = not clear or len(read) < len(odds)
        return Judgement(
            chances(self._together(odds)),
            reasoning="\n\n".join(filter(None, (thought_in(reply.text) for reply in replies))),
            flaw=flaw_of(replies, forced=repaired, unread=not read),
            prompt=text_of(prompts[0]),
            verdict=", ".join("?" if math.isnan(x) else _letter(x, at) for at, x in enumerate(odds)),
            estimate=next((reply.estimate for reply in replies if reply.estimate), ""),
        )

    def _call(self, prompt: Prompt) -> Call:
        if self.mode == "generation":
            return Generate(prompt, self.max_tokens if self.style in ("chat", "letter") else SHORT)
        before = {"letter": "", "begun": " "}.get(self.style, "Passage ")
        return Choose(prompt, tuple(before + letter for letter in LETTERS[:2]))

    def _said(self, replies: Sequence[Reply]) -> tuple[list[float], bool]:
        """The log-odds for the first passage by order asked, not-a-number where unread; whether all was said clearly."""
        if self.mode == "scoring":
            return [log_odds(reply.scores) * (-1) ** at for at, reply in enumerate(replies)], True
        style = "chat" if self.style == "letter" else self.style
        found = [letter_of(reply, style, 2) for reply in replies]
        odds = [math.nan if one is None else math.inf * (-1) ** (one[0] + at) for at, one in enumerate(found)]
        return odds, all(one is None or one[1] for one in found)

    def _together(self, odds: Sequence[float]) -> float:
        """One log-odds from those of each order; 0 where they say nothing, or say in words that they do not agree."""
        read = [value for value in odds if not math.isnan(value)]
        if not read or (self.mode == "generation" and len(set(odds)) > 1):
            return 0.0
        mean = math.fsum(value / len(read) for value in read) if all(map(math.isfinite, read)) else sum(read)
        return 0.0 if math.isnan(mean) else mean

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the better passage's label as the completion."""
        label = {"letter": "{}", "begun": " {}"}.get(self.style, "Passage {}")
        return text_of(self.prompt(query, docs)), label.format(LETTERS[likeliest(judgement.scores)])


def _shown(template: str, query: Query, docs: Sequence[Doc], role: Role = "", *, may_shorten: bool = True) -> Prompt:
    """A question about two passages; both may be shortened."""
    before, rest = template.split("{first}")
    between, after = rest.split("{second}")
    first, second = (Part(doc.full_text, trusted=False, may_shorten=may_shorten, role=role) for doc in docs)
    head = filled(before, {"query": query_part(query).text}, role=role)
    return (*head, first, ours(between, role), second, ours(after, role))


def _letter(odds: float, order: int) -> str:
    """The letter said in an order, from the log-odds for the first passage."""
    return LETTERS[(odds < 0) != bool(order)]


def chances(odds: float) -> tuple[float, float]:
    """The probabilities that the first and that the second of two passages is the better one.

    >>> chances(0.0), chances(40.0)
    ((0.5, 0.5), (1.0, 4.248354255291589e-18))
    """
    return sigmoid(odds), sigmoid(-odds)


@dataclass(frozen=True, slots=True)
class DuoT5:
    """Compare two passages by the word that would come next, ``true`` where the first is the more relevant one.

    Source: arXiv 2101.05667; pygaggle ``rerank/transformer.py`` (``DuoT5``, ``▁true`` against ``▁false``),
    ``model/tokenize.py`` (template). An instruction goes behind the query. Differs: a long prompt loses its right end there,
    ``Relevant:`` with it; here the passages are cut. llm-rankers compares the two orders' P(true) with each other, pygaggle
    adds up P and 1 - P over all ordered pairs: both are for the strategy.

    >>> dialogue = DuoT5().judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> text_of(next(dialogue)[0].prompt)
    'Query: who Document0: me Document1: you Relevant:'
    """

    widest = 2
    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Choose}), init=False, repr=False, compare=False)

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """What the model reads."""
        return _shown(DUO_T5, query, docs)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call."""
        if len(docs) < 2:
            return Judgement((0.5,) * len(docs))
        prompt = self.prompt(query, docs)
        (reply,) = yield [Choose(prompt, ("true", "false"))]
        return _compared(log_odds(reply.scores), reply, text_of(prompt))

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and ``true`` or ``false`` as the completion."""
        return text_of(self.prompt(query, docs)), "false" if likeliest(judgement.scores) else "true"


@dataclass(frozen=True, slots=True)
class DuoBERT:
    """Compare two passages by a classifier's head that reads the query and both of them, as three segments.

    Two logits (not more relevant, more relevant) are the log-odds by their difference; one logit is the log-odds itself.

    Source: duoBERT (arXiv 1910.14424); castorini/duobert ``run_duobert_msmarco.py`` (softmax, the second of two),
    ``convert_msmarco_to_duobert_tfrecord.py`` (order and segments, which are the backend's part). Differs: nothing.

    >>> dialogue = DuoBERT().judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> next(dialogue)
    [Classify(query='who', text='me', level=0, other='you')]
    """

    widest = 2
    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Classify}), init=False, repr=False, compare=False)

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call."""
        if len(docs) < 2:
            return Judgement((0.5,) * len(docs))
        other = docs[1].full_text or " "  # an empty one would be none
        (reply,) = yield [Classify(asked(query), docs[0].full_text, other=other)]
        if len(reply.scores) not in (1, 2):
            raise BackendError(
                f"the model's head has {len(reply.scores)} logits; one that compares has one, or two (no, yes)"
            )
        return _compared(log_odds((*reply.scores[::-1], 0.0)[:2]), reply, "")


def _compared(odds: float, reply: Reply, prompt: str) -> Judgement:
    """The judgement on two passages from the log-odds of the first; even where there are none."""
    unread = math.isnan(odds)
    return Judgement(
        chances(0.0 if unread else odds),
        flaw=flaw_of([reply], unread=unread),
        prompt=prompt,
        verdict="" if unread else LETTERS[odds < 0],
        estimate=reply.estimate,
    )
