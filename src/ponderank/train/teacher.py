"""What a bi-encoder says of training groups: its cosine, the late interaction of its token states, and BM25 beside them."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ponderank.strategies.pointwise import standardised
from ponderank.train.config import Teacher, resolve
from ponderank.train.pairs import Group


@dataclass(frozen=True, slots=True)
class Read:
    """One text as the teacher reads it: unit vector ``[H]``, token ids ``[T]``, unit states ``[T, H]`` in half precision."""

    vector: Any
    ids: tuple[int, ...] = ()
    states: Any = None


def taught(groups: Sequence[Group], spec: Teacher) -> list[Group]:
    """The groups with teacher scores, relative to each group's mean.

    ``scale * cosine + bm25 * z(BM25) + late_interaction * (MaxSim + MaxSim weighted by idf)``; MaxSim is the mean, over the
    query's tokens, of the best cosine with a token of the document; idf is that of the groups' own documents.

    Source: MaxSim ColBERT (arXiv 2004.12832). Differs: of a bi-encoder nobody trained for it, idf as a second weighting.
    """
    read = _read(resolve(spec.folder), [text for g in groups for text in (g.query, *g.docs)], spec.late_interaction > 0)
    docs = {text for g in groups for text in g.docs}
    seen = Counter(token for text in docs for token in set(read[text].ids))
    idf = {token: math.log((len(docs) + 1) / count) for token, count in seen.items()}
    out = []
    for group in groups:
        query = read[group.query]
        scores = [spec.scale * float(read[text].vector @ query.vector) for text in group.docs]
        scores = [s + spec.bm25 * z for s, z in zip(scores, standardised(group.bm25), strict=True)]
        if spec.late_interaction:
            weights = [idf.get(token, math.log(len(docs) + 1)) for token in query.ids]
            late = [_late(query, read[text], weights) for text in group.docs]
            scores = [s + spec.late_interaction * found for s, found in zip(scores, late, strict=True)]
        mean = sum(scores) / len(scores)
        out.append(replace(group, teacher=tuple(round(s - mean, 4) for s in scores)))
    return out


def _late(query: Read, doc: Read, weights: Sequence[float]) -> float:
    """MaxSim plus MaxSim weighted by ``weights [Tq]``."""
    import numpy as np

    best = (query.states.astype(np.float32) @ doc.states.astype(np.float32).T).max(1)
    return float(best.mean() + best @ np.asarray(weights, dtype=np.float32) / max(sum(weights), 1e-6))


def _read(folder: Path, texts: Sequence[str], tokens: bool, chunk: int = 2048) -> dict[str, Read]:
    """Each different text once; token states only if asked, for they take 80 kB a passage."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device=None)
    bar = sys.stderr.isatty()  # the longest wait before the first step
    todo = sorted(set(texts), key=lambda text: (len(text), text))
    if not tokens:
        vectors = model.encode(todo, batch_size=32, normalize_embeddings=True, show_progress_bar=bar)
        return dict(zip(todo, map(Read, vectors), strict=True))
    out: dict[str, Read] = {}
    unit = torch.nn.functional.normalize
    for start in range(0, len(todo), chunk):
        part = todo[start : start + chunk]
        found: Any = model.encode(part, batch_size=32, output_value=None, show_progress_bar=bar)
        for text, one in zip(part, found, strict=True):
            kept = one["attention_mask"].bool().cpu()
            states = unit(one["token_embeddings"].cpu()[kept], dim=-1).half().numpy()
            vector = unit(one["sentence_embedding"].cpu(), dim=-1).numpy()
            out[text] = Read(vector, tuple(one["input_ids"].cpu()[kept].tolist()), states)
    return out
