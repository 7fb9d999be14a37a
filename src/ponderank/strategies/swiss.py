"""A Swiss tournament: a few rounds in which candidates meet who have won about as much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ponderank.contracts import Plan
from ponderank.strategies.duels import Duels, Pair


@dataclass(frozen=True, slots=True)
class SwissRounds:
    """Play ``rounds`` rounds, each with all its pairs at once: ``n`` calls a round (``n / 2`` without ``both_orders``).

    A round pairs neighbours in the standing: games won, then first-stage order. Nobody meets the same opponent twice: who has
    met all that are left changes partners with a pair above, or sits out where that is impossible, as it is for none while
    ``n >= 2 * rounds + 4``. With an odd number the lowest in the standing that has not yet sat out does.

    The score is the games won, a tie being half of one, and games sat out counting like the average of those played. Equal
    ones are split by the average standing of the opponents (Buchholz), which adds a millionth of a game at most; then by
    first-stage order.

    Source: the Swiss system as FIDE's handbook has it (C.04), with the comparisons of PRP (arXiv 2306.17563).
    Differs: no colours; a game sat out is worth one's average and not a whole point, so that luck in the draw gives nothing;
    neighbours meet, not the halves of a group of equals.

    >>> next(SwissRounds().plan(4))
    [(0, 1), (1, 0), (2, 3), (3, 2)]
    """

    rounds: int = 5
    both_orders: bool = True

    widest = 2
    absolute = False

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds {self.rounds}: need 1 or more")

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """At most ``rounds`` rounds."""
        duels = Duels(both_orders=self.both_orders)
        games: list[dict[int, float]] = [{} for _ in range(n)]  # of each its opponents, and what it got
        for _ in range(self.rounds):
            standing = sorted(range(n), key=lambda i: (-_won(games[i]), i))
            if n % 2:
                most = max(len(one) for one in games)
                standing.remove(next(i for i in reversed(standing) if len(games[i]) == most))
            pairs = _paired(standing, games)
            if not pairs:
                break
            results = yield from duels.fought(pairs)
            for (a, b), result in zip(pairs, results, strict=True):
                games[a][b], games[b][a] = result, 1.0 - result
        return [self.rounds * _won(one) + 1e-6 * _opposed(one, games) for one in games]


def _won(games: dict[int, float]) -> float:
    """The share of the games played that was won, one half before the first."""
    return round(math.fsum(games.values()) / len(games), 9) if games else 0.5


def _opposed(games: dict[int, float], of_all: Sequence[dict[int, float]]) -> float:
    """The average share that the opponents won."""
    return round(math.fsum(_won(of_all[i]) for i in games) / len(games), 6) if games else 0.5


def _paired(standing: Sequence[int], games: Sequence[dict[int, float]]) -> list[Pair]:
    """Neighbours who have not met, from the top; each pair with its first-stage leader first."""
    left, pairs, alone = list(standing), list[Pair](), list[int]()
    while left:
        one = left.pop(0)
        other = next((i for i in left if i not in games[one]), None)
        if other is None:
            alone.append(one)
        else:
            left.remove(other)
            pairs.append((one, other))
    for a, b in zip(alone[::2], alone[1::2], strict=False):
        for at in reversed(range(len(pairs))):
            c, d = next(
                ((x, y) for x, y in (pairs[at], pairs[at][::-1]) if x not in games[a] and y not in games[b]), (a, b)
            )
            if c != a:
                pairs[at : at + 1] = [(a, c), (b, d)]
                break
    return [(min(pair), max(pair)) for pair in pairs]
