"""Writes a Llama-, Qwen2- or Qwen3-shaped checkpoint folder (``tiny_lm.model``) as a GGUF file, all weights in float32.

Only what tests need: a byte-level BPE tokenizer that splits as GPT-2's does, and no quantisation; for a real model use
llama.cpp's own ``convert_hf_to_gguf.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_BLOCK = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write(folder: Path, file: Path) -> Path:
    """Write the checkpoint in ``folder`` to ``file``; returns the file."""
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    kind = "llama" if config["model_type"] == "mistral" else config["model_type"]
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    writer = gguf.GGUFWriter(file, kind)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base((config.get("rope_parameters") or config)["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    _tokenizer(writer, folder, config["eos_token_id"])
    for name, value in load_file(folder / "model.safetensors").items():
        if kind == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            value = _interleaved(value, heads if "q_proj" in name else groups)
        writer.add_tensor(_name(name), value.astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _name(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    _, _, layer, rest = name.split(".", 3)
    part, _, kind = rest.rpartition(".")
    return f"blk.{layer}.{_BLOCK[part]}.{kind}"


def _interleaved(weight, heads):
    """llama.cpp turns neighbours in a head of a Llama, transformers turns its halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns).copy()


def _tokenizer(writer, folder: Path, end: int) -> None:
    import gguf

    described = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    names = {id_: token for token, id_ in described["model"]["vocab"].items()}
    kinds = dict.fromkeys(names, gguf.TokenType.NORMAL)
    for token in described["added_tokens"]:
        names[token["id"]] = token["content"]
        kinds[token["id"]] = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([names[i] for i in range(len(names))])
    writer.add_token_types([kinds[i] for i in range(len(names))])
    merges = described["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)
    template = json.loads((folder / "tokenizer_config.json").read_text("utf-8")).get("chat_template")
    if template:
        writer.add_chat_template(template)
