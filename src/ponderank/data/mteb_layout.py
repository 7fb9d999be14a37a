"""Data sets in mteb's layout: configurations for corpus, queries, judgements, instructions and candidates.

Source: mteb 2.26, ``abstasks/retrieval_dataset_loaders.py`` and ``instruction_reranking/multilingual/m_follow_ir.py`` (the
names of configurations and columns). Differs: all splits that are judged are read, not one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ponderank.data.facts import Facts
from ponderank.data.hub import Source
from ponderank.data.laid_out import Parts
from ponderank.data.trec import Qrels
from ponderank.errors import DataError
from ponderank.types import Doc, Query

_ID = ("_id", "id")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a data set keeps what: the configurations of one ``subset`` (a language), or of the whole."""

    source: Source
    configs: tuple[str, ...]
    subset: str = ""

    @classmethod
    def of(cls, source: Source, subset: str = "") -> Layout:
        """Ask the data set for its configurations."""
        return cls(source, tuple(source.configs()), subset)

    def find(self, *parts: str) -> str | None:
        """The configuration of the first part that there is: ``corpus``, ``sw-corpus`` or ``corpus-fas``."""
        shapes = (f"{self.subset}-{{}}", f"{{}}-{self.subset}") if self.subset else ("{}",)
        names = (shape.format(part) for part in parts for shape in shapes)
        return next((name for name in names if name in self.configs), None)

    def need(self, *parts: str) -> str:
        """The same, where it must be there.

        Raises:
            DataError: there is none.
        """
        found = self.find(*parts)
        if found is None:
            subset = f" for {self.subset!r}" if self.subset else ""
            raise DataError(
                f"no configuration {' or '.join(parts)}{subset}; there are {', '.join(self.configs)}",
                path=self.source.name,
            )
        return found


def read(layout: Layout, facts: Facts) -> Parts:
    """A collection in mteb's layout.

    Raises:
        DataError: a configuration or a column that is missing, with the source and the row.
    """
    queries = list(_queries(layout))
    qrels = _qrels(layout)
    first = _lists(layout, "top_ranked")
    changed = _lists(layout, "qrel_diff")
    facts = replace(facts, given=first is not None, changed=changed or facts.changed)
    return Parts(_docs(layout), queries, qrels, facts, first)


def _docs(layout: Layout) -> Iterator[Doc]:
    source, config = layout.source, layout.need("corpus")
    before: set[str] = set()
    for split in source.splits(config):
        here: set[str] = set()
        for line, row in source.rows(config, split):
            name = source.text(row, _ID, config, line)
            if name not in before:  # a document of several splits is one
                yield Doc(name, source.text(row, ("text",), config, line), str(row.get("title") or ""))
            here.add(name)
        before |= here


def _queries(layout: Layout) -> Iterator[Query]:
    source, config = layout.source, layout.need("queries", "query")
    told = _instructions(layout)
    before: set[str] = set()
    for split in source.splits(config):
        here: set[str] = set()
        for line, row in source.rows(config, split):
            name = source.text(row, _ID, config, line)
            if name not in before:
                text = source.text(row, ("text",), config, line)
                yield Query(name, text, told.get(name) or str(row.get("instruction") or ""))
            here.add(name)
        before |= here


def _instructions(layout: Layout) -> dict[str, str]:
    config = layout.find("instruction")
    if config is None:
        return {}
    source = layout.source
    return {
        source.text(row, ("query-id",), config, line): source.text(row, ("instruction",), config, line)
        for split in source.splits(config)
        for line, row in source.rows(config, split)
    }


def _qrels(layout: Layout) -> dict[str, Qrels]:
    source, config = layout.source, layout.need("qrels", "default")
    out: dict[str, Qrels] = {}
    for split in source.splits(config):
        for line, row in source.rows(config, split):
            query = source.text(row, ("query-id",), config, line)
            grade = row.get("score")
            if not isinstance(grade, int | float) or grade != int(grade):
                raise DataError(f"the score is {grade!r}; expected a whole number", path=source.name, line=line)
            out.setdefault(split, {}).setdefault(query, {})[source.text(row, ("corpus-id",), config, line)] = int(grade)
    return out


def _lists(layout: Layout, part: str) -> dict[str, tuple[str, ...]] | None:
    config = layout.find(part)
    if config is None:
        return None
    source = layout.source
    return {
        source.text(row, ("query-id",), config, line): source.texts(row, "corpus-ids", config, line)
        for split in source.splits(config)
        for line, row in source.rows(config, split)
    }
