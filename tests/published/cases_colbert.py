"""A tiny ColBERT checkpoint and texts for it, all by plain arithmetic."""

from __future__ import annotations

import json
import math
import random
import string
from pathlib import Path

DIM = 8
LENGTH = 40
"""The greatest length of a document in tokens (``doc_maxlen``)."""
WORDS = ["the", "what", "is", "cat", "dog", "who", "wrote", "it", "nobody", "knows"]


def vectors(seed, count, dim=DIM):
    """``count`` vectors of length 1."""
    rng = random.Random(seed)
    rows = [[rng.uniform(-1, 1) for _ in range(dim)] for _ in range(count)]
    return [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in rows]


def texts():
    """Queries and documents: short, long, with punctuation, accents, unknown signs, and empty."""
    rng = random.Random(7)
    queries = ["", "what is the cat?", "who wrote it", "the " * 40]
    queries += [" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 9))) for _ in range(4)]
    docs = ["", "...", "nobody knows who wrote it. the cat is it!", "Élan ≠ zero; \u2603 snow", "it is, is it? " * 20]
    docs += [" ".join(rng.choice([*WORDS, *"abc.,!"]) for _ in range(rng.randint(1, 30))) for _ in range(8)]
    return queries, docs


def checkpoint(folder: Path) -> Path:
    """Write a BERT of two layers with a linear layer of 8 behind it, as ColBERT's checkpoints are laid out."""
    import torch
    import transformers
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    signs = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    words = [
        "[PAD]",
        "[unused0]",
        "[unused1]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *signs,
        *(f"##{c}" for c in signs),
        *WORDS,
    ]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 4), ("[SEP]", 5)]
    )
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=96, pad_token_id=0, architectures=["HF_ColBERT"],
    )  # fmt: skip
    config.save_pretrained(folder)
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in transformers.BertModel(config).state_dict().items()}
    shapes = {f"bert.{name}": shape for name, shape in shapes.items() if "position_ids" not in name}
    save_file({name: _numbers(name, shape) for name, shape in {**shapes, "linear.weight": (DIM, 32)}.items()},
              folder / "model.safetensors", {"format": "pt"})  # fmt: skip
    about = {"query_token_id": "[unused0]", "doc_token_id": "[unused1]", "query_token": "[Q]", "doc_token": "[D]", "dim": DIM,
             "query_maxlen": 32, "doc_maxlen": LENGTH, "mask_punctuation": True, "attend_to_mask_tokens": False,
             "similarity": "cosine", "interaction": "colbert"}  # fmt: skip
    (folder / "artifact.metadata").write_text(json.dumps(about))
    return folder


def _numbers(name, shape):
    """Weights from a formula; those of layer norms around 1."""
    import torch

    total, start = math.prod(shape), sum(map(ord, name)) % 97
    values = [0.3 * math.sin(0.7 * start + 1.3 * i + 0.01 * i * (i % 7)) for i in range(total)]
    if name.endswith("LayerNorm.weight"):
        values = [1 + value for value in values]
    return torch.tensor(values, dtype=torch.float32).reshape(shape)
