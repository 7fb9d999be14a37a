"""The trace of a run: one JSON line a query, written as queries finish."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponderank.types import Ranking, Step


@dataclass(slots=True)
class Traced:
    """What the finished queries amount to: ranked document ids by query, calls made, flaws by name."""

    order: dict[str, list[str]] = field(default_factory=dict)
    calls: int = 0
    flaws: dict[str, int] = field(default_factory=dict)


def write_trace(rankings: Iterable[Ranking], total: int, path: Path, times: Path | None = None) -> Traced:
    """Write each ranking's line as it comes, so that what is finished is in the file whenever we are stopped.

    ``times`` gets, of judgements by a language model, the seconds that each document took: they would differ in the trace.

    Raises:
        KeyboardInterrupt: interrupted; the message says how many of the ``total`` queries are finished.
    """
    traced = Traced()
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        try:
            for ranking in rankings:
                file.write(json.dumps(trace_line(ranking), ensure_ascii=False) + "\n")
                file.flush()
                if times is not None:
                    _note_times(ranking, times)
                traced.order[ranking.query.id] = [doc.id for doc in ranking.docs]
                traced.calls += ranking.usage.calls
                for name, count in ranking.flaws().items():
                    traced.flaws[name] = traced.flaws.get(name, 0) + count
        except KeyboardInterrupt as stop:
            done = f"{len(traced.order)} of {total} queries are finished, in {path}; the same command goes on from here"
            raise KeyboardInterrupt(done) from stop
    return traced


def _note_times(ranking: Ranking, path: Path) -> None:
    seconds: dict[str, float] = {}
    names = {position: doc.id for position, doc in zip(ranking.order, ranking.docs, strict=True)}
    for step in ranking.trace:
        if step.judgement.prompt and len(step.group) == 1 and step.group[0] in names:
            name = names[step.group[0]]
            seconds[name] = round(seconds.get(name, 0.0) + step.judgement.usage.seconds, 4)
    if seconds:
        with path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(json.dumps({"query": ranking.query.id, "seconds": seconds}, ensure_ascii=False) + "\n")


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def spoken(step: Step) -> dict[str, Any]:
    """What a language model was asked and said in one judgement; ``score`` is its log-odds, None if it gave none."""
    judged, usage = step.judgement, step.judgement.usage
    return {
        "level": step.level,
        "prompt": judged.prompt,
        "reasoning": judged.reasoning,
        "verdict": judged.verdict,
        "score": _number(judged.scores[0]),
        "flaw": judged.flaw,
        "estimate": judged.estimate,
        "prompt_tokens": usage.prompt_tokens,
        "output_tokens": usage.output_tokens,
    }


def trace_line(ranking: Ranking) -> dict[str, Any]:
    """A query's line in ``trace.jsonl``; without times, so that equal rankings give equal bytes.

    ``docs`` are best first: ``score`` is raw, as the strategy gave it; ``first_rank`` counts from 1; ``level`` is that
    of the last judgement that showed the document (0 is the full one), ``flaw`` its last flaw; ``tokens`` are those of
    all judgements that showed it. Of a language model also ``judgements``: each prompt, reasoning, verdict and score. Where
    documents were shown together the query has ``judgements``: which, in the order shown, their scores, and what was said.
    ``judge`` is the last one's number where there are several.
    """
    levels: dict[int, int] = {}
    judges: dict[int, int] = {}
    names = {position: doc.id for position, doc in zip(ranking.order, ranking.docs, strict=True)}
    tokens: dict[int, int] = {}
    flaws: dict[int, str] = {}
    said: dict[int, list[dict[str, Any]]] = {}
    for step in ranking.trace:
        usage = step.judgement.usage
        if step.judgement.prompt and len(step.group) == 1:
            said.setdefault(step.group[0], []).append(spoken(step))
        for position in step.group:
            levels[position], judges[position] = step.level, step.judge
            tokens[position] = tokens.get(position, 0) + usage.prompt_tokens + usage.output_tokens
            if step.judgement.flaw:
                flaws[position] = step.judgement.flaw
    docs = [
        {
            "rank": rank + 1,
            "id": doc.id,
            "score": _number(ranking.scores[rank]),
            "prob": ranking.probs[rank] if ranking.probs else None,
            "first_rank": position + 1,
            "first_score": None if ranking.priors is None else ranking.priors[rank],
            "flaw": flaws.get(position),
            "level": levels.get(position),
            "tokens": tokens.get(position, 0),
            **({"judge": judges[position]} if judges.get(position) else {}),
            **({"judgements": said[position]} if position in said else {}),
        }
        for rank, (doc, position) in enumerate(zip(ranking.docs, ranking.order, strict=True))
    ]
    usage = ranking.usage
    cost = {"calls": usage.calls, "prompt_tokens": usage.prompt_tokens, "output_tokens": usage.output_tokens}
    together = [_told(step, names) for step in ranking.trace if len(step.group) > 1]
    return {"query": ranking.query.id, **cost, "docs": docs, **({"judgements": together} if together else {})}


def _told(step: Step, names: dict[int, str]) -> dict[str, Any]:
    """A judgement of several documents; without its prompt, which the documents and the recipe give again."""
    judged = step.judgement
    said = {"judge": step.judge, "level": step.level, "reasoning": judged.reasoning, "verdict": judged.verdict}
    said |= {"flaw": judged.flaw, "estimate": judged.estimate}
    shown = [names.get(position) for position in step.group]
    return {"docs": shown, "scores": [_number(x) for x in judged.scores], **{k: v for k, v in said.items() if v}}
