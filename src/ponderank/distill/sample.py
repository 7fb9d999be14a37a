"""Pairs to ask a teacher about, in parts: judged positives, first-stage negatives, a strong reranker's hard negatives."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ponderank.distill.pairs import Pair
from ponderank.errors import DataError
from ponderank.types import Candidates, Doc, Query, Ranking

if TYPE_CHECKING:
    from ponderank.data.beir import Collection

Rerank = Callable[[Iterable[Candidates]], Iterable[Ranking]]
"""A strong reranker: candidates to rankings, in order."""


@dataclass(frozen=True, slots=True)
class Part:
    """Where some of the pairs come from, and which share of them.

    ``source``: ``"judged"`` (relevant by the qrels), ``"first stage"`` (retrieved, not judged relevant, drawn at random) or
    ``"reranked"`` (not judged relevant, at ``ranks`` of the reranker's order of those that may be drawn, from 1).
    """

    name: str
    source: str
    share: float
    ranks: tuple[int, int] = (1, 1_000_000)


PRESETS: Mapping[str, tuple[Part, ...]] = {
    "rank1": (
        Part("positives", "judged", 0.25),
        Part("negatives", "first stage", 0.25),
        Part("hard 1-5", "reranked", 0.25, (1, 5)),
        Part("hard 5-10", "reranked", 0.25, (6, 10)),
    ),
    "rank1-second-round": (
        Part("negatives", "first stage", 0.5),
        Part("hard 5-10", "reranked", 0.5, (6, 10)),
    ),
}
"""Rank1's parts (arXiv 2502.18418, section 2.1), a quarter each, and its second round. Differs: the paper's two ranges of hard
negatives share rank 5; here the second begins at 6. Their negatives came from BM25 and CoCondenser, their hard ones from mT5-13B;
here from whatever first stage and reranker are given."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many pairs of which parts.

    Args:
        parts: shares add up to 1.
        count: pairs in all; a part that has fewer gives what it has, and the report says so.
        depth: candidates that the first stage finds a query.
        seed: the same seed, collection and reranker give the same pairs.
        apart: splits whose queries and judged passages must not occur.
        per_query: the most pairs of one part that one query gives.
    """

    parts: tuple[Part, ...] = PRESETS["rank1"]
    count: int = 10_000
    depth: int = 100
    seed: int = 0
    apart: tuple[str, ...] = ()
    per_query: int = 5

    def __post_init__(self) -> None:
        total = sum(part.share for part in self.parts)
        if abs(total - 1) > 1e-6 or any(part.share < 0 for part in self.parts):
            raise ValueError(f"the parts' shares add up to {total:g}; they must add up to 1")
        if self.count < 1 or self.depth < 1 or self.per_query < 1:
            raise ValueError(f"count {self.count}, depth {self.depth}, per_query {self.per_query}: need 1 or more")


@dataclass(frozen=True, slots=True)
class Sample:
    """The pairs, and what became of what was there: how many each part gave, how many were left out and why."""

    pairs: tuple[Pair, ...]
    wanted: dict[str, int]
    found: dict[str, int]
    dropped: dict[str, int]


def sample(
    collection: Collection, split: str, sampling: Sampling, search: Callable[[Sequence[Query], int], list[Candidates]],
    rerank: Rerank | None = None, without: Iterable[str] = (),
) -> Sample:  # fmt: skip
    """Draw pairs from a collection's split.

    Queries are taken in random order until every part has its share, so that only as many are searched and reranked as are
    needed. ``without``: keys of pairs that were drawn before (a second round).

    Raises:
        DataError: hard negatives are wanted and there is no reranker; nothing is left to draw from.
    """
    if rerank is None and any(part.source == "reranked" and part.share for part in sampling.parts):
        raise DataError("hard negatives need a reranker; name one with --reranker, or set their shares to 0")
    rng = random.Random(sampling.seed)
    dropped = {"query in another split": 0, "passage of another split": 0, "drawn before": 0}
    queries, barred = _apart(collection, split, sampling.apart, dropped)
    if not queries:
        raise DataError(
            f"split {split!r} has no queries that are not also in {', '.join(sampling.apart)}", path=collection.folder
        )
    rng.shuffle(queries)
    wanted = _counts(sampling)
    drawn: dict[str, list[Pair]] = {name: [] for name in wanted}
    seen, relevant = set(without), _relevant(collection, split)

    def short() -> set[str]:
        """The sources of the parts that still lack pairs."""
        return {part.source for part in sampling.parts if len(drawn[part.name]) < wanted[part.name]}

    for query, sources in _sources(queries, relevant, collection.docs, sampling.depth, short, search, rerank):
        for part in sampling.parts:
            room = min(sampling.per_query, wanted[part.name] - len(drawn[part.name]))
            drawn[part.name] += _drawn(part, query, sources, room, barred, seen, dropped, rng)
        if not short():
            break
    pairs = [pair for found in drawn.values() for pair in found]
    rng.shuffle(pairs)
    return Sample(tuple(pairs), wanted, {name: len(found) for name, found in drawn.items()}, dropped)


def _counts(sampling: Sampling) -> dict[str, int]:
    """How many pairs of each part; what rounding leaves goes to the first ones."""
    counts = {part.name: int(part.share * sampling.count) for part in sampling.parts}
    for part in sampling.parts[: sampling.count - sum(counts.values())]:
        counts[part.name] += 1
    return counts


def _relevant(collection: Collection, split: str) -> dict[str, dict[str, int]]:
    return {
        query: {doc: grade for doc, grade in docs.items() if grade > 0}
        for query, docs in collection.qrels(split).items()
    }


def _apart(
    collection: Collection, split: str, others: Sequence[str], dropped: dict[str, int]
) -> tuple[list[Query], set[str]]:
    """The split's queries that no other split asks, and the passages that others judge relevant."""
    asked: set[str] = set()
    barred: set[str] = set()
    for other in others:
        asked |= {plain(query.text) for query in collection.judged_queries(other)}
        barred |= {doc for docs in _relevant(collection, other).values() for doc in docs}
    kept = [query for query in collection.judged_queries(split) if plain(query.text) not in asked]
    dropped["query in another split"] = len(collection.judged_queries(split)) - len(kept)
    return kept, barred


def plain(text: str) -> str:
    """A text's words, lower case: two queries that differ in nothing else are the same.

    >>> plain("Who  wrote it?") == plain("who wrote it")
    True
    """
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


@dataclass(frozen=True, slots=True)
class _Sources:
    """What a query offers: judged passages, retrieved ones that are not relevant, and the same in the reranker's order."""

    judged: tuple[Doc, ...]
    retrieved: tuple[Doc, ...]
    reranked: tuple[Doc, ...]


_TOGETHER = 64
"""Queries that are searched and reranked together."""


def _sources(
    queries: Sequence[Query], relevant: Mapping[str, Mapping[str, int]], docs: Mapping[str, Doc], depth: int,
    short: Callable[[], set[str]], search: Callable[[Sequence[Query], int], list[Candidates]], rerank: Rerank | None,
) -> Iterator[tuple[Query, _Sources]]:  # fmt: skip
    """What each query offers; nothing is searched or reranked for parts that have all they want."""
    for start in range(0, len(queries), _TOGETHER):
        some, needed = queries[start : start + _TOGETHER], short()
        found = search(some, depth) if needed - {"judged"} else [Candidates(query, ()) for query in some]
        hard = rerank is not None and "reranked" in needed
        orders = [ranking.docs for ranking in rerank(found)] if rerank is not None and hard else [()] * len(found)
        for one, order in zip(found, orders, strict=True):
            right = relevant.get(one.query.id, {})
            missing = [name for name in right if name not in docs]
            if missing:
                raise DataError(f"query {one.query.id!r} is judged on {missing[0]!r}, which the corpus lacks")
            judged = tuple(docs[name] for name in right)
            rest, ordered = (tuple(doc for doc in some if doc.id not in right) for some in (one.docs, order))
            yield one.query, _Sources(judged, rest, ordered)


def _drawn(
    part: Part, query: Query, sources: _Sources, room: int, barred: set[str], seen: set[str], dropped: dict[str, int],
    rng: random.Random,
) -> list[Pair]:  # fmt: skip
    """At most ``room`` pairs of one part for one query; their keys are noted in ``seen``."""
    if room < 1 or not part.share:
        return []
    ranked = {"judged": sources.judged, "first stage": sources.retrieved, "reranked": sources.reranked}[part.source]
    allowed = [doc for doc in ranked if doc.id not in barred]
    dropped["passage of another split"] += len(ranked) - len(allowed)
    first, last = part.ranks
    kept = [(rank, doc) for rank, doc in enumerate(allowed, 1) if first <= rank <= last]
    rng.shuffle(kept)
    pairs: list[Pair] = []
    positive = part.source == "judged"
    for rank, doc in kept:
        if len(pairs) == room:
            break
        pair = Pair(query, doc, part.name, int(positive), 0 if positive else rank)
        if pair.key in seen:
            dropped["drawn before"] += 1
            continue
        seen.add(pair.key)
        pairs.append(pair)
    return pairs
