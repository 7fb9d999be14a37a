"""The options of a first stage with vectors, and how far its index is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ponderank.cli.progress import Shown
    from ponderank.engine import Progress
    from ponderank.formats.embedding import BiEncoder
    from ponderank.retrieval.vectors import Told

Embedder = Annotated[
    str | None,
    typer.Option(
        "--embedder", help="The folder of the embedding model of --first-stage dense or hybrid.", metavar="FOLDER"
    ),
]
QueryTemplate = Annotated[
    str | None,
    typer.Option(
        "--query-template",
        help="What the embedding model reads of a query, as 'query: {query}'. [default: what its files say, else {query}]",
        metavar="TEXT",
    ),
]
DocumentTemplate = Annotated[
    str | None,
    typer.Option(
        "--document-template",
        help="The same of a document, as 'passage: {document}' or with {title} and {text}. [default: likewise]",
        metavar="TEXT",
    ),
]
PoolName = Annotated[
    str | None,
    typer.Option(
        "--pool",
        help="Which vector stands for a text: mean, first or last token. [default: what its files say, else mean]",
        metavar="POOL",
    ),
]
HybridWeight = Annotated[
    float | None,
    typer.Option(
        "--hybrid-weight",
        min=0,
        max=1,
        help="BM25's share of the score of --first-stage hybrid. [default: 0.2]",
        metavar="W",
    ),
]


def asked_as(
    embedder: str | None, query_template: str | None, document_template: str | None, pool: str | None
) -> BiEncoder | None:
    """How the embedding model is asked; None where nothing was said."""
    said = {"query_template": query_template, "document_template": document_template, "pool": pool}
    given = [name for name, value in said.items() if value is not None]
    if not given:
        return None
    if embedder is None:
        option = f"--{given[0].replace('_', '-')}"
        raise typer.BadParameter("it is about an embedding model; give one with --embedder", param_hint=option)
    from ponderank.embedders import encoder_of

    return encoder_of(embedder, **said)


@contextmanager
def both_shown(label: str) -> Iterator[tuple[Told | None, Shown | None]]:
    """Functions that show how far an index is, and behind it how far the queries are; None where nobody would see it.

    A terminal shows one bar at a time, so the second one comes when it is first told of.
    """
    if not sys.stderr.isatty():
        yield None, None
        return
    from ponderank.cli.progress import counted, shown

    with ExitStack() as stack:
        later: list[Shown | None] = []

        def show(progress: Progress, queries: int) -> None:
            if not later:
                later.append(stack.enter_context(shown(label)))
            if later[0] is not None:
                later[0](progress, queries)

        with counted("reading documents") as on_vectors:
            yield on_vectors, show
