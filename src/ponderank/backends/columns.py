"""Keys and values of many sequences of unequal length, which come and go while others go on.

Row ``i`` of every layer's buffer holds one sequence; all sequences end in the same column, so that a decoding step
writes one column for all. A sequence that ends gives its row to the last one; a new one is laid in with its end in the
current column. Nothing else is copied, except when the buffer is full or a new sequence is longer than what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


@dataclass(frozen=True)
class Kept:
    """The keys and values of one sequence: its ids ``[T]``, and a pair of ``[H, T, D]`` a layer."""

    ids: tuple[int, ...]
    layers: tuple[tuple[Tensor, Tensor], ...]


class Columns:
    """The buffers of the running sequences."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._end = 0
        self._capacity = (0, 0)
        self._layers: list[_Rows] = []

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def start(self) -> int:
        """The first column that any sequence needs."""
        return self._end - max(self.lengths, default=0)

    def lay(self, sequences: Sequence[tuple[tuple[Tensor, Tensor], ...]]) -> None:
        """Add sequences, each a pair of ``[H, T, D]`` a layer."""
        if not sequences:
            return
        lengths = [layers[0][0].shape[1] for layers in sequences]
        self._make_room(len(sequences), max(lengths))
        for layers, length in zip(sequences, lengths, strict=True):
            for rows, (keys, values) in zip(self._rows_of(layers), layers, strict=True):
                rows.store[0][len(self.lengths), :, self._end - length : self._end] = keys
                rows.store[1][len(self.lengths), :, self._end - length : self._end] = values
            self.lengths.append(length)

    def drop(self, row: int) -> int:
        """Forget a row; the row that took its place (its former number), or the row itself if it was the last."""
        last = len(self.lengths) - 1
        if row != last:
            for rows in self._layers:
                for store in rows.store:
                    store[row, :, self._end - self.lengths[last] : self._end] = store[
                        last, :, self._end - self.lengths[last] : self._end
                    ]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        return last

    def kept(self, row: int) -> tuple[tuple[Tensor, Tensor], ...]:
        """A copy of one sequence's keys and values."""
        span = slice(self._end - self.lengths[row], self._end)
        return tuple(
            (rows.store[0][row, :, span].clone(), rows.store[1][row, :, span].clone()) for rows in self._layers
        )

    def begin_column(self) -> Cache:
        """The cache for a step that adds one token to every sequence; afterwards call ``end_column``."""
        if self._end + 1 > self._layers[0].store[0].shape[2]:
            self._make_room(0, 0)
        for rows in self._layers:
            rows.batch, rows.start, rows.end = len(self.lengths), self.start, self._end
        return Cache(layers=list(self._layers))

    def end_column(self) -> None:
        """Count the column that the step wrote."""
        self._end += 1
        self.lengths = [length + 1 for length in self.lengths]

    def mask(self) -> Tensor:
        """``[B, T + 1]``: ones where a sequence has keys, the new column included."""
        widest = max(self.lengths)
        columns = torch.arange(widest + 1)
        return (columns[None] >= widest - torch.tensor(self.lengths)[:, None]).long()

    def _rows_of(self, layers: tuple[tuple[Tensor, Tensor], ...]) -> list[_Rows]:
        if not self._layers:
            self._layers = [_Rows() for _ in layers]
        for rows, (keys, values) in zip(self._layers, layers, strict=True):
            if rows.store is None:
                rows.begin(keys, values, self._capacity)
        return self._layers

    def _make_room(self, more: int, longest: int) -> None:
        """Have ``more`` free rows, ``longest`` columns before the current one, and free columns behind it."""
        rows_needed = len(self.lengths) + more
        widest = max([longest, *self.lengths])
        if not self._layers or self._layers[0].store is None:
            self._end, self._capacity = widest, (max(rows_needed, 1), widest + 64 + widest // 2)
            return
        have = self._layers[0].store[0].shape
        if rows_needed <= have[0] and widest <= self._end and self._end < have[2]:
            return
        if not self.lengths and rows_needed <= have[0] and widest < have[2]:  # nobody there: begin at the left again
            self._end = widest
            return
        capacity = (max(rows_needed, have[0]), max(widest + 64 + widest // 2, 1))
        for rows in self._layers:
            rows.move(len(self.lengths), self._end - max(self.lengths, default=0), self._end, widest, capacity)
        self._end = widest


class _Rows(DynamicLayer):  # type: ignore[misc]
    """One layer's buffers ``[rows, H, columns, D]``, seen by a model as a cache of the running rows."""

    is_croppable = False

    def __init__(self) -> None:
        super().__init__()
        self.store: Any = None
        self.batch = self.start = self.end = 0
        self.is_initialized = True

    def begin(self, keys: Tensor, values: Tensor, capacity: tuple[int, int]) -> None:
        """Make the buffers, zeros: what is masked must still be numbers."""
        self.store = tuple(
            one.new_zeros(capacity[0], one.shape[0], capacity[1], one.shape[2]) for one in (keys, values)
        )

    def move(self, batch: int, start: int, end: int, to_end: int, capacity: tuple[int, int]) -> None:
        """New buffers in which the columns ``[start, end)`` end at ``to_end``."""
        moved = []
        for old in self.store:
            new = old.new_zeros(capacity[0], old.shape[1], capacity[1], old.shape[3])
            new[:batch, :, to_end - (end - start) : to_end] = old[:batch, :, start:end]
            moved.append(new)
        self.store = tuple(moved)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write one column and give back all that the rows need."""
        out = []
        for store, states in zip(self.store, (key_states, value_states), strict=True):
            store[: self.batch, :, self.end : self.end + 1] = states
            out.append(store[: self.batch, :, self.start : self.end + 1])
        return out[0], out[1]

    def get_seq_length(self) -> int:
        """Columns before the new one."""
        return self.end - self.start


def past(prefixes: Sequence[tuple[Kept, int]]) -> tuple[Any, Tensor]:
    """A cache of each row's first so many tokens, and its mask ``[B, P]``; empty where no row has any.

    Of our making also then: a model's own would forget what a sliding window no longer needs.
    """
    from transformers import DynamicCache

    widest = max(length for _, length in prefixes)
    if not widest:
        return DynamicCache(), torch.zeros(len(prefixes), 0, dtype=torch.long)
    first = prefixes[0]
    cache = DynamicCache()
    if all(kept is first[0] and length == widest for kept, length in prefixes):
        for layer, pair in enumerate(first[0].layers):
            keys, values = (one[None, :, :widest].expand(len(prefixes), -1, -1, -1) for one in pair)
            cache.update(keys, values, layer)
        return cache, torch.ones(len(prefixes), widest, dtype=torch.long)
    like = next(kept for kept, length in prefixes if length)
    mask = torch.zeros(len(prefixes), widest, dtype=torch.long)
    for row, (_, length) in enumerate(prefixes):
        mask[row, widest - length :] = 1
    for layer, pair in enumerate(like.layers):
        made = []
        for side, one in enumerate(pair):
            states = one.new_zeros(len(prefixes), one.shape[0], widest, one.shape[2])
            for row, (kept, length) in enumerate(prefixes):
                if length:
                    states[row, :, widest - length :] = kept.layers[layer][side][:, :length]
            made.append(states)
        cache.update(made[0], made[1], layer)
    return cache, mask


def sequences(cache: Any, mask: Tensor) -> list[tuple[tuple[Tensor, Tensor], ...]]:
    """Each row's keys and values, the columns that the mask ``[B, T]`` leaves out taken away."""
    out = []
    for row in range(mask.shape[0]):
        valid = mask[row].bool().nonzero()[:, 0].to(cache.layers[0].keys.device)
        out.append(tuple((layer.keys[row][:, valid], layer.values[row][:, valid]) for layer in cache.layers))
    return out
