"""What judgements do not say: how much of a run's top is judged, and what the rest could do to a measure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ponderank.judging.compare import compare
from ponderank.metrics.handling import Qrels, Run

_CUT = re.compile(r"@(\d+)$")
_UNBOUNDED = ("Num", "Judged", "Paired", "pMRR", "p-MRR", "NevIR", "infAP", "Compat")


def depth_of(measure: str, otherwise: int) -> int:
    """How many documents of a query a measure looks at: its cut-off, or ``otherwise`` where it has none.

    >>> depth_of("nDCG@10", 100), depth_of("AP", 100)
    (10, 100)
    """
    found = _CUT.search(measure)
    return int(found.group(1)) if found else otherwise


def bounds(qrels: Qrels, run: Run, measures: Sequence[str], depth: int) -> dict[str, tuple[float, float]]:
    """For each measure its lower and its higher value in two cases: nothing unjudged in its top k is relevant, or all of it
    has the top grade. k is the measure's cut-off, or ``depth``. Counts, and measures of pairs, have none.

    For P@k, Success and RR nothing lies outside. nDCG, AP and recall divide by what is relevant, which the second case
    raises too, so that a mix of the two can.

    >>> bounds({"q": {"a": 1}}, {"q": [("b", 2.0), ("a", 1.0)]}, ["RR@10"], 10)
    {'RR@10': (0.5, 1.0)}
    """
    found: dict[str, tuple[float, float]] = {}
    kept = [measure for measure in measures if not measure.startswith(_UNBOUNDED)]
    for k in dict.fromkeys(depth_of(measure, depth) for measure in kept):
        alike = [measure for measure in kept if depth_of(measure, depth) == k]
        (row,) = compare({"": qrels}, {"": run}, alike, k=k)
        for measure in alike:
            low, high = row["measures"][measure]["bounds"]
            found[measure] = (float(low), float(high))
    return {measure: found[measure] for measure in kept}
