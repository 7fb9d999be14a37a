"""BM25 through bm25s: build once, save, map into memory, search."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ponderank.data.beir import Collection
from ponderank.errors import DataError
from ponderank.types import Candidates, Doc, Query

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """BM25's constants and the words' treatment: a Snowball stemmer's language and a stop-word list, or None.

    ``shortest`` is the least number of characters of a word. Lucene (Anserini, Pyserini) has ``stemmer="porter"`` and 1.
    """

    k1: float = 0.9
    b: float = 0.4
    stemmer: str | None = "english"
    stopwords: str | None = "en"
    shortest: int = 2


class BM25Index:
    """A first stage over documents; implements ``contracts.Retriever``.

    Scores are Lucene's BM25 (bm25s' default variant). Ties keep the corpus' order.

    >>> index = BM25Index.build([Doc("a", "cats purr"), Doc("b", "dogs bark")])
    >>> index.search([Query("q", "who purrs?")], k=1)[0].docs[0].id
    'a'
    """

    def __init__(self, engine: Any, docs: list[Doc] | StoredDocs, settings: Settings) -> None:
        self.engine, self.docs, self.settings = engine, docs, settings

    @classmethod
    def build(
        cls,
        docs: Iterable[Doc],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        stemmer: str | None = "english",
        stopwords: str | None = "en",
        shortest: int = 2,
    ) -> BM25Index:
        """Index title and text of the documents.

        Raises:
            DataError: there are none.
        """
        import bm25s

        settings, docs = Settings(k1, b, stemmer, stopwords, shortest), list(docs)
        if not docs:
            raise DataError("nothing to index: the corpus is empty")
        tokens = _tokens([doc.full_text for doc in docs], settings)
        if not tokens.vocab:  # bm25s cannot index a corpus without a single word
            tokens = _tokens(["ponderank"] * len(docs), settings)
        engine = bm25s.BM25(k1=k1, b=b)
        engine.index(tokens, show_progress=False)
        return cls(engine, docs, settings)

    def search(
        self, queries: Iterable[Query], k: int, *, drop_self: bool = False,
        excluded: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Candidates]:  # fmt: skip
        """The best ``k`` documents for each query, best first; fewer where fewer share a word with the query.

        ``drop_self`` removes the document whose id is the query's (BEIR's ArguAna, Quora), ``excluded`` those that are named
        for a query (BRIGHT); both before the best ``k`` are taken.

        Raises:
            ValueError: ``k`` is below 1.
        """
        if k < 1:
            raise ValueError(f"k is {k}; give 1 or more")
        queries = list(queries)
        if not queries:
            return []
        barred = {q.id: {*(excluded or {}).get(q.id, ()), *([q.id] if drop_self else [])} for q in queries}
        depth = min(k + max(map(len, barred.values())), len(self.docs))
        tokens = _tokens([query.text for query in queries], self.settings)
        out = []
        for query, best in zip(queries, self._best(tokens, depth), strict=True):
            hits = [(self.docs[at], score) for at, score in best]
            hits = [hit for hit in hits if hit[0].id not in barred[query.id]][:k]
            out.append(Candidates(query, tuple(doc for doc, _ in hits), tuple(score for _, score in hits)))
        return out

    def _best(self, tokens: Any, depth: int) -> list[list[tuple[int, float]]]:
        """Each query's best ``depth`` documents by place in the corpus, and their scores; of equal ones the first in the corpus.

        The engine breaks ties as they come, also at the cut: where the first that is left out ties with the last that is not,
        it is asked deeper.
        """
        import numpy as np

        whole = len(self.docs)
        deeper = min(depth + 1, whole)
        found, scores = self.engine.retrieve(tokens, k=deeper, show_progress=False)
        out: list[list[tuple[int, float]]] = []
        again: list[int] = []
        for at, (row, values) in enumerate(zip(found, scores, strict=True)):
            order = np.lexsort((row, -values))
            best = [(int(row[i]), float(values[i])) for i in order if values[i] > 0]
            if len(best) == deeper < whole and best[depth - 1][1] == best[-1][1]:
                again.append(at)
            out.append(best[:depth])
        if again:
            rest = self._best(tokens._replace(ids=[tokens.ids[at] for at in again]), max(2 * depth, 64))
            for at, best in zip(again, rest, strict=True):
                out[at] = best[:depth]
        return out

    def save(self, folder: str | Path, *, fingerprint: str = "") -> None:
        """Write the index and its documents, whole or not at all; ``fingerprint`` names the corpus it was made of."""
        folder = Path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp"))
        try:
            self.engine.save(made / "bm25")
            StoredDocs.write(self.docs, made)
            about = {"format": _FORMAT, "settings": asdict(self.settings), "fingerprint": fingerprint}
            (made / "index.json").write_text(json.dumps(about), "utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)

    @classmethod
    def load(cls, folder: str | Path, *, mmap: bool = True) -> BM25Index:
        """Open a saved index; with ``mmap`` nothing large is read until it is needed.

        Raises:
            DataError: the folder is not a complete index.
        """
        import bm25s

        folder = Path(folder)
        about = _about(folder)
        if about is None:
            raise DataError("not a BM25 index (or one of another version); build it again", path=folder)
        engine = bm25s.BM25.load(folder / "bm25", mmap=mmap)
        return cls(engine, StoredDocs(folder), Settings(**about["settings"]))

    @classmethod
    def open_or_build(cls, collection: Collection, folder: str | Path, **settings: Any) -> BM25Index:
        """The saved index of a collection, built and saved first if it is missing or its corpus or settings changed."""
        wanted = Settings(**settings)
        about, fingerprint = _about(Path(folder)), collection.fingerprint()
        if about != {"format": _FORMAT, "settings": asdict(wanted), "fingerprint": fingerprint}:
            cls.build(collection.corpus(), **asdict(wanted)).save(folder, fingerprint=fingerprint)
        return cls.load(folder)


class StoredDocs:
    """Documents on disk, one JSON line each, read one at a time by their offset."""

    def __init__(self, folder: Path) -> None:
        import numpy as np

        self.offsets = np.load(folder / "offsets.npy", mmap_mode="r")
        self.path = folder / "docs.jsonl"
        self._file = self.path.open("rb")

    @staticmethod
    def write(docs: Iterable[Doc], folder: Path) -> None:
        """Write ``docs.jsonl`` and ``offsets.npy``."""
        import numpy as np

        offsets = []
        with (folder / "docs.jsonl").open("wb") as file:
            for doc in docs:
                offsets.append(file.tell())
                row = {"id": doc.id, "text": doc.text, "title": doc.title, "metadata": dict(doc.metadata)}
                file.write(json.dumps(row).encode() + b"\n")
        np.save(folder / "offsets.npy", np.array(offsets, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, index: int) -> Doc:
        # pread keeps no position, so threads do not disturb each other
        end = int(self.offsets[index + 1]) if index + 1 < len(self.offsets) else os.fstat(self._file.fileno()).st_size
        start = int(self.offsets[index])
        row: Mapping[str, Any] = json.loads(os.pread(self._file.fileno(), end - start, start))
        return Doc(row["id"], row["text"], row["title"], row["metadata"])

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))


def default_index_folder(collection: Collection) -> Path:
    """Where a collection's index is kept: in the user's cache, under the collection's absolute path."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(str(collection.folder.resolve()).encode()).hexdigest()[:16]
    return root / "ponderank" / "indexes" / f"{collection.folder.resolve().name}-{name}"


def _about(folder: Path) -> dict[str, Any] | None:
    path = folder / "index.json"
    if not path.is_file():
        return None
    try:
        about = json.loads(path.read_text("utf-8"))
    except ValueError:
        return None
    return about if isinstance(about, dict) and about.get("format") == _FORMAT else None


def _tokens(texts: list[str], settings: Settings) -> Any:
    import bm25s

    stemmer = None
    if settings.stemmer:
        import Stemmer

        stemmer = Stemmer.Stemmer(settings.stemmer)
    texts = [text if text.isascii() else text.encode("utf-8", "replace").decode() for text in texts]
    words = rf"(?u)\b\w{{{settings.shortest},}}\b"
    return bm25s.tokenize(
        texts, stopwords=settings.stopwords, stemmer=stemmer, token_pattern=words, show_progress=False
    )
