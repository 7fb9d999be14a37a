"""Decoder classifiers of a few thousand random parameters: a linear head on the last token, as RankLLaMA's."""

from __future__ import annotations

from pathlib import Path


def tokenizer(folder: Path) -> None:
    """Write a tokenizer that, as Llama's, marks words with ``▁`` and begins both texts of a pair with ``<s>``."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors, trainers

    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)])
    texts = ["query: who wrote it document: nobody knows who wrote it. true false Relevant: [/INST]\n"] * 8
    trainer = trainers.BpeTrainer(
        vocab_size=150, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False,
        initial_alphabet=list("abcdefghijklmnopqrstuvwxyz:.▁\n[]/INSTR"),
    )  # fmt: skip
    # words are units, so that merges do not cross them
    made.train_from_iterator([word for text in texts for word in text.split(" ")] * 4, trainer)
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    made.save(str(folder / "tokenizer.json"))


def model(folder: Path, *, seed: int = 0, pad: int | None = None, labels: int = 1, kind: str = "llama") -> Path:
    """Write a random classifier of two layers to ``folder``; ``pad`` is the padding that its config names."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer(folder)
    from tokenizers import Tokenizer

    torch.manual_seed(seed)
    same = {
        "vocab_size": Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size(), "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 128, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": pad, "num_labels": labels,
        "initializer_range": 0.3,
    }  # fmt: skip
    config = transformers.LlamaConfig(**same) if kind == "llama" else transformers.Qwen3Config(**same, head_dim=8)
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder
