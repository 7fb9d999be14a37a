"""The values that travel through Ponderank: frozen, slotted, standard library only.

Scores: higher is better, always. Token counts end in ``_tokens``, durations in seconds. Ids are ``str``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from ponderank.calls import Attend as Attend
from ponderank.calls import Call as Call
from ponderank.calls import Choose as Choose
from ponderank.calls import Classify as Classify
from ponderank.calls import Embed as Embed
from ponderank.calls import Fused as Fused
from ponderank.calls import Generate as Generate
from ponderank.calls import Likelihood as Likelihood
from ponderank.calls import Part as Part
from ponderank.calls import Prompt as Prompt
from ponderank.calls import Reply as Reply
from ponderank.calls import Role as Role
from ponderank.calls import Usage as Usage
from ponderank.calls import text_of as text_of

Flaw = Literal["truncated", "unparsed", "incomplete", "refused", "late"]
"""What was wrong with a judgement: ``truncated`` (the model saw only part of the document), ``unparsed`` (no verdict or
score could be read), ``incomplete`` (cut off before its verdict, which was then forced), ``refused``, ``late`` (the
deadline came before any verdict)."""

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
    usage: Usage = field(default_factory=Usage)
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
    usage: Usage = field(default_factory=Usage)
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
