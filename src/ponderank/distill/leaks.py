"""Whether a rewritten query gives its answer away, or copies the passage it was rewritten with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"\w+")
_FUNCTION_WORDS = frozenset(
    _WORD.findall(
        "a about an and are as at be been being but by can could did do does done each for from had has have how i if in into is it "
        "its itself many may me more most much must my not of on one or other our should so some such than that the their them "
        "then there these they this those to was we were what when where which while who whom whose why will with would you your"
    )
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rewrite may take from the passage.

    Args:
        phrase: words in a row that stand so in the passage, and not in the query, from which on it is a copy.
        share: the largest share of its content words that are the passage's and were not the query's ...
        copied: ... where they are at least that many.
        words: the longest rewrite.
    """

    phrase: int = 5
    share: float = 0.6
    copied: int = 4
    words: int = 40

    def __post_init__(self) -> None:
        if self.phrase < 2 or not 0 < self.share <= 1 or self.copied < 1 or self.words < 1:
            raise ValueError(
                f"phrase {self.phrase}, share {self.share}, copied {self.copied}, words {self.words}: need a phrase of 2 or "
                "more words, a share above 0 and at most 1, and 1 or more of the others"
            )


def leak(
    original: str, rewrite: str, passage: str, answers: Sequence[str] = (), limits: Limits = Limits()
) -> str | None:
    """Why the rewrite gives something away that the original did not: ``"answer"``, ``"number"``, ``"phrase"``, ``"words"``; or None.

    An answer counts as given when all of its content words stand in the rewrite, one of them newly. Without known answers
    every number that comes from the passage counts, because numbers and dates are what is asked for most; other short answers
    pass then (LOG.md has how many). Words are what stands between spaces and punctuation, so that in scripts without
    spaces the guard sees little.

    Source: none; the paper (CAR, arXiv 2308.16753) has no such guard as far as its abstract tells.

    >>> leak("when was it", "when in 1990 was the fair", "The fair of 1990 was large.")
    'number'
    >>> leak("define sri", "define the Sanskrit honorific sri", "Sri is a Sanskrit honorific, a title of respect.") is None
    True
    """
    before, after, shown = (_words(text) for text in (original, rewrite, passage))
    known, theirs = set(map(_stem, before)), set(map(_stem, shown))
    said = [_stem(word) for word in after]
    for answer in answers:
        core = [_stem(word) for word in _content(_words(answer))] or [_stem(word) for word in _words(answer)]
        if core and set(core) <= set(said) and not set(core) <= known:
            return "answer"
    new = {_stem(word) for word in _content(after)} - known
    copied = new & theirs
    if not answers and any(char.isdigit() for word in copied for char in word):
        return "number"
    if copied_run(before, after, shown) >= limits.phrase:
        return "phrase"
    content = {_stem(word) for word in _content(after)}
    if len(copied) >= limits.copied and len(copied) > limits.share * len(content):
        return "words"
    return None


def copied_run(before: Sequence[str], after: Sequence[str], shown: Sequence[str]) -> int:
    """The most words in a row of ``after`` that stand so in ``shown`` and not in ``before``.

    >>> copied_run(["x"], ["is", "a", "b", "c"], ["a", "b", "c", "d"])
    3
    """
    passage, query = f" {' '.join(shown)} ", f" {' '.join(before)} "
    longest = 0
    for start in range(len(after)):
        end = start + longest + 1
        while end <= len(after) and f" {' '.join(after[start:end])} " in passage:
            if f" {' '.join(after[start:end])} " not in query:
                longest = end - start
            end += 1
    return longest


def same(original: str, rewrite: str) -> bool:
    """Whether two queries are the same but for case, punctuation and white space.

    >>> same("Define sri!", "define SRI")
    True
    """
    return _words(original) == _words(rewrite)


def length(text: str) -> int:
    """Words of a query.

    >>> length("define sri?")
    2
    """
    return len(_words(text))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _content(words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in _FUNCTION_WORDS]


def _stem(word: str) -> str:
    """Cut the endings that plural, past and the -ing form have: enough to see that a word was there before."""
    for ending in ("ies", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word
