"""Which of the rewards fit which rollouts, and a batch of rollouts to its rewards."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ponderank.errors import DataError
from ponderank.recipe import nearest
from ponderank.train.rewards import REWARDS, Reward
from ponderank.train.rewards_rollouts import Rollout, Truth

Shape = Literal["one document", "two documents", "a list", "a set"]


def exact_match(rollout: Rollout, truth: Truth) -> float:
    """Reward 1 for a verdict that is the label's, else 0; no verdict, or one that had to be forced, is worth 0.

    A verdict says relevant where the judgement's score, a probability, is above one half. No partial credit, no reward for
    form. Range: 0 or 1.

    Source: Rank-R1 (arXiv 2503.06034), its reward of 0 or 1. Differs: of one document and its verdict; there, of the label of
    the one relevant document among several (``rank_r1``).

    Raises:
        ValueError: a truth of another number of documents.

    >>> from ponderank.types import Judgement
    >>> exact_match(Rollout("", Judgement((1.0,))), Truth((2,))), exact_match(Rollout("", Judgement((1.0,))), Truth((0,)))
    (1.0, 0.0)
    """
    (grade,) = truth.of(1)
    return float(rollout.scores is not None and (rollout.scores[0] > 0.5) == (grade > 0))


@dataclass(frozen=True, slots=True)
class Fit:
    """A reward, the shape of what its rollouts were shown, and what it needs to know beside the judged relevance.

    ``teacher``: of each document a teacher's score, on the scale of the rollouts' own. ``verdict``: it reads
    whether a verdict is relevant, which a grade does not say.
    """

    reward: Reward
    shape: Shape = "one document"
    teacher: bool = False
    verdict: bool = False


FITS: Mapping[str, Fit] = {
    "exact-match": Fit(Reward(exact_match, "rollout", "Rank-R1, arXiv 2503.06034, of one document"), verdict=True),
    "prorank": Fit(REWARDS["prorank"]),
    "tfrank-pointwise": Fit(REWARDS["tfrank-pointwise"]),
    "erank": Fit(REWARDS["erank"], teacher=True),
    "retro-star": Fit(REWARDS["retro-star"]),
    "rank-r1": Fit(REWARDS["rank-r1"], "a set"),
    "iranker": Fit(REWARDS["iranker"], "a set"),
    "tfrank-pairwise": Fit(REWARDS["tfrank-pairwise"], "two documents"),
    "tfrank-listwise": Fit(REWARDS["tfrank-listwise"], "a list"),
    "reasonrank": Fit(REWARDS["reasonrank"], "a list"),
    "grouprank": Fit(REWARDS["grouprank"], "a list"),
    "rearank": Fit(REWARDS["rearank"], "a list"),
}
"""Every published reward of ours by name; those of one document are trained with, the others say what they would need."""


def fitting(name: str, constants: Mapping[str, Any], *, teacher: bool) -> Fit:
    """The reward of that name, if it is of one document, its constants are those it has, and a teacher is there if needed.

    Raises:
        DataError: anything of that does not hold; the message says what is missing.

    >>> fitting("retro-star", {"unread": -1.0}, teacher=False).reward.given
    'query'
    """
    if name not in FITS:
        raise DataError(f"no reward is named {name!r}; {nearest(name, FITS)}")
    fit = FITS[name]
    if fit.shape != "one document":
        usable = ", ".join(known for known, one in FITS.items() if one.shape == "one document")
        raise DataError(
            f"the reward {name} is of rollouts that were shown {fit.shape}, and this training shows one document at a time; "
            f"give one of {usable}"
        )
    missing = [key for key in fit.reward.needs if key not in constants]
    if missing:
        raise DataError(
            f"the reward {name} has constants that its paper does not give; say {', '.join(f'--constant {key}=…' for key in missing)}"
        )
    unknown = [key for key in constants if key not in fit.reward.settable]
    if unknown:
        known = nearest(unknown[0], fit.reward.settable) if fit.reward.settable else "it has none"
        raise DataError(f"the reward {name} has no constant {unknown[0]!r}; {known}")
    if fit.teacher and not teacher:
        raise DataError(
            f"the reward {name} needs a score of every document by the supervised model; give --teacher RUN, a TREC run with "
            "its scores on the scale that rollouts are read on"
        )
    return fit


@dataclass(frozen=True, slots=True)
class Said:
    """One rollout and where it belongs: the group of documents it was drawn with, its document's place there, its truth."""

    group: int
    place: int
    rollout: Rollout
    grade: float
    teacher: float | None = None


def rewarded(
    fit: Fit, constants: Mapping[str, Any], many: Sequence[Said], *, documents: int, samples: int
) -> list[float]:
    """The rewards of a batch's rollouts, in their order.

    A reward of a query is given the whole group at once: ``documents`` with ``samples`` rollouts each.

    Raises:
        DataError: a group is not whole.
    """
    if fit.reward.given == "rollout":
        function: Callable[..., float] = fit.reward.function
        return [function(one.rollout, Truth((one.grade,)), **constants) for one in many]
    worth = [math.nan] * len(many)
    groups: dict[int, dict[int, list[int]]] = {}
    for at, one in enumerate(many):
        groups.setdefault(one.group, {}).setdefault(one.place, []).append(at)
    for group, places in groups.items():
        if len(places) != documents or any(len(found) != samples for found in places.values()):
            raise DataError(
                f"group {group} came with {sum(map(len, places.values()))} rollouts of {len(places)} documents, not with "
                f"{samples} of each of {documents}; its reward compares them all, so they must be in one batch of a process"
            )
        rows = [places[place] for place in sorted(places)]
        first = [many[row[0]] for row in rows]
        scores = tuple(one.teacher for one in first if one.teacher is not None)
        truth = Truth(tuple(one.grade for one in first), scores=scores)
        found = fit.reward.function([[many[at].rollout for at in row] for row in rows], truth, **constants)
        for row, values in zip(rows, found, strict=True):
            for at, value in zip(row, values, strict=True):
                worth[at] = value
    return worth
