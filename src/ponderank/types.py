"""The values that travel through Ponderank: frozen, slotted, standard library only.

Scores: higher is better, always. Token counts end in ``_tokens``, durations in seconds. Ids are ``str``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

Flaw = Literal["truncated", "unparsed", "incomplete", "refused", "late"]
"""What was wrong with a judgement: ``truncated`` (the model saw only part of the document), ``unparsed`` (no verdict or
score could be read), ``incomplete`` (cut off before its verdict, which was then forced), ``refused``, ``late`` (the
deadline came before any verdict)."""

Role = Literal["", "system", "user", "assistant"]
"""Whose turn of a chat a part belongs to; ``""`` in prompts without a chat template."""

Group: TypeAlias = tuple[int, ...]
"""Indices of the candidates shown together in one judgement, first-stage order being 0, 1, 2, …"""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. ``instruction`` says what counts as relevant, for models that read one."""

    id: str
    text: str
    instruction: str = ""


@dataclass(frozen=True, slots=True)
class Doc:
    """One candidate text. ``metadata`` is carried along, never read."""

    id: str
    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    @property
    def full_text(self) -> str:
        """Title and text with one space between, as BEIR, Rank1 and mteb join them; the text alone without a title."""
        return f"{self.title} {self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class Candidates:
    """One query and its candidates in first-stage order, best first; ``scores`` are the first stage's, when known."""

    query: Query
    docs: tuple[Doc, ...]
    scores: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.scores is not None and len(self.scores) != len(self.docs):
            raise ValueError(
                f"{len(self.docs)} documents but {len(self.scores)} scores; give one score a document or none"
            )


@dataclass(frozen=True, slots=True)
class Usage:
    """What a result cost. Adds with ``+``; ``seconds`` is model time, summed over calls."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a prompt: ours (``trusted``) or a query's or document's (untrusted, may be hostile).

    Special tokens are parsed in trusted parts only. ``may_shorten`` marks what may be cut from its end to fit a context:
    documents, never a query. A prompt whose parts have roles is a chat; the backend puts it into the model's template,
    and an ``assistant`` part at the end is what the answer begins with.
    """

    text: str
    trusted: bool
    may_shorten: bool = False
    role: Role = ""


Prompt: TypeAlias = tuple[Part, ...]
"""Raw (no part has a role) or a chat (every part has one)."""


def text_of(prompt: Prompt) -> str:
    """The parts' texts, joined; of a chat each turn behind its role, for people to read.

    >>> text_of((Part("Query: ", True), Part("who", False)))
    'Query: who'
    """
    turns = [
        f"\n<{part.role}>\n" * (part.role != "" and (not at or prompt[at - 1].role != part.role)) + part.text
        for at, part in enumerate(prompt)
    ]
    return "".join(turns).removeprefix("\n")


@dataclass(frozen=True, slots=True)
class Generate:
    """Continue ``prompt`` until a stop string, the model's own end, or ``max_tokens``.

    ``watch`` names labels whose log-probabilities are wanted where the stop string's last token was chosen: with the stop
    ``"</think> true"``, those of ``" true"`` and ``" false"`` right behind ``</think>``.
    """

    prompt: Prompt
    max_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int | None = None
    watch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choose:
    """Log-probability of each label as the continuation of ``prompt``, over all tokens of a label; prefill only.

    ``scale`` ``"logit"`` asks for the first token's unnormalised logits instead (RankT5, bge-reranker-v2-gemma), which
    only a model in the same process can give.
    """

    prompt: Prompt
    labels: tuple[str, ...]
    scale: Literal["logprob", "logit"] = "logprob"


@dataclass(frozen=True, slots=True)
class Classify:
    """Cross-encoder logits of one query–text pair; ``level`` 0 runs every layer, ``l`` stops at the l-th exit from the end.

    ``other`` is a second text, for models that read a query and two texts as three segments (duoBERT).
    """

    query: str
    text: str
    level: int = 0
    other: str = ""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Summed log-probability of ``target`` after ``prompt``."""

    prompt: Prompt
    target: str


@dataclass(frozen=True, slots=True)
class Fused:
    """A text decoded over the encodings of several prompts, each read alone (Fusion-in-Decoder: ListT5)."""

    prompts: tuple[Prompt, ...]
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Attend:
    """Attention that the tokens from part ``since`` to the prompt's end pay to the tokens of each of ``parts``; prefill only.

    A vector for each of ``parts``: for each of its tokens the mean over the paying tokens of the sum over heads and layers.
    """

    prompt: Prompt
    parts: tuple[int, ...]
    since: int


@dataclass(frozen=True, slots=True)
class Embed:
    """The model's last hidden states, pooled: one vector, or one a token with ``pool`` ``"tokens"``.

    ``pool``: ``"last"``, ``"first"`` or ``"mean"`` token. Vectors have length 1.
    """

    prompt: Prompt
    pool: Literal["last", "first", "mean", "tokens"] = "last"


Call: TypeAlias = Generate | Choose | Classify | Likelihood | Fused | Attend | Embed


@dataclass(frozen=True, slots=True)
class Reply:
    """A backend's answer to one call.

    ``text``: what was generated, without the stop string; ``stop``: that string, where the backend can tell.
    ``scores``: ``Classify`` → the head's logits, one (relevance) or two (not relevant, relevant); ``Choose`` → a
    log-probability per label; a watched ``Generate`` that ended at a stop string → the same, or empty where the backend
    could not tell them all.
    ``finish``: ``"stop"`` (ended by itself), ``"end"`` (the same, and known to be the model's own end, not a stop string),
    ``"length"``, ``"truncated"`` (the document was shortened to fit), ``"refused"``, or a server's own word; and, never kept
    in a cache, ``"interrupted"`` (by a deadline), ``"late"`` (nobody answered in time), ``"failed"`` (only nonsense came back).
    ``cut_tokens``: tokens of documents that were cut to fit the context. ``estimate``: how the scores were estimated where
    the server could not give them; empty if they are exact.
    ``vectors``: what ``Attend`` and ``Embed`` give. ``spans``: of ``Embed`` by token, each one's ``[start, end)`` in code points
    of the prompt's joined text; empty for tokens that are not in it.
    """

    text: str = ""
    finish: str = "stop"
    scores: tuple[float, ...] = ()
    usage: Usage = Usage()
    stop: str = ""
    cut_tokens: int = 0
    estimate: str = ""
    vectors: tuple[tuple[float, ...], ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document that carries its score: ``[start, end)`` in code points of the text, best first."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """One score per document shown, in the order shown; ``probs`` are its probabilities of relevance, if it has any.

    Of a language model also the ``prompt`` it was given, its ``reasoning``, its ``verdict`` in its own words, and the
    ``estimate``: how its scores were estimated, empty if they are exact.
    """

    scores: tuple[float, ...]
    probs: tuple[float, ...] | None = None
    reasoning: str = ""
    evidence: tuple[Span, ...] = ()
    flaw: Flaw | None = None
    usage: Usage = Usage()
    prompt: str = ""
    verdict: str = ""
    estimate: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A group to be judged by the recipe's ``judge`` of that number, at ``level``; what a bare group means with 0 and 0.

    Judges are different models or prompts (a cascade's stages); levels are one judge's own cheaper ways, 0 being in full.
    """

    group: Group
    level: int = 0
    judge: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One judgement as it happened, in the trace: which candidates were shown, to which judge, at which level; the answer."""

    group: Group
    judgement: Judgement
    level: int = 0
    judge: int = 0


def flaws_of(steps: Sequence[Step]) -> dict[str, int]:
    """Count the flaws of a trace by name.

    >>> flaws_of([Step((0,), Judgement((1.0,), flaw="truncated"))])
    {'truncated': 1}
    """
    counts: dict[str, int] = {}
    for step in steps:
        if step.judgement.flaw:
            counts[step.judgement.flaw] = counts.get(step.judgement.flaw, 0) + 1
    return counts


@dataclass(frozen=True, slots=True)
class Ranking:
    """A query's documents, best first.

    ``scores`` and ``probs`` go with ``docs``: scores are the strategy's, comparable within this ranking; a prob is the
    last judgement's probability of relevance, None where the format gives none. ``order[r]`` is the first-stage
    position (from 0) of the document at rank ``r``; the ``trace`` speaks of first-stage positions. ``priors`` are the
    first stage's scores in ranked order, when known.
    """

    query: Query
    docs: tuple[Doc, ...]
    scores: tuple[float, ...]
    probs: tuple[float | None, ...] = ()
    order: tuple[int, ...] = ()
    trace: tuple[Step, ...] = ()
    usage: Usage = Usage()
    priors: tuple[float, ...] | None = None

    def __len__(self) -> int:
        return len(self.docs)

    def top(self, k: int) -> Ranking:
        """The best ``k``; the trace and usage stay whole."""
        if k < 0:
            raise ValueError(f"k is {k}; give 0 or more")
        priors = None if self.priors is None else self.priors[:k]
        return replace(
            self, docs=self.docs[:k], scores=self.scores[:k], probs=self.probs[:k], order=self.order[:k], priors=priors
        )

    def candidates(self) -> Candidates:
        """This ranking as the next stage's candidates."""
        return Candidates(self.query, self.docs, self.scores)

    def judgement(self, rank: int) -> Judgement | None:
        """The last judgement that showed the document at ``rank`` (from 0) alone, or None."""
        position = (self.order[rank],)
        return next((step.judgement for step in reversed(self.trace) if step.group == position), None)

    def flaws(self) -> dict[str, int]:
        """Flawed judgements by name."""
        return flaws_of(self.trace)

    def rows(self) -> list[dict[str, Any]]:
        """One JSON-ready mapping a document: rank (from 1), id, score, prob, text.

        Where there is one also title, flaw, verdict, reasoning, estimate, evidence, and of the last judgement the ``level`` if it
        was not the full one and the ``judge`` if it was not the first.
        """
        last = {step.group: step for step in self.trace if len(step.group) == 1}
        rows = []
        for rank, doc in enumerate(self.docs):
            prob = self.probs[rank] if self.probs else None
            row: dict[str, Any] = {"rank": rank + 1, "id": doc.id}
            row |= {"score": self.scores[rank], "prob": prob, "text": doc.text}
            if doc.title:
                row["title"] = doc.title
            step = last.get((self.order[rank],)) if self.order else None
            if step and step.judgement.flaw:
                row["flaw"] = step.judgement.flaw
            if step and step.level:
                row["level"] = step.level
            if step and step.judge:
                row["judge"] = step.judge
            if step:
                judged = step.judgement
                told = {"verdict": judged.verdict, "reasoning": judged.reasoning, "estimate": judged.estimate}
                row |= {name: value for name, value in told.items() if value}
            if step and step.judgement.evidence:
                row["evidence"] = [{"start": s.start, "end": s.end, "score": s.score} for s in step.judgement.evidence]
            rows.append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """The query, the rows and the cost, ready for JSON: a score that is not a finite number is None."""
        usage = {name: getattr(self.usage, name) for name in Usage.__dataclass_fields__}
        query = {"id": self.query.id, "text": self.query.text, "instruction": self.query.instruction}
        return {"query": query, "results": _json_ready(self.rows()), "usage": usage, "flaws": self.flaws()}

    def to_jsonl(self) -> str:
        """One line of JSON a document; lone surrogates, which no file can hold, as ``\\udXXX``, not-a-number as null."""
        lines = (json.dumps(row, ensure_ascii=False) for row in _json_ready(self.rows()))
        return "".join(line.encode("utf-8", "backslashreplace").decode() + "\n" for line in lines)

    def __str__(self) -> str:
        from ponderank.show import text_table

        return text_table(self)

    def _repr_html_(self) -> str:
        from ponderank.show import html_table

        return html_table(self)


def _json_ready(value: Any) -> Any:
    """The same with None for floats that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _json_ready(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_json_ready(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
