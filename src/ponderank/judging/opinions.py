"""What models said about the items of a pool: kept beside it, told to nobody who has not graded the item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponderank.data.lines import json_line, records, text_field, written
from ponderank.judging.pool import Item
from ponderank.types import Candidates

if TYPE_CHECKING:
    from collections.abc import Callable

    from ponderank.engine import Progress
    from ponderank.reranker import Reranker


@dataclass(frozen=True, slots=True)
class Opinion:
    """What ``source`` (a run, a recipe, an assessor) thinks of an item, as far as it said it."""

    item: str
    source: str
    score: float | None = None
    prob: float | None = None
    verdict: str = ""
    reasoning: str = ""


def beside(pool: str | Path) -> Path:
    """Where the opinions about a pool stand.

    >>> beside("pool.jsonl").name
    'pool.jsonl.opinions.jsonl'
    """
    return Path(f"{pool}.opinions.jsonl")


def write_opinions(opinions: Iterable[Opinion], path: str | Path) -> int:
    """Write opinions as JSONL, whole or not at all; returns how many."""
    count = 0
    with written(path) as file:
        for opinion in opinions:
            file.write(json_line(asdict(opinion)))
            count += 1
    return count


def read_opinions(path: str | Path) -> dict[str, list[Opinion]]:
    """Opinions by the key of their item.

    Raises:
        DataError: a line without an item and a source.
    """
    found: dict[str, list[Opinion]] = {}
    for line, record in records(path):
        item, source = (text_field(record, (name,), path, line) for name in ("item", "source"))
        score, prob = (_number(record.get(name)) for name in ("score", "prob"))
        said = (str(record.get(name) or "") for name in ("verdict", "reasoning"))
        found.setdefault(item, []).append(Opinion(item, source, score, prob, *said))
    return found


def of_trace(path: str | Path, source: str, items: Mapping[str, Item]) -> Iterator[Opinion]:
    """What a run's ``trace.jsonl`` says about the items (by key).

    Raises:
        DataError: a line that is not of a trace.
    """
    by_ids = {(item.query.id, item.doc.id): key for key, item in items.items()}
    for line, record in records(path):
        query = text_field(record, ("query",), path, line)
        for doc in record.get("docs") or ():
            key = by_ids.get((query, str(doc.get("id"))))
            if key is not None:
                said = (doc.get("judgements") or [{}])[-1]
                yield Opinion(
                    key, source, _number(doc.get("score")), _number(doc.get("prob")), str(said.get("verdict") or ""),
                    str(said.get("reasoning") or ""),
                )  # fmt: skip


def of_recipe(
    items: Sequence[Item], reranker: Reranker, *, on_progress: Callable[[Progress], None] | None = None
) -> Iterator[Opinion]:
    """What a recipe says about the items, each query's together."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.query.id, []).append(item)
    many = [Candidates(group[0].query, tuple(item.doc for item in group)) for group in groups.values()]
    for group, ranking in zip(groups.values(), reranker.rank_many(many, on_progress=on_progress), strict=True):
        keys = {item.doc.id: item.key for item in group}
        for row in ranking.rows():
            yield Opinion(
                keys[row["id"]], reranker.recipe.name, _number(row["score"]), _number(row["prob"]),
                row.get("verdict", ""), row.get("reasoning", "").strip(),
            )  # fmt: skip


def _number(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and value - value == 0 else None
