"""The five figures that are read first, one for each task of "Are Neural Ranking Models Robust?". Pure.

Source: the five tasks of arXiv 2108.05018. Differs: nothing is trained here, so that tasks 2 and 3 are about the types of
question and the collections that the recipe meets, and are told as its gain over the first stage: a drop against another
collection says more about the collections than about the recipe. Tasks 4 and 5 are ours in what is tried (``variations``,
``attacks``) and, of task 5, in being told beyond a control of random words.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from ponderank.robustness.questions import LEAST


def five(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures in the tasks' order: name, what it says, ``value``, the ``worst`` one and ``where`` that is; None is not measured."""
    return [_queries(told), _types(told), _others(told), _variations(told), _attacks(told)]


def _figure(task: str, about: str, value: float | None, worst: float | None = None, where: str = "") -> dict[str, Any]:
    return {"task": task, "about": about, "value": value, "worst": worst, "where": where}


def _queries(told: Mapping[str, Any]) -> dict[str, Any]:
    base = told["base"]
    about = "VNAP over queries, lower is steadier; worst: the mean of the worst tenth"
    return _figure(
        "variance over queries", about, base["reranked"]["vnap"], base["reranked"]["worst_decile"], told["measure"]
    )


def _types(told: Mapping[str, Any]) -> dict[str, Any]:
    gains = {kind: one["relative_gain"] for kind, one in told["types"].items() if one["relative_gain"] is not None}
    about = "relative gain over the first stage, mean over types of question"
    return _figure("types of question", about, *(_least(gains) if len(gains) > 1 else (None, None, "")))


def _others(told: Mapping[str, Any]) -> dict[str, Any]:
    about = "relative gain over the first stage, mean over other collections"
    others = told["others"] or {}
    gains = {name: one["relative_gain"] for name, one in others.items() if one["relative_gain"] is not None}
    gains.pop(told["base"]["collection"], None)
    return _figure("other collections", about, *_least(gains))


def _variations(told: Mapping[str, Any]) -> dict[str, Any]:
    found = (told["queries"] or {}).get("variations", {})
    least = min(LEAST, told["base"]["queries"])  # one that fits a query or two must not speak for all
    drops = {
        name: one["drop_rate"]
        for name, one in found.items()
        if one.get("n", 0) >= least and one["drop_rate"] is not None
    }
    return _figure("query variations", f"relative change of {told['measure']}, mean over variations", *_least(drops))


def _attacks(told: Mapping[str, Any]) -> dict[str, Any]:
    found = (told["documents"] or {}).get("attacks", {})
    gains = {name: -one["beyond_success"] for name, one in found.items() if one["beyond_success"] is not None}
    mean, worst, where = _least(gains)
    about = "passages brought into the top 10 beyond random words, mean over attacks and places"
    return _figure("document attacks", about, None if mean is None else -mean, None if worst is None else -worst, where)


def _least(values: Mapping[str, float]) -> tuple[float | None, float | None, str]:
    """Mean, least, and whose the least is."""
    if not values:
        return None, None, ""
    where = min(values, key=lambda name: values[name])
    return fmean(values.values()), values[where], where
