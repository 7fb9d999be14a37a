"""Measures of rankings, by name: ir-measures' and our own.

Every run is made canonical first: best first with strictly decreasing scores, ties broken by one rule. Otherwise trec_eval
breaks ties by document id, descending for nDCG and ascending for RR@k, and measures of one run disagree.
A judged query that a run lacks counts 0, as trec_eval does with ``-c``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ponderank.errors import DataError
from ponderank.metrics import own
from ponderank.metrics.handling import Qrels as Qrels
from ponderank.metrics.handling import Run as Run
from ponderank.metrics.handling import Ties, ordered
from ponderank.recipe import nearest

DEFAULT = ("nDCG@10", "RR@10", "R@100", "AP")


def parse(measures: Sequence[str]) -> dict[str, Any]:
    """The measures by the names given: objects of ir-measures, or ``own.Own``.

    Raises:
        DataError: a name that neither knows (the message has the nearest ones), or a package that ir-measures lacks for it.
    """
    return {name: own.read(name) or _theirs(name) for name in measures}


def _theirs(name: str) -> Any:
    import ir_measures

    try:
        measure = ir_measures.parse_measure(name)
        measure.validate_params()
    except (NameError, ValueError, SyntaxError, KeyError, TypeError, AssertionError) as error:
        word = name.split("@")[0].split("(")[0]
        if word in ir_measures.measures.registry:
            what = re.sub(r"=<object .*?>", " is missing", str(error)) or "not as ir-measures writes it"
            raise DataError(f"no measure {name!r}: {what}") from error
        known = sorted({*ir_measures.measures.registry, *own.EXAMPLES})
        raise DataError(f"no measure {name!r}; {nearest(word, known)} (as in nDCG@10, RR@10, AP(rel=2))") from error
    able = [provider for provider in ir_measures.providers.registry.values() if provider.supports(measure)]
    if any("iteration" in provider.qrel_inputs([measure]) for provider in able):
        raise DataError(f"{name} needs judgements of subtopics, which are not read here")
    if not any(provider.is_available() for provider in able):
        ways = " or ".join(filter(None, (provider.install_instructions() for provider in able)))
        raise DataError(f"{name} is not computed by what is installed{f'; {ways}' if ways else ''}")
    return measure


def canonical(run: Run, *, ties: Ties = "file", first: Run | None = None) -> dict[str, dict[str, float]]:
    """Scores replaced by ``n - position``: strictly decreasing, ties broken as ``handling.ordered`` does."""
    return {
        query: {name: float(len(docs) - position) for position, (name, _) in enumerate(docs)}
        for query, docs in ordered(run, ties=ties, first=first).items()
    }


def per_query(
    qrels: Qrels, run: Run, measures: Sequence[str] = DEFAULT, *, ties: Ties = "file", first: Run | None = None
) -> dict[str, dict[str, float]]:
    """``{measure: {query id: value}}`` over all judged queries; over pairs of queries where the measure is of pairs.

    >>> per_query({"q": {"a": 1}}, {"q": [("b", 2.0), ("a", 1.0)]}, ["RR@10"])
    {'RR@10': {'q': 0.5}}
    """
    parsed = parse(measures)
    lists = ordered(run, ties=ties, first=first)
    theirs = {name: measure for name, measure in parsed.items() if not isinstance(measure, own.Own)}
    values = _calculated(qrels, canonical(lists), theirs) if theirs else {}
    for name, measure in parsed.items():
        if isinstance(measure, own.Own):
            values[name] = measure.of(qrels, lists)
    return {name: values[name] for name in measures}


def _calculated(
    qrels: Qrels, run: Mapping[str, Mapping[str, float]], parsed: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    import ir_measures

    grades = {query: dict(docs) for query, docs in qrels.items()}
    values: dict[str, dict[str, float]] = {name: dict.fromkeys(grades, 0.0) for name in parsed}
    names: dict[Any, list[str]] = {}
    for name, measure in parsed.items():
        names.setdefault(measure, []).append(name)
    try:
        results = list(ir_measures.iter_calc(list(names), grades, run))
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(f"ir-measures cannot compute this: {error}") from error
    for result in results:
        for name in names[result.measure]:
            if result.query_id in values[name]:
                values[name][result.query_id] = float(result.value)
    return values


def evaluate(
    qrels: Qrels,
    runs: Mapping[str, Run],
    measures: Sequence[str] = DEFAULT,
    *,
    ties: Ties = "file",
    first: Run | None = None,
) -> dict[str, dict[str, float]]:
    """``{run: {measure: mean over all judged queries}}``.

    Counts (NumQ, NumRel, NumRet) are sums. Means of measures of pairs are over pairs.

    Raises:
        DataError: an unknown measure, or no judged query at all.

    >>> evaluate({"q": {"a": 1}}, {"mine": {"q": [("a", 1.0)]}}, ["nDCG@10"])
    {'mine': {'nDCG@10': 1.0}}
    """
    if not qrels:
        raise DataError("no judgements: the qrels are empty")
    return {name: summary(per_query(qrels, run, measures, ties=ties, first=first)) for name, run in runs.items()}


def summary(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """One number for each measure of ``per_query``: its mean, of a count the sum."""
    return {
        name: sum(queries.values()) if name.startswith("Num") else sum(queries.values()) / len(queries)
        for name, queries in values.items()
    }


def missing(qrels: Qrels, run: Run) -> list[str]:
    """Judged queries for which the run has no document; they count 0."""
    return [query for query in qrels if not run.get(query)]
