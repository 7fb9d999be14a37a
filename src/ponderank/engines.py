"""Which backend runs a model: the table of engines, and how one is told from what was given.

A backend's module is imported only when it is chosen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.contracts import Backend, Format
from ponderank.errors import BackendError, DataError, RecipeError
from ponderank.recipe import Judge, Recipe, nearest
from ponderank.types import Attend, Classify, Embed, Fused

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
    kind = kind_of(recipe.format)
    if kind == "nothing":
        return _nothing()
    if _is_url(engine):
        return _http(wanted, str(engine)) if kind == "language" else _refuse(recipe, "a server")
    if engine is not None and engine not in ENGINES:
        raise RecipeError(
            f"no engine is named {engine!r}; {nearest(engine, ENGINES)}, or a URL such as http://127.0.0.1:8000/v1"
        )
    if engine is None:
        engine = _told(recipe)
    return _LOADERS[engine, kind](wanted) if (engine, kind) in _LOADERS else _refuse(recipe, engine)


def load_each(recipe: Recipe, engine: str | None = None, **options: Any) -> tuple[Backend, ...]:
    """A backend for each of a recipe's judges; those with one model that is asked alike share one.

    Where there are several judges, ``engine`` and ``options`` are for those that the engine can run; the others run on what
    their models' files call for. Raises as ``load``.
    """
    judges = recipe.judges
    loaded: dict[tuple[str, str, str | None], Backend] = {}
    try:
        for judge in judges:
            own = engine if len(judges) == 1 or _takes(judge, engine) else None
            key = (judge.model, kind_of(judge.format), own)
            if key not in loaded:
                told = options if own == engine else {"threads": options.get("threads")}
                loaded[key] = load(recipe.judged_by([judge]), own, **told)
    except BaseException:
        for backend in loaded.values():
            backend.close()
        raise
    return tuple(
        loaded[one.model, kind_of(one.format), engine if len(judges) == 1 or _takes(one, engine) else None]
        for one in judges
    )


def with_model(recipe: Recipe, model: str, engine: str | None = None) -> Recipe:
    """The recipe with ``model`` in place of its own.

    Of several judges those get it that have none; where all have one, those that ``engine`` can run, the embedded model apart.
    Where these are different models, ``model`` is a folder that holds one folder each, named as the models are.

    Raises:
        RecipeError: none can take it, or there are several and it is no such folder.
    """
    judges = recipe.judges
    takes = [at for at, judge in enumerate(judges) if len(judges) == 1 or _takes(judge, engine)]
    empty = [at for at in takes if not judges[at].model]
    if not takes:
        raise RecipeError(f"no judge of recipe {recipe.name!r} can be the model {model!r}; leave it out")
    names = {at: judges[at].model.rpartition("/")[2] for at in takes}
    if empty or len(set(names.values())) == 1:
        given = dict.fromkeys(empty or takes, model)
    else:
        given = {at: str(Path(model) / name) for at, name in names.items()}
        absent = [folder for folder in given.values() if not Path(folder).is_dir()]
        if absent:
            raise RecipeError(
                f"recipe {recipe.name!r} has {len(set(names.values()))} models; give a folder that holds "
                f"{' and '.join(names.values())} (there is no {absent[0]}), or each its own with "
                "--cascade RECIPE@FOLDER:KEEP,RECIPE@FOLDER"
            )
    return recipe.judged_by([Judge(given.get(at, one.model), one.format) for at, one in enumerate(judges)])


def kind_of(form: Format) -> str:
    """What kind of model a format asks: classifier, embedder, attention, fused (ListT5), language, or nothing at all."""
    if not form.needs:
        return "nothing"
    kinds = {Classify: "classifier", Embed: "embedder", Attend: "attention", Fused: "fused"}
    return next((kind for call, kind in kinds.items() if call in form.needs), "language")


def _takes(judge: Judge, engine: str | None) -> bool:
    """Whether a judge among several is one that ``engine`` is meant for."""
    kind = kind_of(judge.format)
    if judge.model == "embedded" or kind == "nothing":
        return False
    return engine is None or (kind == "language" if _is_url(engine) else (engine, kind) in _LOADERS)


def _is_url(engine: str | None) -> bool:
    return engine is not None and engine.startswith(("http://", "https://"))


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


def _nothing() -> Backend:
    from ponderank.backends.adapters import Batched

    return Batched(lambda calls: [], 1, can=frozenset(), fingerprint="nothing")


def _torch_embedder(wanted: Wanted) -> Backend:
    from ponderank.backends.transformers_embedding import TorchEmbedder

    return TorchEmbedder(_folder(wanted), threads=wanted.threads, **wanted.options or {})


def _torch_attention(wanted: Wanted) -> Backend:
    from ponderank.backends.transformers_attention import TorchAttention

    return TorchAttention(_folder(wanted), threads=wanted.threads, **wanted.options or {})


_LOADERS: dict[tuple[str, str], Callable[[Wanted], Backend]] = {
    ("onnx", "classifier"): _onnx,
    ("transformers", "classifier"): _torch_classifier,
    ("transformers", "language"): _torch_language,
    ("transformers", "fused"): _torch_language,
    ("transformers", "embedder"): _torch_embedder,
    ("transformers", "attention"): _torch_attention,
    ("llamacpp", "language"): _llamacpp,
    ("vllm", "language"): _vllm,
}
"""By engine, and by the kind of model that the recipe asks."""


def _refuse(recipe: Recipe, engine: str) -> Backend:
    asks = ", ".join(sorted(kind.__name__ for kind in recipe.format.needs))
    kind = kind_of(recipe.format)
    remedy = f"engines that do: {', '.join(name for name, kinds in _LOADERS if kinds == kind)}"
    if kind == "classifier" and engine not in ("onnx", "transformers"):
        remedy += "; or name a recipe for a language model, such as rank1, verdict or qwen3-reranker-0.6b"
    raise RecipeError(f"recipe {recipe.name!r} asks for {asks}, which {engine} does not answer; {remedy}")


def _is_encoder_decoder(folder: Path) -> bool:
    path = folder / "config.json"
    try:
        return bool(json.loads(path.read_text("utf-8")).get("is_encoder_decoder")) if path.is_file() else False
    except ValueError as error:
        raise DataError(f"not a JSON object: {error}", path=path) from error
