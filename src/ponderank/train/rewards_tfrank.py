"""TFRank's rewards: a rank reward, and half a format reward, of answers about one, two or several documents.

Source: TFRank (arXiv 2508.09539), ``code/grpo/rank_plugin.py`` and the weights 1.0 and 0.5 of its launch script.
Differs, in all of them: the thought must begin the text; there it is searched for, so that text before it still scores.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from ponderank.train.rewards_measures import ndcg
from ponderank.train.rewards_rollouts import Rollout, Truth

Form = Literal["grade", "word", "word(grade)"]
"""What an answer about one document is: ``3``, ``yes``, or ``yes(3)``."""

_MOST = 4.0
_NUMBER = r"\(\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*\)"
_WORD = re.compile(rf"(yes|no)\s*{_NUMBER}", re.IGNORECASE)
_DOC = re.compile(rf"\[([1-9][0-9]{{0,5}})\](?:\s*{_NUMBER})?")


def answered(text: str, *, thinks: bool) -> str | None:
    """The answer behind an empty thought, or, where the model ``thinks``, behind any; None without one.

    >>> answered("<think>\\n\\n</think>\\n\\nyes(3)", thinks=False), answered("yes(3)", thinks=False)
    ('yes(3)', None)
    """
    found = _parts(text, thinks=thinks)
    return found[1] if found else None


def _parts(text: str, *, thinks: bool) -> tuple[str, str] | None:
    start, end = ("<think>\n", "\n</think>\n\n") if thinks else ("<think>\n\n</think>\n\n", "")
    if not text.startswith(start):
        return None
    thought, closed, answer = text.removeprefix(start).partition(end) if end else ("", "-", text.removeprefix(start))
    return (thought.strip(), answer.strip()) if closed and answer.strip() else None


def tfrank_format(text: str, *, thinks: bool) -> float:
    """Reward 1 for an answer behind a thought that is empty, or, where the model ``thinks``, of 256 to 4,096 characters; else 0.

    Characters, as published, though its name there says tokens. Range: 0 or 1.

    >>> tfrank_format("<think>\\n\\n</think>\\n\\nno(0)", thinks=False)
    1.0
    """
    found = _parts(text, thinks=thinks)
    return float(found is not None and (not thinks or 256 <= len(found[0]) <= 4096))


def tfrank_pointwise(
    rollout: Rollout, truth: Truth, *, form: Form = "word(grade)", thinks: bool = False, cut: float = 2.0
) -> float:
    """Reward the right word and the nearness of the grade, each one half, for one document with a grade from 0 to 4.

    The word is ``yes`` from a grade of ``cut`` on; in other letters (``Yes``) it counts one half. Nearness is
    ``max(0, 1 - |p - t| / 4)``, and 0 where the answer's or the true word contradicts the answer's grade. An answer that is
    a word alone is rewarded for it alone. Range: [0, 1.5] with the format.

    Raises:
        ValueError: a truth of another number of documents.

    Differs: with a grade, too, a word in other letters counts one half; there both are made small first, so that the half
    that is meant for it is never given.

    >>> tfrank_pointwise(Rollout("<think>\\n\\n</think>\\n\\nyes(3)"), Truth((4,)))
    1.375
    """
    (true,) = truth.of(1)
    answer = answered(rollout.text, thinks=thinks) or ""
    return _pointwise(answer, true, form, cut) + 0.5 * tfrank_format(rollout.text, thinks=thinks)


def _pointwise(answer: str, true: float, form: Form, cut: float) -> float:
    if form == "grade":
        whole = answer in ("0", "1", "2", "3", "4")
        return (float(float(answer) == true) + _near(abs(float(answer) - true))) / 2 if whole else 0.0
    right = "yes" if true >= cut else "no"
    if form == "word":
        return _word(answer, right)
    said = _WORD.fullmatch(answer)
    if not said:
        return 0.0
    fits = right == said[1].lower() == ("yes" if float(said[2]) >= cut else "no")
    return (_word(said[1], right) + _near(abs(float(said[2]) - true)) * fits) / 2


def _word(said: str, right: str) -> float:
    return 1.0 if said == right else 0.5 * (said.lower() == right)


def _near(distance: float) -> float:
    return max(0.0, 1.0 - distance / _MOST)


def tfrank_pairwise(rollout: Rollout, truth: Truth, *, graded: bool = True, thinks: bool = False) -> float:
    """Reward ``[1](3) > [2](1)``: a third each for the right relation, the difference of the grades, and the grades.

    Either document may stand first. With ``d`` the distance of the two differences' sizes, and ``e`` the root of the mean
    squared error of the two grades, the latter are ``max(0, 1 - d / 4)`` and ``max(0, 1 - e / 4)``. Not ``graded``, the answer
    is ``[1] > [2]`` and the relation is all. Range: [0, 1.5] with the format.

    Raises:
        ValueError: a truth of another number of documents.

    Differs: grades go with their documents; there the left one is compared with the true left one, whichever document stands
    there. Each document must be named, and nothing may follow; there other labels get two thirds all the same.

    >>> tfrank_pairwise(Rollout("<think>\\n\\n</think>\\n\\n[2](1) < [1](3)"), Truth((3, 1)))
    1.5
    """
    first, second = truth.of(2)
    read = _listed(answered(rollout.text, thinks=thinks) or "", 2, "<>=", graded=graded)
    form = 0.5 * tfrank_format(rollout.text, thinks=thinks)
    if read is None:
        return form
    places, marks, grades = read
    left, right = (truth.grades[place] for place in places)
    acc = float(marks[0] == (">" if left > right else "<" if left < right else "="))
    if not graded:
        return acc + form
    gap = abs(abs(grades[0] - grades[1]) - abs(first - second))
    return (acc + _near(gap) + _near(_error(places, grades, truth))) / 3 + form


def tfrank_listwise(rollout: Rollout, truth: Truth, *, graded: bool = True, thinks: bool = False) -> float:
    """Reward ``[2](4) > [1](2) = [3](2)``: the mean of an exact match, the nDCG gained, and, if ``graded``, the grades.

    Exact is the true order of the true ties. Gained is ``(nDCG - start) / (1 - start)``, kept within [-5, 5], ``start`` being
    that of the order shown, and ``nDCG - 1`` where that is perfect; all documents, gain ``2**grade - 1``. Grades are worth
    ``max(0, 1 - e / 4)`` with ``e`` the root of their mean squared error. Range with the format: [-2.5, 1.5], [-5/3, 1.5] graded.

    Differs: groups are compared in order; there they are sorted first, so that any order without ties is exact where the true
    one has none. Each document must be named once; there, without grades, one could be named again and again. The gain is
    of the grade, not of the grade times the place, which lets the first document outweigh all others together.

    >>> tfrank_listwise(Rollout("<think>\\n\\n</think>\\n\\n[2] > [1]"), Truth((0, 2)), graded=False)
    1.5
    """
    n = len(truth.grades)
    read = _listed(answered(rollout.text, thinks=thinks) or "", n, ">=", graded=graded)
    form = 0.5 * tfrank_format(rollout.text, thinks=thinks)
    if read is None:
        return form
    places, marks, grades = read
    acc = float(_groups(places, marks) == _true_groups(truth.grades))
    start, reached = (ndcg(order, truth.grades, k=n, gain="exponential") for order in (range(n), places))
    room = 1 - start
    gained = reached - 1 if room < 1e-8 else min(5.0, max(-5.0, (reached - start) / room))
    if not graded:
        return (acc + gained) / 2 + form
    return (acc + gained + _near(_error(places, grades, truth))) / 3 + form


def _listed(answer: str, n: int, marks: str, *, graded: bool) -> tuple[list[int], list[str], list[float]] | None:
    """Places in the order named, the marks between them, and their grades (none if not graded); None if it is not all of that."""
    pieces = re.split(f"([{marks}])", answer)
    read = [_DOC.fullmatch(piece.strip()) for piece in pieces[::2]]
    named = [match for match in read if match and bool(match[2]) == graded]
    places = [int(match[1]) - 1 for match in named]
    if len(named) != len(read) or sorted(places) != list(range(n)):
        return None
    return places, pieces[1::2], [float(match[2]) for match in named if graded]


def _error(places: Sequence[int], grades: Sequence[float], truth: Truth) -> float:
    """Root of the mean squared error."""
    off = [grade - truth.grades[place] for place, grade in zip(places, grades, strict=True)]
    return math.hypot(*off) / math.sqrt(len(off))


def _groups(places: Sequence[int], marks: Sequence[str]) -> list[set[int]]:
    groups: list[set[int]] = []
    for place, mark in zip(places, (">", *marks), strict=True):
        if mark == ">":
            groups.append(set())
        groups[-1].add(place)
    return groups


def _true_groups(grades: Sequence[float]) -> list[set[int]]:
    return [{place for place, own in enumerate(grades) if own == grade} for grade in sorted(set(grades), reverse=True)]
