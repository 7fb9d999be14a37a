"""Which files hold a model, and a name for what is in them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ponderank.errors import DataError, MissingExtra

_WHOLE = 1 << 28
"""Files up to this many bytes are hashed whole; of larger ones the ends and the size, for hashing 60 GB takes minutes."""


def weights(folder: Path) -> list[Path]:
    """The weight files of a Hugging Face checkpoint.

    Raises:
        DataError: there are none, or no ``config.json``.
    """
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files or not (folder / "config.json").is_file():
        raise DataError("no weights here: expected config.json and *.safetensors", path=folder)
    return [*files, folder / "config.json"]


def fingerprint(files: Sequence[Path], settings: dict[str, Any]) -> str:
    """Names a model by its files and settings, 32 hex digits."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= _WHOLE:
                digest.update(hashlib.file_digest(file, "sha256").digest())
            else:
                digest.update(f"{path.name}:{size}".encode())
                for place in (0, size // 2, size - (1 << 20)):
                    file.seek(place)
                    digest.update(file.read(1 << 20))
    return digest.hexdigest()[:32]


def opened(
    folder: Path, loader: str, what: str, *, device: str | None = None, dtype: str = "auto", threads: int | None = None
) -> tuple[Any, Any]:
    """A checkpoint's model, ready to be asked, and its device; ``loader`` is transformers' class, ``what`` it loads in words.

    ``dtype`` ``"auto"`` is the checkpoint's on a GPU and float32 on the CPU.

    Raises:
        MissingExtra: torch or transformers is not installed.
        DataError: the folder is not such a checkpoint.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtra("torch", f"running {what} in torch") from error
    if threads:
        torch.set_num_threads(threads)
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    kind = ("auto" if where.type == "cuda" else "float32") if dtype == "auto" else dtype
    try:
        with unseen_bars():
            model = getattr(transformers, loader).from_pretrained(str(folder), dtype=kind)
    except (ValueError, KeyError, OSError) as error:
        raise DataError(f"transformers cannot load this as {what}: {error}", path=folder) from error
    return model.to(where).eval(), where


@contextmanager
def unseen_bars() -> Iterator[None]:
    """Keep transformers' progress bars out of a stderr that nobody watches: a file, a pipe."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
