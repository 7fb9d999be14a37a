"""Published rewards for reinforcement learning, as pure functions: what a rollout is worth, given the truth.

A reward of one rollout is ``(rollout, truth, **constants) -> float``. A reward that compares the rollouts of a query is
``(rollouts, truth, **constants)`` with ``rollouts[document][sample]`` of all its documents, shown one at a time, and gives a
number for each in the same shape: whoever calls it must have the whole query at hand. Constants without a default are those
that their papers do not give, or that could not be read.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ponderank.train.rewards_lists import group_rank, iranker, rank_r1, rearank, reason_rank
from ponderank.train.rewards_measures import minimum_ranks
from ponderank.train.rewards_rollouts import Rollout, Truth
from ponderank.train.rewards_tfrank import tfrank_listwise, tfrank_pairwise, tfrank_pointwise

Rollouts: TypeAlias = Sequence[Sequence[Rollout]]
"""``[document][sample]``: the rollouts of one query, whose documents were shown one at a time."""

Rewards: TypeAlias = tuple[tuple[float, ...], ...]
"""``[document][sample]``, as the rollouts."""


def prorank(rollout: Rollout, truth: Truth, *, form: float, right: float) -> float:
    """Reward ``form`` for an answer that is ``0`` or ``1`` and nothing else, and ``right`` more for the true one.

    The true one is ``1`` for a grade above 0. No white space may stand around it: what is warmed up is the token that is
    chosen right behind the prompt. Range: 0, ``form``, ``form + right``.

    Source: ProRank (arXiv 2506.03487), its first stage, as others summarise it (a format and a correctness reward); the
    weights could not be seen.

    Raises:
        ValueError: a truth of another number of documents.

    >>> prorank(Rollout("1"), Truth((2,)), form=0.5, right=1.0), prorank(Rollout("1."), Truth((2,)), form=0.5, right=1.0)
    (1.5, 0.0)
    """
    (grade,) = truth.of(1)
    return form + right * (rollout.text == str(int(grade > 0))) if rollout.text in ("0", "1") else 0.0


def erank(rollouts: Rollouts, truth: Truth, *, above: float, unread: float, weight: float) -> Rewards:
    """Reward each rollout by its score's rank among those of all the query's rollouts; equal ones share the best rank.

    Relevant documents get ``1 / rank``. Others get ``above`` (a penalty) if their score is higher than any of a relevant
    document's rollouts, else ``-weight * (score - truth.scores)**2``, by the score of the supervised model. A rollout without
    a score gets ``unread`` and has no part in the ranks. Range: (0, 1] for relevant documents, ``above`` or down from 0 for
    others, ``unread`` for both.

    Source: ERank (arXiv 2509.00520), section 3, in words: the formula and its constants could not be seen, hence no defaults.
    Not settled there: a score that only ties with a relevant document's is not above it here.

    Raises:
        ValueError: a truth without scores, or not one row of rollouts per document.

    >>> from ponderank.train.rewards_rollouts import read_grade
    >>> texts = (("<answer>9</answer>", "<answer>7</answer>"), ("<answer>8</answer>", "<answer>1</answer>"))
    >>> said = [[Rollout(text, read_grade(text, most=10)) for text in row] for row in texts]
    >>> erank(said, Truth((1, 0), scores=(8, 2)), above=-1.0, unread=-2.0, weight=0.1)
    ((1.0, 0.3333333333333333), (-1.0, -0.1))
    """
    if len(truth.scores) != len(truth.grades):
        raise ValueError(f"{len(truth.grades)} documents and {len(truth.scores)} scores; ERank needs a score of each")
    scores = _scores(rollouts, truth)
    pool = [score for row in scores for score in row if score is not None]
    ranks = dict(zip(pool, minimum_ranks(pool), strict=True))
    relevant = [score for row, good in zip(scores, truth.relevant, strict=True) if good for score in row]
    bar = min((score for score in relevant if score is not None), default=math.inf)

    def worth(score: float | None, place: int) -> float:
        if score is None:
            return unread
        if truth.relevant[place]:
            return 1 / ranks[score]
        return above if score > bar else -weight * (score - truth.scores[place]) ** 2

    return tuple(tuple(worth(score, place) for score in row) for place, row in enumerate(scores))


def retro_star(
    rollouts: Rollouts, truth: Truth, *, unread: float, alpha: float = 0.75, threshold: float = 20.0
) -> Rewards:
    """Reward ``alpha * intra + (1 - alpha) * inter``: how near a score is to its document's mean, and how far apart documents are.

    ``intra`` is 1 for the score nearest to the mean of the document's rollouts and -1 for the farthest, both for all that tie,
    which cancel where all are equally far; 0 for the others, and for all where the farthest is less than ``threshold`` away.
    ``inter`` is, of a relevant document, the share of the irrelevant documents' scores that are lower, and of an irrelevant one
    the share of the relevant documents' that are higher; equal scores count for neither, and it is 0 where there are none to
    compare with. A rollout without a score gets ``unread`` and has no part in the rest. ``intra`` rewards agreement, not
    truth: an ``alpha`` of 1 is not for use alone. Range: [-``alpha``, 1], or ``unread``.

    Source: Retro* (arXiv 2509.24869), equations 1 and 2, alpha .75, threshold 20 of 100. What a rollout without a score
    gets there could not be seen. One relevant and one irrelevant document there; any number here.

    Raises:
        ValueError: ``alpha`` outside [0, 1], or not one row of rollouts per document.

    >>> from ponderank.train.rewards_rollouts import read_grade
    >>> texts = (("<score>90</score>", "<score>80</score>", "<score>40</score>"), ("<score>50</score>",))
    >>> said = [[Rollout(text, read_grade(text, most=100, tag="score")) for text in row] for row in texts]
    >>> retro_star(said, Truth((1, 0)), unread=-1.0)
    ((0.25, 1.0, -0.75), (0.16666666666666666,))
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; give 0 to 1")
    scores = _scores(rollouts, truth)
    pools: dict[bool, list[float]] = {True: [], False: []}
    for row, relevant in zip(scores, truth.relevant, strict=True):
        pools[relevant] += [score for score in row if score is not None]

    def rewarded(row: Sequence[float | None], relevant: bool) -> tuple[float, ...]:
        intra, others, sign = _agreement(row, threshold), pools[not relevant], 1 if relevant else -1
        return tuple(
            unread if score is None else alpha * near + (1 - alpha) * _share_below(sign * score, others, sign)
            for score, near in zip(row, intra, strict=True)
        )

    return tuple(rewarded(row, relevant) for row, relevant in zip(scores, truth.relevant, strict=True))


def _agreement(row: Sequence[float | None], threshold: float) -> list[int]:
    """1 for those nearest to the mean, -1 for those farthest, 0 for others and for none."""
    read = [score for score in row if score is not None]
    total, n = math.fsum(read), len(read)
    # times n, so that whole scores tie exactly
    away = [None if score is None else abs(n * score - total) for score in row]
    known = [distance for distance in away if distance is not None]
    if not known or max(known) < threshold * n:
        return [0] * len(row)
    return [0 if d is None else (d == min(known)) - (d == max(known)) for d in away]


def _share_below(score: float, others: Sequence[float], sign: int) -> float:
    return sum(sign * other < score for other in others) / len(others) if others else 0.0


def _scores(rollouts: Rollouts, truth: Truth) -> list[list[float | None]]:
    """The one score of each rollout, or None."""
    if len(rollouts) != len(truth.grades):
        raise ValueError(
            f"rollouts of {len(rollouts)} documents and {len(truth.grades)} grades; give one row a document"
        )
    read = [[rollout.scores for rollout in row] for row in rollouts]
    return [[scores[0] if scores is not None and len(scores) == 1 else None for scores in row] for row in read]


def advantages(rewards: Sequence[float]) -> tuple[float, ...]:
    """Each reward of a group less their mean, over their standard deviation; all 0 where the rewards are equal.

    Source: GRPO (DeepSeekMath, arXiv 2402.03300), outcome supervision; the deviation is the group's own (over ``n``).
    Differs: TRL divides by the deviation over ``n - 1`` plus 0.0001.

    Raises:
        ValueError: a reward that is not a finite number.

    >>> advantages((1.0, 0.0, 0.0, 1.0)), advantages((0.1, 0.1, 0.1)), advantages(())
    ((1.0, -1.0, -1.0, 1.0), (0.0, 0.0, 0.0), ())
    """
    if not all(map(math.isfinite, rewards)):
        raise ValueError(f"rewards {tuple(rewards)}: give finite numbers")
    if not rewards or min(rewards) == max(rewards):
        return (0.0,) * len(rewards)
    mean = math.fsum(rewards) / len(rewards)
    away = [reward - mean for reward in rewards]
    most = max(map(abs, away))  # taken out, or small squares could vanish
    spread = math.sqrt(math.fsum((distance / most) ** 2 for distance in away) / len(away))
    return tuple(distance / most / spread for distance in away)


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward by name: the function, what it is given (one rollout, or all of a query), and its paper."""

    function: Callable[..., Any]
    given: Literal["rollout", "query"]
    paper: str

    @property
    def needs(self) -> tuple[str, ...]:
        """The constants that must be given, since no paper gives them.

        >>> REWARDS["erank"].needs
        ('above', 'unread', 'weight')
        """
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty)

    @property
    def settable(self) -> tuple[str, ...]:
        """All constants, those with a default too.

        >>> REWARDS["retro-star"].settable
        ('unread', 'alpha', 'threshold')
        """
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


REWARDS: Mapping[str, Reward] = {
    "rank-r1": Reward(rank_r1, "rollout", "Rank-R1, arXiv 2503.06034"),
    "reasonrank": Reward(reason_rank, "rollout", "ReasonRank, arXiv 2508.07050"),
    "grouprank": Reward(group_rank, "rollout", "GroupRank, arXiv 2511.11653"),
    "rearank": Reward(rearank, "rollout", "Rearank, arXiv 2505.20046"),
    "iranker": Reward(iranker, "rollout", "IRanker, arXiv 2506.21638"),
    "prorank": Reward(prorank, "rollout", "ProRank, arXiv 2506.03487"),
    "tfrank-pointwise": Reward(tfrank_pointwise, "rollout", "TFRank, arXiv 2508.09539"),
    "tfrank-pairwise": Reward(tfrank_pairwise, "rollout", "TFRank, arXiv 2508.09539"),
    "tfrank-listwise": Reward(tfrank_listwise, "rollout", "TFRank, arXiv 2508.09539"),
    "erank": Reward(erank, "query", "ERank, arXiv 2509.00520"),
    "retro-star": Reward(retro_star, "query", "Retro*, arXiv 2509.24869"),
}
