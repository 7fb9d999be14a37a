"""Four-bit weights for GPU engines, AWQ or GPTQ, through llm-compressor, calibrated on the model's own training rows.

What is written is a checkpoint in the compressed-tensors format, which vLLM and transformers load as they load any other.
llm-compressor pins its transformers: give it an environment of its own (``pip install 'ponderank[llmcompressor]'``).

Source: Rank1 (arXiv 2502.18418), section 4, Table 7: int4 by AutoAWQ; AWQ (arXiv 2306.00978), GPTQ (arXiv 2210.17323).
Differs: llm-compressor in place of AutoAWQ, whose authors end it; its ``W4A16_ASYM`` is the same format (four bits, groups of
128, zero points), ``W4A16`` for GPTQ. Calibrated on prompts with their thoughts and verdicts, as served, not on a general text
collection, which holds no ``<think>``; rows longer than 4,096 tokens are left out, none is cut. Groups of 64 or 32 where the
model's rows do not divide by 128.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from ponderank.errors import BackendError, DataError, MissingExtra
from ponderank.train.reasoner_start import encode

SAMPLES = {"awq-int4": 256, "gptq-int4": 512}
"""Rows to calibrate on, as in llm-compressor's examples."""
_LONGEST = 4096
_GROUPS = (128, 64, 32)
_IGNORED = ["lm_head", "re:.*score$", "re:.*classifier$"]
"""Layers that stay as they are: a verdict is the difference of two rows of the first; the others are a judge's heads."""
_BESIDE = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "vocab.json",
           "merges.txt", "generation_config.json")  # fmt: skip


def installed() -> None:
    """Say what is missing before anything is done.

    Raises:
        MissingExtra: llm-compressor is not installed.
    """
    try:
        with redirect_stdout(
            sys.stderr
        ):  # where its log goes is settled here, and would be stdout, which holds results
            import llmcompressor  # noqa: F401
    except ImportError as error:
        raise MissingExtra("llmcompressor", "int4 weights for GPU engines (AWQ, GPTQ)") from error


def write_compressed(folder: Path, out: Path, to: str, rows: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Write ``folder`` in four bits to ``out``; returns what was made, of how many rows.

    Raises:
        MissingExtra: llm-compressor is not installed.
        DataError: no row is short enough, or the model's rows divide by no group.
        BackendError: llm-compressor fails on this model.
    """
    installed()
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM

    from ponderank.backends.prompts import PromptTokenizer

    tokenizer = PromptTokenizer(folder)
    chosen = rows[:: max(1, len(rows) // SAMPLES[to])][: SAMPLES[to]]
    ids = [encode(tokenizer, prompt, completion)[0] for prompt, completion in chosen]
    ids = [one for one in ids if len(one) <= _LONGEST]
    if not ids:
        raise DataError(f"none of {len(chosen)} rows to calibrate on has {_LONGEST} tokens or fewer", path=folder)
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype="auto")
    kind = model.dtype
    if not torch.cuda.is_available():
        model = model.float()  # half precision is slow there, and not all of it is written
    group = _group(model, folder)
    many = Dataset.from_dict({"input_ids": ids, "attention_mask": [[1] * len(one) for one in ids]})
    _run(model, many, to, group, max(map(len, ids)))
    model.to(kind)  # the scales, and what was left as it is
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out, save_compressed=True)
    for path in out.iterdir():
        path.chmod(0o644)  # it writes weights that only their owner may read
    for name in _BESIDE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
    return {"scheme": f"{to.removesuffix('-int4').upper()} int4, groups of {group}", "calibrated_on": len(ids)}


def _group(model: Any, folder: Path) -> int:
    """The widest group that every matrix divides into."""
    import torch

    wide = {m.in_features for name, m in model.named_modules() if isinstance(m, torch.nn.Linear) and name != "lm_head"}
    for size in _GROUPS:
        if all(width % size == 0 for width in wide):
            return size
    raise DataError(f"rows of {sorted(wide)} numbers, which do not divide into groups of 32", path=folder)


def _run(model: Any, many: Any, to: str, group: int, longest: int) -> None:
    from llmcompressor import oneshot

    try:
        with _nothing_pinned():
            oneshot(
                model=model, dataset=many, recipe=_recipe(to, group), max_seq_length=longest,
                num_calibration_samples=len(many), shuffle_calibration_samples=False,
            )  # fmt: skip
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackendError(f"llm-compressor cannot quantise this model: {error}") from error


@contextmanager
def _nothing_pinned() -> Iterator[None]:
    """Let AWQ run without a GPU: llm-compressor 0.14 pins memory for the way there also where there is none, and fails.

    Pinning changes no value; with a GPU everything is left as it is.
    """
    import torch
    from llmcompressor.pipelines.cache import IntermediatesCache

    pins = getattr(IntermediatesCache, "pin_memory", None)
    if pins is None or torch.accelerator.is_available():
        yield
        return
    IntermediatesCache.pin_memory = lambda *_, **__: None
    try:
        yield
    finally:
        IntermediatesCache.pin_memory = pins


def _recipe(to: str, group: int) -> list[Any]:
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier

    awq = to == "awq-int4"
    weights = QuantizationArgs(num_bits=4, type="int", symmetric=not awq, strategy="group", group_size=group)
    groups = {"group_0": QuantizationScheme(targets=["Linear"], weights=weights)}
    if awq:
        return [AWQModifier(), QuantizationModifier(config_groups=groups, ignore=_IGNORED)]
    return [GPTQModifier(config_groups=groups, ignore=_IGNORED)]
