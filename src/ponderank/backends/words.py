"""A split model's sketch at run time: every word projected once, so that a pair costs a lookup and one small product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class WordTable:
    """What the sketch knows of every word: unit vectors ``[V, S]``, their lengths ``[V]`` and what each word counts ``[V]``.

    Args:
        project: ids ``[1, T]`` → states ``[1, T, S]`` and weights ``[1, T]``; asked once for the whole vocabulary, in fixed
            portions (int8 graphs take one scale a run), which takes a tenth of a second.
        vocabulary: number of words ``V``.
        head: the factors of ``cosine`` and ``maxsim``, and ``bias``.

    Same score as ``models.split_bert.Sketch.exit``.
    """

    def __init__(
        self, project: Callable[[Any], Sequence[Any]], vocabulary: int, head: dict[str, float], portion: int = 2048
    ) -> None:
        import numpy as np

        self.head, self.units, self.counts = head, np.empty(0), np.empty(vocabulary, dtype=np.float32)
        self.lengths = np.empty(vocabulary, dtype=np.float32)
        for start in range(0, vocabulary, portion):
            ids = np.arange(start, min(start + portion, vocabulary), dtype=np.int64)
            states, weights = (found[0] for found in project(ids[None]))
            if not self.units.size:
                self.units = np.empty((vocabulary, states.shape[1]), dtype=np.float32)
            self.lengths[ids] = np.maximum(np.linalg.norm(states, axis=1), 1e-12)
            self.units[ids] = states / self.lengths[ids, None]
            self.counts[ids] = weights

    def read(self, ids: Any) -> tuple[Any, Any]:
        """Ids ``[T]`` → unit mean of the words as they count ``[S]``, unit vectors ``[T, S]``."""
        import numpy as np

        units = self.units[ids]
        mean = (self.lengths[ids] * self.counts[ids]) @ units
        return mean / max(float(np.linalg.norm(mean)), 1e-12), units

    def score(self, query: Any, doc: Any) -> float:
        """Ids ``[Tq]`` and ``[Td]`` → the sketch's score."""
        (query_mean, query_units), (doc_mean, doc_units) = self.read(query), self.read(doc)
        counts = self.counts[query]
        matched = float((query_units @ doc_units.T).max(axis=1) @ counts) / max(float(counts.sum()), 1e-6)
        return self.head["cosine"] * float(query_mean @ doc_mean) + self.head["maxsim"] * matched + self.head["bias"]
