"""What a collection wants to be known about it, beside its documents, queries and judgements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ponderank.errors import DataError

FILE = "collection.json"
"""Where a collection's folder keeps its facts."""

PLAIN = ("nDCG@10", "RR@10", "R@100", "AP")
"""Measures of a collection that asks for no others."""


@dataclass(frozen=True, slots=True)
class Facts:
    """How a collection is to be used.

    Args:
        name: what it was opened as.
        about: one line about it.
        licence: of the data, as far as it is known.
        split: the split to take if none is asked for; empty where only the splits' names can tell.
        measures: what it is measured by, the main one first, in ir-measures' words and ours.
        relevant: the lowest grade that counts as relevant in binary measures.
        drop_self: a document with its query's id is no candidate (ArguAna, Quora).
        pairs: queries come in pairs, ``X_q1`` and ``X_q2``, with the same two documents (NevIR).
        prompt: the dataset prompt that Rank1 was run with, by the name in ``formats.rank1_prompts``; empty for none.
        given: the candidates are given, in ``first.trec``; a first stage of one's own is another task.
        excluded: query id → documents that must not be its candidates (BRIGHT).
        changed: X → documents that are relevant to the query ``X-og`` and not to ``X-changed`` (FollowIR).
    """

    name: str = ""
    about: str = ""
    licence: str = ""
    split: str = ""
    measures: tuple[str, ...] = PLAIN
    relevant: int = 1
    drop_self: bool = False
    pairs: bool = False
    prompt: str = ""
    given: bool = False
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def to_json(self) -> str:
        """The facts that are not the usual ones, as ``read_facts`` reads them.

        >>> Facts("x", drop_self=True).to_json()
        '{"name": "x", "drop_self": true}\\n'
        """
        usual = asdict(Facts())
        told = {key: value for key, value in asdict(self).items() if value != usual[key]}
        return json.dumps(told, ensure_ascii=False) + "\n"


def read_facts(folder: Path) -> Facts:
    """The facts of a collection's folder; the usual ones where it has no ``collection.json``.

    Raises:
        DataError: the file is not one of ours.
    """
    path = folder / FILE
    if not path.is_file():
        return Facts(name=folder.name)
    try:
        told = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"not JSON: {error}; remove the file or open the collection again", path=path) from error
    known = {one.name: one for one in fields(Facts)}
    if not isinstance(told, dict) or set(told) - set(known):
        raise DataError(f"expected an object with some of {', '.join(known)}", path=path)
    usual = asdict(Facts())
    for key, value in told.items():
        if not isinstance(value, list if isinstance(usual[key], tuple) else type(usual[key])):
            raise DataError(f"{key} is {value!r}; expected something like {usual[key]!r}", path=path)
    return Facts(**{key: _frozen(value) for key, value in told.items()})


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(str, value))
    if isinstance(value, dict):
        return {str(key): tuple(map(str, inner)) for key, inner in value.items()}
    return value
