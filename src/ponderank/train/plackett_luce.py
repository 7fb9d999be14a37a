"""Rankings as samples: the Plackett-Luce distribution of a list's scores, and the policy gradient of nDCG over it.

``[S, Q, N]``: S sampled rankings of Q queries' N documents. Padding and means over queries are as in ``train.losses``.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from ponderank.errors import DataError
from ponderank.train.lists import NEVER, mean_of_queries, padded


def plackett_luce(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    k: int = 10,
    samples: int = 8,
    temperature: float = 1.0,
    gain: Literal["linear", "exponential"] = "linear",
    generator: torch.Generator | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Policy gradient of the nDCG@k that rankings sampled from the scores reach.

    Only the gradient means something: it is an unbiased estimate of minus that of the expected nDCG@k. The value,
    ``-mean_n (u_n - b_n) log p(r_n)``, is around 0 however good the scores. ``b_n`` is the mean nDCG of the other
    samples; ``p`` is the probability of the first ``k`` draws. A list of equal labels has no gradient: every ranking of
    it is perfect. Labels below 0 gain nothing; ``gain`` is ``y`` as in trec_eval, or ``2^y - 1``. Without a
    ``generator`` torch's global one draws, which a trainer's checkpoints keep.

    Source: Neural PG-RANK (arXiv 2310.04407), Plackett-Luce policy with a leave-one-out baseline; sampling by Gumbel noise.
    Differs: ``temperature`` divides the scores of policy and sampling alike, so that the estimate stays unbiased.

    Raises:
        DataError: fewer than 2 samples, which leave no baseline.

    >>> float(plackett_luce(torch.zeros(1, 3), torch.ones(1, 3)))
    0.0
    """
    if samples < 2:
        raise DataError(f"samples is {samples}; give at least 2, each is compared with the others")
    mask, scores, labels = padded(mask, scores, labels)
    scores = scores / temperature
    rankings = sample_rankings(scores, mask, samples=samples, generator=generator)
    utility = _ndcg(labels, mask, rankings, k, gain)
    advantage = utility - (utility.sum(0) - utility) / (samples - 1)
    losses = -(advantage * plackett_luce_logprob(scores, rankings, mask, k=k)).mean(0)
    return mean_of_queries(losses, mask, weights)


def plackett_luce_logprob(scores: Tensor, rankings: Tensor, mask: Tensor | None = None, *, k: int) -> Tensor:
    """Log-probability ``[S, Q]`` of the first ``k`` of ``rankings`` ``[S, Q, N]`` (indices, best first, padding last).

    Every draw is among all documents not drawn yet, the ones beyond ``k`` included.

    >>> plackett_luce_logprob(torch.zeros(1, 3), torch.tensor([[[2, 0, 1]]]), k=1).exp()
    tensor([[0.3333]])
    """
    mask, scores = padded(mask, scores)
    ordered, real = (values.expand(rankings.shape).gather(-1, rankings) for values in (scores, mask))
    place = torch.arange(scores.shape[1], device=scores.device)
    left = (place[None, :] >= place[:k, None]) & real[..., None, :]  # [S, Q, k, N]
    pool = torch.where(left, ordered[..., None, :], NEVER).logsumexp(-1)
    return (ordered[..., :k] - pool).masked_fill(~real[..., :k], 0.0).sum(-1)


def sample_rankings(scores: Tensor, mask: Tensor, *, samples: int, generator: torch.Generator | None = None) -> Tensor:
    """``[S, Q, N]`` rankings drawn from the Plackett-Luce distribution of ``scores``: indices, best first, padding last.

    Real documents alone draw noise, in order, so padding and the company of other queries change no ranking.
    """
    device = generator.device if generator is not None else "cpu"  # where fp64 exists; checkpoints keep its state
    draws = torch.rand(int(mask.sum()), samples, dtype=torch.float64, generator=generator, device=device)
    noise = scores.new_zeros((*scores.shape, samples))
    noise[mask] = -(-draws.clamp(1e-300, 1 - 1e-16).log()).log().to(scores.dtype).to(scores.device)
    perturbed = (scores.detach()[..., None] + noise).masked_fill(~mask[..., None], -math.inf)
    return perturbed.permute(2, 0, 1).argsort(dim=-1, descending=True, stable=True)


def _ndcg(labels: Tensor, mask: Tensor, rankings: Tensor, k: int, gain: str) -> Tensor:
    """nDCG@k ``[S, Q]``; 0 where nothing is relevant."""
    if gain not in ("linear", "exponential"):
        raise DataError(f"gain is {gain!r}; give 'linear' or 'exponential'")
    gains = labels.clamp_min(0.0) if gain == "linear" else torch.exp2(labels.clamp_min(0.0)) - 1
    gains = gains.masked_fill(~mask, 0.0)
    places = torch.arange(2, min(k, labels.shape[1]) + 2, dtype=gains.dtype, device=gains.device)
    best = (gains.sort(-1, descending=True).values[:, :k] / places.log2()).sum(-1)
    found = (gains.expand(rankings.shape).gather(-1, rankings)[..., :k] / places.log2()).sum(-1)
    return found / torch.where(best > 0, best, 1.0)
