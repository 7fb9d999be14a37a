"""Embedding models in torch: encoders (BERT and its kin) and decoders (Qwen3 …), pooled, by token, or behind a linear layer.

Texts wait in one queue across queries and run in batches of similar length under a budget of padded tokens. A text asked for
again, in another judgement or for another query, is not computed again.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.backends.spans import Placed, SpanTokenizer
from ponderank.backends.transformers_pooling import Habits, positions
from ponderank.backends.weights import fingerprint, opened, weights
from ponderank.errors import BackendError
from ponderank.types import Call, Embed, Reply, Usage


class TorchEmbedder:
    """An embedding model; answers ``Embed``.

    Args:
        folder: a Hugging Face, sentence-transformers or ColBERT checkpoint folder with ``tokenizer.json``.
        device: ``"cpu"``, ``"cuda"`` …; by default the GPU if there is one.
        dtype: ``"auto"`` takes the checkpoint's on a GPU and float32 on the CPU; or ``"float32"``, ``"bfloat16"``, ``"float16"``.
        context: tokens of a text; by default what the checkpoint was made for (sentence-transformers' ``max_seq_length``,
            ColBERT's ``doc_maxlen``), else its positions.
        batch_tokens: padded tokens a batch; bounds memory.
        keep_bytes: vectors kept for texts that are asked for again, the least recently used given up first.
        threads: torch threads on the CPU; by default torch's own choice.

    Raises:
        MissingExtra: torch or transformers is not installed.
        DataError: the folder is not such a checkpoint.
        BackendError: the model fails while running; retryable when the device is out of memory.

    A prompt too long for the context loses the ends of its documents (``Reply.cut_tokens``); one that is too long without them,
    or has no token at all, is answered with ``finish="refused"``.
    """

    can: frozenset[type[Call]] = frozenset({Embed})

    def __init__(
        self, folder: str | Path, *, device: str | None = None, dtype: str = "auto", context: int | None = None,
        batch_tokens: int = 8192, keep_bytes: int = 1 << 28, threads: int | None = None,
    ) -> None:  # fmt: skip
        folder = Path(folder)
        files = weights(folder)  # what is missing is said before anything is loaded
        self.tokenizer = SpanTokenizer(folder)
        self.model, self.device = opened(
            folder, "AutoModel", "an embedding model", device=device, dtype=dtype, threads=threads
        )
        config = self.model.config.get_text_config()
        if getattr(config, "is_encoder_decoder", False):
            self.model = self.model.get_encoder()
        config.use_cache = self.model.config.use_cache = False
        self.habits = Habits.load(folder, self.device, self.model.dtype)
        most = positions(folder, config)
        self.context = min((x for x in (most, context or self.habits.length) if x), default=512)
        self.batch_tokens = batch_tokens
        self._pad = int(getattr(config, "pad_token_id", None) or 0)
        self._mask = None if self.habits.masks_seen else self.tokenizer.inner.token_to_id("[MASK]")
        settings = {"context": self.context, "dtype": str(self.model.dtype), "device": self.device.type}
        named = [*files, folder / "tokenizer.json", *self.habits.files]
        self.fingerprint = "torch-embed:" + fingerprint(named, settings)
        self._kept = _Kept(keep_bytes)
        self._asked: dict[Embed, list[int]] = {}
        self._new: list[Embed] = []
        self._sorted: list[_Waiting] = []
        self._known: deque[tuple[int, Embed, _Text]] = deque()
        self._ready: list[tuple[int, Reply]] = []
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a text; returns its ticket."""
        if not isinstance(call, Embed):
            raise TypeError(f"TorchEmbedder answers Embed, not {type(call).__name__}")
        self._tickets += 1
        known = self._kept.get(call)
        if known:
            self._known.append((self._tickets, call, known))
        elif call in self._asked:
            self._asked[call].append(self._tickets)
        else:
            self._asked[call] = [self._tickets]
            self._new.append(call)
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Give what is known already, else run one batch, as many texts as the token budget holds.

        Texts that several judgements wait for (queries) come first, so that no document's vectors wait for them in memory; then
        the longest.
        """
        self._tokenise()
        self._recall()
        if not self._ready and self._sorted:
            self._run(self._batch())
        ready, self._ready = self._ready, []
        return ready

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        gone = set(tickets)
        self._ready = [item for item in self._ready if item[0] not in gone]
        self._known = deque(item for item in self._known if item[0] not in gone)
        left = {call: [ticket for ticket in asking if ticket not in gone] for call, asking in self._asked.items()}
        self._asked = {call: asking for call, asking in left.items() if asking}
        self._new = [call for call in self._new if call in self._asked]
        self._sorted = [waiting for waiting in self._sorted if waiting.call in self._asked]

    def close(self) -> None:
        """Drop what waits, and the vectors kept."""
        self.cancel(range(1, self._tickets + 1))
        self._kept.clear()

    def _tokenise(self) -> None:
        for call in self._new:
            placed = self.tokenizer.fit(call.prompt, self.context)
            if placed.too_long or not placed.ids:
                refused = Reply(finish="refused", usage=Usage(1, len(placed.ids)))
                self._ready += [(ticket, refused) for ticket in self._asked.pop(call)]
                continue
            self._sorted.append(_Waiting(call, placed, len(self._asked[call]) > 1))
        if self._new:
            self._sorted.sort(key=lambda waiting: (waiting.shared, len(waiting.placed.ids)))
            self._new.clear()

    def _recall(self) -> None:
        """Answer calls whose text is known: a batch's worth, for vectors as numbers take memory."""
        budget = self.batch_tokens
        while self._known and budget > 0:
            ticket, call, text = self._known.popleft()
            budget -= len(text.placed.ids)
            self._ready.append((ticket, text.reply(call, 0.0, again=True)))

    def _batch(self) -> list[_Waiting]:
        """Take the next texts from the end of the queue."""
        first = self._sorted[-1]
        most = max(1, self.batch_tokens // len(first.placed.ids))
        size = next((i for i, waiting in enumerate(reversed(self._sorted)) if waiting.shared != first.shared), most)
        size = min(size, most)
        batch, self._sorted = self._sorted[-size:], self._sorted[:-size]
        return batch

    def _run(self, batch: list[_Waiting]) -> None:
        start = time.perf_counter()
        states = self._states([waiting.placed.ids for waiting in batch])
        texts = [
            _Text(self._pooled(states[row], len(waiting.placed.ids), waiting.call.pool), waiting.placed)
            for row, waiting in enumerate(batch)
        ]
        seconds = (time.perf_counter() - start) / len(batch)
        for waiting, text in zip(batch, texts, strict=True):
            call = waiting.call
            self._kept.put(call, text)
            first, *others = self._asked.pop(call)
            self._ready.append((first, text.reply(call, seconds)))
            self._known.extend((ticket, call, text) for ticket in others)
        self._recall()

    def _states(self, rows: list[list[int]]) -> Any:
        """The last hidden states ``[B, T, H]`` of ids padded at the right."""
        import torch

        width = max(map(len, rows))
        ids = torch.tensor([row + [self._pad] * (width - len(row)) for row in rows], device=self.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self.device)
        if self._mask is not None:
            mask = mask * (ids != self._mask)
        try:
            with torch.inference_mode():
                return self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        except torch.OutOfMemoryError as error:
            raise BackendError(
                f"out of memory with {self.batch_tokens} tokens a batch; lower batch_tokens", retryable=True
            ) from error

    def _pooled(self, states: Any, length: int, pool: str) -> Any:
        """Vectors ``[1 or length, V]`` of length 1, on the CPU."""
        import torch

        with torch.inference_mode():
            found = states[:length]
            if pool == "mean":
                found = found.mean(0, keepdim=True)
            elif pool != "tokens":
                found = found[:1] if pool == "first" else found[-1:]
            for layer in self.habits.layers:
                found = layer(found)
            return torch.nn.functional.normalize(found.float(), dim=-1).cpu().numpy()


@dataclass(slots=True)
class _Waiting:
    """A text to be read; ``shared``: several wait for it."""

    call: Embed
    placed: Placed
    shared: bool


@dataclass(slots=True)
class _Text:
    """A text's vectors ``[1 or T, V]``, and its tokens."""

    vectors: Any
    placed: Placed

    def reply(self, call: Embed, seconds: float, *, again: bool = False) -> Reply:
        """The reply; ``again`` where nothing was computed for it."""
        tokens = len(self.placed.ids)
        return Reply(
            usage=Usage(1, tokens, tokens if again else 0, 0, seconds),
            cut_tokens=self.placed.cut_tokens,
            vectors=tuple(map(tuple, self.vectors.tolist())),
            spans=tuple(self.placed.spans) if call.pool == "tokens" else (),
        )

    def bytes(self, call: Embed) -> int:
        """Memory that it takes, about: vectors, ids with their spans, and the text that it is known by."""
        return int(self.vectors.nbytes) + 100 * len(self.placed.ids) + sum(len(part.text) for part in call.prompt)


class _Kept:
    """Texts by call, the least recently used given up beyond so many bytes."""

    def __init__(self, room: int) -> None:
        self.room, self.used = room, 0
        self._texts: OrderedDict[Embed, _Text] = OrderedDict()

    def get(self, call: Embed) -> _Text | None:
        """The text, if it is kept."""
        if call in self._texts:
            self._texts.move_to_end(call)
        return self._texts.get(call)

    def put(self, call: Embed, text: _Text) -> None:
        """Keep a text that is not kept yet."""
        self._texts[call] = text
        self.used += text.bytes(call)
        while self.used > self.room:
            gone, old = self._texts.popitem(last=False)
            self.used -= old.bytes(gone)

    def clear(self) -> None:
        """Give up all."""
        self._texts.clear()
        self.used = 0
