"""The same candidates in other orders, and how far the rankings of one query agree. Pure."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from ponderank.types import Candidates

SHUFFLES = 3
"""Random orders beside the first stage's and its reverse; three to five are usual."""


def names(shuffles: int) -> list[str]:
    """The orders that are tried beside the first stage's own."""
    return ["reversed", *(f"shuffle-{number}" for number in range(1, shuffles + 1))]


def reordered(one: Candidates, name: str, seed: int) -> Candidates:
    """The candidates in the order of that name, their first-stage scores with them.

    Scores stay with their documents, so that a recipe which adds them has what it had and only the place in the input differs.

    >>> from ponderank.types import Doc, Query
    >>> [doc.id for doc in reordered(Candidates(Query("q", "x"), (Doc("a", ""), Doc("b", ""))), "reversed", 0).docs]
    ['b', 'a']
    """
    order = list(range(len(one.docs)))
    if name == "reversed":
        order.reverse()
    else:
        random.Random(f"{seed}|{name}|{one.query.id}").shuffle(order)
    scores = None if one.scores is None else tuple(one.scores[at] for at in order)
    return replace(one, docs=tuple(one.docs[at] for at in order), scores=scores)


def agreement(rankings: Sequence[Sequence[str]]) -> float | None:
    """Mean Kendall tau of each two rankings of the same documents; None where there is nothing to compare.

    >>> agreement([["a", "b", "c"], ["a", "c", "b"]])
    0.3333333333333333
    """
    found = [tau(one, other) for one, other in itertools.combinations(rankings, 2)]
    known = [value for value in found if not math.isnan(value)]
    return fmean(known) if known else None


def tau(one: Sequence[str], other: Sequence[str]) -> float:
    """Kendall's tau of two rankings of the same documents; not-a-number with fewer than two."""
    from ponderank.metrics.systems import kendall_tau

    place = {name: -at for at, name in enumerate(other)}
    return kendall_tau([-at for at in range(len(one))], [place[name] for name in one])
