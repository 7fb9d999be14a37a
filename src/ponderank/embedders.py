"""An embedding model for the first stage: loaded from its folder, and asked as the files beside its weights say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ponderank.contracts import Backend
from ponderank.errors import DataError
from ponderank.formats.embedding import BiEncoder, Pool

_POOLS: dict[str, Pool] = {"cls": "first", "mean": "mean", "lasttoken": "last"}
"""By sentence-transformers' names."""

_OF_DOCUMENTS = ("document", "passage", "corpus")
"""What sentence-transformers calls a document's prompt; the first that is there."""


def embedder(folder: str | Path, *, threads: int | None = None) -> Backend:
    """The embedding model of a checkpoint's folder, in torch. It keeps no vectors: an index asks for nothing twice.

    Raises:
        DataError: there is no such folder, or no model in it.
        MissingExtra: torch or transformers is not installed.
    """
    from ponderank.backends.transformers_embedding import TorchEmbedder

    # what is kept would answer a query that equals a document, and differ in its last bit from an undisturbed answer
    return TorchEmbedder(_there(folder), threads=threads, keep_bytes=0)


def encoder_of(
    folder: str | Path,
    *,
    query_template: str | None = None,
    document_template: str | None = None,
    pool: str | None = None,
) -> BiEncoder:
    """How a checkpoint wants to be asked: its prompts and its pooled token, as sentence-transformers' files in it say.

    What is given stands in for what they say; where they say nothing it is the bare text, and the mean of its tokens.

    Raises:
        DataError: no such folder; a way of pooling that is not known, where ``pool`` is not given; a template without its text.

    Source: sentence-transformers 6.2, ``encode_query``, ``encode_document`` and ``Pooling``. Differs: texts of several poolings
    joined, greatest values, and means that leave out the prompt are refused.
    """
    folder = _there(folder)
    told = _json(folder / "config_sentence_transformers.json").get("prompts")
    prompts = {str(name): str(text or "") for name, text in told.items()} if isinstance(told, dict) else {}
    of_document = next((prompts[name] for name in _OF_DOCUMENTS if name in prompts), "")
    query_template = prompts.get("query", "") + "{query}" if query_template is None else query_template
    document_template = of_document + "{document}" if document_template is None else document_template
    bare = (query_template, document_template) == ("{query}", "{document}")
    try:
        encoder = BiEncoder(query_template, document_template)
        return replace(encoder, pool=cast(Pool, pool) if pool is not None else _pool(folder, bare))
    except ValueError as error:
        raise error if isinstance(error, DataError) else DataError(str(error)) from error


def _pool(folder: Path, bare: bool) -> Pool:
    """The pooled token that ``modules.json`` leads to; ``bare``: no text has a prompt before it."""
    modules = _json(folder / "modules.json", list)
    at = next((str(one.get("path")) for one in modules if str(one.get("type", "")).endswith("Pooling")), None)
    if at is None:
        return "mean"
    path = folder / at / "config.json"
    told = _json(path)
    old = {key.removeprefix("pooling_mode_") for key, on in told.items() if key.startswith("pooling_mode_") and on}
    mode = told.get("pooling_mode") or " and ".join(sorted(key.removesuffix("s").removesuffix("_token") for key in old))
    mode = mode or "mean"
    if not isinstance(mode, str) or mode not in _POOLS:
        known = ", ".join(_POOLS)
        raise DataError(
            f"this model pools its tokens by {mode}; known: {known}; say which token with --pool", path=path
        )
    if mode == "mean" and not bare and told.get("include_prompt") is False:
        raise DataError("this model's mean leaves out its prompt, which cannot be done here; give --pool", path=path)
    return _POOLS[mode]


def _there(folder: str | Path) -> Path:
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(
            "no such folder of an embedding model, and Ponderank downloads nothing by itself; fetch it first "
            f"(for a hub id: hf download {folder} --local-dir FOLDER) and give that folder", path=folder,
        )  # fmt: skip
    return folder


def _json(path: Path, kind: type[Any] = dict) -> Any:
    """What a JSON file holds; an empty ``kind`` where there is no file.

    Raises:
        DataError: it is not JSON, or not a ``kind``.
    """
    if not path.is_file():
        return kind()
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"not JSON: {error}", path=path) from error
    if not isinstance(found, kind):
        raise DataError(f"expected {'a list' if kind is list else 'an object'}", path=path)
    return found
