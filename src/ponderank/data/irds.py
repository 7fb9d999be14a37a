"""Every collection of ir_datasets, by its id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ponderank.data.facts import PLAIN, Facts
from ponderank.data.laid_out import Parts
from ponderank.errors import DataError, MissingExtra
from ponderank.recipe import nearest
from ponderank.types import Doc, Query

_SPLITS = {"train": "train", "dev": "dev", "validation": "dev", "valid": "dev", "test": "test", "eval": "test"}
_DEEP = ("nDCG@10", "AP(rel=2)", "RR(rel=2)", "R(rel=2)@100")


def facts(name: str) -> Facts:
    """The facts of a collection: of TREC's Deep Learning tracks a passage is relevant from grade 2 on, "highly relevant".

    Source: TREC DL's overview (grade 1 is "related"); BEIR for ArguAna and Quora. Differs: nothing.

    >>> facts("msmarco-passage/trec-dl-2019/judged").measures[0], facts("msmarco-passage/dev/small").measures[0]
    ('nDCG@10', 'RR@10')
    """
    words = name.split("/")
    passages = words[0].startswith("msmarco-passage")
    deep = passages and any(word.startswith(("trec-dl-20", "trec-dl-hard")) for word in words)
    measures = _DEEP if deep else ("RR@10", "nDCG@10", "R@100") if passages and "dev" in words else PLAIN
    return Facts(
        about=f"{name} of ir_datasets",
        licence="see ir-datasets.com",
        split=_split(name),
        measures=measures,
        relevant=2 if deep else 1,
        drop_self=words[0] == "beir" and len(words) > 1 and words[1] in ("arguana", "quora"),
    )


def _split(name: str) -> str:
    return next((_SPLITS[word] for word in reversed(name.split("/")) if word in _SPLITS), "test")


def read(name: str, folder: str | None, known: Facts) -> Parts:
    """A collection of ir_datasets. Its own list of candidates (``scoreddocs``) is not taken: it is a first stage among others.

    Raises:
        DataError: no such id, or one without documents or queries.
        MissingExtra: ir_datasets is not installed.
    """
    if folder is not None:
        raise DataError("ir_datasets finds its files itself; set IR_DATASETS_HOME in place of @FOLDER", path=folder)
    try:
        import ir_datasets
    except ImportError as error:
        raise MissingExtra("collections", "ir_datasets' collections") from error
    try:
        found = ir_datasets.load(name)
    except KeyError as error:
        raise DataError(f"ir_datasets has no {name!r}; {nearest(name, list(ir_datasets.registry))}") from error
    for part in ("docs", "queries", "qrels"):
        if not getattr(found, f"has_{part}")():
            raise DataError(
                f"{name} of ir_datasets has no {part}; choose an id that has, such as msmarco-passage/dev/small"
            )
    judged: dict[str, dict[str, int]] = {}
    for one in found.qrels_iter():
        judged.setdefault(str(one.query_id), {})[str(one.doc_id)] = int(one.relevance)
    return Parts(_docs(found), list(_queries(found)), {known.split: judged}, known)


def _docs(found: Any) -> Iterator[Doc]:
    for one in found.docs_iter():
        title, text = getattr(one, "title", None), getattr(one, "text", None)
        yield Doc(
            str(one.doc_id), _whole(one) if text is None else str(text), str(title or "") if text is not None else ""
        )


def _queries(found: Any) -> Iterator[Query]:
    for one in found.queries_iter():
        text = getattr(one, "text", None)
        yield Query(str(one.query_id), _whole(one) if text is None else str(text))


def _whole(record: Any) -> str:
    """What ir_datasets itself takes for a record's text (a document's fields, a topic's title)."""
    return str(record.default_text())
