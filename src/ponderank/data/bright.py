"""BRIGHT: queries that need reasoning, documents that must not be candidates, long documents, rewritten queries.

Source: BRIGHT (Su et al., arXiv 2407.12883), ``run.py``: configurations ``examples``, ``documents``, ``long_documents`` and
``{model}_reason``, a split for each task. Differs: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ponderank.data.facts import Facts
from ponderank.data.hub import Source
from ponderank.data.laid_out import Parts
from ponderank.errors import DataError
from ponderank.recipe import nearest
from ponderank.types import Doc, Query

HUB = "xlangai/BRIGHT"
TASKS = (
    "biology", "earth_science", "economics", "psychology", "robotics", "stackoverflow", "sustainable_living", "leetcode",
    "pony", "aops", "theoremqa_questions", "theoremqa_theorems",
)  # fmt: skip
NOTHING = "N/A"
"""Stands in ``excluded_ids`` where nothing is excluded."""


def facts(name: str) -> Facts:
    """The facts of ``TASK``, ``TASK/long`` or ``TASK/gpt4_reason``."""
    task, kind = parted(name)
    return Facts(
        about=f"BRIGHT's {task}" + (f", {kind}" if kind else ""),
        licence="CC BY 4.0",
        split="test",
        measures=("R@1", "nDCG@10") if kind == "long" else ("nDCG@10", "R@100"),
        prompt=f"BrightRetrieval_{task}",
    )


def parted(name: str) -> tuple[str, str]:
    """Task and kind: empty, ``long``, or a configuration of rewritten queries.

    Raises:
        DataError: no such task.

    >>> parted("pony/gpt4_reason")
    ('pony', 'gpt4_reason')
    """
    task, _, kind = name.partition("/")
    if task not in TASKS:
        raise DataError(f"BRIGHT has no task {task!r}; {nearest(task, TASKS)}")
    if kind not in ("", "long") and not kind.endswith("_reason"):
        raise DataError(f"{name!r} ends in {kind!r}; give long, or rewritten queries such as gpt4_reason")
    return task, kind


def read(name: str, folder: str | None, known: Facts) -> Parts:
    """A task of BRIGHT. The rewritten queries of ``TASK/gpt4_reason`` take the place of the users' own.

    Raises:
        DataError: a column that is missing; a gold document that is excluded.
    """
    task, kind = parted(name)
    source = Source(folder or HUB)
    config = kind if kind.endswith("_reason") else "examples"
    gold = "gold_ids_long" if kind == "long" else "gold_ids"
    queries: list[Query] = []
    judged: dict[str, dict[str, int]] = {}
    excluded: dict[str, tuple[str, ...]] = {}
    for line, row in source.rows(config, task):
        query = source.text(row, ("id",), config, line)
        queries.append(Query(query, source.text(row, ("query",), config, line)))
        judged[query] = dict.fromkeys(source.texts(row, gold, config, line), 1)
        barred = _barred(source.texts(row, "excluded_ids", config, line))
        both = [doc for doc in barred if doc in judged[query]]
        if both:
            raise DataError(f"query {query!r}: {both[0]!r} is both gold and excluded", path=source.name, line=line)
        if barred:
            excluded[query] = barred
    docs = _docs(source, "long_documents" if kind == "long" else "documents", task)
    return Parts(docs, queries, {"test": judged}, replace(known, excluded=excluded))


def _barred(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name != NOTHING)


def _docs(source: Source, config: str, task: str) -> Iterator[Doc]:
    for line, row in source.rows(config, task):
        yield Doc(source.text(row, ("id",), config, line), source.text(row, ("content",), config, line))
