"""Our own measures by name, in the words of ir-measures: ``NAME(parameter=value)@cutoff``."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ponderank.errors import DataError
from ponderank.metrics import exponential, screening
from ponderank.metrics.handling import Qrels, Run
from ponderank.metrics.instructions import p_mrr
from ponderank.metrics.paired import Pair, pairs


@dataclass(frozen=True, slots=True)
class Own:
    """A measure of ours: ``of(qrels, run)`` gives a value for each judged query, or for each pair of queries.

    The run's documents come best first, ties broken.
    """

    name: str
    of: Callable[[Qrels, Run], dict[str, float]]


EXAMPLES = {
    "nDCG": "nDCG(dcg='exp-log2')@10", "ERR": "ERR@20", "RBP": "RBP(p=0.8,rel=1)", "R": "R@10%", "WSS": "WSS@95",
    "TNR": "TNR@95", "LastRel": "LastRel", "PairedAccuracy": "PairedAccuracy", "PairedTies": "PairedTies", "pMRR": "pMRR",
}  # fmt: skip
"""Each measure as it may be asked for."""

_SHAPE = re.compile(r"([\w-]+)(?:\((.*)\))?(?:@(\d+%?))?")
_ALSO = {"NDCG": "nDCG", "Recall": "R", "p-MRR": "pMRR", "NevIR": "PairedAccuracy"}


def read(text: str) -> Own | None:
    """The measure of that name if it is ours; None if ir-measures should be asked.

    Raises:
        DataError: a parameter or cutoff that the measure does not take.

    >>> read("LastRel").of({"q": {"a": 1}}, {"q": [("b", 1.0), ("a", 0.0)]})
    {'q': 2.0}
    >>> read("nDCG@10") is None
    True
    """
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        return None
    name, inside, at = match.groups()
    name, at = _ALSO.get(name, name), at or ""
    if name not in EXAMPLES:
        return None
    given = _keywords(inside or "", text)
    if name == "nDCG" and given.get("dcg") != "exp-log2":
        return None
    if (name == "RBP" and "rel" not in given) or (name == "R" and not at.endswith("%")):
        return None
    try:
        return Own(text, _measure(name, at, **given))
    except (TypeError, ValueError) as error:
        raise DataError(f"no measure {text!r}; it is asked for as in {EXAMPLES[name]}") from error


def _measure(name: str, at: str, **given: Any) -> Callable[[Qrels, Run], dict[str, float]]:
    if name in ("nDCG", "ERR", "RBP"):
        return _ranked(name, None if not at else _whole(at), **given)
    if name in ("WSS", "TNR", "LastRel", "R"):
        return _screened(name, at, **given)
    if at:
        raise ValueError(at)
    if name == "pMRR":
        return _instructed(**given)
    return _paired(name, **given)


def _ranked(name: str, k: int | None, **given: Any) -> Callable[[Qrels, Run], dict[str, float]]:
    given.pop("dcg", None)
    allowed: dict[str, dict[str, type | tuple[type, ...]]] = {
        "nDCG": {"judged_only": bool}, "ERR": {}, "RBP": {"p": (int, float), "rel": int},
    }  # fmt: skip
    _typed(given, allowed[name])
    function = {"nDCG": exponential.ndcg, "ERR": exponential.err, "RBP": exponential.rbp}[name]
    return lambda qrels, run: {q: function(grades, _ids(run, q), k, **given) for q, grades in qrels.items()}


def _screened(name: str, at: str, **given: Any) -> Callable[[Qrels, Run], dict[str, float]]:
    _typed(given, {"rel": int})
    if (name == "LastRel") != (not at):
        raise ValueError(at)
    percent = _whole(at.removesuffix("%")) if at else 100
    if percent > 100:
        raise ValueError(at)
    function: Callable[..., float] = {
        "WSS": screening.work_saved, "TNR": screening.true_negative_rate, "LastRel": screening.depth_of_recall,
        "R": screening.recall_at_share,
    }[name]  # fmt: skip
    return lambda qrels, run: {
        q: float(function(grades, _ids(run, q), percent, **given)) for q, grades in qrels.items()
    }


def _instructed() -> Callable[[Qrels, Run], dict[str, float]]:
    return lambda qrels, run: p_mrr(qrels, {query: [doc for doc, _ in docs] for query, docs in run.items()})


def _paired(name: str, **given: Any) -> Callable[[Qrels, Run], dict[str, float]]:
    _typed(given, {"strict": bool} if name == "PairedAccuracy" else {})

    def told(pair: Pair) -> bool:
        if name == "PairedTies":
            return pair.tied
        return pair.strict if given.get("strict", True) else pair.first

    return lambda qrels, run: {query: float(told(pair)) for query, pair in pairs(qrels, run).items()}


def _ids(run: Run, query: str) -> list[str]:
    return [doc for doc, _ in run.get(query, ())]


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _typed(given: Mapping[str, Any], allowed: Mapping[str, type | tuple[type, ...]]) -> None:
    for name, value in given.items():
        if name not in allowed or not isinstance(value, allowed[name]):
            raise TypeError(name)


def _keywords(inside: str, text: str) -> dict[str, Any]:
    try:
        call = ast.parse(f"f({inside})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError(inside)
        return {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise DataError(f"no measure {text!r}; parameters are written as in {EXAMPLES['RBP']}") from error
