"""Strengths from wins, losses and ties: Bradley–Terry, with Davidson's ties, by Newman's iteration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ponderank.errors import DataError

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Strengths:
    """Natural logarithms of the strengths; i beats j, where they do not tie, with chance 1 / (1 + exp(logs[j] − logs[i])).

    ``tie`` is Davidson's v, 0 without ties. ``connected``: whether from each item a chain of wins leads to each other one;
    if not, only the prior keeps the strengths finite, and their distances mean little.
    """

    logs: tuple[float, ...]
    tie: float
    connected: bool
    sweeps: int


def connected(wins: Floats) -> bool:
    """Whether the graph of who won against whom, or tied, is strongly connected.

    >>> connected(np.array([[0.0, 1.0], [0.0, 0.0]]))
    False
    """
    reach = (np.asarray(wins) > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(max(1, math.ceil(math.log2(max(2, len(wins)))))):
        reach = reach @ reach
    return bool(reach.all())


def bradley_terry(
    wins: Floats, ties: Floats | None = None, *, prior: float = 1.0, tolerance: float = 1e-9, sweeps: int = 10_000
) -> Strengths:
    """The most likely strengths. ``wins[i, j]``: how often i beat j; ``ties``: how often they tied, symmetric; both [n, n].

    ``prior``: so many imagined wins and losses of each item against one of strength 1, which keeps all strengths finite; with 0
    they are the maximum-likelihood ones, with geometric mean 1.

    Source: Newman, JMLR 24 (2023) 238; ties after Davidson, JASA 65 (1970). Differs: a prior; strengths are updated one at a
    time, since updating all at once, as matrix forms do, can circle for ever.

    Raises:
        DataError: matrices of the wrong shape or with numbers below 0; ``prior`` 0 where no finite strengths exist; no convergence.

    >>> better, worse = bradley_terry(np.array([[0.0, 2.0], [1.0, 0.0]]), prior=0).logs
    >>> round(math.exp(better - worse), 6)
    2.0
    """
    wins = np.asarray(wins, dtype=float)
    ties = np.zeros_like(wins) if ties is None else np.asarray(ties, dtype=float)
    joined = _checked(wins, ties, prior)
    won = wins + ties / 2
    strengths, tie = np.ones(len(wins)), 0.5 if ties.any() and wins.any() else 0.0
    if not wins.any():  # nobody beat anybody: all are equal
        return Strengths((0.0,) * len(wins), 0.0, joined, 0)
    for sweep in range(1, sweeps + 1):
        before = np.append(strengths / (1 + strengths), tie / (1 + tie))
        for i in range(len(strengths)):
            strengths[i] = _updated(i, strengths, won, tie, prior)
        if not prior:
            strengths /= math.exp(float(np.log(strengths).mean()))
        if tie:
            tie = _tie(strengths, wins, ties, tie)
        if float(np.abs(np.append(strengths / (1 + strengths), tie / (1 + tie)) - before).max()) < tolerance:
            return Strengths(tuple(float(value) for value in np.log(strengths)), tie, joined, sweep)
    raise DataError(f"Bradley–Terry did not settle in {sweeps} sweeps; give a larger prior, or a larger tolerance")


def _checked(wins: Floats, ties: Floats, prior: float) -> bool:
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or ties.shape != wins.shape:
        raise DataError(f"wins and ties are two n × n tables; got {wins.shape} and {ties.shape}")
    if (wins < 0).any() or (ties < 0).any() or not np.array_equal(ties, ties.T):
        raise DataError("wins and ties are counts of 0 or more, and ties are symmetric")
    if wins.diagonal().any() or ties.diagonal().any():
        raise DataError("an item does not meet itself: the diagonals are 0")
    joined = connected(wins + ties)
    if not prior and not joined:
        raise DataError(
            "no finite strengths exist: some items never lost to, nor tied with, the others; give a prior above 0"
        )
    return joined


def _updated(i: int, strengths: Floats, won: Floats, tie: float, prior: float) -> float:
    own = strengths[i]
    imagined = prior / (own + 1)
    if not tie:
        whole = own + strengths
        return float(
            (float((won[i] * strengths / whole).sum()) + imagined) / (float((won[:, i] / whole).sum()) + imagined)
        )
    root = np.sqrt(own * strengths)
    whole = own + strengths + 2 * tie * root
    gained = float((won[i] * (strengths + tie * root) / whole).sum()) + imagined
    lost = float((won[:, i] * (1 + tie * root / own) / whole).sum()) + imagined
    return float(gained / lost)


def _tie(strengths: Floats, wins: Floats, ties: Floats, tie: float) -> float:
    both, root = strengths[:, None] + strengths, np.sqrt(strengths[:, None] * strengths)
    whole = both + 2 * tie * root
    return float((ties * both / whole).sum() / 2 / (2 * wins * root / whole).sum())
