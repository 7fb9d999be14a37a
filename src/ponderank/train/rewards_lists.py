"""Rewards of models that are shown several documents at once: a rollout and the truth to a number."""

from __future__ import annotations

import math
import re

from ponderank.train.rewards_measures import Gain, dcg, divergence, ndcg, order_of, overlap, recall
from ponderank.train.rewards_rollouts import Rollout, Truth, turn

_IRANKER_TAGS = tuple(map(re.compile, (r"<think>\s", r"\s</think>\n", r"\n<answer>\s", r"\s</answer>")))


def rank_r1(rollout: Rollout, truth: Truth) -> float:
    """Reward 1 for a thought and an answer that is exactly the label of the relevant document, such as ``[3]``; else 0.

    Reads the text alone. Where several documents share the best grade above 0, each of them is right. Range: 0 or 1.

    Source: Rank-R1 (arXiv 2503.06034), llm-rankers ``Rank-R1/train_grpo.py``, ``reward_func_setwise``.
    Differs: the whole text must have the form; there a search finds it anywhere, so that text around it, or a second answer
    behind it, still scores.

    >>> rank_r1(Rollout("<think>so</think>\\n<answer>[2]</answer>"), Truth((0, 1)))
    1.0
    >>> rank_r1(Rollout("It is <think>so</think> <answer>[2]</answer>"), Truth((0, 1)))
    0.0
    """
    found = turn(rollout.text)
    best = max(truth.grades, default=0.0)
    labels = {f"[{place}]" for place, grade in enumerate(truth.grades, start=1) if grade == best > 0}
    return float(found is not None and found.answer.strip() in labels)


def reason_rank(rollout: Rollout, truth: Truth, *, p: float = 1.0) -> float:
    """Reward ``nDCG@10 + 0.2 recall@10 + 0.1 overlap`` with the teacher's order; 0 without a full order, -1 without the tags.

    nDCG and recall by relevance (a grade above 0), the overlap with ``truth.order``. ``p`` 1 is the average overlap that the
    released code computes, below 1 the rank-biased overlap of the paper. Range: -1, or [0, 1.3].

    Source: ReasonRank (arXiv 2508.07050), equations 2 to 4; ``verl/verl/utils/reward_score/ranking.py``.
    Differs: the answer must be what was asked for, ``[2] > [1]``, each document once; there it is cut down to its groups of
    digits, and only their number is checked, so that ``[0]`` is the last document and labels too high are dropped. The tags
    must be the whole text; there they are searched for.

    Raises:
        ValueError: a truth without an order.

    >>> reason_rank(Rollout("[1]"), Truth((1,), (0,)))
    -1.0
    """
    if len(truth.order) != len(truth.grades):
        raise ValueError(
            f"{len(truth.grades)} documents and an order of {len(truth.order)}; ReasonRank needs a full order"
        )
    if turn(rollout.text) is None:
        return -1.0
    scores = _fitting(rollout, truth)
    if scores is None:
        return 0.0
    order, grades = order_of(scores), tuple(map(float, truth.relevant))
    return ndcg(order, grades) + 0.2 * recall(order, grades) + 0.1 * overlap(order, truth.order, p=p)


def group_rank(rollout: Rollout, truth: Truth, *, gain: Gain = "linear") -> float:
    """Reward ``nDCG@10 + 0.2 recall@10 + 0.1 (1 - JS)``; -0.1 for tags without grades that can be read, -0.5 for neither.

    ``JS`` is the Jensen–Shannon divergence in bits of the rollout's scores and ``truth.scores``, each as shares of its sum.
    Tags are ``<reason>`` and ``<answer>``. Range: -0.5, -0.1, or [0, 1.3].

    Source: GroupRank (arXiv 2511.11653v3), equations 4 to 6. Which gain nDCG has there could not be seen: ``gain`` says.
    Differs: bits, so that the last part is in [0, 0.1]; in nats it never falls under 0.03. Scores that are all 0 are taken as
    equal shares.

    Raises:
        ValueError: a truth without scores.

    >>> group_rank(Rollout("<reason>so</reason><answer>7</answer>"), Truth((1,), scores=(9,))), group_rank(
    ...     Rollout("7"), Truth((1,), scores=(9,)))
    (-0.1, -0.5)
    """
    if len(truth.scores) != len(truth.grades):
        raise ValueError(
            f"{len(truth.grades)} documents and {len(truth.scores)} scores; GroupRank needs a score of each"
        )
    if turn(rollout.text, thought="reason") is None:
        return -0.5
    scores = _fitting(rollout, truth)
    if scores is None:
        return -0.1
    order = order_of(scores)
    agreement = 1 - divergence(scores, truth.scores)
    return ndcg(order, truth.grades, gain=gain) + 0.2 * recall(order, truth.grades) + 0.1 * agreement


def rearank(rollout: Rollout, truth: Truth, *, least: float = -math.inf) -> float:
    """Reward ``0.8 (DCG@10 - DCG of the order shown) / (best DCG - that) + 0.1 tags + 0.1 answer's form``, linear gains.

    The first part is 0 where no order could be read, at most 1, and raised to ``least``: where the order shown was nearly
    perfect it falls without bound. Where no order is better than the one shown it is 1 for an equal one, else 0.
    Range: [0.8 ``least``, 1].

    Source: Rearank (arXiv 2505.20046), equations 5 and 6; a quotient of nDCGs, whose common ideal cancels. Its training code
    is not published, so what it does with an answer that cannot be read is not known; 0 here.
    Differs: no division by 0 where nothing can be improved; ``least``, which the paper has not.

    Raises:
        ValueError: ``least`` above 0.

    >>> rearank(Rollout("<think>so</think><answer>none</answer>"), Truth((0, 1)))
    0.1
    """
    if least > 0:
        raise ValueError(f"least is {least}; give 0 or less")
    scores = _fitting(rollout, truth)
    form = 0.1 * (turn(rollout.text) is not None) + 0.1 * (scores is not None)
    if scores is None:
        return form
    order, shown = order_of(scores), range(len(truth.grades))
    reached, start, best = (dcg(o, truth.grades) for o in (order, shown, order_of(truth.grades)))
    room = best - start
    gained = (reached - start) / room if room > 0 else float(reached >= best)
    return 0.8 * max(least, min(1.0, gained)) + form


def iranker(rollout: Rollout, truth: Truth) -> float:
    """Reward one step of exclusion: 1 if the document excluded is not relevant, 0 if it is, -0.5 if none could be read.

    The one excluded is the one with the least score; two of them exclude none. Without an answer in tags it is -1. To this
    come -1 for a form other than ``<think> … </think>``, newline, ``<answer> … </answer>``, each inside set off by white space,
    and -0.25 for each of the four tags that does not stand there, so set off, exactly once. Range: [-3, 1].

    Source: IRanker (arXiv 2506.21638), ``verl/utils/reward_score/exclusion_reward.py``. Trained with PPO there.
    Differs: which document was excluded is the format's to read; there the answer's first line must equal the candidate's text.
    The form is that of the whole text; there it may end at any line's end.

    >>> good = "<think> so </think>\\n<answer> passage 2 </answer>"
    >>> from ponderank.types import Judgement
    >>> iranker(Rollout(good, Judgement((1.0, 0.0))), Truth((1, 0))), iranker(Rollout(""), Truth((1, 0)))
    (1.0, -3.0)
    """
    form = _iranker_form(rollout.text)
    _, opened, rest = rollout.text.partition("<answer>")
    if not opened or "</answer>" not in rest:
        return form - 1.0
    scores = _fitting(rollout, truth)
    if scores is None or scores.count(min(scores)) > 1:
        return form - 0.5
    return form + float(not truth.relevant[scores.index(min(scores))])


def _iranker_form(text: str) -> float:
    found = turn(text)
    sound = found is not None and text[:1] == "<" and found.gap == "\n" and _set_off(found.thought, found.answer)
    return (0.0 if sound else -1.0) - 0.25 * sum(len(tag.findall(text)) != 1 for tag in _IRANKER_TAGS)


def _set_off(*insides: str) -> bool:
    return all(len(inside) >= 2 and inside[0].isspace() and inside[-1].isspace() for inside in insides)


def _fitting(rollout: Rollout, truth: Truth) -> tuple[float, ...] | None:
    """The rollout's scores if there is one of each document."""
    scores = rollout.scores
    return scores if scores is not None and len(scores) == len(truth.grades) else None
