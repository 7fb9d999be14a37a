"""Which backend runs a model: the table of engines, and how one is told from what was given.

A backend's module is imported only when it is chosen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.contracts import Backend
from ponderank.errors import BackendError, DataError, RecipeError
from ponderank.recipe import Recipe, nearest
from ponderank.types import Classify

ENGINES = ("onnx", "transformers", "llamacpp", "vllm")
"""The engines by name; a URL is an engine too."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be loaded: a model (folder, file, hub id, a server's name for it), and options of its backend by name."""

    model: str
    threads: int | None = None
    options: Mapping[str, Any] | None = None


def load(recipe: Recipe, engine: str | None = None, *, threads: int | None = None, **options: Any) -> Backend:
    """The backend for a recipe's model.

    ``engine`` is one of ``ENGINES`` or a server's URL (``http://127.0.0.1:8000/v1``); without one, the model's files
    decide: ONNX graphs run on ONNX Runtime, ``.gguf`` in llama.cpp, checkpoints in torch.

    Raises:
        RecipeError: no such engine, or none was given and the recipe's model is not a folder or file.
        DataError: the folder holds no model.
        BackendError: the model is a hub's id and not a folder, or the server does not answer.
        MissingExtra: the engine is not installed.
    """
    wanted = Wanted(recipe.model, threads, options)
    classifies = Classify in recipe.format.needs
    if engine is not None and engine.startswith(("http://", "https://")):
        return _refuse(recipe, "a server") if classifies else _http(wanted, engine)
    if engine is not None and engine not in ENGINES:
        raise RecipeError(
            f"no engine is named {engine!r}; {nearest(engine, ENGINES)}, or a URL such as http://127.0.0.1:8000/v1"
        )
    if engine is None:
        engine = _told(recipe)
    return _LOADERS[engine, classifies](wanted) if (engine, classifies) in _LOADERS else _refuse(recipe, engine)


def _told(recipe: Recipe) -> str:
    """The engine that the model's files call for."""
    if recipe.model == "embedded":
        return "onnx"
    path = Path(recipe.model)
    if not recipe.model:
        raise RecipeError(
            f"recipe {recipe.name!r} has no model of its own; give one: a folder, a .gguf file, or an engine and its model"
        )
    if path.suffix == ".gguf":
        return "llamacpp"
    if not path.is_dir():
        raise BackendError(
            f"model {recipe.model!r} is not a folder here, and Ponderank downloads nothing by itself; fetch it first "
            f"(for a hub id: hf download {recipe.model} --local-dir FOLDER) and give that folder as the model, "
            "or name the server that runs it as the engine (--engine http://HOST:PORT/v1)"
        )
    if (path / "model.onnx").is_file() or (path / "graphs.json").is_file():
        return "onnx"
    if any(path.glob("*.safetensors")) or any(path.glob("pytorch_model*.bin")):
        return "transformers"
    raise DataError(
        "no model here: expected model.onnx, graphs.json or *.safetensors, with tokenizer.json and config.json",
        path=path,
    )


def _folder(wanted: Wanted) -> Path:
    from ponderank.models import default_folder

    return default_folder() if wanted.model == "embedded" else Path(wanted.model)


def _onnx(wanted: Wanted) -> Backend:
    from ponderank.backends.onnx import OnnxClassifier

    return OnnxClassifier(_folder(wanted), threads=wanted.threads, **wanted.options or {})


def _torch_classifier(wanted: Wanted) -> Backend:
    from ponderank.backends.transformers import TorchClassifier

    return TorchClassifier(_folder(wanted), threads=wanted.threads, **wanted.options or {})


def _torch_language(wanted: Wanted) -> Backend:
    folder = _folder(wanted)
    if _is_encoder_decoder(folder):
        from ponderank.backends.transformers_t5 import TorchSeq2Seq

        return TorchSeq2Seq(folder, threads=wanted.threads, **wanted.options or {})
    from ponderank.backends.transformers_lm import TorchGenerator

    return TorchGenerator(folder, threads=wanted.threads, **wanted.options or {})


def _llamacpp(wanted: Wanted) -> Backend:
    from ponderank.backends.llamacpp import GgufModel

    return GgufModel(wanted.model, threads=wanted.threads, **wanted.options or {})


def _vllm(wanted: Wanted) -> Backend:
    from ponderank.backends.vllm import VllmModel

    return VllmModel(wanted.model, **wanted.options or {})


def _http(wanted: Wanted, url: str) -> Backend:
    from ponderank.backends.http import HttpModel

    return HttpModel(url, wanted.model or None, **wanted.options or {})


_LOADERS: dict[tuple[str, bool], Callable[[Wanted], Backend]] = {
    ("onnx", True): _onnx,
    ("transformers", True): _torch_classifier,
    ("transformers", False): _torch_language,
    ("llamacpp", False): _llamacpp,
    ("vllm", False): _vllm,
}
"""By engine, and by whether the recipe asks a classifier or a language model."""


def _refuse(recipe: Recipe, engine: str) -> Backend:
    asks = ", ".join(sorted(kind.__name__ for kind in recipe.format.needs))
    fit = [name for name, classifies in _LOADERS if classifies is (Classify in recipe.format.needs)]
    remedy = f"engines that do: {', '.join(fit)}"
    if Classify in recipe.format.needs and engine not in ("onnx", "transformers"):
        remedy += "; or name a recipe for a language model, such as rank1, verdict or qwen3-reranker-0.6b"
    raise RecipeError(f"recipe {recipe.name!r} asks for {asks}, which {engine} does not answer; {remedy}")


def _is_encoder_decoder(folder: Path) -> bool:
    path = folder / "config.json"
    try:
        return bool(json.loads(path.read_text("utf-8")).get("is_encoder_decoder")) if path.is_file() else False
    except ValueError as error:
        raise DataError(f"not a JSON object: {error}", path=path) from error
