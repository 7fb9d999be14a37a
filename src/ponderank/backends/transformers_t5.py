"""Encoder-decoder models in torch: log-probabilities of labels (monoT5, RankT5), and texts decoded over several prompts (ListT5).

Prompts wait in one queue across queries and are read in batches of similar length under a budget of padded tokens. The
encoder reads each prompt once, however many labels are asked for.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.backends.prompts import Fitted, PromptTokenizer
from ponderank.backends.transformers_fused import FusedRead, decoded, joined, unwrapped
from ponderank.backends.transformers_rows import end_ids
from ponderank.backends.weights import fingerprint, opened, weights
from ponderank.errors import BackendError, DataError
from ponderank.types import Call, Choose, Fused, Likelihood, Reply, Usage

_CONTEXT = 512
"""Tokens of a prompt where the checkpoint does not say: what T5 was trained with and its rerankers are run with."""


class TorchSeq2Seq:
    """An encoder-decoder model; answers ``Choose``, ``Likelihood`` and ``Fused``.

    Args:
        folder: a Hugging Face checkpoint folder with ``tokenizer.json``.
        device: ``"cpu"``, ``"cuda"`` …; by default the GPU if there is one.
        dtype: ``"auto"`` takes the checkpoint's on a GPU and float32 on the CPU; or ``"float32"``, ``"bfloat16"``; float16
            overflows in T5.
        context: tokens of a prompt; by default what the checkpoint was trained with (``n_positions``), else 512.
        batch_tokens: padded tokens of prompts read at once; bounds memory.
        threads: torch threads on the CPU; by default torch's own choice.

    Raises:
        MissingExtra: torch or transformers is not installed.
        DataError: the folder is not such a checkpoint.
        BackendError: the model fails while running; retryable when the device is out of memory.

    A label is read as the beginning of the answer (``true`` is the token ``▁true``). A prompt too long for the context loses the
    ends of its documents (``Reply.cut_tokens``), never what stands behind them; one that is too long without them is answered
    with ``finish="refused"``.

    A text over several prompts (``Fused``) is decoded greedily; each prompt has the whole context for itself. Checkpoints saved
    by Fusion-in-Decoder's code, with the encoder in a wrapper, are loaded as well.
    """

    can: frozenset[type[Call]] = frozenset({Choose, Likelihood, Fused})

    def __init__(
        self, folder: str | Path, *, device: str | None = None, dtype: str = "auto", context: int | None = None,
        batch_tokens: int = 4096, threads: int | None = None,
    ) -> None:  # fmt: skip
        folder = Path(folder)
        self.tokenizer, files = (
            PromptTokenizer(folder),
            weights(folder),
        )  # what is missing is said before anything is loaded
        options: dict[str, Any] = {"device": device, "dtype": dtype, "threads": threads}
        self.model, self.device = opened(
            folder, "AutoModelForSeq2SeqLM", "an encoder-decoder language model", **options
        )
        unwrapped(self.model, files)
        config = self.model.config
        self.context = context or int(getattr(config, "n_positions", 0) or _CONTEXT)
        self.batch_tokens = batch_tokens
        self._start, self._pad = config.decoder_start_token_id, int(config.pad_token_id or 0)
        if self._start is None:
            raise DataError("the config names no decoder_start_token_id, with which an answer begins", path=folder)
        self._ends = end_ids(folder, config)
        settings = {"context": self.context, "dtype": str(self.model.dtype), "device": self.device.type}
        self.fingerprint = "torch-seq2seq:" + fingerprint([*files, folder / "tokenizer.json"], settings)
        self._waiting: deque[tuple[int, Call]] = deque()
        self._sorted: list[_Read] = []
        self._fused: deque[FusedRead] = deque()
        self._ready: list[tuple[int, Reply]] = []
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a call; returns its ticket."""
        if type(call) not in self.can:
            raise TypeError(f"beside Fused, TorchSeq2Seq answers Choose and Likelihood, not {type(call).__name__}")
        self._tickets += 1
        self._waiting.append((self._tickets, call))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Run one batch: the longest prompts waiting, as many as the token budget holds."""
        import torch

        self._tokenise()
        try:
            with torch.inference_mode():
                if self._fused and not self._ready:
                    self._fuse(self._together())
                elif self._sorted and not self._ready:
                    size = max(1, self.batch_tokens // len(self._sorted[-1].fitted.ids))
                    batch, self._sorted = self._sorted[-size:], self._sorted[:-size]
                    self._read(batch)
        except torch.OutOfMemoryError as error:
            remedy = f"out of memory with {self.batch_tokens} tokens a batch; lower batch_tokens"
            raise BackendError(remedy, retryable=True) from error
        ready, self._ready = self._ready, []
        return ready

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        gone = set(tickets)
        self._waiting = deque(item for item in self._waiting if item[0] not in gone)
        self._sorted = [read for read in self._sorted if read.ticket not in gone]
        self._fused = deque(read for read in self._fused if read.ticket not in gone)
        self._ready = [item for item in self._ready if item[0] not in gone]

    def close(self) -> None:
        """Drop what waits."""
        self._waiting.clear()
        self._sorted.clear()
        self._fused.clear()
        self._ready.clear()

    def _tokenise(self) -> None:
        """Ids of what waits, shortest first; not of all of it, since tokens of thousands of prompts would fill the memory."""
        budget = 4 * self.batch_tokens - sum(len(read.fitted.ids) for read in self._sorted)
        budget -= sum(read.width for read in self._fused)
        while self._waiting and budget > 0:
            ticket, call = self._waiting.popleft()
            assert isinstance(call, Choose | Likelihood | Fused)
            prompts = call.prompts if isinstance(call, Fused) else (call.prompt,)
            each = tuple(self.tokenizer.fit(prompt, self.context) for prompt in prompts)
            fitted, width = each[0], sum(len(one.ids) for one in each)
            if any(one.too_long or not one.ids for one in each):
                self._ready.append((ticket, Reply(finish="refused", usage=Usage(1, width))))
                continue
            if isinstance(call, Fused):
                self._fused.append(FusedRead(ticket, call, each))
                budget -= width
                continue
            texts = call.labels if isinstance(call, Choose) else (call.target,)
            targets = tuple(self.tokenizer.label(text) for text in texts)
            self._sorted.append(_Read(ticket, call, fitted, targets))
            budget -= len(fitted.ids)
        self._sorted.sort(key=lambda read: len(read.fitted.ids))

    def _read(self, batch: Sequence[_Read]) -> None:
        """Encode the prompts, then feed the decoder each label but its last token; labels of one token share a row."""
        start = time.perf_counter()
        ids, mask = self._padded([read.fitted.ids for read in batch])
        encoded = self.model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        rows = [(at, beginning) for at, read in enumerate(batch) for beginning in read.beginnings()]
        values: dict[tuple[int, tuple[int, ...]], Any] = {}
        rows.sort(key=lambda row: len(row[1]))
        size = max(1, self.batch_tokens // ids.shape[1])
        for first in range(0, len(rows), size):
            part = rows[first : first + size]
            values.update(zip(part, self._decoded(encoded, mask, part), strict=True))
        seconds = (time.perf_counter() - start) / len(batch)
        for at, read in enumerate(batch):
            logits = {beginning: values[at, beginning] for beginning in read.beginnings()}
            self._ready.append((read.ticket, read.reply(logits, seconds)))

    def _together(self) -> list[FusedRead]:
        """The oldest of what is to be fused, as many as the token budget holds."""
        batch = [self._fused.popleft()]
        widest = batch[0].width
        while self._fused:
            widest = max(widest, self._fused[0].width)
            if widest * (len(batch) + 1) > self.batch_tokens:
                break
            batch.append(self._fused.popleft())
        return batch

    def _fuse(self, batch: Sequence[FusedRead]) -> None:
        """Encode each prompt alone, those of like length together, and decode a text over each call's encodings."""
        start = time.perf_counter()
        rows = [(at, ids) for at, read in enumerate(batch) for ids in (one.ids for one in read.fitted)]
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i][1]))
        states: dict[int, Any] = {}
        while order:
            size = max(1, self.batch_tokens // len(rows[order[0]][1]))
            part, order = order[:size], order[size:]
            ids, mask = self._padded([rows[i][1] for i in part])
            encoded = self.model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
            states.update((i, encoded[row, : len(rows[i][1])]) for row, i in enumerate(part))
        fused = joined([[states[i] for i in range(len(rows)) if rows[i][0] == at] for at in range(len(batch))])
        most = [read.call.max_tokens for read in batch]
        texts = decoded(self.model, *fused, start=self._start, ends=self._ends, most=most)
        seconds = (time.perf_counter() - start) / len(batch)
        for read, (written, ended) in zip(batch, texts, strict=True):
            self._ready.append((read.ticket, read.reply(written, self.tokenizer, ended=ended, seconds=seconds)))

    def _decoded(self, encoded: Any, mask: Any, rows: Sequence[tuple[int, tuple[int, ...]]]) -> list[Any]:
        """Logits ``[T, V]`` of each row: a prompt's place in the batch, and what the answer begins with."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        which = torch.tensor([at for at, _ in rows], device=self.device)
        decoder, _ = self._padded([[self._start, *beginning] for _, beginning in rows])
        out = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded.index_select(0, which)),
            attention_mask=mask.index_select(0, which), decoder_input_ids=decoder, use_cache=False,
        )  # fmt: skip
        return [out.logits[row, : len(beginning) + 1].double().cpu() for row, (_, beginning) in enumerate(rows)]

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """Ids and mask ``[N, T]``, padded on the right."""
        import torch

        width = max(map(len, rows))
        ids = [[*row, *[self._pad] * (width - len(row))] for row in rows]
        mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
        return torch.tensor(ids, device=self.device), torch.tensor(mask, device=self.device)


@dataclass(frozen=True, slots=True)
class _Read:
    """A tokenised call."""

    ticket: int
    call: Choose | Likelihood
    fitted: Fitted
    targets: tuple[tuple[int, ...], ...]

    @property
    def first_only(self) -> bool:
        """Whether only the labels' first tokens count."""
        return isinstance(self.call, Choose) and self.call.scale == "logit"

    def beginnings(self) -> list[tuple[int, ...]]:
        """What the decoder is fed: each label without its last token, once."""
        return [()] if self.first_only else list(dict.fromkeys(target[:-1] for target in self.targets))

    def reply(self, logits: dict[tuple[int, ...], Any], seconds: float) -> Reply:
        """The reply with these logits ``[T, V]`` by what the decoder was fed."""
        if self.first_only:
            scores = [float(logits[()][0, target[0]]) if target else math.nan for target in self.targets]
        else:
            chances = {beginning: rows.log_softmax(-1) for beginning, rows in logits.items()}
            scores = [self._sum(chances[target[:-1]], target) for target in self.targets]
        usage = Usage(1, len(self.fitted.ids), 0, 0, seconds)
        return Reply(scores=tuple(scores), usage=usage, cut_tokens=self.fitted.cut_tokens)

    def _sum(self, chances: Any, target: tuple[int, ...]) -> float:
        """The log-probability of a target; not-a-number of a label that the tokenizer makes nothing of."""
        if not target and isinstance(self.call, Choose):
            return math.nan
        return float(sum(chances[step, id_] for step, id_ in enumerate(target)))
