"""Asking which of several passages is best by its label, and reading the label that was said: parts and pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from ponderank.formats.classify import asked
from ponderank.formats.reading import settled, thought_part, whole_number
from ponderank.formats.thoughts import END, START, was_cut
from ponderank.types import Doc, Part, Query, Reply, Role

Style = Literal["chat", "begun", "raw"]
"""How a question is put: a chat with a system turn; a user turn whose answer is begun with ``BEGUN``; a text without turns."""

BEGUN = " Passage:"
"""What stands behind the chat template where the answer is begun for the model."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVW"
"""Labels of passages; in T5's vocabulary ``Passage X`` and ``Passage Y`` would be one token longer."""

SHORT = 16
"""Tokens of an answer that is a label and nothing else."""

_MARKS = " \t\r*_\"'`.,:;!()[]{}<>#-"
_LONGEST_LINE = 60
_PLAIN = re.compile(
    r"(?:(?:the |my |final |correct )*(?:answer|output|label|choice)(?: is)?[:* ]*)?(?:passage[:* ]*)?[\"'`(\[]*([a-z])",
    re.IGNORECASE,
)
_MENTION = re.compile(r"(?<![A-Za-z])[Pp](?:assage|ASSAGE)[:* ]{0,3}[\"'`(\[]{0,2}([A-Z])(?![A-Za-z0-9])")
_BEGINNING = re.compile(r"\s{0,8}(?:[Pp]assage:?\s{0,8})?[\"'`*(\[]{0,4}([A-Z])(?![A-Za-z0-9])")


def query_part(query: Query, role: Role = "") -> Part:
    """The query, its instruction behind it."""
    return Part(asked(query), trusted=False, role=role)


def doc_part(doc: Doc, role: Role = "") -> Part:
    """Title and text, which may be shortened."""
    return Part(doc.full_text, trusted=False, may_shorten=True, role=role)


def letter_in(answer: str, count: int) -> tuple[int, bool] | None:
    """Which of the first ``count`` letters an answer names, and whether it says nothing else; None where that is not clear.

    A line that is a label and nothing more counts before all other text; without one, the answer must mention one passage only.

    >>> letter_in("Passage B", 3), letter_in("**B**", 3), letter_in("Passage B, as it says.", 3)
    ((1, True), (1, True), (1, False))
    >>> letter_in("Passage A or Passage B", 3), letter_in("Passage D", 3)
    (None, None)
    """
    lines = [line.strip(_MARKS) for line in answer.splitlines()]
    lines = [line for line in lines if line]
    plain = [_PLAIN.fullmatch(line) for line in lines if len(line) <= _LONGEST_LINE]
    said = {match[1].upper() for match in plain if match}
    alone = bool(said) and len(lines) == 1
    said = said or set(_MENTION.findall(answer)) & set(LETTERS[:count])
    place = LETTERS.find(said.pop()) if len(said) == 1 else -1
    return (place, alone) if 0 <= place < count else None


def letter_at_start(answer: str, count: int) -> tuple[int, bool] | None:
    """The letter that goes on with a begun answer; else as ``letter_in``.

    >>> letter_at_start(" B\\n\\nIt says", 2), letter_at_start("b", 2), letter_at_start(" both", 2)
    ((1, True), (1, True), None)
    """
    match = _BEGINNING.match(answer)
    place = LETTERS.find(match[1]) if match else -1
    return (place, True) if 0 <= place < count else letter_in(answer, count)


def letter_of(reply: Reply, style: Style, count: int) -> tuple[int, bool] | None:
    """The letter that a reply names; of a chat only what stands behind a thought counts, and nothing of a text cut off."""
    if style != "chat":
        return letter_at_start(reply.text, count)
    answer = settled(reply.text, cut=was_cut(reply))
    return None if answer is None else letter_in(answer, count)


def numbered(answer: str, form: str, least: int, most: int) -> tuple[int, bool] | None:
    """The number that an answer gives in a ``form`` (a pattern with one group), and whether it says nothing else.

    None where it gives none, several, or one that is not within ``[least, most]``.

    >>> numbered("[3]", r"\\[(\\d+)\\]", 1, 5), numbered("It is [3].", r"\\[(\\d+)\\]", 1, 5), numbered("3", r"\\[(\\d+)\\]", 1, 5)
    ((3, True), (3, False), (3, False))
    """
    exact = re.fullmatch(form, answer.strip(), re.IGNORECASE)
    said = {int(found) for found in re.findall(form, answer, re.IGNORECASE) if len(found) < 9}
    if len(said) == 1:
        (value,) = said
        return (value, exact is not None) if least <= value <= most else None
    bare = None if said else whole_number(answer, least, most)
    return None if bare is None else (bare[0], False)


def thought_in(text: str) -> str:
    """What a model thought before its answer, without marks; nothing where it did not.

    >>> thought_in("<think>so</think> B"), thought_in("B")
    ('so', '')
    """
    if END not in text and not text.lstrip().startswith(START):
        return ""
    return thought_part(text).strip().removeprefix(START).strip()


def only(place: int, count: int) -> tuple[float, ...]:
    """1 for the one chosen, 0 for the others.

    >>> only(1, 3)
    (0.0, 1.0, 0.0)
    """
    return tuple(float(at == place) for at in range(count))


def likeliest(scores: Sequence[float]) -> int:
    """The place of the highest score, the first of equals; not-a-number is lowest.

    >>> likeliest((float("nan"), -1.0, -1.0))
    1
    """
    return max(range(len(scores)), key=lambda at: -math.inf if math.isnan(scores[at]) else scores[at], default=0)


def readable(scores: Sequence[float], count: int) -> bool:
    """Whether labels' log-probabilities say anything: one each, and not all missing.

    >>> readable((-1.0, float("-inf")), 2), readable((), 2), readable((float("-inf"),) * 2, 2)
    (True, False, False)
    """
    return len(scores) == count and any(math.isfinite(score) for score in scores)
