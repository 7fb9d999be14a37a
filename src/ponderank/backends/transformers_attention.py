"""Causal language models in torch that are asked where they look: attention from the end of a prompt to its parts.

A prompt is read in pieces. All before the paying tokens runs on the model's fast attention, which never forms a table of
attention; only the paying tokens' rows are formed, layer by layer, and summed at once. What a prompt shares with the one read
before it (the documents, where only the query changes) is not read again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ponderank.backends.prompts import Fitted, Place, PromptTokenizer
from ponderank.backends.weights import fingerprint, opened, weights
from ponderank.errors import BackendError, DataError
from ponderank.types import Attend, Call, Reply, Usage

_HELD_S = 0.1
"""How long a step works before it returns, finished or not."""
_AHEAD = 8
"""Calls looked at for the one that shares most with what was read last."""
_ENTRIES = 1 << 22
"""Entries of a head's table of attention that are formed at once; bounds memory."""

_Reading: TypeAlias = Generator[None, None, tuple[int, Reply]]


class TorchAttention:
    """A causal language model; answers ``Attend``.

    Args:
        folder: a Hugging Face checkpoint folder with ``tokenizer.json``.
        device: ``"cpu"``, ``"cuda"`` …; by default the GPU if there is one.
        dtype: ``"auto"`` takes the checkpoint's on a GPU and float32 on the CPU; or ``"float32"``, ``"bfloat16"``, ``"float16"``.
        context: tokens of a prompt; by default what the checkpoint allows.
        batch_tokens: tokens of a prompt read at once; bounds memory.
        threads: torch threads on the CPU; by default torch's own choice.

    Raises:
        MissingExtra: torch or transformers is not installed.
        DataError: the folder is not such a checkpoint, or its layers do not all have attention that can be read.
        BackendError: the model fails while running; retryable when the device is out of memory.

    A token across the border of two parts counts with the one it begins in. A prompt too long for the context loses the ends of
    its documents (``Reply.cut_tokens``), and their vectors are shorter; one that is too long without them, or that has no token
    from ``since`` on, is answered with ``finish="refused"``. Sums are taken in float32.
    """

    can: frozenset[type[Call]] = frozenset({Attend})

    def __init__(
        self, folder: str | Path, *, device: str | None = None, dtype: str = "auto", context: int | None = None,
        batch_tokens: int = 4096, threads: int | None = None,
    ) -> None:  # fmt: skip
        folder = Path(folder)
        # what is missing is said before anything is loaded
        self.tokenizer, files = PromptTokenizer(folder), weights(folder)
        options: dict[str, Any] = {"device": device, "dtype": dtype, "threads": threads}
        self.model, self.device = opened(folder, "AutoModelForCausalLM", "a causal language model", **options)
        config = self.model.config.get_text_config()
        limit = int(getattr(config, "max_position_embeddings", 0) or 2048)
        self.context = min(limit, context or limit)
        self.batch_tokens = batch_tokens
        self._layers = [module for module in self.model.modules() if hasattr(module, "num_key_value_groups")]
        if len(self._layers) != config.num_hidden_layers:
            raise DataError(
                f"attention can be read in {len(self._layers)} of {config.num_hidden_layers} layers; "
                "give a model such as Llama, Mistral or Qwen, in which every layer attends",
                path=folder,
            )
        settings = {"context": self.context, "dtype": str(self.model.dtype), "device": self.device.type}
        self.fingerprint = "torch-attention:" + fingerprint([*files, folder / "tokenizer.json"], settings)
        self._known = _Known()
        self._waiting: deque[tuple[int, Attend]] = deque()
        self._next: list[_Read] = []
        self._ready: list[tuple[int, Reply]] = []
        self._current: tuple[int, _Reading] | None = None
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a call; returns its ticket."""
        if not isinstance(call, Attend):
            raise TypeError(f"TorchAttention answers Attend, not {type(call).__name__}")
        unknown = [part for part in (*call.parts, call.since) if not 0 <= part < len(call.prompt)]
        if unknown:
            raise ValueError(f"part {unknown[0]} of a prompt of {len(call.prompt)} parts; they are numbered from 0")
        self._tickets += 1
        self._waiting.append((self._tickets, call))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Read on in a prompt, for a tenth of a second or one piece of it."""
        import torch

        until = time.perf_counter() + _HELD_S
        try:
            with torch.inference_mode():
                while not self._ready and self._begin():
                    self._go_on()
                    if time.perf_counter() > until:
                        break
        except Exception as error:
            self._current, self._known = None, _Known()
            if not isinstance(error, torch.OutOfMemoryError):
                raise
            remedy = f"out of memory reading {self.batch_tokens} tokens at once; lower batch_tokens or the context"
            raise BackendError(remedy, retryable=True) from error
        ready, self._ready = self._ready, []
        return ready

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        gone = set(tickets)
        self._waiting = deque(item for item in self._waiting if item[0] not in gone)
        self._next = [read for read in self._next if read.ticket not in gone]
        self._ready = [item for item in self._ready if item[0] not in gone]
        if self._current and self._current[0] in gone:
            self._current = None

    def close(self) -> None:
        """Drop what waits, and the keys and values."""
        self._waiting.clear()
        self._next.clear()
        self._ready.clear()
        self._current, self._known = None, _Known()

    def _begin(self) -> bool:
        """Have a prompt to read, if any waits: of the next few the one that shares most with what is known."""
        if self._current is None:
            while self._waiting and len(self._next) < _AHEAD:
                self._look(*self._waiting.popleft())
            if self._next:
                read = max(self._next, key=lambda read: (_shared(read.ids, self._known.ids), -read.ticket))
                self._next.remove(read)
                self._current = (read.ticket, self._read(read))
        return self._current is not None

    def _look(self, ticket: int, call: Attend) -> None:
        fitted, places = self.tokenizer.located(call.prompt, self.context)
        first = next((at for at, place in enumerate(places) if place.part >= call.since), None)
        if fitted.too_long or first is None:
            self._ready.append((ticket, Reply(finish="refused", usage=Usage(1, len(fitted.ids)))))
            return
        self._next.append(_Read(ticket, call, fitted, places, first))

    def _go_on(self) -> None:
        assert self._current is not None
        try:
            next(self._current[1])
        except StopIteration as done:
            self._ready.append(done.value)
            self._current = None

    def _read(self, read: _Read) -> _Reading:
        """Read a prompt piece by piece: first what only has to be known, then the paying tokens."""
        import torch

        start = time.perf_counter()
        ids, first, known = read.ids, read.first, self._known
        shared = min(_shared(ids, known.ids), first)
        known.keep(shared)
        for at in range(shared, first, self.batch_tokens):
            self._forward(ids[at : min(at + self.batch_tokens, first)])
            yield
        sums = torch.zeros(len(ids), device=self.device)
        rows = max(1, min(_ENTRIES // len(ids), self.batch_tokens))
        for at in range(first, len(ids), rows):
            with self._watched() as seen:
                self._forward(ids[at : at + rows])
            if len(seen) != len(self._layers):
                raise BackendError(
                    f"{len(seen)} of {len(self._layers)} layers told their attention; take another model"
                )
            sums[: len(known.ids)] += sum(seen)
            yield
        known.keep(first)
        means = (sums / (len(ids) - first)).tolist()
        usage = Usage(1, len(ids), shared, 0, time.perf_counter() - start)
        return read.ticket, Reply(vectors=read.vectors(means), usage=usage, cut_tokens=read.fitted.cut_tokens)

    def _forward(self, ids: Sequence[int]) -> None:
        """Read these ids behind what is known; their keys and values are known then."""
        import torch

        before = len(self._known.ids)
        positions = torch.arange(before, before + len(ids), device=self.device)[None]
        self.model(
            input_ids=torch.tensor([ids], device=self.device), position_ids=positions,
            past_key_values=self._known.cache, use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        self._known.ids += ids

    @contextmanager
    def _watched(self) -> Iterator[list[Any]]:
        """Collects from each layer the attention paid to each token ``[T]``, summed over heads and paying tokens."""
        seen: list[Any] = []

        def note(module: Any, given: Any, found: tuple[Any, ...]) -> tuple[Any, ...]:
            if found[1] is None:
                return found
            seen.append(found[1][0].float().sum((0, 1)))
            return (found[0], None, *found[2:])

        usual = self.model.config._attn_implementation
        self.model.set_attn_implementation("eager")  # the one that forms its rows
        hooks = [layer.register_forward_hook(note) for layer in self._layers]
        try:
            yield seen
        finally:
            for hook in hooks:
                hook.remove()
            self.model.set_attn_implementation(usual)


@dataclass(frozen=True, slots=True)
class _Read:
    """A tokenised call: where its ids stand, and the first of them that pays."""

    ticket: int
    call: Attend
    fitted: Fitted
    places: list[Place]
    first: int

    @property
    def ids(self) -> list[int]:
        """The ids ``[T]``."""
        return self.fitted.ids

    def vectors(self, means: Sequence[float]) -> tuple[tuple[float, ...], ...]:
        """The tokens' values ``[T]``, by part."""
        found: dict[int, list[float]] = {part: [] for part in self.call.parts}
        for place, mean in zip(self.places, means, strict=True):
            if place.part in found:
                found[place.part].append(mean)
        return tuple(tuple(found[part]) for part in self.call.parts)


class _Known:
    """The ids read last, and their keys and values."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.cache: Any = _cache()

    def keep(self, length: int) -> None:
        """Forget all but the first so many."""
        del self.ids[length:]
        if not length:
            self.cache = _cache()
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[..., :length, :], layer.values[..., :length, :]


def _cache() -> Any:
    """An empty cache of our making: a model's own would forget what a sliding window no longer needs."""
    from transformers import DynamicCache

    return DynamicCache()


def _shared(a: Sequence[int], b: Sequence[int]) -> int:
    most = min(len(a), len(b))
    return next((i for i in range(most) if a[i] != b[i]), most)
