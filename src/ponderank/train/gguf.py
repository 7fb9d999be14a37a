"""A Hugging Face checkpoint as a GGUF file: Llama, Mistral, Qwen2 and Qwen3, in F16, Q8_0, Q4_0 or Q4_K_M.

The PyPI package ``gguf`` writes files and computes Q8_0 and Q4_0, but has no converter; Q4_K_M is made by llama.cpp itself, of
an F16 file, where llama-cpp-python is installed. Weights are read and written one tensor at a time, so that memory holds one.

What stays in a higher type: vectors (F32); rows that do not divide by the type's block of 32 numbers (F16); in Q4_0 the table
that gives the logits (Q8_0), for a verdict is the difference of two of its rows.

Refused, each with a sentence: other architectures, sliding windows, tokenizers that llama.cpp has no name for, rotations that
a GGUF file cannot say, numbers too large for F16, weights that are quantised already.

Source: the keys and tensors of llama.cpp's ``gguf-py`` (``constants``, ``tensor_mapping``).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponderank.errors import BackendError, DataError, MissingExtra
from ponderank.train.gguf_head import rope_factors, write_head
from ponderank.train.gguf_tokens import add_vocabulary

if TYPE_CHECKING:
    import numpy as np

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""transformers' ``model_type`` → llama.cpp's architecture."""
TYPES = ("F16", "Q8_0", "Q4_0", "Q4_K_M")
_K_BLOCK = 256
"""Numbers in a block of Q4_K; rows that do not divide by it get another, larger type in llama.cpp."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as it is to be written: its name in the checkpoint and in the file, ``shape`` (rows, columns), type."""

    source: str
    name: str
    shape: tuple[int, ...]
    kind: str


def installed() -> None:
    """Say what is missing before anything is done.

    Raises:
        MissingExtra: ``gguf``, torch or safetensors is not installed.
    """
    try:
        import gguf  # noqa: F401
        import safetensors.torch  # noqa: F401
    except ImportError as error:
        raise MissingExtra("train", "writing a GGUF file") from error


def write_gguf(folder: str | Path, file: str | Path, kind: str, *, about: Mapping[str, str] | None = None) -> Path:
    """Write the checkpoint in ``folder`` to ``file`` in one of ``TYPES``; returns ``file``.

    ``about`` is added as the keys ``ponderank.NAME``. The file is whole only when this returns.

    Raises:
        MissingExtra: the extra [train] is not installed, or [llamacpp] for Q4_K_M.
        DataError: the checkpoint is one of those that are refused.
    """
    folder, file = Path(folder), Path(file)
    if kind not in TYPES:
        raise ValueError(f"kind is {kind!r}; give one of {', '.join(TYPES)}")
    installed()
    if kind == "Q4_K_M":
        from ponderank.backends.llamacpp_library import library

        lib = library()  # what is missing is said before the F16 file is written
        whole = file.with_name(file.name + ".f16")
        try:
            _write(folder, whole, "F16", about or {})
            _quantise(lib, whole, file)
        finally:
            whole.unlink(missing_ok=True)
    else:
        _write(folder, file, kind, about or {})
    from ponderank.train.gguf_tokens import check

    check(file, folder)
    return file


def config_of(folder: Path) -> dict[str, Any]:
    """A checkpoint's ``config.json``.

    Raises:
        DataError: there is none, or what it describes cannot be carried over.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"no config.json of a checkpoint here: {error}", path=folder) from error
    kind, named = config.get("model_type"), (config.get("architectures") or [""])[0]
    if kind not in ARCHITECTURES or not named.endswith("ForCausalLM"):
        raise DataError(
            f"GGUF files are written of {', '.join(ARCHITECTURES)} models that write text; this is {named or kind}; "
            "llama.cpp's own convert_hf_to_gguf.py knows more",
            path=path,
        )
    window, context = config.get("sliding_window"), config["max_position_embeddings"]
    if window is not None and config.get("use_sliding_window", True) and window < context:
        raise DataError(f"a sliding window of {window} tokens, which llama.cpp does not keep for this model", path=path)
    if config.get("hidden_act", "silu") != "silu":
        raise DataError(f"the activation {config['hidden_act']!r}; llama.cpp has silu for this model", path=path)
    return config


def divides(config: Mapping[str, Any], block: int = _K_BLOCK) -> bool:
    """Whether the rows of every matrix divide by a block.

    >>> divides({"hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14})
    False
    """
    size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    wide = (config["hidden_size"], config["intermediate_size"], config["num_attention_heads"] * size)
    return all(length % block == 0 for length in wide)


def types_in(file: Path) -> dict[str, int]:
    """How many tensors of each type a GGUF file holds."""
    import gguf

    counts = Counter(tensor.tensor_type.name for tensor in gguf.GGUFReader(file).tensors)
    return dict(counts.most_common())


def about(file: Path) -> dict[str, str]:
    """The keys ``ponderank.NAME`` of a GGUF file, empty where it has none or is no GGUF file."""
    import gguf

    try:
        fields = gguf.GGUFReader(file).fields
    except (ValueError, IndexError):
        return {}
    mark = "ponderank."
    return {key.removeprefix(mark): str(one.contents()) for key, one in fields.items() if key.startswith(mark)}


def _write(folder: Path, file: Path, kind: str, notes: Mapping[str, str]) -> None:
    """Write head, vocabulary and tensors, one tensor in memory at a time."""
    import gguf

    config = config_of(folder)
    opened = dict(_shapes(folder))
    plan = [_planned(name, shape, kind, config, folder) for name, shape in opened.items() if _is_kept(name, config)]
    writer = gguf.GGUFWriter(file, ARCHITECTURES[config["model_type"]])
    try:
        write_head(writer, folder, config, kind)
        for name, value in notes.items():
            writer.add_string(f"ponderank.{name}", value)
        add_vocabulary(writer, folder, opened[_table(opened, folder)][0])
        turns = rope_factors(folder, config)
        if turns is not None:
            writer.add_tensor_info("rope_freqs.weight", turns.shape, turns.dtype, turns.nbytes)
        for tensor in plan:
            _announce(writer, tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        if turns is not None:
            writer.write_tensor_data(turns)
        for tensor, values in zip(plan, _values(folder, plan), strict=True):
            writer.write_tensor_data(_packed(tensor, _turned(tensor, values, config), file))
    finally:
        writer.close()


def _shapes(folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    from safetensors import safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise DataError("no *.safetensors here; save the model with save_pretrained", path=folder)
    for path in files:
        with safe_open(path, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                yield name, tuple(opened.get_slice(name).get_shape())


def _table(shapes: Mapping[str, tuple[int, ...]], folder: Path) -> str:
    found = next((name for name in shapes if name.endswith("embed_tokens.weight")), None)
    if found is None:
        raise DataError("no table of embeddings among the weights (embed_tokens.weight)", path=folder)
    return found


def _is_kept(name: str, config: Mapping[str, Any]) -> bool:
    tied = bool(config.get("tie_word_embeddings", False))
    return not name.endswith("rotary_emb.inv_freq") and not (tied and name == "lm_head.weight")


def _planned(name: str, shape: tuple[int, ...], kind: str, config: Mapping[str, Any], folder: Path) -> Tensor:
    """Name and type of a tensor in the file."""
    import gguf

    numbers = {value: key for key, value in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(numbers[ARCHITECTURES[config["model_type"]]], config["num_hidden_layers"])
    target = names.get_name(name, try_suffixes=(".weight", ".bias"))
    if target is None:
        raise DataError(f"the weight {name!r} has no place in a GGUF file of this architecture", path=folder)
    logits = "token_embd.weight" if config.get("tie_word_embeddings", False) else "output.weight"
    wanted = "Q8_0" if kind == "Q4_0" and target == logits else kind
    if len(shape) < 2:
        wanted = "F32"
    elif wanted != "F16" and shape[-1] % gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[wanted]][0]:
        wanted = "F16"
    return Tensor(name, target, shape, wanted)


def _announce(writer: Any, tensor: Tensor) -> None:
    import gguf
    import numpy as np

    if tensor.kind in ("F32", "F16"):
        dtype = np.dtype(np.float32 if tensor.kind == "F32" else np.float16)
        writer.add_tensor_info(tensor.name, tensor.shape, dtype, dtype.itemsize * int(np.prod(tensor.shape)))
        return
    kind = gguf.GGMLQuantizationType[tensor.kind]
    held = gguf.quant_shape_to_byte_shape(tensor.shape, kind)
    writer.add_tensor_info(tensor.name, held, np.dtype(np.uint8), int(np.prod(held)), raw_dtype=kind)


def _values(folder: Path, plan: list[Tensor]) -> Iterator[np.ndarray[Any, Any]]:
    """The tensors of ``plan`` in its order, in float32."""
    from safetensors import safe_open

    files = sorted(folder.glob("*.safetensors"))
    opened: list[Any] = [safe_open(path, framework="pt") for path in files]
    where = {name: one for one in opened for name in one.keys()}  # noqa: SIM118
    for tensor in plan:
        yield where[tensor.source].get_tensor(tensor.source).float().numpy()


def _turned(tensor: Tensor, values: np.ndarray[Any, Any], config: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """llama.cpp turns neighbouring numbers of a Llama's heads by the position, transformers turns their halves."""
    part = tensor.source.rpartition(".")[0].rpartition(".")[2]
    if ARCHITECTURES[config["model_type"]] != "llama" or part not in ("q_proj", "k_proj"):
        return values
    heads = config["num_attention_heads"]
    groups = heads if part == "q_proj" else config.get("num_key_value_heads") or heads
    rows = values.shape[0]
    return values.reshape(groups, 2, rows // groups // 2, -1).swapaxes(1, 2).reshape(values.shape)


def _packed(tensor: Tensor, values: np.ndarray[Any, Any], file: Path) -> np.ndarray[Any, Any]:
    import gguf
    import numpy as np

    if tensor.kind == "F32":
        return np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"the weight {tensor.source!r} holds numbers that are not finite", path=file)
    if tensor.kind == "F16":
        if np.abs(values).max(initial=0.0) > np.finfo(np.float16).max:
            raise DataError(f"the weight {tensor.source!r} holds numbers too large for F16", path=file)
        return values.astype(np.float16)
    packed: np.ndarray[Any, Any] = gguf.quants.quantize(
        np.ascontiguousarray(values), gguf.GGMLQuantizationType[tensor.kind]
    )
    return packed


def _quantise(lib: Any, source: Path, target: Path) -> None:
    """Q4_K_M by llama.cpp."""
    import ctypes

    from ponderank.backends.llamacpp_library import reason

    settings = lib.llama_model_quantize_default_params()
    settings.ftype = lib.LLAMA_FTYPE_MOSTLY_Q4_K_M
    settings.nthread = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if lib.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(settings)):
        raise BackendError(f"llama.cpp could not quantise this model: {reason()}")
