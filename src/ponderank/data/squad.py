"""Question answering in SQuAD's shape as a collection: find the paragraph of a question (XQuAD)."""

from __future__ import annotations

from ponderank.data.facts import Facts
from ponderank.data.hub import Source
from ponderank.data.laid_out import Parts
from ponderank.data.trec import Qrels
from ponderank.errors import DataError
from ponderank.recipe import nearest
from ponderank.types import Doc, Query

XQUAD = "google/xquad"
LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")


def xquad_facts(name: str) -> Facts:
    """XQuAD's facts.

    Raises:
        DataError: no such language.
    """
    if name not in LANGUAGES:
        raise DataError(f"XQuAD has no language {name!r}; {nearest(name, LANGUAGES)}")
    return Facts(
        about=f"XQuAD in {name}: the paragraph of a question", licence="CC BY-SA 4.0", measures=("nDCG@10", "RR@10")
    )


def xquad(name: str, folder: str | None, known: Facts) -> Parts:
    """A language of XQuAD: rows with ``id``, ``context``, ``question``; equal contexts are one paragraph.

    Source: XQuAD (Artetxe et al., arXiv 1910.11856). Differs: it is a reading test; we ask for the paragraph.
    """
    source, config = Source(folder or XQUAD), f"xquad.{name}"
    paragraphs: dict[str, str] = {}
    queries: list[Query] = []
    qrels: dict[str, Qrels] = {}
    for split in source.splits(config):
        for line, row in source.rows(config, split):
            context = source.text(row, ("context",), config, line)
            paragraph = paragraphs.setdefault(context, f"p{len(paragraphs)}")
            query = source.text(row, ("id",), config, line)
            queries.append(Query(query, source.text(row, ("question",), config, line)))
            qrels.setdefault(split, {})[query] = {paragraph: 1}
    return Parts([Doc(key, text) for text, key in paragraphs.items()], queries, qrels, known)
