"""Fit a split model's shallow exits to its own full score, and measure how far they are off."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ponderank.models.split_bert import Sketch, SplitBertForSequenceClassification, register


@torch.no_grad()  # type: ignore[untyped-decorator]
def fit(
    folder: Path, groups: Sequence[tuple[str, Sequence[str]]], *, most: int = 300, ridge: float = 1.0
) -> dict[str, Any]:
    """Solve for each exit's ``early`` weights by least squares within queries, save the model, report on held-out queries.

    The sketch's own score gets one factor and one offset.

    Returns ``{"exits": {layer: {"spread": deviation of full minus early, "correlation", "q90", "q95", "q99"}}}``: ``q`` are
    quantiles of the absolute difference after each query's mean is taken out, in units of the score.
    """
    from transformers import AutoTokenizer

    register()
    model = SplitBertForSequenceClassification.from_pretrained(str(folder)).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    chosen = random.Random(0).sample(list(groups), min(most, len(groups)))
    config = model.config
    early = [layer for layer in config.exits if 0 < layer < config.num_hidden_layers]
    features: dict[int, list[Tensor]] = {layer: [] for layer in early}
    added: dict[int, list[Tensor]] = {layer: [] for layer in early}
    full: list[Tensor] = []
    sketches: list[Tensor] = []
    for query, texts in chosen:
        batch = tokenizer(
            [query] * len(texts),
            list(texts),
            padding=True,
            truncation="only_second",
            max_length=min(256, config.max_position_embeddings),
            return_tensors="pt",
        )
        totals, products, score = _parts(model, **batch)
        for layer in early:
            features[layer].append(products[layer])
            added[layer].append(totals[layer])
        full.append(score)
        if model.sketch is not None:
            is_doc = (batch["token_type_ids"] * batch["attention_mask"]).float()
            sketches.append(model.sketched(batch["input_ids"], batch["attention_mask"] - is_doc, is_doc)[1])
    half = len(chosen) // 2
    report = {}
    for layer in early:
        last = model.exits[config.exits.index(layer)]
        rest = [f - a for f, a in zip(full, added[layer], strict=True)]
        x = torch.cat([v - v.mean(0) for v in features[layer][:half]]) * config.scale
        y = torch.cat([v - v.mean() for v in rest[:half]])
        start = torch.ones(config.hidden_size)
        # shrunk towards the plain cosine, not towards nothing
        gram = x.T @ x + ridge * len(x) / config.hidden_size * torch.eye(config.hidden_size)
        last.early.data = start + torch.linalg.solve(gram, x.T @ (y - x @ start))
        predicted = [config.scale * (v @ last.early) for v in features[layer]]
        last.early_bias.data = torch.cat([r - p for r, p in zip(rest[:half], predicted[:half], strict=True)]).mean()
        report[str(layer)] = _off(rest[half:], predicted[half:])
    if model.sketch is not None:
        report["sketch"] = _scaled(model.sketch, sketches, full, half)
    model.save_pretrained(folder)
    return {"exits": report}


def _scaled(sketch: Sketch, scores: list[Tensor], full: list[Tensor], half: int) -> dict[str, float]:
    """Bring the sketch's scores into the full score's units by least squares within the first ``half`` queries."""
    x, y = (torch.cat([v - v.mean() for v in values[:half]]) for values in (scores, full))
    factor = ((x @ y) / (x @ x).clamp_min(1e-6)).clamp_min(1e-3)
    offset = torch.cat(full[:half]).mean() - factor * torch.cat(scores[:half]).mean()
    for weight in (sketch.cosine, sketch.maxsim, sketch.bias):
        weight.data *= factor
    sketch.bias.data += offset
    return _off(full[half:], [factor * v for v in scores[half:]])


def _off(true: list[Tensor], predicted: list[Tensor]) -> dict[str, float]:
    """Deviation and quantiles of the absolute difference, each query's mean taken out; correlation within queries."""
    pairs = [(t - t.mean(), p - p.mean()) for t, p in zip(true, predicted, strict=True)]
    off = torch.cat([t - p for t, p in pairs])
    agree = [float((t @ p) / (t.norm() * p.norm()).clamp_min(1e-9)) for t, p in pairs]
    return {
        "spread": float(off.std()),
        "correlation": sum(agree) / max(1, len(agree)),
        **{f"q{q}": float(off.abs().quantile(q / 100)) for q in (90, 95, 99)},
    }


def _parts(
    model: SplitBertForSequenceClassification, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
) -> tuple[dict[int, Tensor], dict[int, Tensor], Tensor]:
    """What the exits added up to each layer, the products there, and the full score."""
    config = model.config
    hidden = model.embed(input_ids, token_type_ids, attention_mask)
    own, other = model.masks(token_type_ids, attention_mask, hidden.dtype)
    is_query = ((1 - token_type_ids) * attention_mask).to(hidden.dtype)
    is_doc = (token_type_ids * attention_mask).to(hidden.dtype)
    total = hidden.new_zeros(hidden.shape[0])
    if model.sketch is not None:
        total, _ = model.sketched(input_ids, is_query, is_doc)
    importance = model.importance(input_ids, is_query)
    totals, products = {}, {}
    for index in range(config.num_hidden_layers + 1):
        if index in config.exits:
            more, products[index] = model.exits[config.exits.index(index)](hidden, is_query, is_doc, importance)
            total = total + config.scale * more
            totals[index] = total
        if index < config.num_hidden_layers:
            hidden = model.layer(index, hidden, own, other)
    return totals, products, model.stopped(config.num_hidden_layers, total, products[config.num_hidden_layers])
