"""What a place in the prompt is worth to a judge, from its answers to the same passages in several orders. Pure.

Source: order inconsistency and its direction (AB, BA, AA, BB) are those of LLM-RankFusion (arXiv 2406.00231), circular triads
Kendall and Babington Smith's (1940). Differs: widened from pairs to groups of any width, over each two passages of a group that
an order and its reverse show in both directions; an answer that cannot be read is counted and compared with nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, stdev
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ponderank.aggregate.comparisons import circular_triads

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a judge made of passages in the order ``docs``: a score a place, None where it gave none; ``flaw`` is empty if none.

    >>> Answer(("a", "b", "c"), (0.0, 2.0, None)).ranks.tolist()
    [2.0, 1.0, 3.0]
    """

    docs: tuple[str, ...]
    scores: tuple[float | None, ...]
    flaw: str = ""
    order: str = ""

    @property
    def read(self) -> bool:
        """Whether there is something to compare: an answer that could not be read scores all alike."""
        return self.flaw in ("", "truncated") or len(set(self.scores)) > 1

    @property
    def ranks(self) -> Floats:
        """By place, 1 is best; equal ones share the mean of their ranks, those without a score are last."""
        scores = np.array([-math.inf if score is None else score for score in self.scores])
        above = (scores[None, :] > scores[:, None]).sum(axis=1)
        alike = (scores[None, :] == scores[:, None]).sum(axis=1)
        return np.asarray(above + (alike + 1) / 2, dtype=np.float64)

    @property
    def earlier(self) -> Floats:
        """Of each two places, the earlier one first: 1 where that is preferred, -1 where the later one is, 0 for neither."""
        ranks = self.ranks
        return np.triu(np.sign(ranks[None, :] - ranks[:, None]), 1)


Both: TypeAlias = tuple[Answer, Answer]
"""The answers to an order and to its reverse."""

Group: TypeAlias = Sequence[Both]
"""All answers about one group."""


def worth(queries: Mapping[str, Sequence[Group]], width: int) -> dict[str, Any]:
    """All figures of one judge; means are over queries, each with its standard error (``se``), None where there are too few.

    - ``earlier``: of each two passages that it does not tie, how often it prefers the one shown earlier; ½ is no lean.
    - ``earlier_whole``: the same of answers without a flaw. What an order leaves out is put behind it as it was shown, which leans.
    - ``direction``: ``"early"`` or ``"late"`` where ``earlier`` is off ½ by more than two standard errors, else ``"none"``.
    - ``flipped``: of each two that it prefers one of both ways round, the share where that is another one: ``flipped_early``
      where each time the one shown earlier (AA), ``flipped_late`` (BB); ``lean`` is AA less BB.
    - ``tau``: Kendall's of each two answers about one group; ``top_changed``: how often its best is another when reversed.
    - ``places``: ``mean_rank``; ``gain``, the ranks that a place is worth; ``first``, the share of answers that hold it best.
    - ``circular``: of each three passages whose pairs were shown, the share that goes round.

    >>> both = Answer(("a", "b"), (1.0, 0.0)), Answer(("b", "a"), (1.0, 0.0))
    >>> found = worth({"q": [[both]], "p": [[both]]}, 2)
    >>> found["direction"], found["flipped"], found["places"][0]["gain"]
    ('early', {'mean': 1.0, 'se': 0.0}, {'mean': 0.5, 'se': 0.0})
    """
    answers = [answer for groups in queries.values() for group in groups for both in group for answer in both]
    told: dict[str, Any] = {"width": width, "queries": len(queries), "answers": len(answers)}
    told["groups"] = max((len(groups) for groups in queries.values()), default=0)
    told |= _flaws(answers)
    preferred = [_preferred(groups) for groups in queries.values()]
    for name in ("earlier", "flipped", "flipped_early", "flipped_late", "lean"):
        told[name] = _mean(one.get(name) for one in preferred)
    told["direction"] = _direction(told["earlier"])
    told["earlier_whole"] = _mean(_preferred(groups, whole=True).get("earlier") for groups in queries.values())
    told["tau"] = _mean(_of_pairs(groups, _tau, _each_two) for groups in queries.values())
    told["top_changed"] = _mean(_of_pairs(groups, _top_changed, list) for groups in queries.values())
    told["places"] = _places(list(queries.values()), width)
    told["circular"] = _circular(queries) if width == 2 else None
    return told


def _mean(values: Iterable[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known:
        return {"mean": None, "se": None}
    return {"mean": fmean(known), "se": stdev(known) / math.sqrt(len(known)) if len(known) > 1 else None}


def _direction(earlier: Mapping[str, float | None]) -> str | None:
    """Where the lean goes; None where nothing can be said, as of a single query."""
    mean, error = earlier["mean"], earlier["se"]
    if mean is None or error is None:
        return None
    off = mean - 0.5
    return "none" if abs(off) <= max(2 * error, 1e-9) else "early" if off > 0 else "late"


def _flaws(answers: Sequence[Answer]) -> dict[str, Any]:
    """How many answers were flawed, by flaw and by order, and how many could not be read."""
    by_order: dict[str, list[bool]] = {}
    for answer in answers:
        order = "shuffled" if answer.order.startswith("shuffle") else answer.order
        by_order.setdefault(order, []).append(bool(answer.flaw))
    return {
        "unread": sum(not answer.read for answer in answers),
        "flaws": dict(sorted(Counter(answer.flaw for answer in answers if answer.flaw).items())),
        "flawed": fmean(bool(answer.flaw) for answer in answers) if answers else None,
        "flawed_by_order": {name: fmean(flawed) for name, flawed in by_order.items() if name},
    }


def _preferred(groups: Sequence[Group], *, whole: bool = False) -> dict[str, float]:
    """What a query's answers say about each two passages that both directions show; of ``whole`` ones those without a flaw only."""
    ahead = behind = 0.0
    early = late = same = 0.0
    every = [both for group in groups for both in group if all(answer.read for answer in both)]
    for one, other in (both for both in every if not (whole and any(answer.flaw for answer in both))):
        # of the reverse, so that both tables are about the same two passages
        first, second = one.earlier, other.earlier[::-1, ::-1].T
        ahead += float((first > 0).sum() + (second > 0).sum())
        behind += float((first < 0).sum() + (second < 0).sum())
        early += float(((first > 0) & (second > 0)).sum())
        late += float(((first < 0) & (second < 0)).sum())
        same += float((first * second < 0).sum())
    told: dict[str, float] = {}
    if ahead + behind:
        told["earlier"] = ahead / (ahead + behind)
    if early + late + same:
        both_ways = early + late + same
        told |= {"flipped": (early + late) / both_ways, "flipped_early": early / both_ways}
        told |= {"flipped_late": late / both_ways, "lean": (early - late) / both_ways}
    return told


def _each_two(group: Group) -> list[Both]:
    return list(combinations([answer for both in group for answer in both], 2))


def _of_pairs(
    groups: Sequence[Group], compare: Callable[[Answer, Answer], float | None], pairs: Callable[[Group], list[Both]]
) -> float | None:
    """The mean of a comparison of two answers about a group, those that can be read."""
    every = [both for group in groups for both in pairs(group) if all(answer.read for answer in both)]
    found = [value for both in every if (value := compare(*both)) is not None]
    return fmean(found) if found else None


def _tau(one: Answer, other: Answer) -> float | None:
    from ponderank.metrics.systems import kendall_tau

    ranks = dict(zip(other.docs, other.ranks.tolist(), strict=True))
    found = kendall_tau(one.ranks, [ranks[doc] for doc in one.docs])
    return None if math.isnan(found) else found


def _top_changed(one: Answer, other: Answer) -> float | None:
    tops = [[doc for doc, rank in zip(each.docs, each.ranks, strict=True) if rank == 1] for each in (one, other)]
    return float(tops[0] != tops[1]) if all(tops) else None


def _places(queries: Sequence[Sequence[Group]], width: int) -> list[dict[str, Any]]:
    """Each place's figures, the first shown first."""
    found: list[tuple[Floats, Floats, Floats, Floats]] = []
    for groups in queries:
        read = [[answer for both in group for answer in both if answer.read] for group in groups]
        every = [answer for group in read for answer in group]
        if every:
            ranks = np.array([answer.ranks for answer in every])
            least = ranks.min(axis=1, keepdims=True)
            first = (ranks == least) / (ranks == least).sum(axis=1, keepdims=True)
            silent = np.array([[score is None for score in answer.scores] for answer in every])
            found.append((ranks.mean(axis=0), _gains(read, width), first.mean(axis=0), silent.mean(axis=0)))
    names = ("mean_rank", "gain", "first", "without_score")
    return [
        {"place": at + 1} | {name: _mean(float(one[column][at]) for one in found) for column, name in enumerate(names)}
        for at in range(width)
    ]


def _gains(groups: Sequence[Sequence[Answer]], width: int) -> Floats:
    """Ranks won by standing at a place: least squares of the ranks on the passage and the place; they sum to 0.

    What a passage itself is worth is taken out: only where the same one is ranked differently do places get a gain. Where the
    orders do not tell (the middle against both ends, from one order and its reverse) the smallest gains that fit are taken.
    """
    table, shift = np.zeros((width, width)), np.zeros(width)
    for answers in groups:
        seen: dict[str, list[tuple[int, float]]] = {}
        for answer in answers:
            for place, (doc, rank) in enumerate(zip(answer.docs, answer.ranks.tolist(), strict=True)):
                seen.setdefault(doc, []).append((place, rank))
        for places in seen.values():
            design = np.zeros((len(places), width))
            design[range(len(places)), [place for place, _ in places]] = 1.0
            design -= design.mean(axis=0)
            ranks = np.array([rank for _, rank in places])
            table += design.T @ design
            shift += design.T @ (ranks - ranks.mean())
    return np.asarray(np.round(-np.linalg.pinv(table, rcond=1e-9, hermitian=True) @ shift, 9) + 0.0)


def _circular(queries: Mapping[str, Sequence[Group]]) -> dict[str, Any] | None:
    """Circular triads among a query's passages, by both directions together and by one alone; None where no three were compared."""
    both_ways, one_way = list[float](), list[float]()
    most = 0
    for groups in queries.values():
        docs = list(dict.fromkeys(doc for group in groups for both in group for doc in both[0].docs))
        triples = math.comb(len(docs), 3)
        if not triples or len(groups) < math.comb(len(docs), 2):
            continue
        most = max(most, len(docs))
        ways = [_wins(docs, [both[way] for group in groups for both in group]) for way in (0, 1)]
        both_ways.append(circular_triads(ways[0] + ways[1]) / triples)
        one_way += [circular_triads(wins) / triples for wins in ways]
    if not both_ways:
        return None
    paired = [fmean(one_way[at : at + 2]) for at in range(0, len(one_way), 2)]
    return {"passages": most, "both_orders": _mean(both_ways), "one_order": _mean(paired)}


def _wins(docs: Sequence[str], answers: Sequence[Answer]) -> Floats:
    at = {doc: number for number, doc in enumerate(docs)}
    wins = np.zeros((len(docs), len(docs)))
    for answer in answers:
        first, second = answer.ranks if answer.read else (0.0, 0.0)
        if first != second:
            better, worse = answer.docs if first < second else answer.docs[::-1]
            wins[at[better], at[worse]] += 1
    return wins
