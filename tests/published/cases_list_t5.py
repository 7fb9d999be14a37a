"""Cases shared by ``record_list_t5.py`` and ``test_published_list_t5.py``: texts, a tokenizer and a model that anybody can make again."""

import json
import random
import zlib

SEEDS = range(60)
CONTEXT = 48
TEXT = "nobody knows who wrote it the passage says so it was written by a cat or maybe not see page , . ? Query : Index Context"
WORDS = TEXT.split()
NUMBERS = [str(number) for number in range(10)]


def case(seed):
    """A query and one to five passages as ``(title, text)``; some are too long for the context."""
    rng = random.Random(seed)

    def text(words):
        return " ".join(rng.choices(WORDS, k=words))

    n = 5 if seed % 3 else 1 + seed // 3 % 5
    return text(rng.randint(2, 6)), [
        (text(rng.randint(1, 3)) if rng.random() < 0.5 else "", text(rng.choice((3, 8, 20, 70)))) for _ in range(n)
    ]


def written(seed):
    """A text that a decoder might write over five prompts: mostly an order of the five, at times with a slip."""
    rng = random.Random(seed)
    numbers = rng.sample("12345", 5)
    if rng.random() < 0.3:
        numbers[rng.randrange(5)] = rng.choice("12345")
    return " ".join(numbers if rng.random() < 0.8 else numbers[rng.randint(1, 3) :])


def tokenizer(folder):
    """Write a tokenizer of whole words that closes a text with ``</s>``; both sides' versions of `tokenizers` read it."""
    vocab = {word: at for at, word in enumerate(dict.fromkeys(["<pad>", "</s>", "<unk>", *NUMBERS, *WORDS]))}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    single = [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    made = {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "decoder": None,
        "added_tokens": [{"id": at, "content": word, **flags} for at, word in enumerate(("<pad>", "</s>", "<unk>"))],
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(made))
    return len(vocab)


def model(size, folder):
    """Write a random T5 of two layers a side, whose head favours the numbers 1 to 5, to ``folder``; the head is not the embedding."""
    import torch
    import transformers
    from safetensors.torch import save_file

    values = {
        "vocab_size": size, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "pad_token_id": 0,
        "eos_token_id": 1, "decoder_start_token_id": 0, "tie_word_embeddings": False, "model_type": "t5",
        "architectures": ["T5ForConditionalGeneration"],
    }  # fmt: skip
    made = transformers.T5ForConditionalGeneration(transformers.T5Config(**values))
    weights = {name: weight.detach().clone() for name, weight in made.named_parameters()}
    for name, weight in weights.items():
        if weight.dim() == 2:
            random_ = torch.randn(weight.shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
            weight.copy_(random_ * (0.6 if "decoder" in name else 0.2))
    weights["shared.weight"][0] = 0.0
    head = torch.zeros(size, 32)
    head[4:9] = torch.randn((5, 32), generator=torch.Generator().manual_seed(0))
    head[1] = head[4:9].mean(0)  # the end
    save_file({**weights, "lm_head.weight": head}, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(values))
    return folder
