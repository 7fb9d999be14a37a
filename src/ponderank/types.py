"""The values that travel through Ponderank: frozen, slotted, standard library only.

Scores: higher is better, always. Token counts end in ``_tokens``, durations in seconds. Ids are ``str``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

Flaw = Literal["truncated", "unparsed", "incomplete", "refused"]
"""What was wrong with a judgement: ``truncated`` (the model saw only part of the document), ``unparsed`` (no verdict or
score could be read), ``incomplete`` (cut off before its verdict), ``refused``."""

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
    """A stretch of a prompt: ours (``trusted``) or a query's or document's (untrusted, may be hostile)."""

    text: str
    trusted: bool


Prompt: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Generate:
    """Continue ``prompt``; ``watch`` names labels whose log-probability is wanted at the last position."""

    prompt: Prompt
    max_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int | None = None
    watch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choose:
    """Log-probability of each label as the continuation of ``prompt``; prefill only."""

    prompt: Prompt
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Classify:
    """Cross-encoder logits of one query–text pair; ``level`` 0 runs every layer, ``l`` stops at the l-th exit from the end."""

    query: str
    text: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Summed log-probability of ``target`` after ``prompt``."""

    prompt: Prompt
    target: str


Call: TypeAlias = Generate | Choose | Classify | Likelihood


@dataclass(frozen=True, slots=True)
class Reply:
    """A backend's answer to one call.

    ``scores``: ``Classify`` → the head's logits, one (relevance) or two (not relevant, relevant); ``Choose`` and a watched
    ``Generate`` → a log-probability per label.
    ``finish``: ``"stop"``, ``"length"``, ``"truncated"`` (the document was shortened to fit) or a server's own word.
    """

    text: str = ""
    finish: str = "stop"
    scores: tuple[float, ...] = ()
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document that carries its score: ``[start, end)`` in code points of the text, best first."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """One score per document shown, in the order shown; ``probs`` are its probabilities of relevance, if it has any."""

    scores: tuple[float, ...]
    probs: tuple[float, ...] | None = None
    reasoning: str = ""
    evidence: tuple[Span, ...] = ()
    flaw: Flaw | None = None
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Ask:
    """A group to be judged by the judge at ``level`` (0 is the recipe's first); what a bare group means with level 0."""

    group: Group
    level: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One judgement as it happened, in the trace: which candidates were shown, at which level, and the answer."""

    group: Group
    judgement: Judgement
    level: int = 0


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

        Where there is one also title, flaw, evidence, and the ``level`` of the last judgement if it was not the full one.
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
