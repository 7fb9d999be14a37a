"""The losses by name, and the groups in the columns that each of them reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ponderank.errors import DataError
from ponderank.train.config import Config
from ponderank.train.pairs import Group

PAIR_LOSSES = ("BinaryCrossEntropyLoss", "CrossEntropyLoss", "MSELoss")
LIST_LOSSES = ("ListNetLoss", "ListMLELoss", "PListMLELoss", "RankNetLoss", "LambdaLoss", "ADRMSELoss")
TRIPLET_LOSSES = ("MarginMSELoss",)
CONTRAST_LOSSES = ("MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss")
OUR_LABEL_LOSSES = ("softmax_cross_entropy", "plackett_luce")
OUR_TEACHER_LOSSES = ("margin_mse", "ranknet_soft", "kl_distillation", "weighted_ranknet", "dear")
OUR_LOSSES = (*OUR_LABEL_LOSSES, *OUR_TEACHER_LOSSES)  # ``train.losses``, where every name is a function
LOSSES = (*PAIR_LOSSES, *LIST_LOSSES, *TRIPLET_LOSSES, *CONTRAST_LOSSES, *OUR_LOSSES)
_FOR_JUDGED = ("BinaryCrossEntropyLoss", "CrossEntropyLoss", *CONTRAST_LOSSES, *OUR_LABEL_LOSSES, "dear")
"""Losses that need a positive: a query that nobody judged teaches them nothing."""


def dataset(groups: Sequence[Group], config: Config) -> Any:
    """The groups in the columns that the loss reads.

    Raises:
        DataError: the loss can use none of them.
    """
    from datasets import Dataset

    return Dataset.from_dict(columns([row for group in usable(groups, config) for row in rows(group, config)]))


def usable(groups: Sequence[Group], config: Config) -> list[Group]:
    """The groups that the loss can learn from: as wide as the widest (with a pool: wide enough), judged if need be.

    Raises:
        DataError: there are none, or the loss needs a teacher and there is none.
    """
    loss = config.training.loss
    width = 1 + config.negatives.per_query if config.curriculum.pool else max((len(g.docs) for g in groups), default=0)
    whole = [g for g in groups if len(g.docs) >= width]
    if loss == "dear" and not all(g.teacher for g in whole):
        raise DataError("training.loss 'dear' needs a [teacher] with a folder")
    found = [g for g in whole if any(g.labels)] if loss in _FOR_JUDGED else whole
    if not found:
        raise DataError(f"no training pairs for {loss}: it learns from judged queries, and there are none")
    return found


def rows(group: Group, config: Config) -> list[dict[str, Any]]:
    """A group as the rows that the loss reads: one with all documents, or one for each document or negative."""
    weight, loss = config.teacher.label_weight, config.training.loss
    if loss in (*LIST_LOSSES, *OUR_LOSSES):
        return [{"query": group.query, "docs": list(group.docs), "labels": _labels(group, loss, weight)}]
    if loss in PAIR_LOSSES:
        targets = group.targets(weight) if loss == "MSELoss" else list(group.labels)
        kind = int if loss == "CrossEntropyLoss" else float
        return [{"query": group.query, "doc": d, "label": kind(y)} for d, y in zip(group.docs, targets, strict=True)]
    if loss in TRIPLET_LOSSES:
        first, *others = group.targets(weight)
        return [
            {"query": group.query, "positive": group.docs[0], "negative": d, "label": first - y}
            for d, y in zip(group.docs[1:], others, strict=True)
        ]
    negatives = {f"negative_{i}": d for i, d in enumerate(group.docs[1:], 1)}
    return [{"query": group.query, "positive": group.docs[0], **negatives}]


def columns(found: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns, in the first row's order.

    >>> columns([{"a": 1, "b": 2}, {"a": 3, "b": 4}])
    {'a': [1, 3], 'b': [2, 4]}
    """
    return {name: [row[name] for row in found] for name in found[0]}


def _labels(group: Group, loss: str, weight: float) -> list[Any]:
    """What a list loss learns of each document: its label, the teacher's score plus the label, or for DeAR both apart."""
    if loss == "dear":
        return [list(both) for both in zip(group.labels, group.teacher, strict=True)]
    return list(group.labels) if loss in OUR_LABEL_LOSSES else group.targets(weight)
