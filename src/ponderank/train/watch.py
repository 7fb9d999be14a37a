"""The evaluation that training watches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator

from ponderank.data.beir import Collection
from ponderank.metrics.ranked import evaluate
from ponderank.retrieval.bm25 import BM25Index
from ponderank.train.config import Dev, resolve


class Watch(BaseEvaluator):  # type: ignore[misc]
    """nDCG@10 of reranking BM25's candidates on the dev sets: the mean, and each set's own, as the trainer's evaluator."""

    def __init__(self, dev: Sequence[Dev]) -> None:
        super().__init__()
        self.primary_metric = self.name = "nDCG@10"
        self.sets = []
        for spec in dev:
            collection = Collection.open(resolve(spec.folder))
            qrels = collection.qrels(spec.split)
            queries = [q for q in collection.judged_queries(spec.split) if any(g > 0 for g in qrels[q.id].values())]
            queries = random.Random(0).sample(queries, min(spec.queries, len(queries)))
            found = BM25Index.build(collection.corpus()).search(queries, spec.depth)
            self.sets.append((Path(spec.folder).name, {q.id: qrels[q.id] for q in queries}, found))

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1, **_: Any
    ) -> dict[str, float]:
        """``{"nDCG@10": mean, "SET": nDCG@10, …}``."""
        results = {}
        for name, qrels, found in self.sets:
            pairs = [(c.query.text, doc.full_text) for c in found for doc in c.docs]
            scores = iter(model.predict(pairs, batch_size=32, show_progress_bar=False, convert_to_numpy=True))
            run = {c.query.id: [(doc.id, _relevance(next(scores))) for doc in c.docs] for c in found}
            results[name] = evaluate(qrels, {"run": run}, ["nDCG@10"])["run"]["nDCG@10"]
        results[self.name] = sum(results.values()) / len(results)
        return results


def _relevance(score: Any) -> float:
    values = score.reshape(-1)
    return float(values[-1] - values[0]) if len(values) == 2 else float(values[0])
