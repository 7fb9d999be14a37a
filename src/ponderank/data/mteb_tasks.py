"""Any retrieval or reranking task of mteb, loaded by mteb itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ponderank.data.facts import Facts
from ponderank.data.laid_out import Parts
from ponderank.data.trec import Qrels
from ponderank.errors import DataError, MissingExtra
from ponderank.types import Doc, Query

_MAIN = {"p-MRR": "pMRR", "paired_accuracy": "PairedAccuracy"}


def facts(name: str) -> Facts:
    """What can be said before the task is loaded."""
    return Facts(about=f"{name} of mteb")


def read(name: str, folder: str | None, known: Facts) -> Parts:
    """The task ``NAME`` or, of a task with several subsets, ``NAME/SUBSET``.

    Raises:
        DataError: mteb has no such task, or cannot load it.
        MissingExtra: mteb is not installed.
    """
    if folder is not None:
        raise DataError("mteb finds its files itself; set HF_HOME in place of @FOLDER", path=folder)
    try:
        import mteb
    except ImportError as error:
        raise MissingExtra("mteb", "mteb's tasks") from error
    task, _, subset = name.partition("/")
    try:
        found = mteb.get_task(task)
    except KeyError as error:
        raise DataError(f"mteb has no task {task!r}: {' '.join(str(error).split())[:200]}") from error
    return of_task(found, subset, known)


def of_task(task: Any, subset: str, known: Facts) -> Parts:
    """A task of mteb as a collection: its subset, all its splits, its instructions, its candidates.

    Raises:
        DataError: it is no retrieval task, has no such subset, or cannot be loaded.
    """
    name = task.metadata.name
    if not hasattr(task, "convert_v1_dataset_format_to_v2"):
        raise DataError(f"{name} of mteb is no retrieval or reranking task but {task.metadata.type}")
    try:
        if not task.data_loaded:
            task.load_data()
        task.convert_v1_dataset_format_to_v2(None)
    except Exception as error:
        raise DataError(f"mteb cannot load {name}: {' '.join(str(error).split())[:300]}") from error
    if not subset and len(task.dataset) != 1:
        raise DataError(f"{name} has the subsets {', '.join(task.dataset)}; choose one: mteb:{name}/SUBSET")
    subset = subset or next(iter(task.dataset))
    if subset not in task.dataset:
        raise DataError(f"{name} has no subset {subset!r} but {', '.join(task.dataset)}")
    splits: Mapping[str, Any] = task.dataset[subset]
    return _parts(splits, _told(task, splits, known))


def _told(task: Any, splits: Mapping[str, Any], known: Facts) -> Facts:
    from dataclasses import replace

    main = str(task.metadata.main_score)
    measure = _MAIN.get(main) or _measure(main)
    rest = tuple(one for one in known.measures if one != measure)
    return replace(
        known,
        licence=str(task.metadata.license or ""),
        split=next(iter(splits)) if len(splits) == 1 else "",
        measures=(measure, *rest) if measure else known.measures,
        pairs=main == "paired_accuracy",
        drop_self=bool(task.ignore_identical_ids),
        given=any(one["top_ranked"] is not None for one in splits.values()),
    )


def _measure(main: str) -> str:
    """Mteb's name of a measure in ours; empty if it has none.

    >>> _measure("ndcg_at_10"), _measure("recall_at_5"), _measure("v_measure")
    ('nDCG@10', 'R@5', '')
    """
    name, _, at = main.partition("_at_")
    ours = {"ndcg": "nDCG", "map": "AP", "mrr": "RR", "recall": "R", "precision": "P", "hit_rate": "Success"}.get(name)
    return f"{ours}@{at}" if ours and at.isdigit() else ""


def _parts(splits: Mapping[str, Any], known: Facts) -> Parts:
    queries: dict[str, Query] = {}
    qrels: dict[str, Qrels] = {}
    first: dict[str, tuple[str, ...]] = {}
    for split, one in splits.items():
        for row in one["queries"]:
            text = row["text"]
            if not isinstance(text, str):
                raise DataError(f"{known.name}: query {row['id']!r} is no text but {type(text).__name__}")
            queries[str(row["id"])] = Query(str(row["id"]), text, str(row.get("instruction") or ""))
        qrels[split] = {
            str(query): {str(doc): int(grade) for doc, grade in docs.items()}
            for query, docs in one["relevant_docs"].items()
        }
        for query, docs in (one["top_ranked"] or {}).items():
            first[str(query)] = tuple(map(str, docs))
    return Parts(_docs(splits), list(queries.values()), qrels, known, first if known.given else None)


def _docs(splits: Mapping[str, Any]) -> Iterator[Doc]:
    seen: set[str] = set()
    for one in splits.values():
        for row in one["corpus"]:
            if str(row["id"]) not in seen:
                seen.add(str(row["id"]))
                yield Doc(str(row["id"]), str(row["text"]), str(row.get("title") or ""))
