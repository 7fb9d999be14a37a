"""An encoder-decoder model of a few thousand random parameters, with a SentencePiece-like tokenizer as T5's are."""

from __future__ import annotations

from pathlib import Path

TEXTS = [
    "Query: who wrote it Document: nobody knows who wrote it Relevant: true false yes no",
    "the passage says so and the document is about a dog and a cat relevant to the query",
    "false friends are true words nevertheless",
] * 8


def tokenizer(folder: Path) -> None:
    """Write a Unigram ``tokenizer.json`` that marks words with ``▁`` and closes a text with ``</s>``."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.decoder = decoders.Metaspace(prepend_scheme="always")
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False,
        initial_alphabet=list("abcdefghijklmnopqrstuvwxyzQDR:.,▁"),
    )  # fmt: skip
    made.train_from_iterator(TEXTS, trainer)
    made.add_special_tokens([AddedToken(f"<extra_id_{i}>", special=True) for i in range(12)])
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    made.save(str(folder / "tokenizer.json"))


def model(folder: Path, *, seed: int = 0, tied: bool = True) -> Path:
    """Write a random T5 of two layers a side to ``folder``; ``tied`` scales the decoder's states as T5 v1.0 does."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer(folder)
    from tokenizers import Tokenizer

    torch.manual_seed(seed)
    config = transformers.T5Config(
        vocab_size=Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size(), d_model=32, d_kv=8, d_ff=64,
        num_layers=2, num_heads=4, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, n_positions=384,
        tie_word_embeddings=tied, initializer_factor=0.5,
    )  # fmt: skip
    made = transformers.T5ForConditionalGeneration(config)
    made.save_pretrained(folder)
    return folder
