"""Cases to rank: a query's candidates with their utilities, in an input order, drawn from relevance judgements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ponderank.data.trec import Qrels, Run, read_qrels, read_run
from ponderank.errors import DataError
from ponderank.laboratory.judges import Floats
from ponderank.laboratory.measures import ideal_dcg

Order = Literal["first-stage", "random", "reversed", "ideal"]
Gain = Literal["linear", "exponential"]


@dataclass(frozen=True, slots=True)
class Case:
    """One trial's query: grades and utilities of its candidates in input order, first-stage scores, and the ideal's DCG@10."""

    query: str
    grades: Floats
    utilities: Floats
    priors: tuple[float, ...]
    ideal: float

    def __len__(self) -> int:
        return len(self.grades)


@dataclass(frozen=True)
class Cases:
    """Draws cases: query after query, with new utilities, candidates and first stage in each trial.

    A document's utility is that of its grade plus ``within · d · v``: ``v`` is even between −½ and ½, drawn anew for each document and
    trial, and orders documents of one grade; ``d`` is the distance from grade 0 to grade 1, so that no document passes one of a higher
    grade. Grades lie at ``grade / highest``, or at ``(2^grade − 1) / (2^highest − 1)`` with ``gain`` ``"exponential"``; ``highest`` is
    the highest in the judgements. Unjudged and negative is grade 0.

    Candidates are the best ``k`` of the ``run`` in its order. Without a run they are the query's judged documents, ``k`` of them drawn
    where there are more, and unjudged ones up to ``k`` where there are fewer, ordered by utility plus ``first_stage_noise · z``.
    ``order`` is how they are then laid before a strategy; first-stage scores stay with their documents. Queries without a relevant
    document are left out: every order of them measures 0.

    Raises:
        DataError: no query is left.

    >>> case = Cases({"q": {"a": 1, "b": 0}}, k=3, order="ideal").draw(trial=0, seed=0)
    >>> case.grades.tolist()
    [1.0, 0.0, 0.0]
    """

    qrels: Qrels
    run: Run | None = None
    k: int = 100
    first_stage_noise: float = 1.0
    order: Order = "first-stage"
    within: float = 0.5
    gain: Gain = "linear"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k is {self.k}; give 1 or more")
        if not (0 <= self.first_stage_noise < float("inf") and 0 <= self.within <= 1):
            raise ValueError(
                f"first_stage_noise {self.first_stage_noise}, within {self.within}: need 0 or more, and 0 to 1"
            )
        if not self.queries:
            where = "" if self.run is None else " and has a document in the run"
            raise DataError(f"no query that is judged, has a relevant document{where}; nothing to simulate")

    @classmethod
    def read(cls, qrels: str | Path, run: str | Path | None = None, **given: object) -> Cases:
        """From files: judgements in TREC's or BEIR's form, and a TREC run where candidates come from one.

        Raises:
            DataError: a file that cannot be read, or no query with a relevant document in it.
        """
        judged, retrieved = read_qrels(qrels), None if run is None else read_run(run)
        try:
            return cls(judged, retrieved, **given)  # type: ignore[arg-type]
        except DataError as error:
            raise DataError(str(error), path=qrels) from error

    @cached_property
    def queries(self) -> tuple[str, ...]:
        """The queries that are drawn in turn, in the file's order."""
        return tuple(
            query
            for query, docs in self.qrels.items()
            if max(docs.values(), default=0) > 0 and (self.run is None or self.run.get(query))
        )

    @cached_property
    def highest(self) -> int:
        """The highest grade."""
        return max(grade for docs in self.qrels.values() for grade in docs.values())

    def draw(self, *, trial: int, seed: int) -> Case:
        """The case of a trial; the same for the same seed, whatever is done with it."""
        query = self.queries[trial % len(self.queries)]
        rng = np.random.default_rng([seed, trial])
        judged = self.qrels[query]
        grades, priors = self._given(query, judged) if self.run is not None else (self._filled(judged, rng), None)
        step = float(self._utility(np.ones(1))[0])
        utilities = self._utility(grades) + self.within * step * (rng.random(len(grades)) - 0.5)
        first = utilities + self.first_stage_noise * rng.standard_normal(len(grades)) if priors is None else priors
        at = self._laid(first, utilities, rng)
        ideal = ideal_dcg(list(judged.values()))
        return Case(query, grades[at], utilities[at], tuple(first[at].tolist()), ideal)

    def _given(self, query: str, judged: Mapping[str, int]) -> tuple[Floats, Floats]:
        hits = self.run[query][: self.k] if self.run is not None else []
        grades = [float(max(0, judged.get(name, 0))) for name, _ in hits]
        return np.array(grades), np.array([score for _, score in hits])

    def _filled(self, judged: Mapping[str, int], rng: np.random.Generator) -> Floats:
        grades = np.maximum(np.array(list(judged.values()), dtype=float), 0.0)
        if len(grades) > self.k:
            return rng.choice(grades, self.k, replace=False)
        return np.concatenate([grades, np.zeros(self.k - len(grades))])

    def _utility(self, grades: Floats) -> Floats:
        if self.gain == "linear":
            return grades / self.highest
        scaled: Floats = np.expm1(grades * np.log(2)) / np.expm1(self.highest * np.log(2))
        return scaled

    def _laid(self, first: Floats, utilities: Floats, rng: np.random.Generator) -> NDArray[np.intp]:
        """The candidates' input order."""
        if self.order == "random":
            return rng.permutation(len(first)).astype(np.intp)
        by = np.argsort(-(utilities if self.order == "ideal" else first), kind="stable")
        return by[::-1].copy() if self.order == "reversed" else by
