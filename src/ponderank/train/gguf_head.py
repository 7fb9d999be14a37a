"""The head of a GGUF file: a model's widths and heads, and how positions turn them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponderank.errors import DataError

if TYPE_CHECKING:
    import numpy as np


def write_head(writer: Any, folder: Path, config: Mapping[str, Any], kind: str) -> None:
    """Write what the model is: its widths, its heads, how it turns positions.

    Raises:
        DataError: a rotation that no key describes.
    """
    import gguf

    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    numbers = {"F16": gguf.LlamaFileType.MOSTLY_F16, "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
    writer.add_type("model")
    writer.add_name(folder.resolve().name)
    writer.add_file_type(numbers.get(kind, gguf.LlamaFileType.MOSTLY_Q4_0))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(size)
    rope = _rope(config)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))
    elif kind == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(float(rope["factor"]))
        first = rope.get("original_max_position_embeddings") or config["max_position_embeddings"]
        writer.add_rope_scaling_orig_ctx_len(int(first))
    known = {"rope_type", "type", "rope_theta", "factor", "original_max_position_embeddings"}
    odd = sorted(key for key, value in rope.items() if key not in known and value is not None)
    if kind not in ("default", "linear", "yarn", "llama3") or (kind != "llama3" and odd):
        raise DataError(
            f"a GGUF file cannot say how this model turns positions: {kind} {' '.join(odd)}".rstrip(),
            path=folder / "config.json",
        )


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    return dict(config.get("rope_parameters") or config.get("rope_scaling") or {})


def rope_factors(folder: Path, config: Mapping[str, Any]) -> np.ndarray[Any, Any] | None:
    """By what Llama 3.1's rotation divides each frequency ``[head / 2]``; None for others, which keys describe.

    Told from the frequencies that transformers computes.
    """
    import numpy as np

    rope = _rope(config)
    if (rope.get("rope_type") or rope.get("type")) != "llama3":
        return None
    from transformers import AutoConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    turned, _ = ROPE_INIT_FUNCTIONS["llama3"](AutoConfig.from_pretrained(str(folder)))
    base = float(rope.get("rope_theta") or config["rope_theta"])
    plain = base ** -(np.arange(len(turned), dtype=np.float64) / len(turned))
    factors: np.ndarray[Any, Any] = (plain / turned.double().numpy()).astype(np.float32)
    return factors
