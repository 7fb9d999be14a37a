"""Several collections as one of short passages, so that a very small model can be taught on it.

What it reads has BEIR's layout, with annotations in the queries' metadata: ``answers`` (SQuAD's spans), ``focus`` and ``qtype``
(MedQuAD's), ``hypothesis`` and ``context`` (EntailmentBank's proofs). Passages have 24 words at most, questions 14. Of the passages
that a relevant text is cut into, the one with the annotated answer is relevant, or else the one with most of the question's words,
if it has half of them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponderank.data.beir import Collection
from ponderank.data.lines import records
from ponderank.formats.sentences import sentences

WORDS = 24
"""The longest passage."""
ASKED = 14
"""The longest question."""
_WORD = re.compile(r"[^\W_]+")
_COMMON = frozenset(
    _WORD.findall("""
    a an and are as at be by can could did do does for from had has have how i in into is it its many much of on or s should so
    that the their them there these they this those to was were what when where which who whom whose why will with would you your
    """)
)


def words_of(text: str) -> list[str]:
    """A text's words, lower case.

    >>> words_of("It's New-York.")
    ['it', 's', 'new', 'york']
    """
    return _WORD.findall(text.lower())


def content_words(text: str) -> list[str]:
    """What a question is about: its words without the common ones, each once, in order.

    >>> content_words("Who was the first king of the first Rome?")
    ['first', 'king', 'rome']
    """
    return list(dict.fromkeys(word for word in words_of(text) if word not in _COMMON))


def passages(text: str, longest: int = WORDS) -> list[str]:
    """Whole sentences together, at most ``longest`` words; a longer sentence is cut.

    >>> passages("One two. Three four five. Six.", longest=4)
    ['One two.', 'Three four five. Six.']
    """
    made: list[list[str]] = []
    for start, end in sentences(text):
        words = text[start:end].split()
        for at in range(0, len(words), longest):
            piece = words[at : at + longest]
            if made and at == 0 and len(made[-1]) + len(piece) <= longest:
                made[-1] += piece
            else:
                made.append(piece)
    return [" ".join(words) for words in made]


def holds(passage: str, answer: str) -> bool:
    """Whether the answer stands in the passage, as whole words."""
    return f" {' '.join(words_of(answer))} " in f" {' '.join(words_of(passage))} "


@dataclass(slots=True)
class Made:
    """Files of a collection in the making."""

    corpus: dict[str, str] = field(default_factory=dict)
    queries: list[dict[str, Any]] = field(default_factory=list)
    qrels: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        for name, rows in (
            ("queries.jsonl", self.queries),
            ("corpus.jsonl", [{"_id": name, "text": text} for name, text in self.corpus.items()]),
        ):
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / name).write_text(text, encoding="utf-8")
        for split, pairs in self.qrels.items():
            lines = ["query-id\tcorpus-id\tscore", *(f"{query}\t{doc}\t1" for query, doc in pairs)]
            (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def prepare(sources: Sequence[Path], out: Path, *, questions: int, held_out: int, seed: int = 0) -> dict[str, int]:
    """Write ``out`` with splits train, dev and test; returns how many questions each has.

    ``questions``: of each source, for training; ``held_out``: of each, for dev and for test. No article or topic is in two splits.
    Test questions come from a source's own dev or test split where it has one.
    """
    made, counts = Made(), {"train": 0, "dev": 0, "test": 0}
    for source in sources:
        collection = Collection.open(source)
        known = {str(row["_id"]): row for _, row in records(collection.path("queries.jsonl"))}
        judged = {name: docs for split in collection.splits for name, docs in collection.qrels(split).items()}
        cut: dict[str, list[str]] = {}
        for split, chosen in _splits(collection, known, questions, held_out, seed):
            for name in chosen:
                counts[split] += _add(made, source.name, split, known[name], judged[name], collection, cut)
    made.write(out)
    return counts


def _splits(
    collection: Collection, known: dict[str, dict[str, Any]], questions: int, held_out: int, seed: int
) -> Iterator[tuple[str, list[str]]]:
    train = _grouped(list(collection.qrels("train")), known, seed)
    apart = next((name for name in ("dev", "test") if name in collection.splits), None)
    taken = iter(train)
    for split, wanted in (("dev", held_out), ("test", held_out), ("train", questions)):
        groups = iter(_grouped(list(collection.qrels(apart)), known, seed)) if split == "test" and apart else taken
        chosen: list[str] = []
        for group in groups:
            # of an article a few: a split of few questions then has many articles
            chosen += group if split == "train" else group[:5]
            if len(chosen) >= wanted:
                break
        yield split, chosen[:wanted]


def _grouped(names: list[str], known: dict[str, dict[str, Any]], seed: int) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        about = known[name].get("metadata") or {}
        groups.setdefault(str(about.get("title") or about.get("focus") or name), []).append(name)
    rng = random.Random(seed)
    many = [groups[key] for key in sorted(groups)]
    rng.shuffle(many)
    for group in many:
        rng.shuffle(group)
    return many


def _add(
    made: Made, source: str, split: str, row: dict[str, Any], relevant: dict[str, int], collection: Collection,
    cut: dict[str, list[str]],
) -> int:  # fmt: skip
    """Add a question and the passages of its relevant texts; 0 where it is too long or no passage tells of it."""
    about = content_words(row["text"])
    if len(about) < 2 or len(words_of(row["text"])) > ASKED:
        return 0
    answers = list((row.get("metadata") or {}).get("answers") or [])
    found = []
    for doc, grade in relevant.items():
        if doc not in cut:
            cut[doc] = passages(collection.docs[doc].text)
            made.corpus |= {f"{source}-{doc}-{i}": text for i, text in enumerate(cut[doc])}
        able = {
            i: len(set(about) & set(words_of(text))) for i, text in enumerate(cut[doc]) if _tells(text, about, answers)
        }
        if grade > 0 and able:
            found.append(f"{source}-{doc}-{max(able, key=lambda i: (able[i], -i))}")
    if not found:
        return 0
    name = f"{source}-{row['_id']}"
    made.queries.append({"_id": name, "text": row["text"], "metadata": row.get("metadata") or {}})
    made.qrels.setdefault(split, []).extend((name, doc) for doc in found)
    return 1


def _tells(text: str, about: list[str], answers: list[str]) -> bool:
    """Whether a passage has the annotated answer or, where none is annotated, half of what the question is about."""
    if answers:
        return any(holds(text, answer) for answer in answers)
    return 2 * len(set(about) & set(words_of(text))) >= len(about)
