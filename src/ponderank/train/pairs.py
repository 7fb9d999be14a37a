"""What a cross-encoder is trained on: a query, one positive, negatives from our own BM25, and what the teacher says of each."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ponderank.data.beir import Collection
from ponderank.data.lines import records, written
from ponderank.retrieval.bm25 import BM25Index
from ponderank.train.config import Config, Data, Negatives, resolve
from ponderank.train.curriculum import normalised, reciprocal_rank, smoothed_share
from ponderank.types import Doc, Query

_WORD = re.compile(r"[A-Za-z][A-Za-z\-]{3,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Group:
    """One query's documents, the positive first; ``labels`` 1 or 0 (all 0: nobody judged it); teacher scores if any.

    ``first_stage``, if there is a curriculum: how relevant the first stage finds each document, in [0, 1].
    """

    source: str
    query: str
    docs: tuple[str, ...]
    labels: tuple[float, ...]
    bm25: tuple[float, ...]
    teacher: tuple[float, ...] = ()
    first_stage: tuple[float, ...] = ()

    def targets(self, label_weight: float) -> list[float]:
        """``teacher + label_weight * label``; the labels alone without a teacher."""
        if not self.teacher:
            return list(self.labels)
        return [t + label_weight * y for t, y in zip(self.teacher, self.labels, strict=True)]


def build(config: Config, path: Path) -> list[Group]:
    """The training groups, made once and kept in ``path`` (JSONL); the same file and seed make the same groups."""
    if path.is_file():
        return read_groups(path)
    rng = random.Random(config.training.seed)
    groups: list[Group] = []
    for data in config.data:
        found = collection_groups(data, config, rng)
        if config.teacher.folder:
            from ponderank.train.teacher import taught

            found = taught(found, config.teacher)
        groups += found
    with written(path) as file:
        for group in groups:
            file.write(json.dumps(asdict(group), ensure_ascii=False) + "\n")
    return groups


def read_groups(path: Path) -> list[Group]:
    """The groups that ``build`` kept in ``path``."""
    return [_group(row) for _, row in records(path)]


def collection_groups(data: Data, config: Config, rng: random.Random) -> list[Group]:
    """The groups of one collection, no teacher asked yet."""
    collection = Collection.open(resolve(data.folder))
    judged = {q: {d for d, g in docs.items() if g > 0} for q, docs in collection.qrels(data.split).items()}
    docs = _sampled(collection, judged, data, rng)
    index = BM25Index.build(docs)
    texts = {doc.id: _cut(doc, data, rng) for doc in docs}
    queries = [(q, judged[q.id] & texts.keys()) for q in collection.judged_queries(data.split)]
    queries = [(q, positives) for q, positives in queries if positives]
    queries = rng.sample(queries, min(data.queries, len(queries)))
    name = Path(data.folder).name
    for number, doc in enumerate(rng.sample(docs, min(data.synthetic, len(docs)))):
        text = keywords(texts[doc.id], rng) if rng.random() < 0.5 else sentence(texts[doc.id], rng)
        if text:
            queries.append((Query(f"synthetic-{number}", text), set()))
    found = index.search([q for q, _ in queries], config.negatives.depth)
    groups = []
    for (query, positives), candidates in zip(queries, found, strict=True):
        scores = dict(zip((d.id for d in candidates.docs), candidates.scores or (), strict=True))
        chosen = choose(list(scores), positives, config.negatives, rng, pool=config.curriculum.pool)
        if chosen:
            labels = (1.0 if positives else 0.0, *[0.0] * (len(chosen) - 1))
            bm25 = tuple(scores.get(i, 0.0) for i in chosen)
            groups.append(
                Group(
                    name if positives else f"{name}, synthetic",
                    query.text,
                    tuple(texts[i] for i in chosen),
                    labels,
                    bm25,
                    first_stage=heights(chosen, scores, config.curriculum.difficulty) if config.curriculum.on else (),
                )
            )
    return groups


def choose(ranked: list[str], positives: set[str], spec: Negatives, rng: random.Random, *, pool: int = 0) -> list[str]:
    """Ids of a positive and ``per_query`` negatives, none of them judged relevant; empty when too few were found.

    A query nobody judged starts with the first document found. ``pool`` > 0 takes that many negatives, or all there are,
    from the top down, to be drawn from later (``train.draws``).

    >>> choose(["a", "b", "c"], {"b"}, Negatives(per_query=2, hard=1, head=1), random.Random(0))
    ['b', 'a', 'c']
    """
    rest = [i for i in ranked if i not in positives]
    first = rng.choice(sorted(positives)) if positives else rest.pop(0) if rest else ""
    if pool:
        return [first, *rest[:pool]] if first and len(rest) >= spec.per_query else []
    head = rest[: spec.head]
    hard = rng.sample(head, min(spec.hard, len(head)))
    others = [i for i in rest if i not in hard]
    if not first or len(hard) + len(others) < spec.per_query:
        return []
    return [first, *hard, *rng.sample(others, spec.per_query - len(hard))]


def heights(chosen: Sequence[str], scores: Mapping[str, float], difficulty: str) -> tuple[float, ...]:
    """How relevant the first stage finds each of ``chosen``, in [0, 1]; ``scores`` are those of all it found, best first.

    A positive that it did not find counts as rank 1,000, and as a score of 0, which is BM25's for no word in common.

    >>> heights(["b", "x"], {"a": 4.0, "b": 2.0, "c": 1.0}, "reciprank")
    (0.5, 0.001)
    """
    if difficulty == "reciprank":
        ranks = {name: rank for rank, name in enumerate(scores, 1)}
        return tuple(reciprocal_rank(ranks.get(name)) for name in chosen)
    measure = normalised if difficulty == "normscore" else smoothed_share
    found = list(scores.values())
    return tuple(measure(scores.get(name, 0.0), found) for name in chosen)


def keywords(text: str, rng: random.Random) -> str:
    """Two to five content words that stand near each other in the text, in any order; empty if it has too few."""
    words = _WORD.findall(text)
    if len(words) < 5:
        return ""
    start = rng.randrange(max(1, len(words) - 12))
    window = words[start : start + 12]
    return " ".join(rng.sample(window, min(len(window), rng.randint(2, 5))))


def sentence(text: str, rng: random.Random) -> str:
    """A sentence of 5 to 40 words from the text, or nothing (an inverse cloze query)."""
    fit = [s for s in _SENTENCE.split(text) if 5 <= len(s.split()) <= 40]
    return rng.choice(fit) if fit else ""


def _group(row: dict[str, Any]) -> Group:
    columns = ("docs", "labels", "bm25", "teacher", "first_stage")
    return Group(str(row["source"]), str(row["query"]), *(tuple(row.get(name, ())) for name in columns))


def _sampled(collection: Collection, judged: dict[str, set[str]], data: Data, rng: random.Random) -> list[Doc]:
    docs = list(collection.corpus())
    if data.passages >= len(docs):
        return docs
    relevant = set().union(*judged.values()) if judged else set()
    # half of the room for documents that answer something, so that a small corpus still has its positives
    answering, others = ([d for d in docs if (d.id in relevant) is wanted] for wanted in (True, False))
    take = min(len(answering), max(data.passages - len(others), data.passages // 2 if others else data.passages))
    chosen = rng.sample(answering, take)
    return chosen + rng.sample(others, min(len(others), data.passages - take))


def _cut(doc: Doc, data: Data, rng: random.Random) -> str:
    title = doc.title.replace("_", " ") if doc.title and rng.random() < data.titles else ""
    words = doc.text.split()
    body = " ".join(words[: rng.choice(data.words)])
    return f"{title} {body}".strip()
