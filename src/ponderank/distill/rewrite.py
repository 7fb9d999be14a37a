"""Rewrite a split's queries with a language model that sees a relevant passage, and write the collection to train on.

The model's answers are kept as they are, in shards; what counts as a good rewrite is decided when the collection is
written, so that other limits cost no new answers. Only queries of the split are rewritten: what is tested is asked as it
was.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.data.beir import Collection
from ponderank.data.lines import json_line, records, written
from ponderank.distill.collect import Question
from ponderank.distill.leaks import Limits, leak, length, same
from ponderank.distill.pairs import Pair
from ponderank.distill.shards import read_collected, shard_files
from ponderank.errors import DataError
from ponderank.formats.rewrite import read_rewrite, rewrite_prompt
from ponderank.formats.teacher import Trace

REWRITE = Question("rewrite", rewrite_prompt, lambda text: Trace(text, None))
"""Asks for a rewrite and keeps the answer whole."""

OUTCOMES = ("kept", "unchanged", "leaked", "flawed", "unanswered")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The pairs to ask about, each query's known answers by its id, and what became of the split's queries."""

    pairs: tuple[Pair, ...]
    answers: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One query: what it was, what the model made of it, and the ``outcome``, one of ``OUTCOMES``, with its ``reason``."""

    query_id: str
    original: str
    text: str
    doc_id: str
    outcome: str
    reason: str = ""


def wanted(collection: Collection, split: str, *, most_words: int = 0) -> Wanted:
    """The split's judged queries, each with its most relevant passage: highest grade, then first in the judgements.

    Queries that another split judges too, by id, are left as they are. ``most_words`` > 0 leaves longer queries as they
    are: short ones are those that say too little.

    Source: CAR (arXiv 2308.16753) rewrites ambiguous queries given relevant documents. Differs: how the paper tells
    ambiguous queries, and which of several relevant documents it shows, was not found.

    Raises:
        DataError: a judged passage or query is missing.
    """
    qrels = collection.qrels(split)
    others = {name for other in collection.splits if other != split for name in collection.qrels(other)}
    counts: Counter[str] = Counter(
        dict.fromkeys(("judged", "in another split", "longer", "without passage", "several"), 0)
    )
    pairs = []
    for query in collection.judged_queries(split):
        counts["judged"] += 1
        relevant = {name: grade for name, grade in qrels[query.id].items() if grade > 0}
        if query.id in others:
            counts["in another split"] += 1
        elif most_words and length(query.text) > most_words:
            counts["longer"] += 1
        elif not relevant:
            counts["without passage"] += 1
        else:
            counts["several"] += len(relevant) > 1
            best = max(relevant, key=lambda name: relevant[name])  # the first of the best: max keeps the earliest
            if best not in collection.docs:
                raise DataError(
                    f"query {query.id!r} is judged on {best!r}, which the corpus lacks", path=collection.folder
                )
            pairs.append(Pair(query, collection.docs[best], "rewrite", 1))
    asked = {pair.query.id for pair in pairs}
    found = {str(name): _answers(row) for name, row in _queries(collection) if str(name) in asked}
    return Wanted(tuple(pairs), found, dict(counts))


def judged(want: Wanted, folder: Path, limits: Limits) -> Iterator[Rewrite]:
    """What became of each pair's query, by the answers in ``folder``, in the pairs' order."""
    rows = read_collected(folder) if shard_files(folder) else iter(())
    said = {row.pair.key: (row.trace.thought, row.finish) for row in rows}
    for pair in want.pairs:
        yield _judged(pair, said.get(pair.key), want.answers.get(pair.query.id, ()), limits)


def _judged(pair: Pair, said: tuple[str, str] | None, answers: Sequence[str], limits: Limits) -> Rewrite:
    original = pair.query.text

    def ended(outcome: str, reason: str = "", text: str = "") -> Rewrite:
        return Rewrite(pair.query.id, original, text, pair.doc.id, outcome, reason)

    if said is None:
        return ended("unanswered")
    answer, finish = said
    if finish == "refused":
        return ended("flawed", "refused", answer)
    text = read_rewrite(answer, cut=finish == "length")
    if text is None:
        return ended("flawed", "cut off" if finish == "length" else "not read", answer)
    if same(original, text):
        return ended("unchanged", text=text)
    if length(text) > limits.words or not length(text):
        return ended("flawed", "too long" if length(text) else "no words", text)
    if set(text) & set("<>{}|") - set(original) or not text.isprintable():
        return ended("flawed", "markup", text)
    reason = leak(original, text, pair.doc.full_text, answers, limits)
    return ended("leaked", reason, text) if reason else ended("kept", text=text)


def write_collection(
    collection: Collection, rewrites: Iterable[Rewrite], out: Path, *, split: str = "train"
) -> Counter[str]:
    """Write ``collection`` with its queries rewritten to ``out``, and what became of each in ``rewrites.jsonl``; outcomes counted.

    A rewritten query keeps its id; ``metadata.original`` has what it was. The corpus is linked where the file system can,
    judgements are copied.

    Raises:
        DataError: ``out`` holds something else, or is the collection itself.
    """
    claim_folder(collection, out, split=split)
    counts: Counter[str] = Counter()
    kept: dict[str, Rewrite] = {}
    with written(out / "rewrites.jsonl") as file:
        for one in rewrites:
            file.write(json_line(asdict(one)))
            counts[one.outcome] += 1
            if one.outcome == "kept":
                kept[one.query_id] = one
    _same_file(collection.path("corpus.jsonl"), out)
    shutil.copytree(collection.folder / "qrels", out / "qrels", dirs_exist_ok=True)
    with written(out / "queries.jsonl") as file:
        for name, row in _queries(collection):
            file.write(json_line(_replaced(row, kept[str(name)]) if str(name) in kept else row))
    return counts


def claim_folder(collection: Collection, out: Path, *, split: str = "train") -> None:
    """See to it that ``out`` is a new folder, or one of rewrites for this split of this corpus.

    Raises:
        DataError: it is not.
    """
    source = {"corpus": collection.fingerprint(), "split": split}
    there = manifests.read(out / "source.json")
    if there is None:
        if out.is_dir() and any(out.iterdir()):
            raise DataError("this folder holds something else already; give another --out", path=out)
        out.mkdir(parents=True, exist_ok=True)
        manifests.write_whole(out / "source.json", manifests.dumped(source))
    elif there != source:
        raise DataError("this folder holds rewrites for another corpus or split; give another --out", path=out)


def report(want: Wanted, rewrites: Iterable[Rewrite], limits: Limits, *, examples: int = 5) -> dict[str, Any]:
    """What became of the queries, with examples of each outcome and reason; ready for JSON."""
    counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
    reasons: dict[str, Counter[str]] = {}
    shown: dict[str, list[dict[str, str]]] = {}
    for one in rewrites:
        counts[one.outcome] += 1
        if one.reason:
            reasons.setdefault(one.outcome, Counter())[one.reason] += 1
        some = shown.setdefault(f"{one.outcome}: {one.reason}" if one.reason else one.outcome, [])
        if len(some) < examples:
            some.append({"id": one.query_id, "original": one.original, "rewrite": one.text, "doc": one.doc_id})
    return {
        "queries": dict(want.counts), "outcomes": dict(counts), "reasons": {k: dict(v) for k, v in sorted(reasons.items())},
        "known answers": sum(1 for found in want.answers.values() if found), "limits": asdict(limits), "examples": shown,
    }  # fmt: skip


def _queries(collection: Collection) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ids and records of ``queries.jsonl``; the ids as ``Collection`` reads them."""
    names = iter(collection.queries)
    for _, row in records(collection.path("queries.jsonl")):
        yield next(names), row


def _replaced(row: dict[str, Any], one: Rewrite) -> dict[str, Any]:
    metadata = row.get("metadata")
    kept = metadata if isinstance(metadata, dict) else {}
    field = "text" if isinstance(row.get("text"), str | int | float) else "query"
    return {**row, field: one.text, "metadata": {**kept, "original": one.original}}


def _answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The answers that a query's record knows: ``answers`` or ``answer``, its own or its metadata's."""
    metadata = row.get("metadata")
    for place in (row, metadata if isinstance(metadata, dict) else {}):
        for name in ("answers", "answer"):
            value = place.get(name)
            found = [value] if isinstance(value, str) else value if isinstance(value, list) else []
            if texts := tuple(text for text in found if isinstance(text, str) and text.strip()):
                return texts
    return ()


def _same_file(path: Path, folder: Path) -> None:
    target = folder / path.name
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
