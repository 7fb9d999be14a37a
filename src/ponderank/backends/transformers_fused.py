"""Fusion-in-Decoder: prompts encoded each alone, and one text decoded over all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.backends.prompts import Fitted, PromptTokenizer
from ponderank.errors import DataError
from ponderank.types import Fused, Reply, Usage

_WRAPPED = re.compile(r"encoder\.encoder\.(?:(block\.\d+\.)module\.)?")
"""How Fusion-in-Decoder's code names the encoder's weights, which it keeps in a wrapper, each block in one of its own."""


@dataclass(frozen=True, slots=True)
class FusedRead:
    """A tokenised call."""

    ticket: int
    call: Fused
    fitted: tuple[Fitted, ...]

    @property
    def width(self) -> int:
        """Tokens of all its prompts."""
        return sum(len(one.ids) for one in self.fitted)

    def reply(self, ids: Sequence[int], tokenizer: PromptTokenizer, *, ended: bool, seconds: float) -> Reply:
        """The reply with these ids as its text."""
        usage = Usage(1, self.width, 0, len(ids), seconds)
        cut = sum(one.cut_tokens for one in self.fitted)
        return Reply(tokenizer.decode(ids), "end" if ended else "length", usage=usage, cut_tokens=cut)


def joined(states: Sequence[Sequence[Any]]) -> tuple[Any, Any]:
    """The encodings ``[T, D]`` of each call's prompts one behind the other, and their mask; padded: ``[N, T, D]``, ``[N, T]``."""
    import torch

    rows = [torch.cat(list(one)) for one in states]
    lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return padded, (torch.arange(padded.shape[1], device=lengths.device) < lengths[:, None]).long()


def decoded(
    model: Any, states: Any, mask: Any, *, start: int, ends: frozenset[int], most: Sequence[int]
) -> list[tuple[list[int], bool]]:
    """What the decoder writes over each row of states, greedily, at most so many ids each; and whether it ended by itself."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    cache, open_rows = None, set(range(len(most)))
    texts: list[list[int]] = [[] for _ in most]
    last = torch.full((len(most), 1), start, device=mask.device)
    while waiting := [row for row in open_rows if len(texts[row]) < most[row]]:
        out = model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states), attention_mask=mask, decoder_input_ids=last,
            past_key_values=cache, use_cache=True,
        )  # fmt: skip
        cache, last = out.past_key_values, out.logits[:, -1:].argmax(-1)
        for row in waiting:
            id_ = int(last[row, 0])
            if id_ in ends:
                open_rows.discard(row)
            else:
                texts[row].append(id_)
    return [(text, row not in open_rows) for row, text in enumerate(texts)]


def unwrapped(model: Any, files: Sequence[Path]) -> None:
    """Give a model its encoder where the checkpoint keeps it in a wrapper; nothing happens to others.

    Raises:
        DataError: the wrapper lacks some of the encoder's weights.
    """
    found = {plain_name(name): tensor for name, tensor in _wrapped(files)}
    if not found:
        return
    expected = {name for name, _ in model.named_parameters() if name.startswith("encoder.")}
    if missing := sorted(expected - set(found)):
        raise DataError(f"the encoder's wrapper has no {missing[0]} and {len(missing) - 1} more", path=files[0])
    model.load_state_dict(found, strict=False)


def plain_name(name: str) -> str:
    """A weight's name without the wrappers.

    >>> plain_name("encoder.encoder.block.0.module.layer.0.layer_norm.weight")
    'encoder.block.0.layer.0.layer_norm.weight'
    """
    return _WRAPPED.sub(r"encoder.\1", name)


def _wrapped(files: Sequence[Path]) -> Iterator[tuple[str, Any]]:
    """Names and tensors of a wrapped encoder."""
    import torch
    from safetensors import safe_open

    for path in files:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as opened:
                yield from ((name, opened.get_tensor(name)) for name in opened.keys() if _WRAPPED.match(name))  # noqa: SIM118
        elif path.suffix == ".bin":
            held = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
            yield from ((name, tensor) for name, tensor in held.items() if _WRAPPED.match(name))
