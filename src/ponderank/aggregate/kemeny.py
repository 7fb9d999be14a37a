"""The order that agrees best with several rankings: Kemeny's, exactly or by local search.

Exact search is cheap where majorities hardly contradict each other: items fall into parts, each of which a majority
holds above all later ones (Condorcet's criterion, extended: an optimal order keeps to it), and only within a part is
there anything to search.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ponderank.aggregate.rankings import Counts, Ranking, parted, preferences, total_distance

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Consensus:
    """An order of all items, best first, and its Kendall distances to all rankings, summed.

    No order's distance is below ``bound``; ``exact``: this order's is known to be the smallest.
    """

    order: tuple[int, ...]
    distance: int
    bound: int
    exact: bool

    @property
    def gap(self) -> int:
        """At most so much could another order's distance be smaller."""
        return self.distance - self.bound


def kemeny(rankings: Iterable[Ranking], n: int) -> Consensus:
    """The order with the smallest sum of Kendall distances to the rankings, by integer programming.

    Of several such orders one that disagrees with the items' own numbering in as few pairs as can be. Items that no
    ranking holds come last. How long it takes depends on the widest part in which majorities go round in circles, see
    ``kemeny_or_local``.

    Source: castorini/perm-sc, ``KemenyOptimalAggregator`` (arXiv 2310.07712): the same optimum. Differs: solved part
    by part, triangles added as they are violated; the solver's numbers are rounded before they are read (perm-sc cuts
    them, and 0.9999999 becomes 0); of equally good orders theirs is whichever the solver comes by.

    >>> kemeny([[0, 1, 2], [1, 0, 2], [1, 2, 0]], 3).order
    (1, 0, 2)
    """
    return kemeny_or_local(rankings, n, exact_up_to=n, whole_up_to=n)


def kemeny_local(rankings: Iterable[Ranking], n: int) -> Consensus:
    """An order in which no item can be moved to a better place: the majorities' parts, each in Borda's order, improved.

    >>> kemeny_local([[0, 1, 2], [1, 0, 2], [1, 2, 0]], 3).order
    (1, 0, 2)
    """
    return kemeny_or_local(rankings, n, exact_up_to=2)


def kemeny_or_local(rankings: Iterable[Ranking], n: int, *, exact_up_to: int = 60, whole_up_to: int = 30) -> Consensus:
    """Exact in each part of at most ``exact_up_to`` items, where that is quick; local search in the others.

    Quick is a part whose answer in fractions is an order; where it is none, whole numbers are tried up to
    ``whole_up_to`` items. Rankings that agree somewhat leave small parts; those that are nothing but noise leave a
    single one of all items, the worst case. Fractions of 60 items then take up to a second, of 80 up to twenty; whole
    numbers of 30 items up to half a second, of 40 up to twenty. Local search takes hundredths and ends within a few
    thousandths of the smallest distance.

    >>> kemeny_or_local([[2, 0, 1], [2, 1, 0], [2, 0, 1]], 3)
    Consensus(order=(2, 0, 1), distance=1, bound=1, exact=True)
    """
    rankings = list(rankings)
    above = preferences(rankings, n)
    held = sorted({item for ranking in rankings for entry in ranking for item in np.atleast_1d(entry).tolist()})
    weights = _weights(above)
    order: list[int] = []
    bound, exact = 0, True
    for part in _parts(weights, held):
        solved = _exact(weights, part, whole=len(part) <= whole_up_to) if len(part) <= exact_up_to else None
        found, sure = solved or _local(weights, above, part), solved is not None
        bound += _between(above, order, part)
        bound += (
            total_distance(found, above) if sure else int(np.minimum(above, above.T)[np.ix_(part, part)].sum()) // 2
        )
        order, exact = order + found, exact and sure
    distance = total_distance(order, above)
    order += [item for item in range(n) if item not in set(held)]
    return Consensus(tuple(order), distance, bound, exact or distance == bound)


def _weights(above: Counts) -> Ints:
    """What is gained by i before j: votes first, then the items' numbering, which all pairs together cannot outvote."""
    n = len(above)
    numbering = np.sign(np.arange(n)[None, :] - np.arange(n)[:, None])
    weights: Ints = (above - above.T) * (n * (n - 1) // 2 + 1) + numbering
    return weights


def _parts(weights: Ints, items: Sequence[int]) -> list[list[int]]:
    inner = weights[np.ix_(items, items)]
    parts = parted(inner > 0, [float(score) for score in np.sign(inner).sum(axis=1)])
    return [[items[at] for at in part] for part in parts]


def _between(above: Counts, before: Sequence[int], after: Sequence[int]) -> int:
    return int(above[np.ix_(list(after), list(before))].sum())


def _local(weights: Ints, above: Counts, part: Sequence[int]) -> list[int]:
    """Borda's order within the part, then each item to its best place, until all stand at theirs."""
    points = (above - above.T)[np.ix_(part, part)].sum(axis=1)
    order = [part[at] for at in np.lexsort((part, -points))]
    moved = True
    while moved:
        moved = False
        for item in list(order):
            at = order.index(item)
            rest = order[:at] + order[at + 1 :]
            gains = np.concatenate(([0], np.cumsum(weights[rest, item])))  # of standing behind the first q of the rest
            best = int(gains.argmax())
            if gains[best] > gains[at]:
                order = [*rest[:best], item, *rest[best:]]
                moved = True
    return order


def _exact(weights: Ints, part: Sequence[int], *, whole: bool) -> list[int] | None:
    """The part's items in the order of the largest total weight; None if that takes whole numbers, not wanted.

    The pairs are solved first as if they could be chosen freely, then with the triangles that the answer violates,
    and so on until it violates none; as fractions while that is enough, which it nearly always is, then as whole
    numbers.
    """
    if len(part) < 3:
        return list(part)  # by wins, which for two is the order
    size = len(part)
    inner = weights[np.ix_(part, part)]
    pairs = np.array(list(itertools.combinations(range(size), 2)))
    at = np.zeros((size, size), dtype=np.int64)
    at[pairs[:, 0], pairs[:, 1]] = np.arange(len(pairs))
    i, j, k = np.array(list(itertools.combinations(range(size), 3))).T
    triangles = np.stack([at[i, j], at[j, k], at[i, k]], axis=1)
    gains = inner[pairs[:, 0], pairs[:, 1]].astype(float)
    chosen, used, fractions = (gains > 0).astype(float), np.zeros(len(triangles), dtype=bool), True
    while True:
        turns = chosen[triangles[:, 0]] + chosen[triangles[:, 1]] - chosen[triangles[:, 2]]
        violated = ((turns < -1e-6) | (turns > 1 + 1e-6)) & ~used
        if not violated.any():
            if np.abs(chosen - chosen.round()).max() < 1e-6:
                break
            if not whole:
                return None
            fractions = False
        used |= violated
        chosen = _solved(gains, triangles[used], whole=not fractions)
    return [part[at] for at in read_order(chosen, size)]


def read_order(chosen: Floats, size: int) -> list[int]:
    """The order in a solver's values, one a pair (0, 1), (0, 2), … of ``size`` items: nearly 1 if the first leads.

    >>> read_order(np.array([1e-9, 0.9999999, 0.9999999]), 3)
    [1, 0, 2]
    """
    first, second = np.array(list(itertools.combinations(range(size), 2))).T
    before = np.zeros((size, size), dtype=np.int64)
    before[first, second] = chosen.round().astype(np.int64)
    before[second, first] = 1 - before[first, second]
    order: list[int] = np.argsort(-before.sum(axis=1), kind="stable").tolist()
    return order


def _solved(gains: Floats, triangles: Ints, *, whole: bool) -> Floats:
    """The pairs' values between 0 and 1 with the largest sum of gains, where no triangle of these turns in a circle."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped]
    from scipy.sparse import csr_array  # type: ignore[import-untyped]

    rows = np.repeat(np.arange(len(triangles)), 3)
    signs = np.tile([1.0, 1.0, -1.0], len(triangles))
    table = csr_array((signs, (rows, triangles.ravel())), shape=(len(triangles), len(gains)))
    found = milp(
        -gains, integrality=np.full(len(gains), int(whole)), bounds=Bounds(0, 1),
        constraints=LinearConstraint(table, 0, 1), options={"mip_rel_gap": 0.0},
    )  # fmt: skip
    if found.x is None:
        raise RuntimeError(f"the solver gave no order: {found.message}")
    values: Floats = np.asarray(found.x if not whole else found.x.round(), dtype=float)
    return values
