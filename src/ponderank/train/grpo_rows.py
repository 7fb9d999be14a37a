"""What rollouts are drawn of: groups of a query's documents, as ids, in the order in which a training asks for them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.backends.pairs import clean
from ponderank.contracts import Format
from ponderank.data.beir import Collection
from ponderank.data.trec import read_run
from ponderank.errors import DataError
from ponderank.retrieval.bm25 import BM25Index
from ponderank.retrieval.runs import candidates
from ponderank.train.grpo_config import Reinforce
from ponderank.train.rollouts import Asked, ask
from ponderank.types import Doc, Query

_DEPTH = 100
"""Candidates of a query from which irrelevant documents are drawn."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A query, its relevant documents with their grades, and what else was found."""

    query: Query
    relevant: tuple[tuple[Doc, float], ...]
    others: tuple[tuple[Doc, float], ...]


def offers(collection: Collection, split: str, least: int) -> list[Offer]:
    """The split's queries with a relevant document and ``least`` documents in all: judged ones, and those of the first stage.

    The first stage is the collection's ``first.trec``, or BM25. What it found and nobody judged is taken to be irrelevant.

    Raises:
        DataError: there is none.
    """
    qrels = collection.qrels(split)
    queries = collection.judged_queries(split)
    first = next((p for p in (collection.folder / n for n in ("first.trec", "first.trec.gz")) if p.is_file()), None)
    if first is not None:
        found = list(candidates(collection, first, queries, _DEPTH))
    else:
        found = BM25Index.build(collection.corpus()).search(queries, _DEPTH)
    kept = []
    for one in found:
        grades = {name: float(grade) for name, grade in qrels[one.query.id].items() if name in collection.docs}
        right = tuple((collection.docs[name], grade) for name, grade in grades.items() if grade > 0)
        wrong = {name: collection.docs[name] for name, grade in grades.items() if grade <= 0}
        wrong |= {doc.id: doc for doc in one.docs if doc.id not in grades}
        if right and len(right) + len(wrong) >= least:
            kept.append(Offer(one.query, right, tuple((doc, grades.get(name, 0.0)) for name, doc in wrong.items())))
    if not kept:
        raise DataError(
            f"no query of the split {split!r} has a relevant document and {least} documents in all; lower documents",
            path=collection.folder,
        )
    return kept


def drawn(offer: Offer, config: Reinforce, rng: random.Random) -> list[tuple[Doc, float]]:
    """The documents of one group: so many relevant ones, others, and relevant ones again where there are too few others."""
    right, others = list(offer.relevant), list(offer.others)
    rng.shuffle(right)
    rng.shuffle(others)
    first = right[: config.relevant]
    wanted = config.documents - len(first)
    rest = [*others, *right[config.relevant :]][:wanted]
    chosen = [*first, *rest]
    rng.shuffle(chosen)
    return chosen


def groups(many: Sequence[Offer], count: int, config: Reinforce) -> Iterator[tuple[Query, list[tuple[Doc, float]]]]:
    """``count`` groups: all queries in random order, again and again, with other documents each time."""
    rng = random.Random(config.seed)
    for number in range(count):
        if number % len(many) == 0:
            order = rng.sample(range(len(many)), len(many))
        offer = many[order[number % len(many)]]
        yield offer.query, drawn(offer, config, rng)


def write_groups(
    config: Reinforce, form: Format, collection: Collection, split: str, teacher: Path | None, place: Path
) -> dict[str, int]:
    """Write the training's prompts, in order, into ``place/rows.arrow``; returns the counts, and the number of steps.

    One row is one document: ``prompt`` (ids), its ``opening``, texts, ``grade``, ``teacher`` (a score, or nothing), and where it
    belongs (``group``, ``place``).

    Raises:
        DataError: no queries, a prompt that no cut makes short enough, or a document that the teacher's run lacks.
    """
    from datasets import Features, List, Value
    from datasets.arrow_writer import ArrowWriter

    from ponderank.backends.prompts import PromptTokenizer

    many = offers(collection, split, config.documents)
    steps = config.steps or config.updates * math.ceil(config.epochs * len(many) / config.queries)
    count = math.ceil(steps / config.updates) * config.queries
    tokenizer = PromptTokenizer(place / "tokenizer")
    scores = _scores(teacher)
    words = ("query_id", "query", "instruction", "doc_id", "title", "text", "opening")
    features = Features({
        "prompt": List(Value("int32")), **{name: Value("string") for name in words}, "grade": Value("float64"),
        "teacher": Value("float64"), "group": Value("int64"), "place": Value("int64"),
    })  # fmt: skip
    shortened, made = 0, place / "rows.arrow.tmp"
    with ArrowWriter(path=str(made), features=features) as writer:
        for number, (query, docs) in enumerate(groups(many, count, config)):
            for at, (doc, grade) in enumerate(docs):
                asked = ask(form, query, doc, tokenizer, config.prompt_tokens)
                if asked.too_long:
                    raise DataError(
                        f"query {query.id!r} with document {doc.id!r} does not fit into {config.prompt_tokens} tokens with nothing "
                        "left of the document; --set prompt_tokens to more"
                    )
                shortened += asked.cut_tokens > 0
                known = _known(scores, query.id, doc.id, teacher) if teacher else None
                writer.write(_row(asked, query, doc) | {"grade": grade, "teacher": known, "group": number, "place": at})
        writer.finalize()
    made.replace(place / "rows.arrow")
    return {
        "queries": len(many),
        "groups": count,
        "prompts": count * config.documents,
        "shortened": shortened,
        "steps": steps,
    }


def _row(asked: Asked, query: Query, doc: Doc) -> dict[str, Any]:
    words = {
        "query_id": query.id, "query": query.text, "instruction": query.instruction, "doc_id": doc.id, "title": doc.title,
        "text": doc.text, "opening": asked.opening,
    }  # fmt: skip
    return {"prompt": asked.ids, **{key: clean(text) for key, text in words.items()}}


def pair_of(row: Mapping[str, Any]) -> tuple[Query, Doc]:
    """The query and the document of a row."""
    return Query(row["query_id"], row["query"], row["instruction"]), Doc(row["doc_id"], row["text"], row["title"])


def _scores(teacher: Path | None) -> dict[str, dict[str, float]]:
    return {query: dict(hits) for query, hits in read_run(teacher).items()} if teacher else {}


def _known(scores: Mapping[str, Mapping[str, float]], query: str, doc: str, teacher: Path) -> float:
    score = scores.get(query, {}).get(doc)
    if score is None:
        raise DataError(
            f"no score of document {doc!r} for query {query!r}; the teacher has to score all candidates", path=teacher
        )
    return score
