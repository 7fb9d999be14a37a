"""Evidence of runs whose model writes no reasons: the sentences that a cross-encoder's score rests on, asked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ponderank.report.details import Ranges
from ponderank.report.sources import Source
from ponderank.types import Doc, Query, Ranking, Span

if TYPE_CHECKING:
    from ponderank.reranker import Reranker


_SHARE = 0.4
"""Marked text says little once it is most of the text."""
_KIND, _RECIPE = "CrossEncoder", "default-alone"


def telling(spans: Sequence[Span], length: int) -> Ranges:
    """The best sentence of a text, and further ones as long as they are not much of it together.

    >>> telling([Span(0, 30, 2.0), Span(50, 55, 1.0), Span(60, 90, 0.5)], 100)
    ((0, 30), (50, 55))
    """
    kept: list[tuple[int, int]] = []
    for span in spans:
        if kept and sum(b - a for a, b in kept) + span.end - span.start > _SHARE * length:
            break
        kept.append((span.start, span.end))
    return tuple(kept)


class Explaining:
    """Asks each run's own model, opened once and closed on leaving; ``skipped`` says of which runs, and why, nothing was asked."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self._open: dict[str, Reranker | None] = {}
        self._found: dict[tuple[str, str, str], Ranges] = {}  # runs of one model share what it says
        self._stack = ExitStack()

    def __call__(self, source: Source, query: Query, docs: Sequence[Doc]) -> Mapping[str, Ranges]:
        """The ranges of the sentences that carry each document's score, by document."""
        reranker = self._of(source)
        if reranker is None:
            return {}
        name = reranker.fingerprint
        new = [doc for doc in docs if (name, query.id, doc.id) not in self._found]
        if new:
            plain = Ranking(query, tuple(new), (0.0,) * len(new), order=tuple(range(len(new))))
            for step in reranker.explain(plain, len(new)).trace:
                doc = new[step.group[0]]
                self._found[name, query.id, doc.id] = telling(step.judgement.evidence, len(doc.text))
        return {doc.id: self._found[name, query.id, doc.id] for doc in docs}

    def _of(self, source: Source) -> Reranker | None:
        key = str((source.manifest or {}).get("model", {}).get("fingerprint"))
        if key not in self._open:
            self._open[key] = self._opened(source, key)
        return self._open[key]

    def _opened(self, source: Source, fingerprint: str) -> Reranker | None:
        from ponderank.errors import PonderankError
        from ponderank.reranker import Reranker

        told = source.manifest or {}
        model = told.get("model", {}).get("path")
        if told.get("recipe", {}).get("format", {}).get("kind") != _KIND:
            return None
        try:
            # the sentences' scores are the model's alone, whatever the recipe makes of them
            reranker = self._stack.enter_context(Reranker(_RECIPE, model=None if model == "embedded" else model))
        except PonderankError as error:
            self.skipped[source.name] = str(error)
            return None
        if reranker.fingerprint != fingerprint:
            self.skipped[source.name] = "its model has changed since"
            return None
        return reranker

    def __enter__(self) -> Explaining:
        return self

    def __exit__(self, *left: object) -> None:
        self._stack.close()
