"""What an embedding checkpoint says of itself beside its weights: linear layers behind it, lengths, masks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.errors import DataError

_ACTIVATIONS = {"": None, "Identity": None, "Tanh": "tanh", "ReLU": "relu"}
_MODULES = ("Transformer", "Pooling", "Normalize", "Dense")
_HEAD = "linear.weight"
_MASK = "attend_to_mask_tokens"


@dataclass(frozen=True, slots=True)
class Layer:
    """A linear layer ``[out, in]`` on what is pooled, and the function behind it (``"tanh"``, ``"relu"``), if any."""

    weight: Any
    bias: Any = None
    activation: str | None = None

    def __call__(self, states: Any) -> Any:
        """``[..., in]`` to ``[..., out]``."""
        import torch

        out = torch.nn.functional.linear(states, self.weight, self.bias)
        return getattr(torch, self.activation)(out) if self.activation else out


@dataclass(frozen=True, slots=True)
class Habits:
    """How a checkpoint is used: ``layers`` on its vectors, tokens a text may have, whether ``[MASK]`` is attended to.

    ColBERT checkpoints add masks to a query, which get vectors of their own and are attended to by nobody.
    """

    layers: tuple[Layer, ...] = ()
    length: int | None = None
    masks_seen: bool = True
    files: tuple[Path, ...] = ()

    @classmethod
    def load(cls, folder: Path, device: Any, dtype: Any) -> Habits:
        """Read ``artifact.metadata`` (ColBERT), ``modules.json`` (sentence-transformers, PyLate) and the head's weights.

        Raises:
            DataError: a module or a function behind a layer that is not known.
        """
        late, about = _json(folder / "artifact.metadata"), _json(folder / "config_sentence_transformers.json")
        paths = [path for path in _dense(folder) if path]
        layers = [_layer(path, device, dtype) for path in paths]
        head = None if layers else _tensor(_weight_files(folder), _HEAD)
        if head is not None:
            layers = [Layer(head.to(device, dtype))]
        lengths = (
            late.get("doc_maxlen"), about.get("document_length"), _json(folder / "sentence_bert_config.json").get("max_seq_length")
        )  # fmt: skip
        by_token = head is not None or bool(late) or "document_length" in about
        seen = bool(late.get(_MASK, about.get("attend_to_expansion_tokens", False))) if by_token else True
        length = min((int(x) for x in lengths if x), default=None)
        return cls(tuple(layers), length, seen, tuple(path for at in paths for path in _weight_files(at)[:1]))


def positions(folder: Path, config: Any) -> int | None:
    """The most tokens that the model and its tokenizer allow; None where neither says."""
    most = int(getattr(config, "max_position_embeddings", 0) or 0)
    if most and config.model_type in ("roberta", "xlm-roberta", "camembert"):
        most -= 2  # their positions start after the padding index
    limit = _json(folder / "tokenizer_config.json").get("model_max_length")
    named = [most, int(limit) if isinstance(limit, int | float) and limit < 1_000_000 else 0]
    return min((x for x in named if x > 0), default=None)


def _dense(folder: Path) -> list[Path]:
    """The folders of the linear layers that ``modules.json`` names, in order."""
    path = folder / "modules.json"
    found = []
    for module in json.loads(path.read_text("utf-8")) if path.is_file() else ():
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind not in _MODULES:
            raise DataError(f"a module of the kind {kind!r}; known: {', '.join(_MODULES)}", path=path)
        if kind == "Dense":
            found.append(folder / str(module["path"]))
    return found


def _layer(folder: Path, device: Any, dtype: Any) -> Layer:
    name = str(_json(folder / "config.json").get("activation_function", "")).rpartition(".")[2]
    if name not in _ACTIVATIONS:
        raise DataError(f"a layer behind {name!r}; known: {', '.join(filter(None, _ACTIVATIONS))}", path=folder)
    files = _weight_files(folder)
    weight, bias = _tensor(files, _HEAD), _tensor(files, "linear.bias")
    if weight is None:
        raise DataError(f"no {_HEAD} in this layer's weights", path=folder)
    return Layer(weight.to(device, dtype), None if bias is None else bias.to(device, dtype), _ACTIVATIONS[name])


def _weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def _tensor(files: Sequence[Path], name: str) -> Any:
    """A tensor by name from the files that may hold it, or None."""
    for path in files:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(str(path), framework="pt") as file:
                if name in file.keys():  # noqa: SIM118 - not a mapping
                    return file.get_tensor(name)
        else:
            import torch

            held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            if name in held:
                return held[name]
    return None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"not a JSON object: {error}", path=path) from error
    return found if isinstance(found, dict) else {}
