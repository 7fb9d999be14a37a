"""A model of llama.cpp with one batch, and the cells that hold keys and values.

All sequences share one buffer of cells (``kv_unified``). A cell may belong to several sequences, so that taking over the
beginning of another sequence copies nothing and takes no room.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponderank.backends.llamacpp_library import library, opened, precision_number, reason
from ponderank.errors import BackendError


@dataclass(slots=True)
class Held:
    """A sequence: ``done`` ids of it are in cells, the first ``shared`` of them in cells that it took over.

    ``runs``: whose cells they are. A run of cells is written by one sequence from its begin to its end, and others use
    the first few of them; so a run takes as many cells as the one sequence that uses most of it.
    """

    seq: int
    runs: list[tuple[object, int]] = field(default_factory=list)
    shared: int = 0
    own: object = field(default_factory=object)

    @property
    def done(self) -> int:
        """Ids in cells."""
        return sum(length for _, length in self.runs)

    def grow(self, more: int) -> None:
        """Add cells at the end."""
        last, length = self.runs[-1] if self.runs else (None, 0)
        if last is self.own:
            self.runs[-1] = (last, length + more)
        else:
            self.runs.append((self.own, more))

    def first(self, most: int) -> list[tuple[object, int]]:
        """The runs of the first ``most`` ids."""
        kept: list[tuple[object, int]] = []
        for run, length in self.runs:
            if most > 0:
                kept.append((run, min(length, most)))
            most -= length
        return kept


@dataclass(slots=True)
class Kept:
    """A sequence that nobody writes to, and its ids ``[T]``, kept for those that begin as it does."""

    held: Held
    ids: tuple[int, ...]


@dataclass(slots=True)
class Chunk:
    """Ids to be read next in a sequence, and from which of them on the logits are wanted."""

    held: Held
    ids: Sequence[int]
    wanted_from: int


@dataclass(slots=True)
class _Table:
    """Who has which sequence."""

    free: list[int]
    held: list[Held] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)  # the least recently used first


class Cells:
    """A model with room for ``size`` tokens in up to ``sequences`` sequences, of which ``keep`` may be kept ones."""

    def __init__(
        self, file: Path, *, size: int | None, context: int | None, sequences: int, keep: int, batch: int, threads: int | None,
        gpu_layers: int, precision: str,
    ) -> None:  # fmt: skip
        self.library = lib = library()
        self.model = opened(lib, file, gpu_layers)
        self._free = [weakref.finalize(self, lib.llama_model_free, self.model)]
        self.trained: int = lib.llama_model_n_ctx_train(self.model)
        self.context = min(self.trained, context or 16384)
        self.size = max(size or 0, 2 * self.context)
        self.partial = not (lib.llama_model_is_recurrent(self.model) or lib.llama_model_is_hybrid(self.model))
        """Whether a sequence can be cut short; one with a recurrent state can only be read anew."""
        self.keep = keep if self.partial else 0
        settings = lib.llama_context_default_params()
        settings.n_ctx, settings.n_seq_max = self.size, sequences + self.keep
        settings.n_batch = settings.n_ubatch = max(batch, settings.n_seq_max)  # llama.cpp aborts if there are fewer
        settings.type_k = settings.type_v = precision_number(precision)
        if precision == "float32":
            settings.flash_attn_type = 0  # it reckons in half precision
        settings.kv_unified = settings.swa_full = settings.no_perf = True
        settings.n_threads = settings.n_threads_batch = threads or os.cpu_count() or 1
        self._context: Any = lib.llama_init_from_model(self.model, settings)
        if not self._context:
            raise BackendError(
                f"llama.cpp has no memory for {self.size} tokens of keys and values; lower context or memory_tokens: {reason()}"
            )
        self._free.insert(0, weakref.finalize(self, lib.llama_free, self._context))
        self._memory: Any = lib.llama_get_memory(self._context)
        self._batch: Any = lib.llama_batch_init(batch, 0, 1)
        self._free.insert(0, weakref.finalize(self, lib.llama_batch_free, self._batch))
        self._width: int = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))
        self._table = _Table(list(range(sequences + self.keep)))

    def close(self) -> None:
        """Give the memory back. May be called twice."""
        for free in self._free:
            free()

    @property
    def used(self) -> int:
        """Cells taken."""
        most: dict[object, int] = {}
        for held in [*self._table.held, *(kept.held for kept in self._table.kept)]:
            for run, length in held.runs:
                most[run] = max(most.get(run, 0), length)
        return sum(most.values())

    def make_room(self, wanted: int) -> bool:
        """Give up kept sequences until ``wanted`` cells are free; False if that is not enough."""
        while self.size - self.used < wanted:
            if not self._give_up():
                return False
        return True

    def open(self, ids: Sequence[int], spare: int) -> Held | None:
        """A sequence that has taken over the longest known beginning of ``ids``; the last id is always read anew.

        None if there would be no room for the other ids and ``spare`` more.
        """
        best, length = None, 3  # fewer are not worth the trouble
        for kept in self._table.kept:
            shared = min(_shared(kept.ids, ids), len(ids) - 1)
            if shared > length:
                best, length = kept, shared
        held = Held(self._table.free.pop())
        self._table.held.append(held)
        if best is not None:
            self.library.llama_memory_seq_cp(self._memory, best.held.seq, held.seq, 0, length)
            held.runs, held.shared = best.held.first(length), length
            self._table.kept.remove(best)
            self._table.kept.append(best)
        if self.make_room(len(ids) - held.shared + spare):
            return held
        self.drop(held)
        return None

    def knows(self, ids: Sequence[int]) -> bool:
        """Whether a kept sequence begins with ``ids``."""
        return any(kept.ids[: len(ids)] == tuple(ids) for kept in self._table.kept)

    def keep_head(self, held: Held, ids: tuple[int, ...]) -> None:
        """Keep the beginning of a running sequence."""
        if self._room_to_keep():
            head = Held(self._table.free.pop(), held.first(len(ids)))
            self.library.llama_memory_seq_cp(self._memory, held.seq, head.seq, 0, len(ids))
            self._table.kept.append(Kept(head, ids))

    def keep_whole(self, held: Held, ids: Sequence[int]) -> None:
        """End a running sequence and keep what it has of ``ids``; dropped where nothing can be kept."""
        if not self._room_to_keep():
            self.drop(held)
            return
        self._table.held.remove(held)
        self._table.kept.append(Kept(held, tuple(ids[: held.done])))

    def cut(self, held: Held, length: int) -> None:
        """Shorten a sequence to ``length`` ids; to none where the model's state cannot be cut."""
        if not self.partial:
            length = 0
        self.library.llama_memory_seq_rm(self._memory, held.seq, length, -1)
        held.runs, held.own = held.first(length), object()

    def drop(self, held: Held) -> None:
        """End a running sequence."""
        self._table.held.remove(held)
        self._clear(held)

    def clear(self) -> None:
        """End and give up everything."""
        self.library.llama_memory_clear(self._memory, False)
        self._table = _Table(list(range(len(self._table.free) + len(self._table.held) + len(self._table.kept))))

    def read(self, chunks: Sequence[Chunk]) -> list[list[NDArray[np.float32]]]:
        """Read one chunk of each sequence; the wanted logits ``[V]`` of each, valid until the next time.

        Raises:
            BackendError: llama.cpp failed; all sequences are gone.
        """
        batch, at, wanted = self._batch, 0, []
        for chunk in chunks:
            rows, done = [], chunk.held.done
            for place, id_ in enumerate(chunk.ids):
                batch.token[at], batch.pos[at] = id_, done + place
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, chunk.held.seq
                batch.logits[at] = place >= chunk.wanted_from
                rows += [at] if place >= chunk.wanted_from else []
                at += 1
            wanted.append(rows)
        batch.n_tokens = at
        code = self.library.llama_decode(self._context, batch)
        if code:
            self.clear()
            raise BackendError(f"llama.cpp failed with code {code} on {at} tokens: {reason()}", retryable=code > 0)
        for chunk in chunks:
            chunk.held.grow(len(chunk.ids))
        return [[self._logits(row) for row in rows] for rows in wanted]

    def _logits(self, row: int) -> NDArray[np.float32]:
        pointer = self.library.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, (self._width,))

    def _room_to_keep(self) -> bool:
        if not self.keep:
            return False
        return len(self._table.kept) < self.keep or self._give_up()

    def _give_up(self) -> bool:
        """Forget the kept sequence that was not used for longest, if there is one."""
        if self._table.kept:
            self._clear(self._table.kept.pop(0).held)
            return True
        return False

    def _clear(self, held: Held) -> None:
        self.library.llama_memory_seq_rm(self._memory, held.seq, -1, -1)
        self._table.free.append(held.seq)


def _shared(a: Sequence[int], b: Sequence[int]) -> int:
    most = min(len(a), len(b))
    return next((i for i in range(most) if a[i] != b[i]), most)


def log_probability(logits: NDArray[np.float32], id_: int) -> float:
    """The log-probability of a token, in double precision.

    >>> round(log_probability(np.zeros(4, np.float32), 1), 4)
    -1.3863
    """
    exact = logits.astype(np.float64)
    top = float(exact.max())
    return float(exact[id_]) - top - float(np.log(np.exp(exact - top).sum()))
