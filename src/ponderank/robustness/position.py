"""The same passages together in several orders: what is shown, laid out before anything is asked. Pure.

Each order is shown in both directions, so that of each two passages either is the one shown earlier as often as the other: a
judge that minds nothing but the passages then has no lean, whichever passages are drawn and however good they are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median_low

from ponderank.contracts import Plan
from ponderank.recipe import Recipe
from ponderank.robustness.trials import Subject, Trial
from ponderank.strategies.diverse import MarginalRelevance
from ponderank.types import Candidates

QUERIES = 20
"""Queries that are drawn."""

SHOWN = 20
"""Passages of a query that its groups show, about, where the number of groups is not given."""


@dataclass(frozen=True, slots=True)
class Together:
    """Show all candidates together, once, in the order given; their scores are the judgement's.

    >>> next(Together(3).plan(3))
    [(0, 1, 2)]
    """

    widest: int

    absolute = False

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """One judgement; none of nothing."""
        if not n:
            return []
        (judgement,) = yield [tuple(range(n))]
        return list(judgement.scores)


@dataclass(frozen=True, slots=True)
class Draw:
    """How much is shown: ``queries``; of each so many ``groups``, None for about ``SHOWN`` passages; ``shuffles`` of each group.

    Of pairs the groups are all pairs of some passages, as many as do not make more pairs than ``groups``.
    """

    queries: int = QUERIES
    groups: int | None = None
    shuffles: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What one judge is shown: by group, by order, the trials of the order and of its reverse; ``width`` passages at a time."""

    judge: int
    width: int
    groups: tuple[tuple[tuple[Trial, Trial], ...], ...]

    @property
    def trials(self) -> list[Trial]:
        """All of them."""
        return [trial for group in self.groups for both in group for trial in both]


def comparing(recipe: Recipe) -> list[tuple[int, int]]:
    """The judges that compare passages shown together by relevance, each with the most that it is shown.

    >>> from ponderank.recipes import find
    >>> comparing(find("default")), comparing(find("mono-duo-t5-base"))
    ([], [(1, 2)])
    """
    strategies = [alone.strategy for alone in recipe.apart()]
    return [
        (at, one.widest)
        for at, one in enumerate(strategies)
        if one.widest > 1 and not isinstance(one, MarginalRelevance)  # that one asks how alike passages are
    ]


def shown(subject: Subject, judge: int, widest: int, draw: Draw, seed: int) -> Shown | None:
    """What a judge is shown of a collection; None where queries have too few candidates.

    Groups are as wide as the judge's, or as the median query's candidates are many; queries with fewer are left out.
    """
    width = min(widest, median_low(len(one.docs) for one in subject.many))
    many = [one for one in subject.many if len(one.docs) >= width]
    if width < 2:
        return None
    count = max(1, SHOWN // width) if draw.groups is None else draw.groups
    drawn = sorted(random.Random(f"{seed}|position").sample(range(len(many)), min(draw.queries, len(many))))
    made: dict[tuple[int, int], list[tuple[str, Candidates, Candidates]]] = {}
    for one in (many[at] for at in drawn):
        rng = random.Random(f"{seed}|position|{judge}|{one.query.id}")
        for number, group in enumerate(groups(len(one.docs), width, count, rng)):
            for at, order in enumerate(orders(group, draw.shuffles, rng)):
                name = f"judge-{judge}/group-{number + 1}/" + (f"shuffle-{at}" if at else "as-is")
                made.setdefault((number, at), []).append((name, _in(one, order), _in(one, order[::-1])))
    most = 1 + max(number for number, _ in made)
    return Shown(judge, width, tuple(tuple(_trials(made, number, judge)) for number in range(most)))


def _in(one: Candidates, order: Sequence[int]) -> Candidates:
    return Candidates(one.query, tuple(one.docs[at] for at in order))


def _trials(
    made: dict[tuple[int, int], list[tuple[str, Candidates, Candidates]]], number: int, judge: int
) -> Iterator[tuple[Trial, Trial]]:
    for at in sorted(at for group, at in made if group == number):
        names, ahead, back = zip(*made[number, at], strict=True)
        reverse = f"{names[0]}-reversed" if at else names[0].replace("as-is", "reversed")
        yield Trial("position", names[0], ahead, judge=judge), Trial("position", reverse, back, judge=judge)


def groups(n: int, width: int, count: int, rng: random.Random) -> list[tuple[int, ...]]:
    """Different groups of ``width`` of ``n`` candidates, each in first-stage order; as many as there are, at most ``count``.

    >>> groups(9, 2, 4, random.Random(0))
    [(0, 6), (0, 8), (6, 8)]
    """
    if width == 2:
        passages = max(m for m in range(2, n + 1) if m == 2 or m * (m - 1) // 2 <= count)
        return list(combinations(sorted(rng.sample(range(n), passages)), 2))
    found: dict[tuple[int, ...], None] = {}
    while len(found) < min(count, math.comb(n, width)):
        found[tuple(sorted(rng.sample(range(n), width)))] = None
    return list(found)


def orders(group: Sequence[int], shuffles: int, rng: random.Random) -> list[tuple[int, ...]]:
    """The group as it is, then shuffled; no order twice, nor the reverse of another.

    >>> orders((1, 2), 3, random.Random(0))
    [(1, 2)]
    """
    found, seen = [tuple(group)], {tuple(group), tuple(group)[::-1]}
    most = math.factorial(len(group)) // 2 if len(group) < 6 else 1 + shuffles
    while len(found) < min(1 + shuffles, most):
        order = tuple(rng.sample(group, len(group)))
        if order not in seen:
            found.append(order)
            seen |= {order, order[::-1]}
    return found
