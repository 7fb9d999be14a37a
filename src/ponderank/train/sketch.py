"""Teach a split model's sketch before the model itself: what the words alone can add to the bi-encoder's cosine.

Cheap, for no layer runs: the teacher's cosines are known, the sketch only reads the word table.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import trange

from ponderank.models.split_bert import Sketch, SplitBertForSequenceClassification
from ponderank.strategies.pointwise import standardised
from ponderank.train.config import Teacher
from ponderank.train.pairs import Group

Read = tuple[Tensor, Tensor, Tensor]


def fit(
    model: SplitBertForSequenceClassification,
    tokenizer: Any,
    groups: Sequence[Group],
    teacher: Teacher,
    *,
    steps: int,
    batch: int = 16,
    seed: int = 0,
) -> None:
    """Train ``model.sketch`` on ``groups`` that a teacher scored; nothing else of the model changes.

    What is learned together: the share of the MaxSim that, added to the bi-encoder's cosine, comes nearest to the
    teacher's distribution over a group's documents, labels included; and a score of the sketch's own that imitates the
    same, its differences too, and keeps another query's documents below. ``train.exits`` fits that score to the
    model's once the model is trained.
    """
    assert model.sketch is not None
    sketch = model.sketch
    torch.manual_seed(seed)
    rng = random.Random(seed)
    width = len(groups[0].docs)
    usable = [g for g in groups if len(g.docs) == width]
    begin(sketch, model, tokenizer, usable)
    model.requires_grad_(False)
    sketch.requires_grad_(True)
    optimiser = torch.optim.AdamW(
        [
            {"params": sketch.project.parameters(), "lr": 1e-3},
            {"params": sketch.weight.parameters(), "lr": 2e-2},
            {"params": [sketch.cosine, sketch.maxsim, sketch.bias, sketch.share], "lr": 5e-2},
        ],
        weight_decay=0.0,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0 - step / steps)
    for _ in trange(steps, desc="words", disable=None):
        chosen = rng.sample(usable, min(batch, len(usable)))
        query, _ = read(model, tokenizer, [g.query for g in chosen], 64)
        docs, is_doc = read(model, tokenizer, [text for g in chosen for text in g.docs], 160)
        queries = tuple(part.repeat_interleave(width, 0) for part in query)
        matched = sketch.matched(queries, docs, is_doc)
        own = sketch.exit(matched, queries[0], docs[0]).view(-1, width)
        mean, words, mask = docs[0].roll(width, 0), docs[1].roll(width, 0), is_doc.roll(width, 0)
        strange = sketch.exit(sketch.matched(queries, (mean, words, mask), mask), queries[0], mean).view(-1, width)
        cosines = torch.tensor([without_bm25(g, teacher) for g in chosen])
        targets = torch.tensor([g.targets(teacher.label_weight) for g in chosen])
        loss = imitation(own, strange, targets) + listwise(cosines + sketch.share * matched.view(-1, width), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.requires_grad_(True)
    sketch.requires_grad_(False)


@torch.no_grad()  # type: ignore[untyped-decorator]
def begin(
    sketch: Sketch,
    model: SplitBertForSequenceClassification,
    tokenizer: Any,
    groups: Sequence[Group],
    most: int = 20_000,
) -> None:
    """Start from the word table's principal directions and from the words' idf in the documents.

    Words that no document has count as the rarest.
    """
    words = model.words(torch.arange(model.config.vocab_size)[None])[0]
    mean = words.mean(0)
    _, spread, directions = torch.linalg.svd(words - mean, full_matrices=False)
    size = sketch.project.out_features
    sketch.project.weight.copy_((directions / spread[:, None].clamp_min(1e-6) * spread.mean())[:size])
    sketch.project.bias.copy_(-(sketch.project.weight @ mean))
    texts = list(dict.fromkeys(text for g in groups for text in g.docs))[:most]
    seen = Counter(
        token for ids in tokenizer(texts, truncation=True, max_length=160)["input_ids"] for token in set(ids)
    )
    idf = [math.log((len(texts) + 1) / (seen[token] + 1)) for token in range(model.config.vocab_size)]
    weights = torch.tensor(idf).clamp_min(0.04) / 4
    sketch.weight.weight.copy_(torch.log(torch.expm1(weights))[:, None])  # softplus gives the weights back
    sketch.share.fill_(6.0)


def read(
    model: SplitBertForSequenceClassification, tokenizer: Any, texts: list[str], limit: int
) -> tuple[Read, Tensor]:
    """What the sketch reads of each text, and the mask ``[N, T]``."""
    assert model.sketch is not None
    batch = tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")
    mask = batch["attention_mask"].float()
    return model.sketch.read(model.words(batch["input_ids"]), batch["input_ids"], mask), mask


def without_bm25(group: Group, teacher: Teacher) -> list[float]:
    """The bi-encoder's part of the teacher's scores, in logits."""
    return [t - teacher.bm25 * z for t, z in zip(group.teacher, standardised(group.bm25), strict=True)]


def listwise(scores: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of the distributions over each row's documents, both ``[Q, N]``."""
    return -(targets.softmax(1) * scores.log_softmax(1)).sum(1).mean()


def imitation(own: Tensor, others: Tensor, targets: Tensor) -> Tensor:
    """Scores ``[Q, N]`` of the queries' own and of other queries' documents, ``targets [Q, N]`` for the former → loss."""

    def centred(values: Tensor) -> Tensor:
        return values - values.mean(1, keepdim=True)

    differences = nn.functional.mse_loss(centred(own), centred(targets))
    apart = (torch.cat([own, others], 1).logsumexp(1) - own.logsumexp(1)).mean()
    return listwise(own, targets) + 0.1 * differences + 0.3 * apart
