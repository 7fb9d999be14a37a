"""Cases shared by ``record_icr.py`` and ``test_published_icr.py``: texts, tokenizers and models that anybody can make again."""

import hashlib
import json
import random
import zlib

FAMILIES = ("llama-3", "mistral")
TASKS = ("QA", "IE")
SEEDS = range(12)
TEXT = (
    "nobody knows who wrote it the passage says so it was written in 1871 by a cat , or maybe not ; see "
    "page 12 ( chapter 3 ) . Ünder the sea, ‘quoted’ words — 日本 of it:"
)
WORDS = TEXT.split(" ")
PLACES = {"llama-3": "meta-llama/llama-3-tiny", "mistral": "mistralai/mistral-tiny"}
"""Folders, named as the published code wants them: it tells models apart by their names."""
LLAMA_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def case(seed):
    """A query and documents as ``(title, text)``, the first stage's best first; some longer than 300 words."""
    rng = random.Random(seed)

    def text(words):
        return " ".join(rng.choices(WORDS, k=words))

    n = (1, 2, 3, 5, 8, 4)[seed % 6]
    docs = [(text(rng.randint(1, 4)) if rng.random() < 0.6 else "", text(rng.randint(3, 20))) for _ in range(n)]
    if seed % 6 == 2:
        docs[1] = (docs[1][0], text(310))
    return f" {text(rng.randint(2, 6))} " if seed % 4 == 3 else text(rng.randint(2, 6)), docs


def recorded_vectors(seed):
    """Attention by token for each document, without the model: what the real query pays, and what ``N/A`` does."""
    rng = random.Random(seed)
    lengths = [rng.randint(2, 40) for _ in range(rng.randint(1, 6))]
    paid = [[rng.random() for _ in range(length)] for length in lengths]
    bias = [[rng.random() * (9.0 if rng.random() < 0.05 else 1.0) for _ in range(length)] for length in lengths]
    return paid, bias


def make(family, folder):
    """Write a random model of three layers and its tokenizer to ``folder``."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    made = llama_tokenizer() if family == "llama-3" else mistral_tokenizer()
    (folder / "tokenizer.json").write_text(json.dumps(made))
    names = ["<|begin_of_text|>", "<|eot_id|>"] if family == "llama-3" else ["<s>", "</s>"]
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": names[0], "eos_token": names[1]}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    kind = "Llama" if family == "llama-3" else "Mistral"
    same = {"max_position_embeddings": 4096, "initializer_range": 0.3, "tie_word_embeddings": False}
    same |= {} if family == "llama-3" else {"sliding_window": None}
    size = len(made["model"]["vocab"]) + (len(made["added_tokens"]) if family == "llama-3" else 0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, bos_token_id=1, eos_token_id=2, **same,
    )  # fmt: skip
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2:
                weight.copy_(
                    torch.randn(weight.shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode()))) * 0.3
                )
    model.save_pretrained(folder)
    return folder


def byte_letters():
    """The character that stands for each byte in byte-level vocabularies."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in shown}
    hidden = (byte for byte in range(256) if byte not in letters)
    return letters | {byte: chr(256 + at) for at, byte in enumerate(hidden)}


def merged(words, space):
    """Merges that make each of the words one token, letter by letter from the left, and what they make."""
    merges, made = [], []
    for word in dict.fromkeys(words):
        letters = space + word
        for at in range(1, len(letters)):
            pair = f"{letters[:at]} {letters[at]}"
            if pair not in merges:
                merges.append(pair)
                made.append(letters[: at + 1])
    return merges, made


COMMON = ("the", "who", "passage", "paragraphs", "question", "information", "wrote", "it", "was", "are", "query")


def llama_tokenizer():
    """Byte-level, as Llama 3's: line breaks with the white space before them are one token, ``.\\n\\n`` would be one too."""
    letters = byte_letters()
    merges, made = merged(COMMON, letters[32])
    lines = [letters[10] * 2, letters[32] + letters[10] * 2, "." + letters[10] * 2]
    merges = [f"{letters[10]} {letters[10]}", f"{letters[32]} {lines[0]}", f". {lines[0]}", *merges]
    vocab = list(dict.fromkeys([*letters.values(), *lines, *made]))
    special = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    bos = {"id": "<|begin_of_text|>", "ids": [len(vocab)], "tokens": ["<|begin_of_text|>"]}
    single = [{"SpecialToken": {"id": bos["id"], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None,
        "added_tokens": [{"id": len(vocab) + at, "content": token, **flags} for at, token in enumerate(special)],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": LLAMA_SPLIT}, "behavior": "Isolated", "invert": False}, level]},
        "post_processor": {"type": "Sequence", "processors": [level, {
            "type": "TemplateProcessing", "single": single,
            "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {bos["id"]: bos}}]},
        "decoder": level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: at for at, token in enumerate(vocab)}, "merges": merges,
        },
    }  # fmt: skip


def mistral_tokenizer():
    """SentencePiece-like, as Mistral's first ones: ``▁`` for a space and before a text; bytes for what it does not know."""
    merges, made = merged(COMMON, "▁")
    letters = list("▁ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,;:?!/()[]'-")
    vocab = list(dict.fromkeys(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, *made]))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    single = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": at, "content": token, **flags} for at, token in enumerate(vocab[:3])],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": {token: at for at, token in enumerate(vocab)}, "merges": merges,
        },
    }  # fmt: skip
