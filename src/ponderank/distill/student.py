"""A trained student's opinion of pairs, for the self-filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ponderank.distill.shards import Collected
from ponderank.types import Candidates

if TYPE_CHECKING:
    from ponderank.engine import Progress


def asked(
    recipe: str, model: str, *, engine: str | None = None, think_tokens: int | None = None, cache: Path | None = None,
    on_progress: Callable[[Progress, int], None] | None = None,
) -> Callable[[Sequence[Collected]], list[bool | None]]:  # fmt: skip
    """A student by a recipe and its model; says true or false of each row's pair, None where its score is no number.

    ``cache``: a file that keeps what it said, so that nothing is asked twice, also after a kill. ``on_progress`` is told how far it
    is, and how many pairs there are.

    Source: Rank1 (arXiv 2502.18418, section 2.2, footnote 5): a model trained on the first mix, whatever it disagrees with
    its teacher about is dropped.
    """

    def said(rows: Sequence[Collected]) -> list[bool | None]:
        from ponderank.reranker import Reranker

        with Reranker(recipe, model=model, engine=engine, think_tokens=think_tokens, cache=cache) as reranker:
            pairs = (
                Candidates(row.pair.query, (replace(row.pair.doc, id="0"),)) for row in rows
            )  # one each: other pairs of a query stand in other places
            told = None if on_progress is None else lambda progress: on_progress(progress, len(rows))
            scores = [ranking.scores[0] for ranking in reranker.rank_many(pairs, on_progress=told)]
        return [None if score != score else score > 0 for score in scores]

    return said
