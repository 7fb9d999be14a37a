"""What a reasoner's training starts from: room for it, a base that knows the marks of a thought, and rows as token ids."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponderank.backends.prompts import PromptTokenizer
from ponderank.distill.rows import read_rows
from ponderank.errors import DataError, RecipeError
from ponderank.formats.parts import ours
from ponderank.formats.rank1 import HEAD
from ponderank.train.reasoner_config import Reasoner
from ponderank.types import Part, Prompt

START, END = "<think>", "</think>"
_LEARNED_BYTES = 16
"""Bytes a learned number: itself, its gradient and Adam's two moments, each in float32."""


def check_room(config: Reasoner, available_gb: float | None = None) -> float:
    """Estimate the gigabytes that a process needs at its widest, from the base's configuration alone.

    Weights; learned numbers with gradient and moments; inputs of all layers and one layer's inner states for a batch of the
    longest rows; a tenth more. An estimate, not a measurement.

    Raises:
        RecipeError: the machine has less.
        DataError: there is no such base.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    spec = _found(AutoConfig, config.base)
    text = spec.get_text_config()
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(spec)
    numbers = sum(p.numel() for p in model.parameters())
    ends = {id(m): m for m in (model.get_input_embeddings(), model.get_output_embeddings())}
    tables = {id(m.weight): m.weight.numel() for m in ends.values()}
    added = sum(tables.values()) if new_marks(_tokenizer(config.base)) else 0
    inner = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and id(m) not in ends]
    adapters = sum(config.rank * (m.in_features + m.out_features) for m in inner)
    narrow = 2 if half() else 4
    kept = numbers * (0 if config.full else narrow) + _LEARNED_BYTES * (numbers if config.full else adapters + added)
    width = text.num_hidden_layers * text.hidden_size + 8 * text.hidden_size + 4 * _inner(text)
    needed = 1.1 * (kept / _shards() + narrow * config.batch * config.cutoff * width) / 1e9
    room = _memory_gb() if available_gb is None else available_gb
    if needed > room:
        raise RecipeError(
            f"training {config.base} needs about {needed:,.0f} GB a process, there are {room:,.0f} GB; take a smaller --base, "
            "--set batch=1 or a smaller cutoff, or divide the model among GPUs (accelerate launch --use_deepspeed --zero_stage 3)"
        )
    return float(needed)


def begin(config: Reasoner, place: Path) -> str:
    """Write the tokenizer to ``place/tokenizer``; returns the base to load: ``place/start`` where marks had to be added.

    A mark that is not one token yet becomes one. Its rows are the mean of the rows of the pieces it was made of; tables are
    enlarged only where they have no row to spare.

    Source: Rank1's ``new_special_tokens`` and ``resize_vocab``. Differs: only where they are missing; ordinary rather than
    special tokens, so that engines that leave special ones out of their text still show where a thought ends; initial rows
    without chance; no row is added while the base has unused ones.
    """
    from tokenizers import AddedToken

    tokenizer = _tokenizer(config.base)
    pieces = new_marks(tokenizer)
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in pieces])

    def write(folder: Path) -> None:
        _keep(tokenizer, config.base, folder)

    _written(place / "tokenizer", write)
    if not pieces:
        return config.base
    if not (place / "start").is_dir():
        model = _enlarged(config.base, {tokenizer.token_to_id(mark): ids for mark, ids in pieces.items()})

        def both(folder: Path) -> None:
            write(folder)
            model.save_pretrained(folder)

        _written(place / "start", both)
    return str(place / "start")


def begin_as_it_is(config: Reasoner, place: Path) -> None:
    """Write the tokenizer of a base that was fine-tuned already to ``place/tokenizer``; no marks are added."""
    _written(place / "tokenizer", lambda folder: _keep(_tokenizer(config.base), config.base, folder))


def _keep(tokenizer: Any, base: str, folder: Path) -> None:
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    for name in ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        found = _cached(base, name)
        if found is not None:
            shutil.copyfile(found, folder / name)


def home(base: str) -> Path:
    """The folder that a base's files lie in, on this machine's disk.

    Raises:
        DataError: there is no such base.
    """
    found = _cached(base, "config.json")
    if found is None:
        raise DataError(f"no base model {base!r}: expected a checkpoint's folder or a name on the Hub")
    return Path(found).parent


def new_marks(tokenizer: Any) -> dict[str, list[int]]:
    """The marks that are not one token of this tokenizer, with the ids of their pieces."""
    found = {mark: tokenizer.encode(mark, add_special_tokens=False).ids for mark in (START, END)}
    return {mark: ids for mark, ids in found.items() if len(ids) != 1}


def end_id(config: Reasoner, place: Path) -> int | None:
    """The id of the end-of-text token, None where rows are to go without.

    Raises:
        DataError: neither the tokenizer's configuration nor the model's names one.
    """
    if not config.end_token:
        return None
    from transformers import AutoConfig

    path = place / "tokenizer" / "tokenizer_config.json"
    named = json.loads(path.read_text("utf-8")).get("eos_token") if path.is_file() else None
    token = named["content"] if isinstance(named, dict) else named
    id_ = _tokenizer(str(place / "tokenizer")).token_to_id(token) if token else None
    if id_ is None:
        given = _found(AutoConfig, config.base).get_text_config().eos_token_id
        id_ = given[0] if isinstance(given, list) else given
    if id_ is None:
        raise DataError(f"{config.base} names no end-of-text token; --set end_token=false does without")
    return int(id_)


def encode(tokenizer: PromptTokenizer, prompt: str, completion: str, end: int | None = None) -> tuple[list[int], int]:
    """A row's ids ``[T]``, and how many of them are the prompt's: what serving asks with, id for id.

    The query, the passage and the thought are untrusted, as they are in serving: a mark that a passage has in its text is read
    as plain characters.
    """
    opening = HEAD if prompt.startswith(HEAD) else ""
    texts, mark, rest = prompt.removeprefix(opening).rpartition(START)
    asked: Prompt = (ours(opening), Part(texts if mark else rest, trusted=False), ours(mark + rest if mark else ""))
    thought, mark, verdict = completion.rpartition(END)
    said: Prompt = (Part(thought if mark else verdict, trusted=False), ours(mark + verdict if mark else ""))
    before, ids = tokenizer.encode(asked), tokenizer.encode((*asked, *said))
    same = next((at for at, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), len(before))
    return (ids if end is None else [*ids, end]), same


def write_rows(config: Reasoner, rows: Path, place: Path) -> dict[str, int]:
    """Tokenise the rows into ``place/rows.arrow`` (``input_ids``, and ``labels``: -100 on the prompt); returns the counts.

    Raises:
        DataError: a row without prompt or completion, or none that is short enough.
    """
    from datasets import Features, List, Value
    from datasets.arrow_writer import ArrowWriter

    tokenizer = PromptTokenizer(place / "tokenizer")
    end = end_id(config, place)
    read = kept = 0
    made = place / "rows.arrow.tmp"
    numbers = List(Value("int32"))
    with ArrowWriter(path=str(made), features=Features({"input_ids": numbers, "labels": numbers})) as writer:
        for prompt, completion in read_rows(rows):
            ids, before = encode(tokenizer, prompt, completion, end)
            read += 1
            if len(ids) <= config.cutoff:
                kept += 1
                writer.write({"input_ids": ids, "labels": [-100] * before + ids[before:]})
        if not kept:
            raise DataError(f"none of {read} rows has {config.cutoff} tokens or fewer; raise the cutoff", path=rows)
        writer.finalize()
    made.replace(place / "rows.arrow")
    return {"rows": read, "too_long": read - kept}


def _tokenizer(base: str) -> Any:
    """The tokenizer exactly as ``tokenizer.json`` has it; transformers' classes may build another from the vocabulary."""
    from tokenizers import Tokenizer

    path = _cached(base, "tokenizer.json")
    if path is None:
        raise DataError(f"no tokenizer.json with the base {base!r}; save it with AutoTokenizer's save_pretrained")
    return Tokenizer.from_file(path)


def _cached(base: str, name: str) -> str | None:
    """A file of a checkpoint's folder or of the Hub's, None where it has none by that name."""
    from transformers.utils import cached_file

    try:
        return cached_file(base, name)  # type: ignore[no-any-return]
    except OSError:
        return None


def _found(kind: Any, base: str) -> Any:
    try:
        return kind.from_pretrained(base)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"no base model {base!r}: expected a checkpoint's folder or a name on the Hub ({reason})"
        ) from error


def _enlarged(base: str, rows: Mapping[int, list[int]]) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    if max(rows) >= model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(max(rows) + 1, mean_resizing=False)
    with torch.no_grad():
        for table in (model.get_input_embeddings().weight, model.get_output_embeddings().weight):
            for row, pieces in rows.items():
                table[row] = table[pieces].float().mean(0).to(table.dtype)
    return model


def _written(folder: Path, write: Any) -> None:
    """Write a folder so that it is there whole or not at all."""
    made = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(made, ignore_errors=True)
    write(made)
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)


def _inner(text: Any) -> int:
    return int(getattr(text, "intermediate_size", 0) or 4 * text.hidden_size)


def half() -> bool:
    """Whether weights are held in bfloat16: on a GPU that computes in it."""
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())


def on_cpus() -> bool:
    """Whether several processes train without GPUs; they have to be told so."""
    import torch

    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.cuda.is_available()


def _shards() -> int:
    """Among how many processes the launcher divides weights and moments."""
    divided = (
        os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3" or os.environ.get("ACCELERATE_USE_FSDP") == "true"
    )
    return int(os.environ.get("WORLD_SIZE", "1")) if divided else 1


def _memory_gb() -> float:
    """Memory of this process's GPU; without one, of the machine, divided among its processes."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.mem_get_info(int(os.environ.get("LOCAL_RANK", "0")))[1]) / 1e9
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return whole / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
