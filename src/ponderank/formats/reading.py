"""Reading what language models wrote: pure functions that end on any string."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ponderank.formats.classify import sigmoid
from ponderank.types import Flaw, Judgement, Prompt, Reply, text_of

_ENDS = (".", "!", "?")
_FORM_OF_NUMBER = re.compile(r"(?<![\w.\-])\d{1,6}(?:\.\d{1,6})?(?![\w]|\.\d)")


def cut_at_sentence(text: str) -> str:
    """The text up to its last ``.``, ``!`` or ``?``; all of it if it has none. White space around it goes.

    Source: Rank1 (``rank1.py``, ``_fix_incomplete_responses``). Differs: nothing.

    >>> cut_at_sentence("\\nIt is. And so on and")
    'It is.'
    """
    text = text.rstrip()
    last = max(text.rfind(end) for end in _ENDS)
    return (text if last < 0 else text[: last + 1]).strip()


def answer_part(text: str, end: str = "</think>") -> str:
    """What stands behind the last end of a thought; all of a text without one.

    >>> answer_part("<think> [1] > [2] </think> [2] > [1]")
    ' [2] > [1]'
    """
    return text.rpartition(end)[2]


def thought_part(text: str, end: str = "</think>") -> str:
    """What stands before the first end of a thought; all of a text without one.

    >>> thought_part(" so it is </think> true")
    ' so it is '
    """
    return text.partition(end)[0]


def tagged(text: str, tag: str) -> str | None:
    """The content of the last ``<tag>…</tag>``; of a last one that is not closed, all that follows; None without one.

    >>> tagged("<answer>3</answer> or <answer> 4 </answer>", "answer")
    '4'
    """
    _, opened, rest = text.rpartition(f"<{tag}>")
    return rest.partition(f"</{tag}>")[0].strip() if opened else None


def number(text: str | None, least: float, most: float) -> float | None:
    """The only number within ``[least, most]`` in a text; None if there is none, or if there are different ones.

    >>> number("Score: 7", 0, 10), number("7 or 8", 0, 10), number("7/10", 0, 9)
    (7.0, None, 7.0)
    """
    found = {float(match) for match in _FORM_OF_NUMBER.findall(text or "")}
    fit = {value for value in found if least <= value <= most}
    return fit.pop() if len(fit) == 1 else None


def whole_number(text: str, least: int, most: int) -> tuple[int, int] | None:
    """The only number within ``[least, most]`` in a text, if it is whole, and the place where it begins; None otherwise.

    >>> whole_number("it is 7", 0, 10), whole_number("7.5", 0, 10), whole_number("7 or 8", 0, 10)
    ((7, 6), None, None)
    """
    value = number(text, least, most)
    if value is None or value % 1:
        return None
    places = (match.start() for match in _FORM_OF_NUMBER.finditer(text) if match.group() == str(int(value)))
    place = next(places, None)
    return None if place is None else (int(value), place)


def settled(text: str, *, cut: bool = False, start: str = "<think>", end: str = "</think>") -> str | None:
    """The answer in what a model wrote; None where it was ``cut`` off or never ended its thought.

    A thought may quote its document, answers included, so nothing in it is an answer. A text without a thought is all
    answer.

    >>> settled("<think>it says <answer>9</answer>"), settled("<think>so</think> 3"), settled("3")
    (None, ' 3', '3')
    """
    if cut:
        return None
    if end in text:
        return answer_part(text, end)
    return None if text.lstrip().startswith(start) else text


def last_word(text: str, name: str, words: Sequence[str]) -> tuple[str, int] | None:
    """The one of ``words`` that the last line gives as ``name: word``, and the place where it begins; None otherwise.

    Case, and marks of emphasis around either, do not count; the place is that of the white space before the word.

    >>> last_word("It says 'Relevant: yes'.\\nRelevant: no", "Relevant", ("yes", "no"))
    ('no', 34)
    """
    body = text.rstrip()
    start = body.rfind("\n") + 1
    line = body[start:]
    head = re.match(rf"[\s*_#>-]{{0,16}}{re.escape(name)}[*_]{{0,4}}:[*_]{{0,4}}", line, re.IGNORECASE)
    if not head:
        return None
    said = line[head.end() :].strip(" \t*_.!\"'`").lower()
    return next(((word, start + head.end()) for word in words if word.lower() == said), None)


def log_odds(scores: Sequence[float]) -> float:
    """``log P(first) - log P(second)``, in double precision; not-a-number where either is missing.

    A probability would pile up at 0 and 1 after a thought, and ties would decide; log-odds do not.

    >>> log_odds((-0.5, -1.5))
    1.0
    """
    if len(scores) != 2 or not all(score < math.inf for score in scores):  # not-a-number is not below either
        return math.nan
    yes, no = scores
    return yes - no if math.isfinite(yes) or math.isfinite(no) else math.nan


def probability(odds: float) -> float | None:
    """The probability of log-odds; None of not-a-number.

    >>> probability(0.0)
    0.5
    """
    return None if math.isnan(odds) else sigmoid(min(max(odds, -1e300), 1e300))


def flaw_of(replies: Sequence[Reply], *, forced: bool = False, unread: bool = False) -> Flaw | None:
    """The gravest that is wrong with these replies: late, refused, unparsed (``unread``), incomplete (``forced``), truncated."""
    finishes = {reply.finish for reply in replies}
    if "late" in finishes:
        return "late"
    if "refused" in finishes:
        return "refused"
    if unread:
        return "unparsed"
    if forced:
        return "incomplete"
    return "truncated" if "truncated" in finishes or any(reply.cut_tokens for reply in replies) else None


def judged(
    prompt: Prompt, thought: str, replies: Sequence[Reply], words: Sequence[str], *, forced: bool = False
) -> Judgement:
    """The judgement from the last reply's two log-probabilities; ``words`` are the verdicts they stand for."""
    odds = log_odds(replies[-1].scores)
    prob = probability(odds)
    unread = math.isnan(odds)
    return Judgement(
        (odds,),
        None if prob is None else (prob,),
        reasoning=thought,
        flaw=flaw_of(replies, forced=forced, unread=unread),
        prompt=text_of(prompt),
        verdict="" if unread else words[odds < 0].strip(),
        estimate=replies[-1].estimate,
    )
