"""Runs and judgements as files: TREC's formats, and BEIR's tsv for judgements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from ponderank.data.lines import lines, written
from ponderank.errors import DataError

Qrels: TypeAlias = dict[str, dict[str, int]]
"""Query id → document id → grade."""

Run: TypeAlias = dict[str, list[tuple[str, float]]]
"""Query id → (document id, score), best first."""


def read_run(path: str | Path) -> Run:
    """Read ``qid Q0 docid rank score tag`` lines; sorted by score, ties in the file's order. The rank column is ignored.

    Raises:
        DataError: a line with other than six columns, a score that is no number, a document twice for one query.
    """
    run: dict[str, dict[str, float]] = {}
    for number, line in lines(path):
        columns = line.split()
        if len(columns) != 6:
            raise DataError(
                f"expected 6 columns 'qid Q0 docid rank score tag', found {len(columns)}: {line[:80]!r}",
                path=path,
                line=number,
            )
        query, _, doc, _, score, _ = columns
        try:
            value = float(score)
        except ValueError as error:
            raise DataError(
                f"the score (5th column) is {score!r}; expected a number", path=path, line=number
            ) from error
        if math.isnan(value):
            raise DataError("the score (5th column) is NaN; expected a number", path=path, line=number)
        if doc in run.setdefault(query, {}):
            raise DataError(
                f"document {doc!r} stands twice for query {query!r}; keep one line of the two", path=path, line=number
            )
        run[query][doc] = value
    return {query: sorted(docs.items(), key=lambda item: -item[1]) for query, docs in run.items()}


def write_run(
    rankings: Mapping[str, Sequence[str]] | Iterable[tuple[str, Sequence[str]]],
    path: str | Path,
    *,
    tag: str = "ponderank",
) -> None:
    """Write document ids, best first, as a TREC run.

    The written scores are ``n - rank + 1``: strictly decreasing whole numbers, so that no evaluator's tie rule and no
    rounding to 32 bits can reorder a ranking.

    Raises:
        DataError: an id or the tag is empty or has white space, which the format cannot hold.

    >>> import sys; write_run({"q1": ["b", "a"]}, "-", tag="t")
    q1 Q0 b 1 2 t
    q1 Q0 a 2 1 t
    """
    items = rankings.items() if isinstance(rankings, Mapping) else rankings
    _word(tag, "tag", path)
    with written(path) as file:
        for query, docs in items:
            _word(query, "query id", path)
            for rank, doc in enumerate(docs, 1):
                file.write(f"{query} Q0 {_word(doc, 'document id', path)} {rank} {len(docs) - rank + 1} {tag}\n")


def _word(value: str, what: str, path: str | Path) -> str:
    if value.split() != [value]:
        raise DataError(
            f"the {what} {value!r} is empty or has white space, which a TREC run cannot hold; rename it", path=path
        )
    return value


def read_qrels(path: str | Path) -> Qrels:
    """Read judgements: TREC's ``qid iter docid grade``, or BEIR's tab-separated ``qid docid grade`` with or without header.

    Raises:
        DataError: a line of another shape, a grade that is no whole number, a pair judged twice with different grades.
    """
    out: Qrels = {}
    for number, line in lines(path):
        columns = line.split("\t") if line.count("\t") == 2 else line.split()
        if "\t" in line and line.count("\t") not in (2, 3):
            raise DataError(
                f"found {line.count(chr(9))} tabs; expected 2 (BEIR: query-id corpus-id score) or 3 (TREC: qid iter docid grade)",
                path=path, line=number,
            )  # fmt: skip
        if len(columns) not in (3, 4):
            raise DataError(
                f"expected 3 columns (BEIR) or 4 (TREC), found {len(columns)}: {line[:80]!r}", path=path, line=number
            )
        query, doc, grade = columns[0].strip(), columns[-2].strip(), columns[-1].strip()
        if number == 1 and grade in ("score", "relevance", "label", "rel"):
            continue
        try:
            value = int(grade) if grade.lstrip("+-").isdigit() else _whole(float(grade))
        except ValueError as error:
            raise DataError(
                f"the grade (last column) is {grade!r}; expected a whole number", path=path, line=number
            ) from error
        if out.setdefault(query, {}).setdefault(doc, value) != value:
            raise DataError(
                f"query {query!r} and document {doc!r} were judged {out[query][doc]} before and {value} here; keep one",
                path=path,
                line=number,
            )
    return out


def _whole(value: float) -> int:
    if value != int(value):
        raise ValueError(value)
    return int(value)


def write_qrels(qrels: Mapping[str, Mapping[str, int]], path: str | Path) -> None:
    """Write TREC judgements, ``qid 0 docid grade``."""
    with written(path) as file:
        for query, docs in qrels.items():
            for doc, grade in docs.items():
                file.write(f"{_word(query, 'query id', path)} 0 {_word(doc, 'document id', path)} {grade}\n")
