"""A recipe names a published system: a model, a format, a strategy and the paper. It is a value in a table."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ponderank.contracts import Format, Strategy
from ponderank.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to run: ``model`` names the weights (``"embedded"``, a folder, or a hub id), the rest how they are asked.

    Comparable, printable, and a mapping of plain values through ``to_dict`` and ``from_dict``.
    """

    name: str
    model: str
    format: Format
    strategy: Strategy
    paper: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "name": self.name,
            "model": self.model,
            "format": _part(self.format),
            "strategy": _part(self.strategy),
            "paper": self.paper,
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], kinds: Iterable[type]) -> Recipe:
        """The recipe that ``to_dict`` wrote; ``kinds`` are the classes its parts may be made of."""
        known = {kind.__name__: kind for kind in kinds}
        return cls(**{**values, "format": _read(values["format"], known), "strategy": _read(values["strategy"], known)})


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that ends an error message: the known names closest to ``name``, or all of them.

    >>> nearest("defualt", ["default", "rank1"])
    'did you mean default?'
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"


def _part(part: Any) -> dict[str, Any]:
    values = {}
    for field in dataclasses.fields(part):
        if field.init:
            value = getattr(part, field.name)
            nested = dataclasses.is_dataclass(value) and not isinstance(value, type)
            values[field.name] = _part(value) if nested else list(value) if isinstance(value, tuple) else value
    return {"kind": type(part).__name__, **values}


def _read(values: Mapping[str, Any], known: Mapping[str, type]) -> Any:
    kind = values.get("kind", "")
    if kind not in known:
        raise RecipeError(f"no part is named {kind!r}; {nearest(str(kind), known)}")
    fields = {
        name: _read(value, known) if isinstance(value, Mapping) else tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if name != "kind"
    }
    try:
        return known[kind](**fields)
    except TypeError as error:
        raise RecipeError(f"{kind}: {error}") from error
