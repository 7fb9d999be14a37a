"""Teach a split model's sketch, the score before any layer, what the whole model was taught."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ponderank.models.split_bert import Sketch, SplitBertForSequenceClassification, register
from ponderank.train.pairs import Group

Read = tuple[Tensor, Tensor, Tensor]


def fit(
    folder: Path, groups: Sequence[Group], *, size: int, label_weight: float, steps: int, batch: int = 16, seed: int = 0
) -> None:
    """Add a sketch of ``size`` dimensions to the model in ``folder``, trained on ``groups``.

    Only the sketch learns; the word table stays. The loss asks for the teacher's distribution over a group's documents
    and for its differences, and that a query's own documents stand above another query's.
    Scores come out in the teacher's units; ``train.exits`` fits them to the model's own.
    """
    from transformers import AutoTokenizer

    register()
    model = SplitBertForSequenceClassification.from_pretrained(str(folder)).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model.requires_grad_(False)
    model.config.sketch = size
    model.sketch = sketch = Sketch(model.config.vocab_size, model.config.hidden_size, size)
    principal(sketch, model)
    shared = [sketch.project.weight, sketch.project.bias]
    scales = [sketch.cosine, sketch.maxsim, sketch.bias]
    optimiser = torch.optim.AdamW(
        [
            {"params": shared, "lr": 1e-3},
            {"params": sketch.weight.parameters(), "lr": 2e-2},
            {"params": scales, "lr": 5e-2},
        ],
        weight_decay=0.0,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0 - step / steps)
    width = len(groups[0].docs)
    usable = [g for g in groups if len(g.docs) == width]
    for _ in range(steps):
        chosen = rng.sample(usable, min(batch, len(usable)))
        queries, _ = read(model, tokenizer, [g.query for g in chosen], 64)
        docs, is_doc = read(model, tokenizer, [text for g in chosen for text in g.docs], 160)
        turned = [part.roll(width, 0) for part in (*docs, is_doc)]
        own = pairs(sketch, queries, docs, is_doc, width)
        others = pairs(sketch, queries, (turned[0], turned[1], turned[2]), turned[3], width)
        targets = torch.tensor([g.targets(label_weight) for g in chosen])
        loss = imitation(own, others, targets)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    model.save_pretrained(folder)


@torch.no_grad()  # type: ignore[untyped-decorator]
def principal(sketch: Sketch, model: SplitBertForSequenceClassification) -> None:
    """Start from the word table's principal directions, so that similar words are similar from the first step."""
    words = model.words(torch.arange(model.config.vocab_size)[None])[0]
    mean = words.mean(0)
    _, spread, directions = torch.linalg.svd(words - mean, full_matrices=False)
    size = sketch.project.out_features
    sketch.project.weight.copy_((directions / spread[:, None].clamp_min(1e-6) * spread.mean())[:size])
    sketch.project.bias.copy_(-(sketch.project.weight @ mean))


def read(
    model: SplitBertForSequenceClassification, tokenizer: object, texts: list[str], limit: int
) -> tuple[Read, Tensor]:
    """What the sketch reads of each text, and the mask ``[N, T]``."""
    assert model.sketch is not None
    batch = tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")  # type: ignore[operator]
    mask = batch["attention_mask"].float()
    return model.sketch.read(model.words(batch["input_ids"]), batch["input_ids"], mask), mask


def pairs(sketch: Sketch, queries: Read, docs: Read, is_doc: Tensor, width: int) -> Tensor:
    """Scores ``[Q, width]`` of each of ``Q`` queries with its own ``width`` rows of ``docs``."""
    mean, words, weights = (part.repeat_interleave(width, 0) for part in queries)
    return sketch((mean, words, weights), docs, is_doc).view(-1, width)


def imitation(own: Tensor, others: Tensor, targets: Tensor) -> Tensor:
    """Scores ``[Q, N]`` of the queries' own and of other queries' documents, ``targets [Q, N]`` for the former → loss."""
    shape = -(targets.softmax(1) * own.log_softmax(1)).sum(1).mean()

    def centred(values: Tensor) -> Tensor:
        return values - values.mean(1, keepdim=True)

    differences = nn.functional.mse_loss(centred(own), centred(targets))
    apart = (torch.cat([own, others], 1).logsumexp(1) - own.logsumexp(1)).mean()
    return shape + 0.1 * differences + 0.3 * apart
