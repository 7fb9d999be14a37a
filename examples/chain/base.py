"""A base model of a million and a half parameters: it has read a collection's passages and knows how to look words up, no more.

It learns to go on with texts in which words come back. What it does not know: prompts, questions, verdicts, thoughts. It has no
``<think>``; ``ponderank train reasoner`` adds the marks.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ponderank.data.beir import Collection
from ponderank.formats.rank1 import HEAD


def make_tokenizer(texts: list[str], folder: Path, size: int) -> None:
    """A byte-level BPE over lower-case letters, so that a word is the same at a sentence's start.

    The recipe's first sentence, the same in every prompt, is one token: it spares so small a model the reading.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    verdicts = [" yes no true false relevant passage query"] * 1000
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator([*texts, *verdicts], trainer)
    made.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    made.add_tokens([AddedToken(HEAD.partition("Query:")[0], special=False, normalized=False)])
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "model_max_length": 1024}))


def sequences(texts: list[str], rng: random.Random) -> Iterator[str]:
    """A dozen words of two passages, then the same three times again, each time from another one of them on.

    Texts that repeat themselves teach a model to find what it has read, and to go on from there: what looking a word up needs.
    """
    while True:
        words = [word for text in rng.sample(texts, 2) for word in _piece(text, rng)]
        starts = [0, *(rng.randrange(len(words)) for _ in range(3))]
        yield "\n".join(" ".join(words[start:] + words[:start]) for start in starts)


def _piece(text: str, rng: random.Random) -> list[str]:
    words, length = text.split(), rng.randint(3, 8)
    start = rng.randrange(max(1, len(words) - length))
    return words[start : start + length]


def make_base(
    collection: Path, folder: Path, *, steps: int, vocabulary: int = 2048, width: int = 160, layers: int = 4,
    batch: int = 16, seed: int = 0, threads: int = 0,
) -> float:  # fmt: skip
    """Train the base on a collection's passages and save it; returns the seconds it took."""
    import torch
    import transformers
    from tokenizers import Tokenizer

    texts = [doc.text for doc in Collection.open(collection).corpus()]
    make_tokenizer(texts, folder, vocabulary)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end = tokenizer.token_to_id("<|endoftext|>")
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers,
        num_attention_heads=width // 32, num_key_value_heads=width // 32, max_position_embeddings=1024,
        tie_word_embeddings=True, initializer_range=0.06, rope_theta=1e5, bos_token_id=end, eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    _alike_finds_alike(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / 30, (steps - step) / (0.3 * steps))
    )
    many, began = sequences(texts, random.Random(seed)), time.perf_counter()
    for step in range(steps):
        rows = [[*tokenizer.encode(next(many)).ids[:127], end] for _ in range(batch)]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [end] * (longest - len(row)) for row in rows])
        labels = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])
        loss = model(input_ids=ids, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"base: step {step}, loss {loss.item():.3f}, {time.perf_counter() - began:.0f} s", flush=True)
    model.save_pretrained(folder)
    return time.perf_counter() - began


def _alike_finds_alike(model: Any) -> None:
    """Begin with queries equal to keys: every head then looks for the token it stands on, which so small a model takes long to find."""
    import torch

    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.q_proj.weight.normal_(std=0.09)
            layer.self_attn.k_proj.weight.copy_(layer.self_attn.q_proj.weight)
