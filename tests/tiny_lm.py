"""A language model of a few thousand random parameters, with a byte-level tokenizer that knows Rank1's tokens."""

from __future__ import annotations

import json
from pathlib import Path

TEXTS = [
    "Determine if the following passage is relevant to the query. Answer only with 'true' or 'false'.",
    "Query: who wrote it\nPassage: nobody knows who wrote it\n<think> the passage says so. </think> true false",
] * 8
ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]


def tokenizer(folder: Path) -> None:
    """Write a byte-level BPE ``tokenizer.json`` as Qwen's are: no token is put around a text."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    made.add_special_tokens([AddedToken(token, special=True) for token in ADDED[:3]])
    made.add_tokens([AddedToken(token, special=False) for token in ADDED[3:]])
    made.save(str(folder / "tokenizer.json"))
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, "eos_token": "<|endoftext|>"}))


def model(folder: Path, *, seed: int = 0, kind: str = "qwen3", sliding: int | None = None) -> Path:
    """Write a random causal language model of two layers to ``folder``."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer(folder)
    from tokenizers import Tokenizer

    size = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    torch.manual_seed(seed)
    same = {
        "vocab_size": size, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 512, "eos_token_id": size - 5, "bos_token_id": size - 5,
        "tie_word_embeddings": False, "initializer_range": 0.3,
    }  # fmt: skip
    if kind == "qwen3":
        config = transformers.Qwen3Config(**same, head_dim=8)
    elif kind == "mistral":
        config = transformers.MistralConfig(**same, sliding_window=sliding)
    else:
        config = transformers.LlamaConfig(**same)
    made = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        made.lm_head.weight[:256] *= 0.2  # words rather than broken characters
    made.generation_config.eos_token_id = size - 5
    made.save_pretrained(folder)
    return folder
