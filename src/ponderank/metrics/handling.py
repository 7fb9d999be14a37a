"""What is decided before a run is measured: how ties are broken, self-matches, missing queries. All of it is counted and said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

from ponderank.errors import DataError

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
Run: TypeAlias = Mapping[str, Sequence[tuple[str, float]]]
Ties: TypeAlias = Literal["file", "trec", "first-stage"]
"""Which of two documents with one score comes first: the one given first; the one with the higher id in the order of its
bytes, as in trec_eval; the one that the first stage had first."""

_SAID = {
    "file": "broken by the run's own order",
    "trec": "broken by document id, descending, as trec_eval does",
    "first-stage": "broken by the first stage's order",
}


def ordered(run: Run, *, ties: Ties = "file", first: Run | None = None) -> dict[str, list[tuple[str, float]]]:
    """Each query's documents, best first, with their own scores; a query without documents is left out.

    ``first`` is the first stage's run, for ``ties="first-stage"``; documents that it lacks come behind those it has.

    Raises:
        DataError: an unknown rule, or ``first-stage`` without ``first``.

    >>> ordered({"q": [("a", 1.0), ("b", 1.0)]}, ties="trec")
    {'q': [('b', 1.0), ('a', 1.0)]}
    """
    if ties not in get_args(Ties):
        raise DataError(f"ties are broken by {', '.join(get_args(Ties))}; got {ties!r}")
    if ties == "first-stage" and first is None:
        raise DataError("ties by the first stage's order need the first stage's run; give it too")
    out = {}
    for query, docs in run.items():
        listed = list(docs)
        if ties == "trec":
            listed.sort(key=lambda item: item[0].encode("utf-8", "surrogatepass"), reverse=True)
        elif ties == "first-stage" and first is not None:
            rank = {doc: at for at, (doc, _) in enumerate(ordered({query: first.get(query, ())}).get(query, ()))}
            listed.sort(key=lambda item, rank=rank: rank.get(item[0], len(rank)))  # type: ignore[misc]
        if listed:
            out[query] = sorted(listed, key=lambda item: -item[1])
    return out


def drop_self(run: Run) -> tuple[dict[str, list[tuple[str, float]]], int]:
    """The run without documents that have their query's id, and how many there were.

    Source: BEIR's ``evaluate(ignore_identical_ids=True)``, meant for ArguAna and Quora. Differs: nothing.

    >>> drop_self({"q": [("q", 2.0), ("a", 1.0)]})
    ({'q': [('a', 1.0)]}, 1)
    """
    kept = {query: [item for item in docs if item[0] != query] for query, docs in run.items()}
    return kept, self_matches(run)


def self_matches(run: Run) -> int:
    """How many documents have their query's id."""
    return sum(doc == query for query, docs in run.items() for doc, _ in docs)


def tied_in_top(run: Run, k: int = 10) -> dict[str, int]:
    """How many of each query's best ``k`` share their score with another of its documents; only queries with any.

    >>> tied_in_top({"q": [("a", 1.0), ("b", 1.0), ("c", 0.0)]})
    {'q': 2}
    """
    out = {}
    for query, docs in ordered(run).items():
        scores = [score for _, score in docs]
        tied = sum(
            score in (*scores[max(0, at - 1) : at], *scores[at + 1 : at + 2]) for at, score in enumerate(scores[:k])
        )
        if tied:
            out[query] = tied
    return out


@dataclass(frozen=True, slots=True)
class Handling:
    """What was done with one run.

    ``queries`` are judged, and means are over all of them; ``missing`` of them have no result and count 0;
    ``without_relevant`` have no relevant document and count 0 too. ``unjudged`` queries of the run are left out.
    ``tied_documents`` of the best 10 share their score, in ``tied_queries`` queries. ``self_matches`` documents have their
    query's id.
    """

    queries: int
    missing: tuple[str, ...]
    without_relevant: int
    unjudged: int
    ties: Ties
    tied_documents: int
    tied_queries: int
    self_matches: int
    self_matches_dropped: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {**asdict(self), "missing": list(self.missing)}

    def __str__(self) -> str:
        said = [f"{self.queries} judged queries"]
        said += [f"{len(self.missing)} without results count 0"] * bool(self.missing)
        said += [f"{self.without_relevant} without a relevant document count 0"] * bool(self.without_relevant)
        said += [f"{self.unjudged} of the run are not judged and left out"] * bool(self.unjudged)
        where = f" ({self.tied_documents} documents in the top 10 of {self.tied_queries} queries)"
        said += [f"ties {_SAID[self.ties]}{where}" if self.tied_documents else "no ties in the top 10"]
        done = "dropped" if self.self_matches_dropped else "kept"
        said += [f"{self.self_matches} self-matches {done}"] * bool(self.self_matches)
        return "; ".join(said)


def handled(qrels: Qrels, run: Run, *, ties: Ties = "file", dropped: int | None = None) -> Handling:
    """State how ``run`` is measured; ``dropped`` self-matches are gone from it already, None if they were to stay.

    >>> str(handled({"q": {"a": 1}, "p": {"a": 1}}, {"q": [("a", 1.0)]}))
    '2 judged queries; 1 without results count 0; no ties in the top 10'
    """
    judged = {query: docs for query, docs in run.items() if query in qrels}
    tied = tied_in_top(judged)
    return Handling(
        queries=len(qrels),
        missing=tuple(query for query in qrels if not run.get(query)),
        without_relevant=sum(all(grade <= 0 for grade in docs.values()) for docs in qrels.values()),
        unjudged=len(run) - len(judged),
        ties=ties,
        tied_documents=sum(tied.values()),
        tied_queries=len(tied),
        self_matches=self_matches(judged) if dropped is None else dropped,
        self_matches_dropped=dropped is not None,
    )
