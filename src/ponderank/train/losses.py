"""Losses over lists of scores that sentence-transformers lacks: how a model scored each query's documents in, one number out.

``[Q, N]``: Q queries, N documents. ``mask`` is bool, true where a document is real (``None``: all are); whatever stands
in padding, NaN included, changes neither value nor gradient. A loss is the mean of the queries' own losses, each
weighted by ``weights`` ``[Q]`` if given (``train.curriculum``), so a ragged batch is the mean of its queries asked one by
one; a query without documents is not counted, a list that teaches nothing counts as 0. Targets get no gradient. Half
precision is computed, and returned, as fp32; logarithms are natural.

``LOSSES`` names them; ``train.list_loss`` gives them to sentence-transformers' trainer, ``train.losses_text`` has those over
log-probabilities of texts. ListNet, ListMLE, RankNet, LambdaLoss and ADR-MSE are sentence-transformers' own.
RankList (arXiv 2508.09826) and CET (arXiv 2209.05072) are missing: their equations could not be read, and are not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ponderank.errors import DataError
from ponderank.train.lists import both, differ, gaps, log_softmax, mean_of_pairs, mean_of_queries, padded
from ponderank.train.plackett_luce import plackett_luce


def softmax_cross_entropy(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    temperature: float = 1.0,
    normalise: bool = False,
    weights: Tensor | None = None,
) -> Tensor:
    """Minus the label-weighted log-softmax of a list: ``-sum_i y_i log softmax(s / temperature)_i``.

    ``labels`` ``[Q, N]`` are gains of at least 0. With one positive of label 1 this is the cross-entropy of RankLLaMA and
    LCE, wherever that positive stands. ``normalise`` divides a list's labels by their sum, so that a query with many
    positives weighs no more than one with few.

    Source: RankT5 (arXiv 2210.10634), softmax loss; written out in TensorFlow Ranking's ``SoftmaxLoss``. One positive:
    RankLLaMA (arXiv 2310.08319) and LCE (arXiv 2101.08751), tevatron's and Reranker's ``CrossEntropyLoss`` with target 0.
    Differs: a list whose labels are all equal counts as 0 instead of pulling its scores together.

    >>> softmax_cross_entropy(torch.tensor([[0.6, 0.8]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.7981)
    """
    mask, scores, labels = padded(mask, scores, labels)
    if normalise:
        total = labels.sum(-1, keepdim=True)
        labels = labels / torch.where(total > 0, total, 1.0)
    losses = -(labels * log_softmax(scores / temperature, mask)).sum(-1)
    return mean_of_queries(torch.where(differ(labels, mask), losses, 0.0), mask, weights)


def margin_mse(scores: Tensor, teacher: Tensor, mask: Tensor | None = None, *, weights: Tensor | None = None) -> Tensor:
    """How far a student's margins over its negatives are from the teacher's: ``mean_j ((s_0-s_j) - (t_0-t_j))^2``.

    Document 0 is the positive, the others its negatives; both sides are scores ``[Q, N]`` of one scale (logits, not
    probabilities), not margins. Margins that the teacher has the wrong way round stay: they are what it corrects.

    Source: arXiv 2010.02666, Margin-MSE; sebastian-hofstaetter/neural-ranking-kd, here for any number of negatives.
    Differs: nothing.

    >>> margin_mse(torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[9.0, 7.0, 5.0]]))
    tensor(4.5000)
    """
    mask, scores, teacher = padded(mask, scores, teacher)
    errors = (scores[:, :1] - scores[:, 1:]) - (teacher[:, :1] - teacher[:, 1:])
    real = mask[:, :1] & mask[:, 1:]
    losses = errors.square().masked_fill(~real, 0.0).sum(-1) / real.sum(-1).clamp_min(1)
    return mean_of_queries(losses, mask, weights)


def ranknet_soft(
    scores: Tensor, teacher: Tensor, mask: Tensor | None = None, *, weights: Tensor | None = None
) -> Tensor:
    """RankNet towards a teacher's own certainty: cross-entropy of ``sigmoid(s_i-s_j)`` to ``sigmoid(t_i-t_j)``.

    The mean over all pairs of a list, tied ones (target one half) included. With labels as ``teacher`` a positive
    should beat a negative with probability ``sigmoid(1)``, not 1.

    Source: DeAR (arXiv 2508.16998), ``RankLoss.rank_net`` of pointwise_reranker/rank_loss.py.
    Differs: the mean is taken over a query's pairs, then over queries, so that long lists weigh no more.

    >>> ranknet_soft(torch.tensor([[0.0, 0.0]]), torch.tensor([[5.0, 1.0]]))
    tensor(0.6931)
    """
    mask, scores, teacher = padded(mask, scores, teacher)
    gap, target = gaps(scores), torch.sigmoid(gaps(teacher))
    losses = target * functional.softplus(-gap) + (1 - target) * functional.softplus(gap)
    others = ~torch.eye(scores.shape[1], dtype=torch.bool, device=scores.device)
    return mean_of_queries(mean_of_pairs(losses, both(mask) & others), mask, weights)


def kl_distillation(
    scores: Tensor,
    teacher: Tensor,
    mask: Tensor | None = None,
    *,
    temperature: float = 2.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Divergence of the student's distribution over a list from the teacher's: ``T^2 KL(softmax(t/T) || softmax(s/T))``.

    ``T^2`` keeps the size of gradients when the temperature changes.

    Source: DeAR (arXiv 2508.16998), ``kl`` in pointwise_reranker/modeling.py, its default temperature of 2.
    Differs: nothing.

    >>> kl_distillation(torch.tensor([[3.0, 1.0]]), torch.tensor([[2.0, 0.0]]))
    tensor(0.)
    """
    mask, scores, teacher = padded(mask, scores, teacher)
    theirs, ours = log_softmax(teacher / temperature, mask), log_softmax(scores / temperature, mask)
    losses = temperature**2 * (theirs.exp() * (theirs - ours)).sum(-1)
    return mean_of_queries(losses, mask, weights)


def dear(
    scores: Tensor,
    labels: Tensor,
    teacher: Tensor,
    mask: Tensor | None = None,
    *,
    ranknet: float = 0.5,
    ranknet_target: Literal["labels", "teacher"] = "labels",
    alpha: float = 0.1,
    temperature: float = 2.0,
    weights: Tensor | None = None,
) -> Tensor:
    """DeAR's mix: ``(1-alpha) * ((1-ranknet) * cross-entropy + ranknet * RankNet) + alpha * T^2 KL``.

    ``labels`` ``[Q, N]`` have one positive of 1; ``ranknet_target`` says whose differences RankNet imitates, those of the
    labels or of the teacher. 0.5 and ``"labels"`` are the code's ``ranknet_binary_softmax_ce``, 0 is its ``softmax_ce``
    (what the published script runs), 1 its ``ranknet_teacher`` or ``ranknet_binary``. The script's ``alpha`` is 0.1, the
    code's defaults are 0.3 and 0.5.

    Source: DeAR (arXiv 2508.16998), stage 1; ``forward`` of pointwise_reranker/modeling.py.
    Differs: RankNet's mean is per query (``ranknet_soft``); the positive may stand anywhere.

    >>> dear(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]), ranknet=0.0)
    tensor(0.2819)
    """
    if ranknet_target not in ("labels", "teacher"):
        raise DataError(f"ranknet_target is {ranknet_target!r}; give 'labels' or 'teacher'")
    target = labels if ranknet_target == "labels" else teacher
    entropy = softmax_cross_entropy(scores, labels, mask, weights=weights)
    main = (1 - ranknet) * entropy + ranknet * ranknet_soft(scores, target, mask, weights=weights)
    return (1 - alpha) * main + alpha * kl_distillation(scores, teacher, mask, temperature=temperature, weights=weights)


def weighted_ranknet(
    scores: Tensor, labels: Tensor, mask: Tensor | None = None, *, weights: Tensor | None = None
) -> Tensor:
    """RankNet in which the top matters more: ``softplus(s_j-s_i) / (rank_i + rank_j)``, mean over pairs with ``y_i > y_j``.

    ``labels`` ``[Q, N]``: larger is better; only their order counts. A ranking becomes labels as ``-rank``.

    Source: FIRST (arXiv 2406.15657), its weighted RankNet; ``rank_net(weighted=True)`` of scripts/utils/loss.py.
    Differs: ranks are each query's own, where the code numbers them through the batch (equal for one query); tied
    labels share the better rank, where the code breaks ties by position; the mean is per query.

    >>> weighted_ranknet(torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0, 1.0]]))
    tensor(0.2310)
    """
    mask, scores, labels = padded(mask, scores, labels)
    better = (gaps(labels) > 0) & both(mask)
    ranks = 1 + better.sum(-2)
    shares = 1.0 / (ranks[:, :, None] + ranks[:, None, :])
    return mean_of_queries(mean_of_pairs(shares * functional.softplus(-gaps(scores)), better), mask, weights)


LOSSES: Mapping[str, Callable[..., Any]] = {
    loss.__name__: loss
    for loss in (
        softmax_cross_entropy,
        margin_mse,
        ranknet_soft,
        kl_distillation,
        dear,
        weighted_ranknet,
        plackett_luce,
    )
}
