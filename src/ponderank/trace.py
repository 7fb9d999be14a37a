"""The trace of a run: one JSON line a query, written as queries finish."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponderank.types import Ranking


@dataclass(slots=True)
class Traced:
    """What the finished queries amount to: ranked document ids by query, calls made, flaws by name."""

    order: dict[str, list[str]] = field(default_factory=dict)
    calls: int = 0
    flaws: dict[str, int] = field(default_factory=dict)


def write_trace(rankings: Iterable[Ranking], total: int, path: Path) -> Traced:
    """Write each ranking's line as it comes, so that what is finished is in the file whenever we are stopped.

    Raises:
        KeyboardInterrupt: interrupted; the message says how many of the ``total`` queries are finished.
    """
    traced = Traced()
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        try:
            for ranking in rankings:
                file.write(json.dumps(trace_line(ranking), ensure_ascii=False) + "\n")
                file.flush()
                traced.order[ranking.query.id] = [doc.id for doc in ranking.docs]
                traced.calls += ranking.usage.calls
                for name, count in ranking.flaws().items():
                    traced.flaws[name] = traced.flaws.get(name, 0) + count
        except KeyboardInterrupt as stop:
            done = f"{len(traced.order)} of {total} queries are finished, in {path}; the same command goes on from here"
            raise KeyboardInterrupt(done) from stop
    return traced


def trace_line(ranking: Ranking) -> dict[str, Any]:
    """A query's line in ``trace.jsonl``; without times, so that equal rankings give equal bytes.

    ``docs`` are best first: ``score`` is raw, as the strategy gave it; ``first_rank`` counts from 1; ``level`` is that
    of the last judgement that showed the document (0 is the full one), ``flaw`` its last flaw; ``tokens`` are those of
    all judgements that showed it.
    """
    levels: dict[int, int] = {}
    tokens: dict[int, int] = {}
    flaws: dict[int, str] = {}
    for step in ranking.trace:
        usage = step.judgement.usage
        for position in step.group:
            levels[position] = step.level
            tokens[position] = tokens.get(position, 0) + usage.prompt_tokens + usage.output_tokens
            if step.judgement.flaw:
                flaws[position] = step.judgement.flaw
    docs = [
        {
            "rank": rank + 1,
            "id": doc.id,
            "score": ranking.scores[rank],
            "prob": ranking.probs[rank] if ranking.probs else None,
            "first_rank": position + 1,
            "first_score": None if ranking.priors is None else ranking.priors[rank],
            "flaw": flaws.get(position),
            "level": levels.get(position),
            "tokens": tokens.get(position, 0),
        }
        for rank, (doc, position) in enumerate(zip(ranking.docs, ranking.order, strict=True))
    ]
    usage = ranking.usage
    cost = {"calls": usage.calls, "prompt_tokens": usage.prompt_tokens, "output_tokens": usage.output_tokens}
    return {"query": ranking.query.id, **cost, "docs": docs}
