"""What rewards are given: a rollout, the truth of what it was shown, and strict readings of its text.

A parser for ranking repairs what it can. These repair nothing, since what is repaired is rewarded.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

from ponderank.formats.reading import settled, tagged, whole_number
from ponderank.types import Judgement

_UNREAD = Judgement((), flaw="unparsed")
_LABEL = re.compile(r"\[([1-9][0-9]{0,5})\]")


@dataclass(frozen=True, slots=True)
class Rollout:
    """One answer of the model that learns.

    ``text`` is all of the assistant's turn, what the chat template began it with (``<think>``) included. ``judgement`` is what
    was read in it; a flaw other than ``truncated`` (the document was shortened) means that the rollout did not give it itself.
    """

    text: str
    judgement: Judgement = _UNREAD

    @property
    def scores(self) -> tuple[float, ...] | None:
        """The judgement's scores, one per document shown; None where the rollout gave none, or one is not finite."""
        read = self.judgement.flaw in (None, "truncated") and all(map(math.isfinite, self.judgement.scores))
        return self.judgement.scores if read and self.judgement.scores else None


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of the ``n`` documents, in the order shown.

    ``grades``: of relevance, one per document; relevant is above 0. Where a reward asks for them: ``order``, a teacher's
    ranking, places best first; ``scores``, a teacher's, one per document.

    Raises:
        ValueError: grades or scores that are not finite, an order or scores that do not fit the grades.

    >>> Truth((0, 2), order=(1, 0)).relevant
    (False, True)
    """

    grades: tuple[float, ...]
    order: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.grades)
        if not all(map(math.isfinite, (*self.grades, *self.scores))):
            raise ValueError(f"grades {self.grades}, scores {self.scores}: give finite numbers")
        if self.order and sorted(self.order) != list(range(n)):
            raise ValueError(f"order {self.order} of {n} documents; name each of 0 … {n - 1} once")
        if self.scores and len(self.scores) != n:
            raise ValueError(f"{len(self.scores)} scores of {n} documents; give one a document or none")

    @property
    def relevant(self) -> tuple[bool, ...]:
        """Which documents have a grade above 0."""
        return tuple(grade > 0 for grade in self.grades)

    def of(self, n: int) -> tuple[float, ...]:
        """The grades of exactly ``n`` documents.

        Raises:
            ValueError: a truth of another number of documents.
        """
        if len(self.grades) != n:
            raise ValueError(f"a truth of {len(self.grades)} documents; this reward is of {n}")
        return self.grades


@dataclass(frozen=True, slots=True)
class Turn:
    """A thought and an answer as they stand between their tags, and what stands between the two."""

    thought: str
    gap: str
    answer: str


def turn(text: str, *, thought: str = "think") -> Turn | None:
    """The only thought and answer of a text that is ``<think>…</think> <answer>…</answer>`` and nothing else; None otherwise.

    White space may stand before, between and behind. The first end of the thought ends it; an answer holds no such tags.

    >>> turn("<think>a</think> <answer>[1]</answer>")
    Turn(thought='a', gap=' ', answer='[1]')
    >>> turn("So <think>a</think> <answer>[1]</answer>"), turn("<think>a</think> [1]")
    (None, None)
    """
    end, start, body = f"</{thought}>", f"<{thought}>", text.strip()
    inside, closed, rest = body.removeprefix(start).partition(end)
    answer = rest.lstrip()
    if not (body.startswith(start) and closed and answer.startswith("<answer>") and answer.endswith("</answer>")):
        return None
    said = answer.removeprefix("<answer>").removesuffix("</answer>")
    if any(tag in said for tag in ("<answer>", "</answer>", start, end)):
        return None
    return Turn(inside, rest[: len(rest) - len(answer)], said)


def read_grade(text: str, *, most: int, tag: str = "answer") -> Judgement:
    """The judgement of one document by the only whole number from 0 to ``most`` in a text's last ``<tag>``, behind the thought.

    >>> read_grade("<think>9?</think><answer>7</answer>", most=10).scores
    (7.0,)
    >>> read_grade("<think><answer>7</answer>", most=10).flaw
    'unparsed'
    """
    answer = settled(text)
    inside = None if answer is None else tagged(answer, tag)
    found = None if inside is None else whole_number(inside, 0, most)
    if found is None:
        return Judgement((math.nan,), flaw="unparsed")
    return Judgement((float(found[0]),), verdict=str(found[0]))


def read_order(text: str, n: int) -> Judgement:
    """The judgement of ``n`` documents by an answer like ``[2] > [1]`` that names each once, scores ``n`` … 1; else unparsed.

    >>> read_order("<think>so</think><answer>[2] > [1]</answer>", 2).scores
    (1.0, 2.0)
    >>> read_order("<think>so</think><answer>[2]</answer>", 2).flaw
    'unparsed'
    """
    found = turn(text)
    labels = [_LABEL.fullmatch(part.strip()) for part in found.answer.split(">")] if found else []
    places = [int(label[1]) - 1 for label in labels if label]
    if len(places) != len(labels) or sorted(places) != list(range(n)) or not n:
        return Judgement((math.nan,) * n, flaw="unparsed")
    scores = [0.0] * n
    for rank, place in enumerate(places):
        scores[place] = float(n - rank)
    return Judgement(tuple(scores), verdict=found.answer if found else "")


def read_grades(text: str, n: int, *, most: float = 10.0, thought: str = "reason") -> Judgement:
    """The judgement of ``n`` documents by an answer that is JSON, ``{"[1]": 5, "[2]": 0}``, fenced or not; else unparsed.

    Every document must have one number from 0 to ``most``, and nothing else may stand there.

    >>> read_grades('<reason>so</reason><answer>{"[2]": 5, "[1]": 0}</answer>', 2).scores
    (0.0, 5.0)
    """
    found = turn(text, thought=thought)
    said = found.answer.strip() if found else ""
    if said.startswith("```") and said.endswith("```") and len(said) >= 6:
        said = said[3:-3].removeprefix("json")
    try:
        read = json.loads(said, object_pairs_hook=_once, parse_int=float)
    except (ValueError, RecursionError):
        read = None
    names = [f"[{place + 1}]" for place in range(n)]
    if n and isinstance(read, dict) and read.keys() == set(names):
        grades = [read[name] for name in names]
        if all(isinstance(grade, float) and 0 <= grade <= most for grade in grades):
            return Judgement(tuple(grades), verdict=said.strip())
    return Judgement((math.nan,) * n, flaw="unparsed")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A mapping of pairs none of which is given twice."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name is given twice")
    return dict(pairs)
