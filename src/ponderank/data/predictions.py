"""Others' result files as runs, and runs as theirs: rank_llm's results, mteb's predictions, BRIGHT's ``score.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ponderank.data.lines import open_text, records, text_field, written
from ponderank.data.trec import Run
from ponderank.errors import DataError
from ponderank.types import Doc, Ranking

META = "mteb_model_meta"
"""The key of an mteb prediction file that is no subset."""


def read_results(path: str | Path) -> Run:
    """Read rank_llm's results: JSONL, or a JSON array of the same, ``{"query": {"qid"}, "candidates": [{"docid", "score"}]}``.

    The candidates' order is the ranking, as rank_llm writes it; scores that contradict it (rank_llm keeps the first stage's
    at times) are replaced by ``n - position``. The texts may be missing.

    Raises:
        DataError: another shape, a query or a document twice.
    """
    run: Run = {}
    for line, record in _objects(path):
        query, given = record.get("query"), record.get("candidates")
        if (
            not isinstance(query, dict)
            or not isinstance(given, list)
            or not all(isinstance(one, dict) for one in given)
        ):
            raise DataError(
                "expected 'query' with an object and 'candidates' with a list of objects, as rank_llm writes them",
                path=path, line=line,
            )  # fmt: skip
        name = text_field(query, ("qid", "id"), path, line)
        docs = [text_field(one, ("docid", "id"), path, line) for one in given]
        if name in run or len(set(docs)) != len(docs):
            what = f"query {name!r}" if name in run else f"a document of query {name!r}"
            raise DataError(f"{what} stands twice; keep one of the two", path=path, line=line)
        run[name] = list(zip(docs, _falling([one.get("score") for one in given]), strict=True))
    return run


def _falling(scores: Sequence[Any]) -> list[float]:
    """The scores if they are numbers that fall or stay, else ``n - position``."""
    known = all(isinstance(one, int | float) and math.isfinite(one) for one in scores)
    if known and all(a >= b for a, b in pairwise(scores)):
        return [float(one) for one in scores]
    return [float(len(scores) - position) for position in range(len(scores))]


def _objects(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file by line, or those of one JSON array by number."""
    with open_text(path) as file:
        array = file.read(4096).lstrip().startswith("[")
    if not array:
        yield from records(path)
        return
    value = _json(path)
    for number, one in enumerate(value, 1):
        if not isinstance(one, dict):
            raise DataError(f"item {number} is no object but {type(one).__name__}", path=path)
        yield number, one


def _json(path: str | Path) -> Any:
    try:
        with open_text(path) as file:
            return json.load(file)
    except json.JSONDecodeError as error:
        raise DataError(
            f"malformed JSON at column {error.colno} ({error.msg})", path=path, line=error.lineno
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8 ({error.reason} at byte {error.start}); convert the file to UTF-8", path=path
        ) from error


def write_results(rankings: Sequence[Ranking], path: str | Path) -> None:
    """Write what rank_llm reads as results: JSONL, or one array where the name ends in ``.json``; scores as ranked."""
    rows = [
        {
            "query": {"text": one.query.text, "qid": one.query.id},
            "candidates": [
                {"docid": doc.id, "score": score, "doc": _doc(doc)}
                for doc, score in zip(one.docs, one.scores, strict=True)
            ],
        }
        for one in rankings
    ]
    with written(path) as file:
        if str(path).removesuffix(".gz").endswith(".json"):
            json.dump(rows, file, ensure_ascii=False, indent=2)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _doc(doc: Doc) -> dict[str, str]:
    return {"title": doc.title, "contents": doc.text} if doc.title else {"contents": doc.text}


def read_predictions(path: str | Path, *, subset: str | None = None, split: str | None = None) -> Run:
    """Read mteb's ``TASK_predictions.json``, or scores alone as BRIGHT writes them (``{query: {document: score}}``).

    ``subset`` and ``split`` may be left out where there is one only. Ties keep the file's order.

    Raises:
        DataError: another shape, or several subsets or splits and no choice.
    """
    value = _json(path)
    if not isinstance(value, dict):
        raise DataError(f"expected an object of queries or of mteb's subsets, found {type(value).__name__}", path=path)
    if META in value or subset is not None or split is not None:
        subsets = {key: inner for key, inner in value.items() if key != META}
        value = _chosen(_chosen(subsets, subset, "subset", path), split, "split", path)
    run: Run = {}
    for query, docs in value.items():
        if not isinstance(docs, dict):
            raise DataError(f"query {query!r} has {type(docs).__name__}; expected documents with scores", path=path)
        for doc, score in docs.items():
            if isinstance(score, bool) or not isinstance(score, int | float) or math.isnan(score):
                raise DataError(
                    f"query {query!r}, document {doc!r}: the score is {score!r}; expected a number", path=path
                )
        run[query] = sorted(((doc, float(score)) for doc, score in docs.items()), key=lambda item: -item[1])
    return run


def _chosen(value: Any, name: str | None, what: str, path: str | Path) -> dict[str, Any]:
    have = ", ".join(value) if isinstance(value, dict) else "none"
    if not isinstance(value, dict) or (name is not None and name not in value):
        raise DataError(f"no {what} {name!r} in this prediction file; it has {have}", path=path)
    if name is None and len(value) != 1:
        raise DataError(f"this prediction file has the {what}s {have}; choose one", path=path)
    inner = value[name if name is not None else next(iter(value))]
    if not isinstance(inner, dict):
        raise DataError(f"the {what} {name!r} holds {type(inner).__name__}; expected an object", path=path)
    return inner


def write_predictions(
    run: Mapping[str, Sequence[tuple[str, float]]], path: str | Path, *, subset: str = "default", split: str = "test",
    model: str = "ponderank/ponderank", revision: str = "",
) -> None:  # fmt: skip
    """Write what mteb's ``convert_to_reranking`` and ``read_predictions`` read. Another subset or split of a file stays.

    Scores become ``n - position``: mteb breaks ties by document id.
    """
    there = (
        _json(path)
        if str(path) != "-" and Path(path).is_file()
        else {META: {"model_name": model, "revision": revision}}
    )
    if not isinstance(there, dict):
        raise DataError("expected an mteb prediction file (an object); give another name", path=path)
    ranked = {
        query: {doc: float(len(docs) - position) for position, (doc, _) in enumerate(docs)}
        for query, docs in run.items()
    }
    there.setdefault(subset, {})[split] = ranked
    with written(path) as file:
        json.dump(there, file, ensure_ascii=False)
