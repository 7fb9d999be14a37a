"""Runs under several judgements side by side: how much of their top is judged, and what the unjudged could do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ponderank.metrics.ranked import evaluate

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Sequence[tuple[str, float]]]


def judged_share(qrels: Qrels, run: Run, k: int) -> float:
    """The share of judged documents among a run's best ``k``, the mean over judged queries; Judged@k.

    Of a query with fewer than ``k`` documents the share is of those; a query without any counts 0.

    >>> judged_share({"q": {"a": 0}}, {"q": [("a", 2.0), ("b", 1.0)]}, 2)
    0.5
    """
    name = f"Judged@{k}"
    return evaluate(qrels, {"run": run}, [name])["run"][name]


def with_unjudged(qrels: Qrels, run: Run, k: int, grade: int) -> dict[str, dict[str, int]]:
    """The judgements as if every unjudged document among the run's best ``k`` had a grade.

    >>> with_unjudged({"q": {"a": 1}}, {"q": [("b", 2.0), ("a", 1.0)]}, 2, 3)
    {'q': {'b': 3, 'a': 1}}
    """
    return {query: {**{doc: grade for doc, _ in list(run.get(query, ()))[:k]}, **docs} for query, docs in qrels.items()}


def compare(
    judgements: Mapping[str, Qrels], runs: Mapping[str, Run], measures: Sequence[str], *, k: int = 10
) -> list[dict[str, Any]]:
    """A row for each run and judgements: ``judged`` (Judged@k) and each measure's value and ``[low, high]``.

    The value counts what is unjudged as not relevant. ``low`` and ``high`` are the lower and the higher of that and of
    the value if all unjudged documents among the run's best ``k`` had the top grade. For P@k, Success and RR these are
    bounds; nDCG, AP and recall divide by what is relevant, which then grows too, so that a mix can lie outside.

    Raises:
        DataError: no judgements, or an unknown measure.
    """
    top = max((grade for qrels in judgements.values() for docs in qrels.values() for grade in docs.values()), default=1)
    rows = []
    for name, run in runs.items():
        for label, qrels in judgements.items():
            plain = evaluate(qrels, {name: run}, measures)[name]
            best = evaluate(with_unjudged(qrels, run, k, max(top, 1)), {name: run}, measures)[name]
            values = {
                measure: {"value": plain[measure], "bounds": sorted((plain[measure], best[measure]))}
                for measure in measures
            }
            rows.append(
                {"run": name, "qrels": label, "k": k, "judged": judged_share(qrels, run, k), "measures": values}
            )
    return rows
