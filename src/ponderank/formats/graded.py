"""Rerankers that grade a passage: an integer after a thought (ERank), a grade without one (TFRank), a rubric (Retro*)."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.classify import asked
from ponderank.formats.graded_prompts import ERANK, RETRO_STAR, TFRANK_REMINDER, TFRANK_SYSTEM, TFRANK_TASK, rubric
from ponderank.formats.parts import filled, ours, values_of
from ponderank.formats.quotes import quoted
from ponderank.formats.reading import flaw_of, log_odds, probability, settled, tagged, thought_part, whole_number
from ponderank.formats.thoughts import END, START, ended, own_words, was_cut
from ponderank.types import Call, Choose, Doc, Flaw, Generate, Judgement, Prompt, Query, Reply, text_of

_GRADES = tuple(str(grade) for grade in range(11))
_ANSWER, _ANSWERED = "<answer>", "</answer>"


@dataclass(frozen=True, slots=True)
class ERank:
    """Think, then answer with an integer from 0 to 10; the score is that integer times its token's probability.

    The probability is read by a second, short call behind the model's own words, at the place of the integer. A thought
    that is cut off, or ends without an integer, is ended and the likeliest grade taken in its place (flaw ``incomplete``).

    Args:
        max_tokens: the longest text.
        instruction: the goal where the query has none.

    Source: ERank (arXiv 2509.00520), figure 5 for the prompt's words and section 3 for the score. Not checked: the authors'
    code could not be seen, so line breaks in the prompt, and the goal for queries without one, are ours.
    Differs: the grade is read from the answer only, never from the thought, which may quote the document.

    >>> dialogue = ERank().judge(Query("q", "who"), [Doc("d", "me")], None)
    >>> text_of(next(dialogue)[0].prompt)[-12:]
    'Your output:'
    """

    max_tokens: int = 4096
    instruction: str = "Given a web search query, retrieve relevant passages that answer the query"

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Generate, Choose}), init=False, repr=False, compare=False)

    def prompt(self, query: Query, doc: Doc) -> Prompt:
        """What the model reads before it thinks: one user turn."""
        values = values_of(query, doc) | {"instruction": query.instruction or self.instruction}
        return filled(ERANK, values, role="user")

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """A thought with its grade, and a short call for the grade's probability."""
        prompt = self.prompt(query, docs[0])
        (reply,) = yield [Generate(prompt, self.max_tokens)]
        if reply.finish in ("late", "refused"):
            return _unread(prompt, [reply])
        found = _place(reply)
        if found is None:
            grade, chance, last = yield from _likeliest(prompt, reply)
        else:
            grade, place = found
            (last,) = yield [Choose((*prompt, *own_words(reply.text[:place])), (str(grade),))]
            chance = math.exp(min(last.scores[0], 0.0)) if len(last.scores) == 1 else math.nan
        score, thought = grade * chance, _thought(reply.text)
        flaw = flaw_of([reply, last], forced=found is None, unread=math.isnan(score))
        return Judgement(
            (score,), reasoning=thought, evidence=quoted(thought, docs[0].text), flaw=flaw, prompt=text_of(prompt),
            verdict="" if math.isnan(score) else str(grade), estimate=last.estimate,
        )  # fmt: skip

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the thought with its grade as the completion."""
        completion = f"{START}{judgement.reasoning}{END}{_ANSWER}{judgement.verdict}{_ANSWERED}"
        return text_of(self.prompt(query, docs[0])), completion


def _thought(text: str) -> str:
    """What stands between the marks of a thought, or before the answer."""
    before = thought_part(text) if END in text else text.partition(_ANSWER)[0]
    return before.strip().removeprefix(START)


def _place(reply: Reply) -> tuple[int, int] | None:
    """The grade that a text answers with, and where its digits begin; None without one."""
    answer = settled(reply.text, cut=was_cut(reply))
    inside = None if answer is None else tagged(answer, "answer")
    found = None if inside is None else whole_number(inside, 0, 10)
    if found is None or inside is None:
        return None
    tag = reply.text.rindex(_ANSWER) + len(_ANSWER)
    return found[0], reply.text.index(inside, tag) + found[1]


def _likeliest(prompt: Prompt, reply: Reply) -> Generator[list[Call], list[Reply], tuple[int, float, Reply]]:
    """The likeliest grade behind a text that gives none, its token's probability, and the reply.

    Grades are compared with the end of their tag, since ``1`` is also how ``10`` begins.
    """
    place = (*prompt, *ended(reply.text), ours(_ANSWER, "assistant"))
    (last,) = yield [Choose(place, (*(grade + _ANSWERED for grade in _GRADES), *_GRADES))]
    closed, bare = last.scores[:11], last.scores[11:]
    if len(bare) != 11 or any(math.isnan(score) for score in last.scores):
        return 0, math.nan, last
    grade = max(range(11), key=lambda i: closed[i])
    return grade, math.exp(min(bare[grade], 0.0)), last


def _unread(prompt: Prompt, replies: Sequence[Reply]) -> Judgement:
    flaw = flaw_of(replies, unread=True)
    return Judgement((math.nan,), reasoning=replies[0].text, flaw=flaw, prompt=text_of(prompt))


@dataclass(frozen=True, slots=True)
class TFRank:
    """Grade without thinking: the mean of ``E[grade] / 4`` and ``P(yes)``, from two short calls and no generation.

    The first reads yes against no, the second the grades 0 to 4 behind the likelier of them (``yes(``, ``no(``).

    Args:
        reminder: put the request for the form once more behind the document, as the authors' runs did.

    Source: TFRank (arXiv 2508.09539), ``evaluation/run_eval.py`` (chat bytes, ``parse_yesno``, ``parse_label``),
    ``eval_metrics.py`` (mean) and the samples of its training data (task, fields).
    Differs: one judgement a pair; there an answer counts at the ninth try only, so that every scored prompt had the reminder.
    Its form is not what the model was trained on, so ``reminder`` is off. Exact probabilities of ``yes``, ``no`` and the
    grades; there one outside the top 20 got 10 below the least of them, and failures .5. An instruction goes behind the query;
    there is no place for one. ``/no think`` is their own spelling, kept because the models were trained on it.

    >>> dialogue = TFRank().judge(Query("q", "who"), [Doc("d", "me")], None)
    >>> next(dialogue)[0].labels
    ('yes', 'no')
    """

    reminder: bool = False

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Choose}), init=False, repr=False, compare=False)

    def prompt(self, query: Query, doc: Doc) -> Prompt:
        """What the model reads, its empty thought included."""
        return (
            ours(
                f"<|im_start|>system\n{TFRANK_SYSTEM}\n<|im_end|>\n<|im_start|>user\n<Instruct>: {TFRANK_TASK}<Query>: "
            ),
            *filled("{query}", {"query": asked(query)}),
            ours("\n\n\n<Document>: "),
            *filled("{document}", values_of(query, doc)),
            ours(
                f"{TFRANK_REMINDER * self.reminder} /no think\n<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
            ),
        )

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """Two rounds of one call."""
        prompt = self.prompt(query, docs[0])
        (first,) = yield [Choose(prompt, ("yes", "no"))]
        odds = log_odds(first.scores)
        prob = probability(odds)
        if prob is None:
            return _unread(prompt, [first])
        word = "yes" if odds >= 0 else "no"
        (second,) = yield [Choose((*prompt, ours(f"{word}(")), _GRADES[:5])]
        grade = _expected(second.scores)
        flaw = flaw_of([first, second], unread=math.isnan(grade))
        verdict = "" if math.isnan(grade) else f"{word}({max(range(5), key=lambda i: second.scores[i])})"
        return Judgement(
            ((grade / 4 + prob) / 2,), (prob,), flaw=flaw, prompt=text_of(prompt), verdict=verdict,
            estimate=first.estimate or second.estimate,
        )  # fmt: skip

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and ``yes(3)`` or the like as the completion; the grade from the score in [0, 1]."""
        grade = min(max(round(4 * judgement.scores[0]), 0), 4)
        return text_of(self.prompt(query, docs[0])), f"{'yes' if grade >= 2 else 'no'}({grade})"


def _expected(scores: Sequence[float]) -> float:
    """The mean grade under log-probabilities of 0, 1, 2 …, taken for all there is."""
    if len(scores) != 5 or any(math.isnan(score) for score in scores) or max(scores) == -math.inf:
        return math.nan
    weights = [math.exp(score - max(scores)) for score in scores]
    return math.fsum(grade * weight for grade, weight in enumerate(weights)) / math.fsum(weights)


@dataclass(frozen=True, slots=True)
class RetroStar:
    """Grade from 0 to 100 by a rubric, ``samples`` times with different seeds; the score is the mean of what could be read.

    A sample without a grade is left out of the mean and makes a flaw: ``incomplete`` if it was cut off, else ``unparsed``.

    Args:
        samples: texts written for a pair.
        max_tokens: the longest text.
        temperature: of the samples; a single sample may be asked for at 0.
        seed: of the first sample; the others count up.
        top_k: the likeliest tokens that samples are drawn from; 0 for all.
        dataset: whose definition of relevance is used (``graded_prompts.DATASETS``); a query's instruction takes its place.
        prefill: what every answer begins with: the empty thought that turns a Qwen3 checkpoint's thinking off.

    Source: Retro* (arXiv 2509.24869), agentic-search ``Retro-star/evaluation/bright/reranker_sglang.py`` (prompt, temperature,
    top-k, mean) and its scripts (4,096 tokens, 1 or 16 samples, thinking off).
    Differs: there a sample that cannot be read counts as 0, and a long prompt loses its right end; the last ``<score>`` of the
    answer counts, not the first, and must lie in [0, 100].

    >>> dialogue = RetroStar(samples=2).judge(Query("q", "who"), [Doc("d", "me")], None)
    >>> [(call.seed, call.temperature) for call in next(dialogue)]
    [(42, 0.6), (43, 0.6)]
    """

    samples: int = 1
    max_tokens: int = 4096
    temperature: float = 0.6
    seed: int = 42
    dataset: str = ""
    prefill: str = ""
    top_k: int = 40

    widest = 1
    absolute = True
    needs: frozenset[type[Call]] = field(default=frozenset({Generate}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rubric(self.dataset)
        if self.samples < 1 or self.max_tokens < 1 or self.temperature < 0:
            raise ValueError(
                f"samples {self.samples}, max_tokens {self.max_tokens}, temperature {self.temperature}: need 1, 1 and 0 or more"
            )

    def prompt(self, query: Query, doc: Doc) -> Prompt:
        """One user turn, and the beginning of the answer if it is given."""
        kind, doc_kind, definition = rubric(self.dataset)
        template = RETRO_STAR.replace("{kind}", kind).replace("{doc_kind}", doc_kind)
        if not query.instruction:
            template = template.replace("{definition}", definition)
        values = values_of(query, doc) | {"definition": query.instruction}
        return (*filled(template, values, role="user"), *((ours(self.prefill, "assistant"),) if self.prefill else ()))

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One round, one call a sample."""
        prompt = self.prompt(query, docs[0])
        replies = yield [
            Generate(prompt, self.max_tokens, temperature=self.temperature, seed=self.seed + i, top_k=self.top_k)
            for i in range(self.samples)
        ]
        grades = [_grade(reply) for reply in replies]
        read = [grade for grade in grades if grade is not None]
        thoughts = "\n\n".join(reply.text.strip() for reply in replies)
        return Judgement(
            (math.fsum(read) / len(read) if read else math.nan,),
            reasoning=thoughts,
            evidence=quoted(thoughts, docs[0].text),
            flaw=_flaw(replies, grades),
            prompt=text_of(prompt),
            verdict=", ".join("?" if grade is None else str(grade) for grade in grades),
        )

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the text that was written, its score included."""
        return text_of(self.prompt(query, docs[0])), judgement.reasoning


def _grade(reply: Reply) -> int | None:
    answer = settled(reply.text, cut=was_cut(reply))
    inside = None if answer is None else tagged(answer, "score")
    found = None if inside is None else whole_number(inside, 0, 100)
    return None if found is None else found[0]


def _flaw(replies: Sequence[Reply], grades: Sequence[int | None]) -> Flaw | None:
    lost = [reply for reply, grade in zip(replies, grades, strict=True) if grade is None]
    cut_only = bool(lost) and all(was_cut(reply) for reply in lost) and len(lost) < len(replies)
    return flaw_of(replies, forced=cut_only, unread=bool(lost) and not cut_only)
