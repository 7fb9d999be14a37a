"""Which stretches of a document a thought speaks of: what it quotes, word for word."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ponderank.types import Span

_WORD = re.compile(r"\w+")
_LEAST = 4
"""Words in a row that count as a quotation: three are common speech."""


def quoted(thought: str, text: str, keep: int = 3) -> tuple[Span, ...]:
    """The longest stretches of ``text`` that stand in ``thought`` word for word, longest first; ``score`` is their words.

    Upper case, punctuation and white space do not count. Time grows with the lengths, not with their product.

    >>> text = "Penguins live far south. They cannot fly."
    >>> [text[s.start:s.end] for s in quoted("It says that penguins live far south, so yes.", text)]
    ['Penguins live far south']
    """
    words = list(_WORD.finditer(text))
    told = [word.lower() for word in _WORD.findall(thought)]
    own = [word.group().lower() for word in words]
    starts: dict[tuple[str, ...], list[int]] = {}
    for at in range(len(told) - _LEAST + 1):
        places = starts.setdefault(tuple(told[at : at + _LEAST]), [])
        if len(places) < 8:  # a phrase said over and over is quoted once
            places.append(at)
    found, at = [], 0
    while at <= len(own) - _LEAST:
        length = max((_run(own, at, told, place) for place in starts.get(tuple(own[at : at + _LEAST]), ())), default=0)
        if length:
            found.append((length, at))
        at += max(length, 1)
    found.sort(key=lambda item: (-item[0], item[1]))
    return tuple(Span(words[at].start(), words[at + n - 1].end(), float(n)) for n, at in found[:keep])


def _run(a: Sequence[str], i: int, b: Sequence[str], j: int) -> int:
    """How many words are the same from ``a[i]`` and ``b[j]`` on."""
    n = 0
    while i + n < len(a) and j + n < len(b) and a[i + n] == b[j + n]:
        n += 1
    return n
