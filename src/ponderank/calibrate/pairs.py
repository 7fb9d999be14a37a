"""The pairs that a calibration is fitted on: judged candidates with the scores of a model, asked now or in a finished run."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponderank.calibrate.fit import Pairs
from ponderank.errors import DataError, RecipeError
from ponderank.recipe import Recipe
from ponderank.run import Experiment
from ponderank.run_input import first_stage, name_of, opened, queries_of, split_of
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Candidates

if TYPE_CHECKING:
    from ponderank.data.beir import Collection
    from ponderank.data.trec import Qrels
    from ponderank.engine import Progress
    from ponderank.reranker import Reranker


@dataclass(frozen=True, slots=True)
class Labels:
    """What counts as relevant: grades from ``relevant`` up; None as the collection says.

    With ``assume_negative`` what nobody judged is not relevant; without, it is left out.
    """

    relevant: int | None = None
    assume_negative: bool = False

    def of(self, grade: int | None, lowest: int) -> int | None:
        """1, 0, or None for a pair that is left out."""
        if grade is None:
            return 0 if self.assume_negative else None
        return int(grade >= (lowest if self.relevant is None else self.relevant))


@dataclass(frozen=True, slots=True)
class Judged:
    """Pairs and where they are from: ``about`` names the collection, the split, the candidates, and what was left out."""

    pairs: Pairs
    about: Mapping[str, Any]


def alone(recipe: Recipe, level: int = 0) -> Recipe:
    """The recipe with every candidate judged alone at one level: a calibration is of judgements, whatever a strategy makes of them.

    Raises:
        RecipeError: its scores do not compare from one prompt to the next.
    """
    if not recipe.format.absolute or recipe.strategy.widest != 1:
        raise RecipeError(
            f"recipe {recipe.name!r} judges texts against each other: its scores are no measure of relevance by themselves, "
            "so they have no probability; calibrate a recipe that judges each text alone"
        )
    form: Any = recipe.format
    return replace(recipe, format=form.at_level(level) if level else form, strategy=Pointwise())


def of_collection(
    experiment: Experiment, reranker: Reranker, labels: Labels, *, count: int | None = None, seed: int = 0,
    on_progress: Callable[[Progress, int], None] | None = None,
) -> Judged:  # fmt: skip
    """Judged candidates of a collection's first stage, with the scores of ``reranker``; only those are asked about.

    ``count`` draws as many queries, by the ``seed``.

    Raises:
        DataError: a collection without judgements, or as in ``run.perform``.
    """
    collection, experiment = opened(experiment)
    split = split_of(collection, experiment)
    if split is None:
        raise DataError(
            "this collection has no judgements, so there is nothing to calibrate on", path=collection.folder
        )
    queries = queries_of(collection, split, experiment)
    if count is not None and count < len(queries):
        queries = random.Random(seed).sample(queries, count)
    qrels = collection.qrels(split)
    seen = {"candidates": 0, "judged": 0, "flawed": 0}
    rows: list[tuple[str, float, int, float | None]] = []
    told = None if on_progress is None else lambda progress: on_progress(progress, len(queries))
    many = _judged_only(first_stage(collection, queries, experiment), qrels, labels, collection.facts.relevant, seen)
    for ranking in reranker.rank_many(many, on_progress=told):
        grades = qrels.get(ranking.query.id, {})
        for doc, score, prob in zip(ranking.docs, ranking.scores, ranking.probs, strict=True):
            label = labels.of(grades.get(doc.id), collection.facts.relevant)
            if math.isnan(score) or label is None:
                seen["flawed"] += 1
            else:
                rows.append((ranking.query.id, score, label, prob))
    named = name_of(experiment)
    first = "bm25" if named == "BM25" else named
    return Judged(_pairs(rows), _about(collection, split, labels, {"first_stage": first, "k": experiment.k, **seen}))


def _judged_only(
    many: Iterator[Candidates], qrels: Qrels, labels: Labels, lowest: int, seen: dict[str, int]
) -> Iterator[Candidates]:
    for one in many:
        grades = qrels.get(one.query.id, {})
        kept = tuple(doc for doc in one.docs if labels.of(grades.get(doc.id), lowest) is not None)
        seen["candidates"] += len(one.docs)
        seen["judged"] += sum(doc.id in grades for doc in one.docs)
        if kept:
            yield Candidates(one.query, kept)


@dataclass(frozen=True, slots=True)
class Traced:
    """A finished run's pairs by level, its recipe and model, and the calibration that its probabilities went through, if any."""

    judged: Mapping[int, Judged]
    recipe: Recipe
    model: str
    calibration: Mapping[str, Any] | None = None


def of_run(folder: Path, labels: Labels, *, collection: str | None = None, split: str | None = None) -> Traced:
    """Judged candidates of a folder of ``ponderank run``, with the scores that it kept; nothing is asked.

    ``collection`` and ``split`` in place of those the run names.

    Raises:
        DataError: no finished run, no judgements, or scores in which the first stage's are mixed in.
    """
    from ponderank import manifest as manifests
    from ponderank.data.collections import open_collection
    from ponderank.recipes import KINDS

    told = manifests.read(folder / "manifest.json")
    if told is None or not (folder / "trace.jsonl").is_file():
        raise DataError(
            "not a finished run: expected manifest.json and trace.jsonl, as ponderank run leaves them", path=folder
        )
    recipe = Recipe.from_dict({**told["recipe"], "model": told["model"]["path"]}, KINDS)
    alone(recipe)
    found = open_collection(collection or told["collection"]["path"])
    split = split or told["options"]["split"]
    if split is None:
        raise DataError("this run names no split, so no judgements; say which with --split", path=folder)
    rows = _traced_rows(folder, recipe, found.qrels(split), labels, found.facts.relevant)
    about = {"first_stage": told["first_stage"]["kind"], "k": told["options"]["k"], "run": folder.name}
    calibrated = told.get("calibration")
    return Traced(
        {
            level: Judged(_pairs(kept, own=calibrated is None), _about(found, split, labels, about))
            for level, kept in sorted(rows.items())
        },
        recipe, told["model"]["fingerprint"], calibrated,
    )  # fmt: skip


def _traced_rows(
    folder: Path, recipe: Recipe, qrels: Qrels, labels: Labels, lowest: int
) -> dict[int, list[tuple[str, float, int, float | None]]]:
    rows: dict[int, list[tuple[str, float, int, float | None]]] = {}
    path = folder / "trace.jsonl"
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            for doc in row["docs"]:
                label = labels.of(qrels.get(row["query"], {}).get(doc["id"]), lowest)
                if label is not None:
                    for level, score, prob in _judgements(doc, recipe, path):
                        rows.setdefault(level, []).append((row["query"], score, label, prob))
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError("expected a line of ponderank's trace", path=path, line=number) from error
    return rows


def _judgements(doc: Mapping[str, Any], recipe: Recipe, path: Path) -> Iterator[tuple[int, float, float | None]]:
    """Level, score and, of the last one, the probability of each judgement of a document that gave a score."""
    said = doc.get("judgements", ())
    for at, one in enumerate(said):
        if one["score"] is not None:
            yield one["level"], one["score"], doc["prob"] if at == len(said) - 1 else None
    if said or doc["score"] is None:
        return
    strategy = recipe.strategy
    if not isinstance(strategy, Pointwise) or (strategy.prior_weight and doc["first_score"] is not None):
        raise DataError(
            f"the scores of this run are those of recipe {recipe.name!r}'s strategy, not of its judgements alone; calibrate with "
            f"--collection and --cache {path.with_name('cache.sqlite')}: what the run kept is not asked again", path=path,
        )  # fmt: skip
    yield doc["level"], doc["score"], doc["prob"]


def _pairs(rows: list[tuple[str, float, int, float | None]], *, own: bool = True) -> Pairs:
    probs = tuple(prob for *_, prob in rows if prob is not None)
    queries, scores = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
    return Pairs(queries, scores, tuple(row[2] for row in rows), own=probs if own and len(probs) == len(rows) else ())


def _about(collection: Collection, split: str, labels: Labels, more: Mapping[str, Any]) -> dict[str, Any]:
    from ponderank.manifest import file_hash

    relevant = collection.facts.relevant if labels.relevant is None else labels.relevant
    return {
        "collection": collection.facts.name or collection.folder.name, "split": split,
        "qrels": file_hash(collection.qrels_path(split)), "relevant": relevant, "assume_negative": labels.assume_negative,
        **more,
    }  # fmt: skip
