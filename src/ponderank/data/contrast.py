"""Contrast pairs: two queries and two documents, each query with the other's document as its only rival."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ponderank.data.facts import Facts
from ponderank.data.hub import Source
from ponderank.data.laid_out import Parts
from ponderank.data.lines import records, text_field
from ponderank.data.trec import Qrels
from ponderank.errors import DataError
from ponderank.types import Doc, Query

NEVIR = "orionweller/NevIR"
_MEASURES = ("PairedAccuracy",)


@dataclass(frozen=True, slots=True)
class Contrast:
    """A pair: ``queries[i]`` is answered by ``docs[i]`` and not by the other."""

    name: str
    queries: tuple[str, str]
    docs: tuple[Doc, Doc]


def nevir_facts(name: str) -> Facts:
    """NevIR's facts."""
    return Facts(
        about="NevIR: two passages that differ in a negation, a query for each; chance is .25", licence="MIT",
        split=name, measures=_MEASURES, pairs=True, given=True,
    )  # fmt: skip


def nevir(name: str, folder: str | None, known: Facts) -> Parts:
    """A split of NevIR: rows with ``id``, ``q1``, ``q2``, ``doc1``, ``doc2``.

    Source: NevIR (Weller et al., arXiv 2305.07614); ids ``X_q1``, ``X_doc1`` as in its mteb form. Differs: nothing.
    """
    source = Source(folder or NEVIR)
    pairs = []
    for line, row in source.rows(None, name):
        key = source.text(row, ("id",), None, line)
        q1, q2, d1, d2 = (source.text(row, (column,), None, line) for column in ("q1", "q2", "doc1", "doc2"))
        pairs.append(Contrast(key, (q1, q2), (Doc(f"{key}_doc1", d1), Doc(f"{key}_doc2", d2))))
    return laid_in_pairs({name: pairs}, known)


def condaqa_facts(name: str) -> Facts:
    """CondaQA's facts."""
    return Facts(
        about="CondaQA: an edit of a passage turns a question's answer from yes to no; chance is .25",
        licence="Apache-2.0", split="test" if name == "test" else "", measures=_MEASURES, pairs=True, given=True,
    )  # fmt: skip


def condaqa(name: str, folder: str | None, known: Facts) -> Parts:
    """The folder's ``SPLIT.jsonl`` files (CondaQA's own) as pairs, one for each question that has both answers.

    The queries are the question followed by ``Answer: yes`` and by ``Answer: no``; the documents are the first passage with
    either label. Questions with other answers have no pair.

    Source: CondaQA (Ravichander et al., EMNLP 2022) for passages, questions and answers. Differs: it is a reading test; the
    two queries are ours.

    Raises:
        DataError: no such files, or a line without a field; names the line.
    """
    place = Path(folder or name)
    files = sorted(place.glob("*.jsonl")) if place.is_dir() else []
    if not files:
        raise DataError("expected a folder with CondaQA's files, such as dev.jsonl", path=place)
    return laid_in_pairs({path.stem.removeprefix("condaqa_"): list(_condaqa(path)) for path in files}, known)


def _condaqa(path: Path) -> Iterator[Contrast]:
    found: dict[tuple[str, str], tuple[str, dict[str, Doc]]] = {}
    for line, row in records(path):
        passage, question, edit = (
            text_field(row, (key,), path, line) for key in ("PassageID", "QuestionID", "PassageEditID")
        )
        label = text_field(row, ("label",), path, line).strip().casefold()
        doc = Doc(f"{passage}-{edit}", text_field(row, ("sentence1",), path, line))
        text, docs = found.setdefault((passage, question), (text_field(row, ("sentence2",), path, line), {}))
        docs.setdefault(label, doc)
    for (passage, question), (text, docs) in found.items():
        if "yes" in docs and "no" in docs:
            yield Contrast(
                f"{passage}-{question}", (f"{text} Answer: yes", f"{text} Answer: no"), (docs["yes"], docs["no"])
            )


def laid_in_pairs(splits: dict[str, list[Contrast]], known: Facts) -> Parts:
    """Pairs as a collection: queries ``X_q1`` and ``X_q2``, judged on both documents, which are their candidates.

    Raises:
        DataError: no pair at all, or one document id with two texts.
    """
    queries: list[Query] = []
    qrels: dict[str, Qrels] = {}
    first: dict[str, tuple[str, ...]] = {}
    for split, pairs in splits.items():
        for pair in pairs:
            names = tuple(doc.id for doc in pair.docs)
            for at, text in enumerate(pair.queries):
                query = Query(f"{pair.name}_q{at + 1}", text)
                queries.append(query)
                qrels.setdefault(split, {})[query.id] = {doc: int(i == at) for i, doc in enumerate(names)}
                first[query.id] = names
    if not queries:
        raise DataError(f"{known.name}: no contrast pairs in it")
    docs = _once(doc for pairs in splits.values() for pair in pairs for doc in pair.docs)
    return Parts(docs, queries, qrels, known, first)


def _once(docs: Iterable[Doc]) -> list[Doc]:
    seen: dict[str, Doc] = {}
    for doc in docs:
        if seen.setdefault(doc.id, doc).text != doc.text:
            raise DataError(f"the document {doc.id!r} has two texts; ids must differ")
    return list(seen.values())
