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


def dataset(groups: Sequence[Group], config: Config) -> Any:
    """The groups in the columns that the loss reads."""
    from datasets import Dataset

    weight, loss = config.teacher.label_weight, config.training.loss
    width = max(len(g.docs) for g in groups)
    whole = [g for g in groups if len(g.docs) == width]
    if loss in (*LIST_LOSSES, *OUR_LOSSES):
        if loss == "dear" and not all(g.teacher for g in whole):
            raise DataError("training.loss 'dear' needs a [teacher] with a folder")
        judged = [g for g in whole if any(g.labels)] if loss in (*OUR_LABEL_LOSSES, "dear") else whole
        return Dataset.from_dict(
            {
                "query": [g.query for g in judged],
                "docs": [list(g.docs) for g in judged],
                "labels": [_labels(g, loss, weight) for g in judged],
            }
        )
    if loss in PAIR_LOSSES:
        target = (lambda g: g.targets(weight)) if loss == "MSELoss" else (lambda g: list(g.labels))
        judged = whole if loss == "MSELoss" else [g for g in whole if any(g.labels)]
        rows = [(g.query, d, y) for g in judged for d, y in zip(g.docs, target(g), strict=True)]
        labels = [int(y) for *_, y in rows] if loss == "CrossEntropyLoss" else [y for *_, y in rows]
        return Dataset.from_dict({"query": [r[0] for r in rows], "doc": [r[1] for r in rows], "label": labels})
    if loss in TRIPLET_LOSSES:
        triples = [
            (g.query, g.docs[0], g.docs[i], g.targets(weight)[0] - g.targets(weight)[i])
            for g in whole
            for i in range(1, width)
        ]
        return Dataset.from_dict(
            {name: [t[i] for t in triples] for i, name in enumerate(("query", "positive", "negative", "label"))}
        )
    judged = [g for g in whole if any(g.labels)]
    columns = {"query": [g.query for g in judged], "positive": [g.docs[0] for g in judged]}
    columns |= {f"negative_{i}": [g.docs[i] for g in judged] for i in range(1, width)}
    return Dataset.from_dict(columns)


def _labels(group: Group, loss: str, weight: float) -> list[Any]:
    """What a list loss learns of each document: its label, the teacher's score plus the label, or for DeAR both apart."""
    if loss == "dear":
        return [list(both) for both in zip(group.labels, group.teacher, strict=True)]
    return list(group.labels) if loss in OUR_LABEL_LOSSES else group.targets(weight)
