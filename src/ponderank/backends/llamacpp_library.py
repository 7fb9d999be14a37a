"""The library llama.cpp: loaded, its log kept off the terminal, and a model opened from a GGUF file."""

from __future__ import annotations

import logging
import os
import re
from collections import deque
from pathlib import Path
from typing import Any

from ponderank.errors import DataError, MissingExtra

_log = logging.getLogger("ponderank.llamacpp")
_said: deque[str] = deque(maxlen=8)
"""The last complaints of llama.cpp, which gives its reasons in its log only."""
_callback: Any = None


def library() -> Any:
    """The module ``llama_cpp``, its log sent to the logger ``ponderank.llamacpp`` (level DEBUG) instead of the terminal.

    Raises:
        MissingExtra: it is not installed, or too old for sequences that share cells.
    """
    global _callback
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as error:  # the last two: its shared library cannot be loaded
        raise MissingExtra("llamacpp", "a GGUF file") from error
    if not hasattr(llama_cpp, "llama_model_is_hybrid") or not hasattr(llama_cpp.llama_context_params, "kv_unified"):
        raise MissingExtra("llamacpp", f"a GGUF file (llama-cpp-python {llama_cpp.__version__} is too old)")
    if _callback is None:
        _callback = llama_cpp.llama_log_callback(_note)
        llama_cpp.llama_log_set(_callback, None)
        llama_cpp.llama_backend_init()
    return llama_cpp


def _note(level: int, text: bytes, _: Any) -> None:
    line = text.decode("utf-8", "replace").strip()
    if level in (2, 3) and line:  # warnings and errors
        _said.append(line)
    _log.debug("%s", line)


def precision_number(name: str) -> int:
    """llama.cpp's number for a type (``GGML_TYPE_*``)."""
    numbers = {"float32": 0, "float16": 1, "int8": 8}
    if name not in numbers:
        raise ValueError(f"memory_precision is {name!r}; give one of {', '.join(numbers)}")
    return numbers[name]


def files_of(file: Path) -> list[Path]:
    """The file, or all parts of a model that was split (``NAME-00001-of-00003.gguf``)."""
    parts = re.fullmatch(r"(.*)-\d{5}-of-(\d{5})\.gguf", file.name)
    return sorted(file.parent.glob(f"{parts[1]}-*-of-{parts[2]}.gguf")) if parts else [file]


def opened(lib: Any, file: Path, gpu_layers: int) -> Any:
    """The model in a GGUF file.

    Raises:
        DataError: it is no such file, or the model writes no text.
    """
    if not file.is_file():
        raise DataError("no such file; give a .gguf file", path=file)
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise DataError("not a GGUF file: it does not begin with GGUF", path=file)
    settings = lib.llama_model_default_params()
    settings.n_gpu_layers = gpu_layers
    _said.clear()
    model = lib.llama_model_load_from_file(os.fsencode(file), settings)
    if not model:
        raise DataError(f"llama.cpp cannot load this model: {reason()}", path=file)
    if lib.llama_model_has_encoder(model) or not lib.llama_model_has_decoder(model):
        lib.llama_model_free(model)
        raise DataError("not a causal language model; give one that writes text, such as Qwen or Llama", path=file)
    return model


def reason() -> str:
    """Why it failed, in its own words."""
    return " | ".join(_said) or "it gave no reason"
