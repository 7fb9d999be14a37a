"""Losses over log-probabilities of texts: of identifiers in a written ranking, of answers that are preferred to others.

``[Q, T]``: Q answers of T tokens; ``[Q, N]``: Q queries, N items. Sums of log-probabilities are over an answer's own
tokens, the prompt's left out. Padding, means over queries and precision are as in ``train.losses``.
RaCT's own RPO (arXiv 2412.14405) is missing: its equation was not found; ``dpo`` on its chains is the nearest there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ponderank.errors import DataError
from ponderank.train.lists import NEVER, mean_of_queries, padded


def importance_weighted_lm(logprobs: Tensor, ranks: Tensor, mask: Tensor | None = None) -> Tensor:
    """Language-model loss of a written ranking in which the first identifiers weigh most.

    ``logprobs`` ``[Q, T]`` of the answer's tokens; ``ranks`` ``[Q, T]``: the 1-based rank whose identifier a token helps to
    spell, 0 for everything else (``identifier_ranks``). A token of rank r weighs ``1 + 1/log2(r+1)``, others 1; the sum is
    divided by the number of tokens, not by the sum of weights.

    Source: full ranking (arXiv 2412.14574), importance-aware loss; ``weighted_loss`` in training/model.py.
    Differs: where identifiers stand is found in the text, not by Mistral's token 1644; what follows the last one
    (the end of the answer) weighs 1, there as much as its rank; the mean is per answer, then over answers.

    >>> importance_weighted_lm(torch.tensor([[-1.0, -1.0, -2.0]]), torch.tensor([[1, 1, 0]]))
    tensor(2.)
    """
    mask, logprobs, ranks = padded(mask, logprobs, ranks)
    shares = torch.where(ranks > 0, 1 + 1 / torch.log2(ranks.clamp_min(1) + 1), 1.0)
    return mean_of_queries(-(shares * logprobs).sum(-1) / mask.sum(-1).clamp_min(1), mask)


def identifier_ranks(text: str, offsets: Sequence[tuple[int, int]], *, identifier: str = r"\[\d+\]") -> list[int]:
    """The rank that each token of a written ranking helps to spell, 0 for separators and special tokens.

    ``offsets`` are the tokens' ``(start, end)`` in ``text``, as fast tokenizers give them; ``identifier`` is a regular
    expression, brackets included. A token of two identifiers counts for the first.

    >>> identifier_ranks("[2] > [1]", [(0, 1), (1, 2), (2, 3), (3, 5), (5, 7), (7, 8), (8, 9), (0, 0)])
    [1, 1, 1, 0, 2, 2, 2, 0]
    """
    spans = [found.span() for found in re.finditer(identifier, text)]
    ranks = []
    for start, end in offsets:
        ranks.append(next((r for r, (a, b) in enumerate(spans, 1) if start < b and end > a), 0))
    return ranks


def irpo(
    logprobs: Tensor,
    reference: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    beta: float = 1.0,
    ranks: Tensor | None = None,
) -> Tensor:
    """In-context ranking preference optimisation: every relevant item should be preferred to all the others together.

    ``logprobs`` and ``reference`` ``[Q, N]``: summed log-probabilities of each item under the model and under the model
    that training began from; r is their difference. ``labels`` are grades (0: irrelevant, weighs nothing), ``ranks``
    ``[Q, N]`` the places in the list that was shown, counted from 1 (``None``: as they stand)::

        1/n sum_i w_i softplus(logsumexp_{j != i} beta (r_j - r_i) - log(n-1)),   w_i = (2^y_i - 1) / log2(1 + rank_i)

    Source: IRPO (arXiv 2504.15477), ``rdpo_loss`` of its trainers.py; ``beta`` 1 is its README's, 0.1 its function's.
    Differs: an item is kept out of its own sum exactly, where the code subtracts 100 before ``beta``; the mean over
    queries, where the code sums; a list of one item counts as 0, where the code takes log 0.

    >>> irpo(torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]])) * 3
    tensor(0.6931)
    """
    mask, logprobs, reference, labels = padded(mask, logprobs, reference, labels)
    places = mask.cumsum(-1) if ranks is None else ranks.masked_fill(~mask, 1)
    rewards = beta * (logprobs - reference)
    others = mask[:, None, :] & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
    gaps = torch.where(others, rewards[:, None, :] - rewards[:, :, None], NEVER)
    items = mask.sum(-1)
    # one item alone has only NEVER to sum, and softplus makes 0 of that
    against = gaps.logsumexp(-1) - (items.clamp_min(2) - 1).log()[:, None]
    shares = (torch.exp2(labels) - 1) / torch.log2(1 + places.clamp_min(1).to(labels.dtype))
    losses = (shares * functional.softplus(against)).masked_fill(~mask, 0.0)
    return mean_of_queries(losses.sum(-1) / items.clamp_min(1), mask)


def dpo(
    chosen: Tensor,
    rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Direct preference optimisation: ``-log sigmoid(beta * ((c - c_ref) - (r - r_ref)))``, mean over pairs.

    All four are ``[Q]``: summed log-probabilities of the chosen and the rejected answer under the model and under the one
    that training began from (after SFT, not the base). ``label_smoothing`` is the share of pairs taken to be the wrong
    way round. For chains of picks, start both answers at the first pick that differs: what they share cancels.

    Source: DPO (arXiv 2305.18290), equation 7; TRL's ``loss_type="sigmoid"``, whose ``beta`` of 0.1 is the default.
    Differs: nothing.

    >>> dpo(torch.zeros(1), torch.zeros(1), torch.zeros(1), torch.zeros(1))
    tensor(0.6931)
    """
    sums = (chosen, rejected, reference_chosen, reference_rejected)
    if chosen.dim() != 1 or len({x.shape for x in sums}) > 1:
        raise DataError(f"the four sums have the shapes {[tuple(x.shape) for x in sums]}; give one number per pair")
    dtype = torch.promote_types(chosen.dtype, torch.float32)
    ours = chosen.to(dtype) - rejected.to(dtype)
    margin = beta * (ours - (reference_chosen.detach().to(dtype) - reference_rejected.detach().to(dtype)))
    agreeing, opposed = functional.softplus(-margin), functional.softplus(margin)
    return ((1 - label_smoothing) * agreeing + label_smoothing * opposed).mean()
