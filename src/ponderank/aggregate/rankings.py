"""From several rankings of the same items to scores or one order: mean ranks, reciprocal ranks, majorities.

A ranking lists item numbers, best first; it may lack items, and a group in it is a tie: ``[2, (0, 3)]`` is 2 before 0
and 3, says nothing of 0 against 3, and nothing of 1. The order that agrees best with all rankings is in ``kemeny``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ranking: TypeAlias = Sequence[int | Sequence[int]]
"""Item numbers, best first; a group of them is a tie. Items that are not in it are missing."""

Counts: TypeAlias = NDArray[np.int64]


def preferences(rankings: Iterable[Ranking], n: int) -> Counts:
    """How many rankings hold i above j, ``[n, n]``; a pair counts only where a ranking holds both, and not as a tie.

    Raises:
        ValueError: a ranking holds an item twice, or one that is not in 0 … n - 1.

    >>> preferences([[1, 0], [1, 0], [0]], 2).tolist()
    [[0, 0], [2, 0]]
    """
    above = np.zeros((n, n), dtype=np.int64)
    for ranking in rankings:
        places = np.full(n, np.inf)
        for place, items in enumerate(_groups(ranking, n)):
            places[items] = place
        held = np.isfinite(places)
        above += (places[:, None] < places[None, :]) & held[:, None] & held[None, :]
    return above


def kendall_distance(one: Ranking, other: Ranking, n: int) -> int:
    """How many pairs the two rankings put in opposite orders; pairs that either lacks or ties do not count.

    >>> kendall_distance([0, 1, 2], [2, 0, 1], 3)
    2
    """
    return int((preferences([one], n) * preferences([other], n).T).sum())


def total_distance(order: Sequence[int], above: Counts) -> int:
    """The order's Kendall distances to all rankings that ``above`` (see ``preferences``) counts, summed.

    >>> total_distance([0, 1], preferences([[1, 0], [1, 0], [0, 1]], 2))
    2
    """
    against = above[np.ix_(list(order), list(order))]
    return int(np.tril(against).sum())


def borda(rankings: Iterable[Ranking], n: int, *, missing: Literal["ignored", "shared"] = "ignored") -> list[float]:
    """Mean rank, negated, so that higher is better: 0 is first everywhere. Items of a tie share their mean rank.

    A ranking that lacks an item is ``"ignored"`` for it, or counts as if it tied all that it lacks at its end
    (``"shared"``). An item that no ranking holds has not-a-number when ignored.

    Source: castorini/perm-sc, ``BordaRankAggregator`` (arXiv 2310.07712); ``"shared"``: Aslam and Montague, SIGIR 2001.
    Differs: equal means stay equal.

    >>> borda([[0, 1, 2], [2, 0]], 3)
    [-0.5, -1.0, -1.0]
    """
    ranks: list[list[float]] = [[] for _ in range(n)]
    for ranking in rankings:
        groups = list(_groups(ranking, n))
        lacking = sorted(set(range(n)).difference(*groups))
        for rank, items in _ranked([*groups, lacking] if missing == "shared" and lacking else groups):
            for item in items:
                ranks[item].append(rank)
    return [-math.fsum(given) / len(given) if given else math.nan for given in ranks]


def reciprocal_rank(
    rankings: Iterable[Ranking], n: int, *, k: int = 60, missing: Literal["zero", "ignored"] = "zero"
) -> list[float]:
    """Sum over the rankings of ``1 / (k + rank)``, the first rank being 1; a ranking that lacks an item adds 0.

    With ``missing="ignored"`` the mean over those that hold the item, the first rank being 0, as in permutation
    self-consistency; not-a-number where none does. Items of a tie share their mean rank.

    Source: Cormack, Clarke and Büttcher, SIGIR 2009; castorini/perm-sc, ``RRFRankAggregator`` (arXiv 2310.07712).
    Differs: nothing, but that perm-sc's ties end in reverse order and ours stay ties.

    >>> reciprocal_rank([[1, 0], [1]], 2, k=1)
    [0.3333333333333333, 1.0]
    """
    first = 0 if missing == "ignored" else 1
    shares: list[list[float]] = [[] for _ in range(n)]
    for ranking in rankings:
        for rank, items in _ranked(_groups(ranking, n)):
            for item in items:
                shares[item].append(1.0 / (k + rank + first))
    if missing == "zero":
        return [math.fsum(given) for given in shares]
    return [math.fsum(given) / len(given) if given else math.nan for given in shares]


def copeland(above: Counts) -> list[float]:
    """How many others each item beats by majority, less those that beat it; ``above`` as ``preferences`` counts.

    >>> copeland(preferences([[0, 1, 2], [0, 2, 1], [1, 0, 2]], 3))
    [2.0, 0.0, -2.0]
    """
    return [float(wins) for wins in np.sign(above - above.T).sum(axis=1)]


def condorcet(above: Counts) -> list[list[int]]:
    """The items in parts, best part first: a majority holds each of a part above each of the later parts.

    A part of one is settled; within a longer one majorities go round in circles, or tie. It then has its items in
    Copeland's order, equal ones by number. A first part of one is the Condorcet winner.

    Source: Montague and Aslam, CIKM 2002, sort with a majority comparator; parts as in Smith's sets. Differs: where
    the comparator goes round in circles a sorted order depends on how one sorts, and ranx's counts a pair that a run
    lacks as a vote; here circles stay together and such a pair counts for neither.

    >>> condorcet(preferences([[3, 0, 1, 2], [3, 1, 2, 0], [3, 2, 0, 1]], 4))
    [[3], [0, 1, 2]]
    """
    lead = above - above.T
    return parted(lead >= 0, copeland(above))


def parted(beats: NDArray[np.bool_], scores: Sequence[float]) -> list[list[int]]:
    """Sort items by ``scores``, wins less losses, and cut the order wherever none behind ``beats`` one before the cut.

    >>> parted(np.array([[True, True], [False, True]]), [1.0, -1.0])
    [[0], [1]]
    """
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    back = beats[np.ix_(order, order)]
    parts: list[list[int]] = []
    for at, item in enumerate(order):
        if not back[at:, :at].any():
            parts.append([])
        parts[-1].append(item)
    return parts


def margins(order: Sequence[int], above: Counts) -> list[int]:
    """For each neighbouring pair of an order, how many rankings must turn until no majority is for it; 0: none is.

    Neighbours whose margin is small are not told apart by these rankings.

    Source: half the difference of the votes, rounded up, after the idea of arXiv 2303.12878.

    >>> margins([0, 1, 2], preferences([[0, 1, 2], [0, 1, 2], [0, 2, 1]], 3))
    [2, 1]
    """
    return [max(0, -(-int(above[i, j] - above[j, i]) // 2)) for i, j in itertools.pairwise(order)]


def _groups(ranking: Ranking, n: int) -> Iterator[list[int]]:
    seen: set[int] = set()
    for entry in ranking:
        group = [entry] if isinstance(entry, (int, np.integer)) else list(entry)
        for item in group:
            if item in seen or not 0 <= item < n:
                raise ValueError(f"a ranking holds item {item}; each of 0 to {n - 1} may stand in it once")
            seen.add(item)
        yield group


def _ranked(groups: Iterable[Sequence[int]]) -> Iterator[tuple[float, Sequence[int]]]:
    """Each group with its mean rank, from 0."""
    start = 0
    for group in groups:
        yield start + (len(group) - 1) / 2, group
        start += len(group)
