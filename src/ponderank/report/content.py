"""What a report says: one value, whatever it is written as. Measures are by name, values by query, systems in the report's order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from ponderank.metrics.compare import Comparison
from ponderank.metrics.handling import Handling
from ponderank.metrics.systems import Standings


@dataclass(frozen=True, slots=True)
class Moves:
    """Relevant documents that reranking brought ``into`` the top ``k`` and took ``out`` of it, over all judged queries."""

    into: int
    out: int
    k: int


@dataclass(frozen=True, slots=True)
class System:
    """One run of one collection.

    ``compared`` is by measure, empty for the baseline. ``cost`` is a query's. ``judged`` is Judged@k with the report's depth;
    ``bounds`` are a measure's lower and higher value if the unjudged documents in its top k were all not relevant, or all
    of the collection's top grade. ``first_stage`` was not given: another run's folder says that it began with it.
    """

    name: str
    path: str
    first_stage: bool
    measures: Mapping[str, float]
    compared: Mapping[str, Comparison]
    cost: Mapping[str, float]
    flaws: Mapping[str, int]
    handling: Handling
    judged: float
    bounds: Mapping[str, tuple[float, float]]
    moves: Moves | None
    manifest: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Said:
    """What became of one document in one system, and what was said about it.

    Ranks count from 1, None where it was not ranked. ``evidence`` are ranges ``[start, end)`` of the passage's whole text.
    ``cut`` characters of ``reasoning`` are left out where it has ``…``. ``asked`` is how many judgements a model gave.
    """

    system: str
    rank: int | None
    first_rank: int | None = None
    score: float | None = None
    prob: float | None = None
    verdict: str = ""
    reasoning: str = ""
    cut: int = 0
    asked: int = 0
    flaw: str = ""
    estimate: str = ""
    evidence: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A document of a chosen query, and what each system made of it; ``grade`` None is unjudged."""

    doc: str
    grade: int | None
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A document's ranks, by system: a line in the picture of a query's movements."""

    doc: str
    grade: int | None
    ranks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Detail:
    """A chosen query: ``why`` it was chosen, each system's value of the main measure, movements, documents."""

    query: str
    text: str
    instruction: str
    why: tuple[str, ...]
    values: Mapping[str, float]
    lines: tuple[Line, ...]
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document's text: ``before`` and ``after`` characters of it are left out."""

    title: str
    text: str
    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """All about one collection; ``passages`` are by document, each once; ``left_out`` says what is not shown, and why."""

    name: str
    about: str
    path: str
    split: str
    queries: int
    top_grade: int
    relevant: int
    depth: int
    measures: tuple[str, ...]
    baseline: str | None
    systems: tuple[System, ...]
    texts: Mapping[str, str]
    values: Mapping[str, Mapping[str, Mapping[str, float]]]
    details: tuple[Detail, ...]
    passages: Mapping[str, Passage]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def main(self) -> str:
        """The measure that queries are chosen by."""
        return self.measures[0]

    def system(self, name: str) -> System:
        """The system of that name."""
        return next(system for system in self.systems if system.name == name)

    def others(self) -> list[System]:
        """The systems that are compared with the baseline."""
        return [system for system in self.systems if system.name != self.baseline]

    def deltas(self, name: str) -> dict[str, float]:
        """By query, how much higher a system is than the baseline on the main measure; empty without a baseline."""
        if self.baseline is None:
            return {}
        mine, base = self.values[name][self.main], self.values[self.baseline][self.main]
        return {query: mine[query] - base[query] for query in base if query in mine}


@dataclass(frozen=True, slots=True)
class How:
    """How systems were compared; ``price`` is that of a million tokens, read and written."""

    test: str
    correction: str
    alpha: float
    seed: int
    ties: str
    price: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Overall:
    """Systems over several collections: ``table`` has each one's value, by system and collection, of that collection's measure."""

    measures: Mapping[str, str]
    table: Mapping[str, Mapping[str, float | None]]
    standings: Standings


@dataclass(frozen=True, slots=True)
class Report:
    """The whole: a section a collection, and where there are several, the systems over all of them."""

    title: str
    version: str
    how: How
    sections: tuple[Section, ...]
    overall: Overall | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: what is not a finite number is None."""
        return {"format": "ponderank-report-1", **_plain(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, Comparison | Handling | Standings):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
