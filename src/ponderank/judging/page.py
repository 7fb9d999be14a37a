"""What the judging page is told: before grading the query and the passage, after it what was hidden. Nothing else, ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from ponderank.judging.events import Event, remaining
from ponderank.judging.opinions import Opinion
from ponderank.judging.pool import Item, Pool

PARTS = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
"""The page's files and their types."""


def part(name: str) -> str:
    """The text of one of ``PARTS``."""
    return files("ponderank.judging").joinpath("static", name).read_text("utf-8")


def outline(pool: Pool, assessor: str, events: Iterable[Event] = ()) -> dict[str, Any]:
    """The scale, the queries with the keys of their items in this assessor's order, and what the assessor did so far."""
    queries = [
        {
            "key": query, "text": items[0].query.text, "instruction": items[0].query.instruction,
            "items": [item.key for item in items],
        }
        for query, items in pool.order(assessor).items()
    ]  # fmt: skip
    scale = [{"grade": step.grade, "word": step.word, "hint": step.hint} for step in pool.scale]
    done = [event.to_dict() for event in remaining(events)]
    return {"pool": pool.fingerprint, "assessor": assessor, "scale": scale, "queries": queries, "events": done}


def passages(pool: Pool, query: str) -> dict[str, dict[str, str]]:
    """Titles and texts of a query's items by key; empty for an unknown query key."""
    return {item.key: {"title": item.doc.title, "text": item.doc.text} for item in pool.by_query.get(query, ())}


def hidden(item: Item, opinions: Mapping[str, Sequence[Opinion]]) -> dict[str, Any]:
    """What an assessor may see of an item after grading it: ids, the earlier grade, the runs' ranks, the models' words."""
    told = [
        {
            "source": said.source, "score": said.score, "prob": said.prob, "verdict": said.verdict,
            "reasoning": said.reasoning,
        }
        for said in opinions.get(item.key, ())
    ]  # fmt: skip
    seen = [{"run": run, "rank": rank} for run, rank in item.seen]
    ids = {"query_id": item.query.id, "doc_id": item.doc.id}
    return ids | {"why": item.why, "before": item.before, "seen": seen, "opinions": told}
