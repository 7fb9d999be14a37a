"""The vocabulary of a checkpoint in a GGUF file, so that llama.cpp splits a text as ``tokenizer.json`` does.

llama.cpp has its own code for how a text is divided before pairs of bytes are merged, chosen by a name
(``tokenizer.ggml.pre``); a wrong name changes the ids and says nothing. So the name is told from what the ``tokenizer.json``
says of it, word for word, and what is not known is refused; where llama-cpp-python is installed ``check`` compares ids.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponderank.backends.chat import ChatTemplate
from ponderank.errors import DataError
from ponderank.formats.parts import ours

_CONVERTER = "llama.cpp's own convert_hf_to_gguf.py knows more of them"
_CASED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SPLITS = {
    _CASED % r"\p{N}": "qwen2",
    _CASED % r"\p{N}{1,3}": "llama-bpe",
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+": "tekken",
}
"""llama.cpp's name for a pre-tokenizer's expression: Qwen2's and Qwen3's, Llama 3's, Mistral's."""
_MERGES_LAST = ("llama-bpe", "tekken")
"""With these names llama.cpp takes a word that is in the vocabulary whole, whether merges lead there or not."""

SAMPLES = (
    "Determine if the following passage is relevant to the query. Answer only with 'true' or 'false'.\nQuery: who's it?\n"
    "Passage: It's 1,234.50 EUR (in 2019)\n<think>\nOkay, let's see. They'd SAY so!\n</think> true",
    "  two  spaces,\ttabs\t\tand\r\nlines\n\n\n  end  ",
    "Straße, naïve café, 日本語のテキスト, Привет мир, 🙂🙃, ½ x² ≤ π … “quotes” – dash—done",
    "def f(x):\n    return {'a': x[0], \"b\": 0x1F}  # comment://path/to/file.txt\n",
    "DON'T I'll we've THEY'RE 123456789 12 345 a1b2c3 !!!??? <|im_end|> </s> [PAD]",
)
"""Texts that pre-tokenizers divide differently: contractions, digits, scripts, white space, marks."""


def add_vocabulary(writer: Any, folder: Path, rows: int) -> None:
    """Write tokens, their kinds, merges, marks and the chat template of ``folder``; the list is padded to ``rows`` embeddings.

    Raises:
        DataError: the tokenizer is not a byte-level BPE, or one that llama.cpp has no name for.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise DataError(
            "no tokenizer.json in this model folder; save it with AutoTokenizer's save_pretrained", path=folder
        )
    described = json.loads(path.read_text("utf-8"))
    pre = pre_tokenizer(described, path)
    names, kinds = _tokens(described, rows, path)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(names)
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in described["model"]["merges"]])
    _marks(writer, folder, described)
    template = ChatTemplate.load(folder).source
    if template:
        writer.add_chat_template(template)


def pre_tokenizer(described: Mapping[str, Any], path: Path) -> str:
    """llama.cpp's name for how this ``tokenizer.json`` divides a text.

    Raises:
        DataError: it has none, or the tokenizer is not a byte-level BPE.

    >>> byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    >>> pre_tokenizer({"model": {"type": "BPE"}, "pre_tokenizer": byte_level}, Path("tokenizer.json"))
    'gpt-2'
    """
    model, steps = described["model"], _steps(described.get("pre_tokenizer"))
    if model["type"] != "BPE" or model.get("byte_fallback") or not steps or steps[-1]["type"] != "ByteLevel":
        raise DataError(f"a GGUF file from here needs a byte-level BPE vocabulary; {_CONVERTER}", path=path)
    normaliser = described.get("normalizer")
    if normaliser is not None and normaliser["type"] != "NFC":  # llama.cpp has none; NFC leaves nearly all texts alone
        raise DataError(f"llama.cpp cannot normalise as this tokenizer does ({normaliser['type']})", path=path)
    if any(one.get("lstrip") or one.get("rstrip") or one.get("single_word") for one in described["added_tokens"]
           ) if described.get("added_tokens") else False:  # fmt: skip
        raise DataError("a token takes the white space beside it, which llama.cpp would leave", path=path)
    last, before = steps[-1], steps[:-1]
    name = None
    if last.get("add_prefix_space"):
        pass
    elif last.get("use_regex", True):
        digits = [{"type": "Digits", "individual_digits": True}]
        name = "gpt-2" if not before else "smollm" if before == digits else None
    elif len(before) == 1 and before[0]["type"] == "Split" and before[0]["behavior"] == "Isolated":
        name = _SPLITS.get(before[0]["pattern"].get("Regex", "")) if not before[0].get("invert") else None
    if name is None or (model.get("ignore_merges") and name not in _MERGES_LAST):
        raise DataError(f"llama.cpp has no name for how this tokenizer divides a text; {_CONVERTER}", path=path)
    return name


def _steps(pre: Mapping[str, Any] | None) -> list[Any]:
    if pre is None:
        return []
    return list(pre["pretokenizers"]) if pre["type"] == "Sequence" else [pre]


def _tokens(described: Mapping[str, Any], rows: int, path: Path) -> tuple[list[str], list[Any]]:
    """Names and kinds by id. A thought's marks are user-defined or control tokens: then llama.cpp reads them as one token."""
    from gguf import TokenType

    names: dict[int, str] = {id_: token for token, id_ in described["model"]["vocab"].items()}
    kinds = dict.fromkeys(names, TokenType.NORMAL)
    for token in described.get("added_tokens") or ():
        names[token["id"]] = token["content"]
        kinds[token["id"]] = TokenType.CONTROL if token["special"] else TokenType.USER_DEFINED
    if names and max(names) >= rows:
        raise DataError(f"the tokenizer has the id {max(names)}, the embeddings have {rows} rows", path=path)
    ids = range(rows)
    return [names.get(i, f"[PAD{i}]") for i in ids], [kinds.get(i, TokenType.UNUSED) for i in ids]


def _marks(writer: Any, folder: Path, described: Mapping[str, Any]) -> None:
    """Which tokens begin and end a text, and whether one is put there."""
    from tokenizers import Tokenizer

    config = json.loads((folder / "config.json").read_text("utf-8"))
    generation = folder / "generation_config.json"
    chosen = config | (json.loads(generation.read_text("utf-8")) if generation.is_file() else {})
    tokenizer = Tokenizer.from_str(json.dumps(described))
    bare, whole = (tokenizer.encode("a", add_special_tokens=around).ids for around in (False, True))
    at = next((i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), 0)
    before, after = whole[:at], whole[at + len(bare) :]
    given = chosen.get("eos_token_id")
    ends = list(given) if isinstance(given, list) else [] if given is None else [given]
    if after and after[0] in ends:
        ends.sort(key=lambda id_: id_ != after[0])
    begin = before[0] if before else chosen.get("bos_token_id")
    if len(before) > 1 or len(after) > 1 or (after and after[0] not in ends) or len(ends) > 3:
        raise DataError(
            f"the tokenizer puts {len(before)} tokens before and {len(after)} behind a text, which {len(ends)} tokens end; "
            "a GGUF file holds one each, and three that end",
            path=folder / "tokenizer.json",
        )
    for add, id_ in zip(
        (writer.add_eos_token_id, writer.add_eot_token_id, writer.add_eom_token_id), ends, strict=False
    ):
        add(id_)
    if begin is not None:
        writer.add_bos_token_id(begin)
    if isinstance(chosen.get("pad_token_id"), int):
        writer.add_pad_token_id(chosen["pad_token_id"])
    writer.add_add_bos_token(bool(before))
    writer.add_add_eos_token(bool(after))


def check(file: Path, folder: Path) -> bool:
    """Compare the ids of ``SAMPLES`` in llama.cpp and in ``tokenizer.json``; False where llama-cpp-python is not installed.

    Raises:
        DataError: they differ.
    """
    from ponderank.backends.llamacpp_library import library
    from ponderank.backends.llamacpp_tokens import GgufTokenizer
    from ponderank.backends.prompts import PromptTokenizer
    from ponderank.errors import MissingExtra

    try:
        lib = library()
    except MissingExtra:
        return False
    settings = lib.llama_model_default_params()
    settings.vocab_only = True
    model = lib.llama_model_load_from_file(os.fsencode(file), settings)
    if not model:
        raise DataError("llama.cpp cannot read the vocabulary that was written", path=file)
    try:
        here, there = PromptTokenizer(folder), GgufTokenizer(lib, model)
        for text in SAMPLES:
            ids, theirs = here.encode((ours(text),)), there.encode((ours(text),))
            if ids != theirs:
                at = next((i for i, (a, b) in enumerate(zip(ids, theirs, strict=False)) if a != b), 0)
                raise DataError(
                    f"llama.cpp divides {text[:40]!r}… otherwise than tokenizer.json, from {here.decode(ids[:at])[-20:]!r} on; "
                    f"this tokenizer cannot be carried over; {_CONVERTER}",
                    path=folder / "tokenizer.json",
                )
    finally:
        lib.llama_model_free(model)
    return True
