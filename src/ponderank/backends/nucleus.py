"""Drawing from the likeliest tokens only: the first ``top_k``, and of these the fewest that have ``top_p`` of the probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def likeliest(chances: Floats, top_k: int, top_p: float) -> Floats:
    """Probabilities ``[V]`` with those outside set to 0, not scaled up again; of equal ones at the cut the first stay.

    First the ``top_k`` likeliest (0: all), then of what is left the fewest whose share reaches ``top_p``, at least one.

    Source: nucleus sampling (arXiv 1904.09751); the order of the two cuts as in transformers and vLLM. Differs: nothing.

    >>> likeliest(np.array([0.5, 0.3, 0.2]), 0, 0.7).tolist(), likeliest(np.array([0.5, 0.3, 0.2]), 1, 1.0).tolist()
    ([0.5, 0.3, 0.0], [0.5, 0.0, 0.0])
    """
    order = np.argsort(-chances, kind="stable")
    order = order[:top_k] if top_k > 0 else order
    if top_p < 1.0:
        shares = np.cumsum(chances[order])
        order = order[: int(np.searchsorted(shares, top_p * shares[-1] - 1e-12)) + 1]
    kept = np.zeros_like(chances)
    kept[order] = chances[order]
    return kept
