"""The embedded default model and the architecture it was trained with."""

from __future__ import annotations

from pathlib import Path


def default_folder() -> Path:
    """The folder of the embedded default model: ONNX graphs, tokenizer, configuration and card.

    >>> (default_folder() / "tokenizer.json").is_file()
    True
    """
    return Path(__file__).parent / "default"
