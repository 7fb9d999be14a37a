"""Measures of rankings, through ir-measures.

Every run is made canonical first: best first with strictly decreasing scores, ties in the order given. Otherwise
trec_eval breaks ties by document id, descending for nDCG and ascending for RR@k, and measures of one run disagree.
A judged query that a run lacks counts 0, as trec_eval does with ``-c``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ponderank.errors import DataError
from ponderank.recipe import nearest

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Sequence[tuple[str, float]]]
DEFAULT = ("nDCG@10", "RR@10", "R@100", "AP")


def parse(measures: Sequence[str]) -> dict[str, Any]:
    """ir-measures' objects by the names given.

    Raises:
        DataError: a name that ir-measures does not know; the message has the nearest ones.
    """
    import ir_measures

    out = {}
    for name in measures:
        try:
            out[name] = ir_measures.parse_measure(name)
        except (NameError, ValueError, SyntaxError, KeyError, TypeError) as error:
            hint = nearest(name.split("@")[0].split("(")[0], sorted(ir_measures.measures.registry))
            raise DataError(f"no measure {name!r}; {hint} (as in nDCG@10, RR@10, AP(rel=2))") from error
    return out


def canonical(run: Run) -> dict[str, dict[str, float]]:
    """Scores replaced by ``n - position``: strictly decreasing in the order given."""
    out = {}
    for query, docs in run.items():
        ordered = sorted(docs, key=lambda item: -item[1])
        out[query] = {name: float(len(ordered) - position) for position, (name, _) in enumerate(ordered)}
    return out


def per_query(qrels: Qrels, run: Run, measures: Sequence[str] = DEFAULT) -> dict[str, dict[str, float]]:
    """``{measure: {query id: value}}`` over all judged queries.

    >>> per_query({"q": {"a": 1}}, {"q": [("b", 2.0), ("a", 1.0)]}, ["RR@10"])
    {'RR@10': {'q': 0.5}}
    """
    import ir_measures

    parsed = parse(measures)
    grades = {query: dict(docs) for query, docs in qrels.items()}
    values: dict[str, dict[str, float]] = {name: dict.fromkeys(grades, 0.0) for name in measures}
    names: dict[Any, list[str]] = {}
    for name, measure in parsed.items():
        names.setdefault(measure, []).append(name)
    try:
        results = list(ir_measures.iter_calc(list(names), grades, canonical(run)))
    except ValueError as error:
        raise DataError(f"ir-measures cannot compute this: {error}") from error
    for result in results:
        for name in names[result.measure]:
            if result.query_id in values[name]:
                values[name][result.query_id] = float(result.value)
    return values


def evaluate(qrels: Qrels, runs: Mapping[str, Run], measures: Sequence[str] = DEFAULT) -> dict[str, dict[str, float]]:
    """``{run: {measure: mean over all judged queries}}``.

    Raises:
        DataError: an unknown measure, or no judged query at all.

    >>> evaluate({"q": {"a": 1}}, {"mine": {"q": [("a", 1.0)]}}, ["nDCG@10"])
    {'mine': {'nDCG@10': 1.0}}
    """
    if not qrels:
        raise DataError("no judgements: the qrels are empty")
    return {
        name: {
            measure: sum(values.values()) / len(values) for measure, values in per_query(qrels, run, measures).items()
        }
        for name, run in runs.items()
    }


def missing(qrels: Qrels, run: Run) -> list[str]:
    """Judged queries for which the run has no document; they count 0."""
    return [query for query in qrels if not run.get(query)]
