"""What is trained on when: easy samples weigh more at first, negatives grow harder.

Everything here is a function of the step, the seed and the sample, with no state: a run that was killed goes on as if it
had not been, and ranks agree without talking. ``train.draws`` draws a training's batches by it.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

from ponderank.errors import DataError


def reciprocal_rank(rank: int | None, *, unretrieved: int = 1000) -> float:
    """How relevant the first stage finds a document, in (0, 1]: 1 over its rank, counted from 1.

    ``None`` (a positive that it did not retrieve) counts as rank ``unretrieved``.

    Source: training curricula (arXiv 2004.14269), ``reciprank`` of OpenNIR, its default rank included.
    Differs: nothing.

    >>> reciprocal_rank(4)
    0.25
    """
    return 1.0 / (unretrieved if rank is None else rank)


def normalised(score: float, scores: Sequence[float]) -> float:
    """Where ``score`` lies between the lowest (0) and the highest (1) of a query's first-stage ``scores``.

    Source: training curricula (arXiv 2004.14269), ``normscore`` of OpenNIR.
    Differs: cut to [0, 1]; one half when all scores are the same, where the code divides by 0.

    >>> normalised(3.0, [1.0, 3.0, 5.0])
    0.5
    """
    low, high = min(scores), max(scores)
    return min(1.0, max(0.0, (score - low) / (high - low))) if high > low else 0.5


def smoothed_share(score: float, scores: Sequence[float]) -> float:
    """The share of a query's first-stage ``scores`` below ``score``, smoothed: the CDF of their Gaussian density estimate.

    The kernel's width is Scott's, ``n^(-1/5)`` sample deviations.

    Source: training curricula (arXiv 2004.14269), ``kdescore`` of OpenNIR (scipy's ``gaussian_kde``).
    Differs: one half when all scores are the same (or there is one), where the code fails.

    >>> smoothed_share(2.0, [1.0, 2.0, 3.0])
    0.5
    """
    width = statistics.stdev(scores) * len(scores) ** -0.2 if len(scores) > 1 else 0.0
    if not width:
        return 0.5
    return statistics.fmean(0.5 * math.erfc((x - score) / (width * math.sqrt(2))) for x in scores)


def point_easiness(score: float, *, relevant: bool) -> float:
    """How easy one judged document is, in [0, 1]: the first stage's ``score`` in [0, 1] if relevant, else 1 minus it.

    Source: training curricula (arXiv 2004.14269), onir/trainers/pointwise_cl.py. Differs: nothing.

    >>> point_easiness(0.25, relevant=False)
    0.75
    """
    return score if relevant else 1.0 - score


def pair_easiness(positive: float, negatives: Sequence[float]) -> float:
    """How easy a positive and its negatives are, in [0, 1]: ``(positive - negative + 1) / 2`` of the hardest negative.

    All are first-stage scores in [0, 1].

    Source: training curricula (arXiv 2004.14269), onir/trainers/pairwise_cl.py.
    Differs: several negatives also with ``smoothed_share``, where the code refuses.

    >>> pair_easiness(0.5, [0.0, 0.25])
    0.625
    """
    return (positive - max(negatives) + 1.0) / 2.0


def weight(easiness: float, step: int, *, end: int, hardest_first: bool = False) -> float:
    """The weight of a sample at ``step``: its easiness at first, 1 from step ``end`` on, a straight line between.

    ``end`` of 0 or less never ends. ``hardest_first`` turns the curriculum round. Give the weights of a batch to a loss of
    ``train.losses`` as ``weights``.

    Source: training curricula (arXiv 2004.14269), OpenNIR's trainers: ``D (1 - e/m) + e/m`` and 1e-8 beside D.
    Differs: each sample's loss is multiplied by its own weight, where the code multiplies a batch's mean loss by the mean
    weight, which no longer prefers one sample of the batch to another; time is counted in steps, not in epochs.

    >>> [round(weight(0.2, step, end=100), 3) for step in (0, 50, 100, 200)]
    [0.2, 0.6, 1.0, 1.0]
    """
    if 0 < end <= step:
        return 1.0
    progress = step / end if end > 0 else 0.0
    return ((1.0 - easiness if hardest_first else easiness) + 1e-8) * (1.0 - progress) + progress


def temperature(step: int, *, steps: int, start: float = 0.05, end: float = 0.001) -> float:
    """The temperature that negatives are drawn at: from ``start`` at step 0 to ``end`` at ``steps``, lower is harder.

    Source: CoRNStack (arXiv 2412.01007); 0.05 and 0.001 as reported of it, for cosines.
    Differs: every step divides it by the same factor; the paper's path between the two ends was not found.

    Raises:
        DataError: a temperature of 0 or less.

    >>> [round(temperature(step, steps=2, start=0.04, end=0.01), 3) for step in (0, 1, 2, 3)]
    [0.04, 0.02, 0.01, 0.01]
    """
    if start <= 0 or end <= 0:
        raise DataError(f"the temperatures are {start} and {end}; give numbers above 0")
    progress = min(1.0, step / steps) if steps > 0 else 1.0
    return math.exp((1.0 - progress) * math.log(start) + progress * math.log(end))


def draw_negatives(
    similarities: Sequence[float], count: int, *, temperature: float, step: int, seed: int, key: str = ""
) -> tuple[int, ...]:
    """Draw ``count`` different negatives, as indices, with probability in proportion to ``exp(similarity / temperature)``.

    One after the other without putting back. ``key`` names the sample (a query's id): the same seed, step and key draw
    the same negatives, in every process.

    Source: CoRNStack (arXiv 2412.01007), curriculum-based negatives; drawn by Gumbel noise, which is the same.
    Differs: nothing known.

    Raises:
        DataError: fewer candidates than ``count``, or a temperature of 0 or less.

    >>> draw_negatives([0.9, 0.1, 0.8], 2, temperature=0.001, step=0, seed=0)
    (0, 2)
    """
    if count > len(similarities):
        raise DataError(
            f"{count} negatives wanted of {len(similarities)} candidates; give more candidates or ask for fewer"
        )
    if temperature <= 0:
        raise DataError(f"the temperature is {temperature}; give a number above 0")
    rng = random.Random(f"{seed}/{step}/{key}")
    keys = [x / temperature - math.log(rng.expovariate(1.0) or 1e-300) for x in similarities]
    return tuple(sorted(range(len(keys)), key=lambda i: -keys[i])[:count])
