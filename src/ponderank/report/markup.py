"""HTML and SVG that is safe by construction: whatever is not markup already is escaped when it is put into a tag."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"meta", "input"})
_EMPTY = frozenset({"line", "circle", "rect", "path"})
"""Elements of SVG that may close themselves."""


class Markup(str):
    """Text that is HTML or SVG already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Text as HTML; control characters and lone surrogates as U+FFFD.

    >>> escaped("<b>&\\x00")
    '&lt;b&gt;&amp;\\ufffd'
    """
    return text if isinstance(text, Markup) else Markup(html.escape(_CONTROL.sub("\ufffd", text)))


def tag(name: str, /, *inside: str, **attributes: str | float | None) -> Markup:
    """An element. ``class_`` is class, ``data_x`` is data-x; None leaves an attribute out.

    >>> tag("p", "a < b", tag("b", "c"), class_="x")
    '<p class="x">a &lt; b<b>c</b></p>'
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    words = "".join(f' {key}="{escaped(_short(value))}"' for key, value in given.items())
    body = "".join(map(escaped, inside))
    if name in _VOID:
        return Markup(f"<{name}{words}>")
    return Markup(f"<{name}{words}/>" if name in _EMPTY and not body else f"<{name}{words}>{body}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Parts in a row, each escaped unless it is markup."""
    return Markup("".join(map(escaped, parts)))


def _short(value: str | float) -> str:
    """A number with two decimals at most: a tenth of a pixel is enough for any picture."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
