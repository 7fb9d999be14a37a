"""Scores of n items from comparisons among them: how often each beat each other one.

``wins[i, j]`` says how often i beat j, a tie being half a win for both; ``[n, n]``, the diagonal 0. Every rule gives ``n`` scores,
higher is better. Equal standing gives equal scores: they are rounded, so that the last bits decide nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from ponderank.aggregate.bradley_terry import Floats, bradley_terry
from ponderank.errors import DataError

Game: TypeAlias = tuple[int, int, float]
"""One comparison: first item, second item, what the first one got of it (1, ½ or 0)."""


def table(games: Iterable[Game | tuple[int, int]], n: int) -> tuple[Floats, Floats]:
    """Wins and ties as two tables ``[n, n]``, ties symmetric; a pair without a result is (winner, loser).

    ``wins + ties / 2`` is what the rules below take.

    >>> wins, ties = table([(0, 1), (1, 2, 0.5)], 3)
    >>> (wins + ties / 2).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 0.5], [0.0, 0.5, 0.0]]
    """
    wins, ties = np.zeros((n, n)), np.zeros((n, n))
    for first, second, *result in games:
        got = result[0] if result else 1.0
        if got == 0.5:
            ties[first, second] += 1
            ties[second, first] += 1
        elif got in (0.0, 1.0):
            wins[(first, second) if got else (second, first)] += 1
        else:
            raise DataError(f"the result of {first} against {second} is {got}; it is 1, 0.5 or 0")
    return wins, ties


def pagerank(wins: Floats, *, damping: float = 0.85) -> list[float]:
    """The share of time at each item of a walk from losers to those who beat them; shares sum to 1.

    From an item the walk goes on in proportion to its losses, from an undefeated one to any, and with ``1 - damping`` always to any.

    Source: Page et al. (1999), on comparisons as in evalica (``pagerank``). Differs: solved exactly, not until a tolerance.

    >>> pagerank(np.array([[0.0, 1.0], [0.0, 0.0]]))
    [0.64912281, 0.35087719]
    """
    wins = _checked(wins)
    n = len(wins)
    if not n:
        return []
    lost = wins.T.sum(axis=1, keepdims=True)
    step = np.where(lost > 0, wins.T / np.where(lost > 0, lost, 1), 1 / n)
    return _rounded(_resting(step, 1 - damping))


def average_win_rate(wins: Floats) -> list[float]:
    """The share of wins against each opponent met, and of these the mean; ½ for an item that met nobody.

    Source: evalica (``average_win_rate``). Differs: an item that met nobody has ½ there 0.

    >>> average_win_rate(np.array([[0.0, 3.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    [0.75, 0.375, 0.5]
    """
    wins = _checked(wins)
    played = wins + wins.T
    met = played > 0
    shares = np.where(met, wins / np.where(met, played, 1), 0.0)
    return _rounded(_ratio(shares.sum(axis=1), met.sum(axis=1)))


def pooled_win_rate(wins: Floats) -> list[float]:
    """All wins by all comparisons, whoever the opponents were; ½ for an item that met nobody.

    Easy opponents, met often, raise it: where schedules differ use ``strengths``.

    >>> pooled_win_rate(np.array([[0.0, 3.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    [0.75, 0.33333333, 0.5]
    """
    wins = _checked(wins)
    return _rounded(_ratio(wins.sum(axis=1), (wins + wins.T).sum(axis=1)))


def copeland(wins: Floats) -> list[float]:
    """Opponents an item beat more often than it lost to them, less those that beat it more often.

    >>> copeland(np.array([[0.0, 2.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    [1.0, 0.0, -1.0]
    """
    wins = _checked(wins)
    return [float(value) for value in np.sign(wins - wins.T).sum(axis=1)]


def strengths(wins: Floats, ties: Floats | None = None, *, prior: float = 1.0) -> list[float]:
    """Bradley–Terry's log-strengths, always finite: see ``bradley_terry``. With ``ties`` apart, Davidson's model of ties.

    >>> strengths(np.array([[0.0, 1.0], [0.0, 0.0]]))
    [0.52805, -0.52805]
    """
    found = bradley_terry(_checked(wins), ties, prior=prior)
    return [round(value, 5) for value in found.logs]


def rank_centrality(wins: Floats, *, prior: float = 1.0) -> list[float]:
    """The share of time at each item of a walk that moves to an opponent by its share of their games; an estimate of strengths.

    ``prior``: so many imagined wins of both over each other, of each pair that met: the walk then comes from everywhere to everywhere,
    if the comparisons hang together at all. With 0 all time is spent at the undefeated.

    Source: Negahban, Oh, Shah (arXiv 1209.1688); choix (``rank_centrality``). Differs: the prior, by default; choix's ``alpha``
    also joins pairs that never met. Where there is no way to everywhere choix fails; here the walk is followed from a uniform start.

    >>> rank_centrality(np.array([[0.0, 1.0], [0.0, 0.0]]))
    [0.66666667, 0.33333333]
    """
    wins = _checked(wins)
    n = len(wins)
    if not n:
        return []
    played = wins + wins.T
    met = played > 0
    won = np.where(met, (wins + prior) / np.where(met, played + 2 * prior, 1), 0.0)
    move = won.T / max(1.0, float(met.sum(axis=1).max()))
    move += np.diag(1 - move.sum(axis=1))
    return _rounded(_resting(move, 1e-10))


def eigenvector(wins: Floats, *, prior: float = 0.01) -> list[float]:
    """The principal eigenvector of the wins: an item's score is the sum of the scores of those it beat, by how often.

    ``prior`` is added to every entry. Without it, where nobody is part of a circle of wins, all scores are 0.

    Source: evalica (``eigen``). Differs: the prior; length 1 and converged, where evalica stops after 100 steps.

    >>> eigenvector(np.array([[0.0, 1.0], [1.0, 0.0]]))
    [0.70710678, 0.70710678]
    """
    wins = _checked(wins)
    if not len(wins):
        return []
    values, vectors = np.linalg.eig(wins + prior)
    scores = np.abs(np.real(vectors[:, int(np.argmax(np.real(values)))]))
    return _rounded(scores)


def elo(
    games: Sequence[Game], n: int, *, k: float = 4.0, scale: float = 400.0, start: float = 1000.0,
    shuffles: int = 20, seed: int = 0,
) -> list[float]:  # fmt: skip
    """Elo's ratings after all games, the mean over ``shuffles`` orders of them; with 0 in the order given.

    The order matters the more the larger ``k`` is, the most points that one game moves.

    Source: Elo (1978), as in evalica (``elo``; there ``k`` is 4 too and the order the one given). Differs: the mean over orders.

    >>> elo([(0, 1, 1.0)], 2)
    [1002.0, 998.0]
    """
    rng, order = random.Random(seed), list(games)
    totals = np.zeros(n)
    for _ in range(max(1, shuffles)):
        if shuffles:
            rng.shuffle(order)
        ratings = [start] * n
        for first, second, got in order:
            expected = 1 / (1 + 10 ** ((ratings[second] - ratings[first]) / scale))
            ratings[first] += k * (got - expected)
            ratings[second] -= k * (got - expected)
        totals += ratings
    return [round(float(total) / max(1, shuffles), 8) for total in totals]


def circular_triads(wins: Floats) -> int:
    """How many triples go round: a beats b, b beats c, c beats a, each more often than not. Ties are no part of one.

    Source: Kendall and Babington Smith (1940); equals ``n(n−1)(2n−1)/12 − Σ a² / 2`` of the wins ``a`` where all met and none tied.

    >>> circular_triads(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    1
    """
    wins = _checked(wins)
    beats = (wins > wins.T).astype(float)
    return round(float(np.trace(beats @ beats @ beats)) / 3)


def consistency(wins: Floats) -> float:
    """1 without circular triads, 0 with as many as there can be among ``n`` items; 1 of fewer than three.

    >>> consistency(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    0.0
    """
    n = len(wins)
    most = (n**3 - n) / 24 if n % 2 else (n**3 - 4 * n) / 24
    return 1 - circular_triads(wins) / most if most else 1.0


def _checked(wins: Floats) -> Floats:
    wins = np.asarray(wins, dtype=float)
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1]:
        raise DataError(f"wins are an n × n table; got {wins.shape}")
    if not (np.isfinite(wins).all() and (wins >= 0).all()) or wins.diagonal().any():
        raise DataError("wins are finite counts of 0 or more, and an item does not meet itself")
    return wins


def _ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, ½ where there is nothing."""
    return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.5))


def _resting(step: Floats, restart: float) -> Floats:
    """The shares of a walk that begins anew, anywhere, with chance ``restart`` at each step; they sum to 1."""
    n = len(step)
    shares = np.linalg.solve(np.eye(n) - (1 - restart) * step.T, np.full(n, restart / n))
    return np.asarray(shares / shares.sum())


def _rounded(values: Floats) -> list[float]:
    """To eight significant digits."""
    return [float(f"{value:.8g}") for value in values]
