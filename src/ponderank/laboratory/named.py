"""Strategies by name, as the command line asks for them: ``window:size=10,stride=5``."""

from __future__ import annotations

import dataclasses
import importlib
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ponderank.contracts import Strategy
from ponderank.errors import DataError
from ponderank.laboratory.judges import Kind
from ponderank.recipe import nearest


@dataclass(frozen=True, slots=True)
class Contender:
    """A strategy under its name, and what kind of answer its judge gives."""

    name: str
    strategy: Strategy
    kind: Kind


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table: a class by module and name under ``ponderank.strategies``, the fields set, the kind of answer, a line of help.

    ``wide`` names fields that are set to the number of candidates.
    """

    target: str
    kind: Kind
    told: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    wide: tuple[str, ...] = ()


NAMED: Mapping[str, Entry] = {
    "pointwise": Entry("pointwise:Pointwise", "score", "each document alone"),
    "window": Entry("window:Window", "order", "a window of 20 that slides by 10, from the end (RankGPT)"),
    "one-window": Entry("window:Window", "order", "all documents in one prompt", {"stride": 1}, ("size",)),
    "top-down": Entry("top_down:TopDown", "order", "a pivot from the first window, then the rest against it (TDPart)"),
    "setwise-heapsort": Entry("setwise:SetwiseHeapsort", "choice", "a heap of children, the best of each family (Setwise)"),
    "setwise-bubble": Entry("setwise:SetwiseBubble", "choice", "the best bubbles up (Setwise)"),
    "rank-r1": Entry("setwise:SetwiseHeapsort", "choice", "a heap with 19 children (Rank-R1)", {"children": 19, "shuffle": 0}),
    "pairs-all": Entry("pairs:AllPairs", "pair", "every pair in both orders (PRP-Allpair)"),
    "prp-allpair": Entry("pairs:AllPairs", "pair", "the same"),
    "prp-heapsort": Entry("pairs:PairHeapsort", "pair", "a heap of pairs, both orders (PRP-Heapsort)"),
    "prp-sliding": Entry("pairs:PairSliding", "pair", "passes of neighbours, both orders (PRP-Sliding-10)"),
    "pair-quicksort": Entry("pairs:PairQuicksort", "pair", "quickselect by pairs"),
    "pair-mergesort": Entry("pairs:PairMergesort", "pair", "merging by pairs"),
    "swiss": Entry("pairs:SwissRounds", "pair", "rounds of pairs with equal points"),
    "tourrank": Entry("tourrank:TourRank", "order", "groups, the better ones go on (TourRank)"),
    "tournament-sort": Entry("tournament:TournamentSort", "order", "a tournament for each place (ListT5)"),
    "jointrank": Entry("blocks:Blocks", "order", "overlapping blocks, PageRank over their pairs (JointRank)"),
    "groups": Entry("groups:Groups", "grades", "grades in groups of 10, twice (GroupRank)"),
    "elimination": Entry("elimination:Elimination", "worst", "the worst leaves, one by one (IRanker)"),
    "self-consistency": Entry("repeat:Repeat", "order", "shuffled, many times (self-consistency)", {"strategy": "window"}),
}  # fmt: skip
"""What may be asked for; also ``window-SIZE-STRIDE``."""

_WINDOW = re.compile(r"window-(\d+)-(\d+)")


def contender(text: str, depth: int = 100) -> Contender:
    """The strategy of ``NAME`` or ``NAME:field=value,…``; ``depth`` is the number of candidates, for those that need it.

    Fields are the strategy's own and typed by it. A field that is a strategy takes a name, and its fields are set behind a dot:
    ``self-consistency:times=10,strategy=window,strategy.size=10``.

    Raises:
        DataError: an unknown name (with the nearest ones), an unknown field (with those allowed), or a value it does not take.

    >>> contender("pointwise:prior_weight=0.5").strategy
    Pointwise(prior_weight=0.5)
    """
    name, _, words = text.strip().partition(":")
    window = _WINDOW.fullmatch(name)
    if window:
        entry = NAMED["window"]
        fields: dict[str, Any] = {"size": int(window[1]), "stride": int(window[2])}
    elif name in NAMED:
        entry = NAMED[name]
        fields = {**entry.fields, **dict.fromkeys(entry.wide, max(depth, 2))}
    else:
        raise DataError(f"no strategy {name!r}; {nearest(name, NAMED)} (also window-SIZE-STRIDE)")
    strategy, kind = _made(entry, _settings(words, text), fields, text, depth)
    return Contender(text.strip(), strategy, kind or entry.kind)


def _settings(words: str, text: str) -> dict[str, str]:
    """``a=1,b=2`` as a mapping."""
    out: dict[str, str] = {}
    for word in filter(None, words.split(",")):
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise DataError(f"strategy {text!r}: {word!r} is no setting; they are written field=value")
        out[name.strip()] = value.strip()
    return out


def _made(
    entry: Entry, given: Mapping[str, str], fields: dict[str, Any], text: str, depth: int
) -> tuple[Strategy, Kind | None]:
    made = _class(entry.target)
    hints = typing.get_type_hints(made)
    allowed = [one.name for one in dataclasses.fields(made) if one.init]
    kind: Kind | None = None
    inner = {name: value for name, value in given.items() if "." in name}
    for name, value in given.items():
        if name in inner and name.partition(".")[0] in allowed:
            continue
        if name not in allowed:
            raise DataError(f"strategy {text!r} has no field {name!r}; it has {', '.join(allowed) or 'none'}")
        fields[name] = value if hints[name] is Strategy else _typed(value, hints[name], f"strategy {text!r}: {name}")
    for name in allowed:
        if hints[name] is Strategy:
            own = {key.partition(".")[2]: value for key, value in inner.items() if key.startswith(f"{name}.")}
            words = ",".join(f"{key}={value}" for key, value in own.items())
            found = contender(f"{fields[name]}:{words}", depth)
            fields[name], kind = found.strategy, found.kind
        elif any(key.startswith(f"{name}.") for key in inner):
            raise DataError(f"strategy {text!r}: the field {name!r} is no strategy; it has no fields of its own")
    try:
        return made(**fields), kind
    except (ValueError, TypeError) as error:
        raise DataError(f"strategy {text!r}: {error}") from error


def _class(target: str) -> Any:
    module, name = target.split(":")
    return getattr(importlib.import_module(f"ponderank.strategies.{module}"), name)


def _typed(value: str, hint: Any, what: str) -> Any:
    """A value of the type that the field has."""
    union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    options = typing.get_args(hint) if union else (hint,)
    if type(None) in options and value.lower() == "none":
        return None
    for option in options:
        if typing.get_origin(option) is Literal:
            if value in typing.get_args(option):
                return value
            raise DataError(f"{what} is {value!r}; it is {' or '.join(map(str, typing.get_args(option)))}")
        read = _READERS.get(option)
        if read is not None:
            try:
                return read(value)
            except (ValueError, KeyError):
                continue
    names = " or ".join("none" if one is type(None) else getattr(one, "__name__", str(one)) for one in options)
    raise DataError(f"{what} is {value!r}; give {names}")


_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_READERS: Mapping[Any, Any] = {int: int, float: float, str: str, bool: lambda value: _TRUTHS[value.lower()]}
