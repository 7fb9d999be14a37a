"""What losses over lists share: padding that never matters, pairs of a list, the mean over queries."""

from __future__ import annotations

import torch
from torch import Tensor

from ponderank.errors import DataError

NEVER = -1e30  # instead of -inf: its exponential is 0 too, but a list of padding alone gives no NaN


def padded(mask: Tensor | None, scores: Tensor, *targets: Tensor) -> tuple[Tensor, ...]:
    """The mask, the scores and the targets, all of fp32 or fp64, 0 in padding; targets without gradient.

    Raises:
        DataError: shapes differ.
    """
    mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.bool()
    shapes = [tuple(x.shape) for x in (scores, *targets, mask)]
    if len(shapes[0]) != 2 or len(set(shapes)) > 1:
        raise DataError(f"scores, targets and mask have the shapes {shapes}; give one [queries, documents] to all")
    dtype = torch.promote_types(scores.dtype, torch.float32)
    return (
        mask,
        scores.to(dtype).masked_fill(~mask, 0.0),
        *(target.detach().to(dtype).masked_fill(~mask, 0.0) for target in targets),
    )


def mean_of_queries(losses: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
    """The mean of ``losses`` ``[Q]``, times ``weights`` ``[Q]``, over the queries that have a document."""
    counted = mask.any(-1)
    if weights is not None:
        losses = losses * weights.detach().to(losses.dtype)
    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp_min(1)


def log_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Over each list's real documents, ``[Q, N]``."""
    return scores.masked_fill(~mask, NEVER).log_softmax(-1)


def gaps(values: Tensor) -> Tensor:
    """``values_i - values_j`` at ``[q, i, j]``, ``[Q, N, N]``."""
    return values[:, :, None] - values[:, None, :]


def both(mask: Tensor) -> Tensor:
    """Whether both documents of a pair are real, ``[Q, N, N]``."""
    return mask[:, :, None] & mask[:, None, :]


def mean_of_pairs(losses: Tensor, pairs: Tensor) -> Tensor:
    """The mean of ``losses`` ``[Q, N, N]`` over each query's ``pairs``, ``[Q]``; 0 where there are none."""
    return losses.masked_fill(~pairs, 0.0).sum((-2, -1)) / pairs.sum((-2, -1)).clamp_min(1)


def differ(labels: Tensor, mask: Tensor) -> Tensor:
    """Whether a list has two levels of labels, ``[Q]``."""
    highest, lowest = labels.masked_fill(~mask, NEVER).amax(-1), labels.masked_fill(~mask, -NEVER).amin(-1)
    return highest > lowest
