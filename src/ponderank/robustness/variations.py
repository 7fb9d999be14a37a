"""A query said otherwise: typing errors, fewer words, another order, a paraphrase by rule. Pure; the same seed says the same.

Source: Penha, Câmara and Hauff, ECIR 2022, for the four classes and six of the operations.
Differs: a typing error hits one word in ten of those that carry meaning, at least one, which is our choice (theirs are TextAttack's
defaults); negations are never removed, since the question would be another one; paraphrases are rules of ours where theirs are
models, so that no model is needed and no human has to weed them; synonyms are a short table of general words, without embeddings.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from ponderank.errors import DataError
from ponderank.recipe import nearest
from ponderank.robustness.paraphrases import framed, other_spelling, synonyms

Kind = Literal["misspelling", "naturality", "ordering", "paraphrase"]

_LETTERS = re.compile(r"[^\W\d_]{3,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHIFTS = (0.0, 0.25, 0.75)
"""How far a row of the keyboard stands to the right of the first, in keys."""
_MARKS = ".,;:!?\"'()[]{}…“”‘’"


@dataclass(frozen=True, slots=True)
class Variation:
    """One way to say a query otherwise: ``make(text, rng)`` gives the other text, or the same where it does not apply.

    >>> VARIATIONS["no-stopwords"].of("what is the boiling point of water", seed=0)
    'boiling point water'
    >>> VARIATIONS["no-stopwords"].of("boiling point", seed=0) is None
    True
    """

    name: str
    kind: Kind
    about: str
    make: Callable[[str, random.Random], str]

    def of(self, text: str, seed: int) -> str | None:
        """The query said otherwise; None where that is nothing, or the same words again: not applicable is not robust."""
        made = self.make(text, random.Random(f"{seed}|{self.name}|{text}"))
        return made if made.split() and made.split() != text.split() else None


@cache
def stopwords() -> frozenset[str]:
    """English words without a meaning of their own (NLTK's list, as bm25s has it), without those that negate.

    >>> "the" in stopwords(), "not" in stopwords()
    (True, False)
    """
    from bm25s.stopwords import STOPWORDS_EN_PLUS

    return frozenset(word for word in STOPWORDS_EN_PLUS if not _negates(word))


def _negates(word: str) -> bool:
    return word in ("no", "nor", "not", "never", "without", "none", "neither") or word.endswith("n't")


def _bare(word: str) -> str:
    return word.strip(_MARKS).lower()


def _mistyped(text: str, rng: random.Random, typed: Callable[[str, random.Random], str]) -> str:
    """The text with one in ten of its meaningful words, at least one, typed wrongly."""
    found = [match for match in _LETTERS.finditer(text) if match.group().lower() not in stopwords()]
    wrong: dict[int, str] = {}
    for match in rng.sample(found, len(found)):
        made = typed(match.group(), rng)
        if made != match.group():
            wrong[match.start()] = made
        if len(wrong) >= max(1, len(found) // 10):
            break
    return _LETTERS.sub(lambda match: wrong.get(match.start(), match.group()), text)


def _swapped(word: str, rng: random.Random) -> str:
    places = [i for i in range(len(word) - 1) if word[i] != word[i + 1]]
    if not places:
        return word
    at = rng.choice(places)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _substituted(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word))
    other = rng.choice([letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter != word[at].lower()])
    return word[:at] + (other.upper() if word[at].isupper() else other) + word[at + 1 :]


@cache
def _neighbours() -> dict[str, str]:
    """Letter → the letters beside it on an English keyboard."""
    places = {
        key: (column + shift, row)
        for row, (keys, shift) in enumerate(zip(_ROWS, _SHIFTS, strict=True))
        for column, key in enumerate(keys)
    }
    return {
        key: "".join(
            other
            for other, (x, y) in places.items()
            if (y == row and abs(x - column) == 1) or (abs(y - row) == 1 and abs(x - column) < 1)
        )
        for key, (column, row) in places.items()
    }


def _beside(word: str, rng: random.Random) -> str:
    places = [i for i, letter in enumerate(word) if letter.lower() in _neighbours()]
    if not places:
        return word
    at = rng.choice(places)
    other = rng.choice(_neighbours()[word[at].lower()])
    return word[:at] + (other.upper() if word[at].isupper() else other) + word[at + 1 :]


def _without_stopwords(text: str, rng: random.Random) -> str:
    return " ".join(word for word in text.split() if _bare(word) not in stopwords())


def _fewer(words: Sequence[str], share: float, rng: random.Random, least: int) -> str:
    """Without a share of the words, at least ``least`` of them; negations stay, and so does one word."""
    free = [at for at, word in enumerate(words) if _bare(word) and not _negates(_bare(word))]
    count = min(max(int(share * len(words)), least), len(free) - 1)
    gone = set(rng.sample(free, max(count, 0)))
    return " ".join(word for at, word in enumerate(words) if at not in gone)


def _keywords(text: str, rng: random.Random) -> str:
    words = _without_stopwords(text, rng).split()
    return _fewer(words, rng.randint(0, 65) / 100, rng, 0) if len(words) > 3 else " ".join(words)


def _plain(text: str, rng: random.Random) -> str:
    return " ".join(word for word in (_bare(word) for word in text.split()) if word)


def _shuffled(text: str, rng: random.Random) -> str:
    words = text.split()
    if len(set(words)) < 2:
        return text
    while (made := rng.sample(words, len(words))) == words:
        pass
    return " ".join(made)


VARIATIONS: dict[str, Variation] = {
    variation.name: variation
    for variation in (
        Variation("swap", "misspelling", "two neighbouring letters change places", lambda t, r: _mistyped(t, r, _swapped)),
        Variation("substitute", "misspelling", "a letter becomes another", lambda t, r: _mistyped(t, r, _substituted)),
        Variation("qwerty", "misspelling", "a letter becomes one beside it on the keyboard", lambda t, r: _mistyped(t, r, _beside)),
        Variation("no-stopwords", "naturality", "stop-words are gone", _without_stopwords),
        Variation("fewer-words", "naturality", "a fifth of the words is gone", lambda t, r: _fewer(t.split(), 0.2, r, 1)),
        Variation("keywords", "naturality", "stop-words are gone, and up to 65 % of the rest", _keywords),
        Variation("plain", "naturality", "lower case, no punctuation", _plain),
        Variation("shuffle", "ordering", "the words in another order", _shuffled),
        Variation("frame", "paraphrase", "the question inside a polite sentence", lambda t, r: framed(t)),
        Variation("synonyms", "paraphrase", "general words become others of the same meaning", lambda t, r: synonyms(t)),
        Variation("spelling", "paraphrase", "British spelling becomes American, and the other way", lambda t, r: other_spelling(t)),
    )
}  # fmt: skip
"""The variations by name."""


def chosen(names: Sequence[str] = ()) -> tuple[Variation, ...]:
    """The variations of these names, in the table's order; all without names.

    Raises:
        DataError: no such variation.
    """
    for name in names:
        if name not in VARIATIONS:
            raise DataError(f"no query variation {name!r}; {nearest(name, VARIATIONS)}")
    return tuple(variation for variation in VARIATIONS.values() if not names or variation.name in names)
