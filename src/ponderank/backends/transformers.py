"""Cross-encoders in torch: any sequence-classification checkpoint that transformers loads, on the CPU or a GPU.

Used for models without an ONNX export, for GPUs, and to check the ONNX backend. Pairs wait in one queue across queries
and run in batches of similar length under a budget of padded tokens.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ponderank.backends.onnx import fingerprint
from ponderank.backends.pairs import PairTokenizer
from ponderank.backends.weights import unseen_bars
from ponderank.errors import BackendError, DataError, MissingExtra, RecipeError
from ponderank.types import Call, Classify, Reply, Usage

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")


class TorchClassifier:
    """A cross-encoder in torch; answers ``Classify``, also with two texts where the model knows three segments (duoBERT).

    Args:
        folder: a Hugging Face checkpoint folder with ``tokenizer.json`` and one or two labels.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` …; by default the GPU if there is one.
        max_length: tokens of query and document together; by default what the checkpoint allows.
        batch_tokens: padded tokens a batch; bounds memory.
        threads: torch threads on the CPU; by default torch's own choice.
        dtype: ``"float32"``, ``"bfloat16"``, ``"float16"``, or ``"auto"``, the checkpoint's: a 7B classifier needs half the memory.
        joined: query and document are one text closed by the end token, not a pair (tevatron's later rerankers).

    Raises:
        MissingExtra: torch or transformers is not installed.
        DataError: the folder is not such a checkpoint.
        BackendError: the model fails while running; retryable when the device is out of memory.
    """

    can: frozenset[type[Call]] = frozenset({Classify})

    def __init__(
        self, folder: str | Path, *, device: str | None = None, max_length: int | None = None, batch_tokens: int = 4096,
        threads: int | None = None, dtype: str = "float32", joined: bool = False,
    ) -> None:  # fmt: skip
        try:
            import torch
            import transformers
        except ImportError as error:
            raise MissingExtra("torch", "running a model in torch") from error
        folder = Path(folder)
        self.tokenizer = PairTokenizer.load(folder, max_length, joined=joined)
        weights = [folder / name for name in _WEIGHTS if (folder / name).is_file()]
        if not weights or not (folder / "config.json").is_file():
            raise DataError(f"no weights here: expected config.json and one of {', '.join(_WEIGHTS)}", path=folder)
        from ponderank.models.split_bert import register

        register()
        if threads:
            torch.set_num_threads(threads)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        load = transformers.AutoModelForSequenceClassification.from_pretrained
        with unseen_bars():
            self.model = load(str(folder), dtype=dtype).to(self.device).eval()
        labels = int(self.model.config.num_labels)
        if labels not in (1, 2):
            raise DataError(
                f"the model has {labels} labels; a reranker has one (relevance) or two (no, yes)", path=folder
            )
        self.levels = self.model.levels if self.model.config.model_type == "split-bert" else 1
        self.batch_tokens = batch_tokens
        settings = {"max_length": self.tokenizer.max_length, "device": self.device.type}
        settings |= {"dtype": dtype} if dtype != "float32" else {}  # as it was named before there was a choice
        settings |= {"joined": joined} if joined else {}
        self.fingerprint = "torch:" + fingerprint([*weights[:1], folder / "tokenizer.json"], settings).split(":")[1]
        self._pad = int(self.model.config.get_text_config().pad_token_id or 0)
        # decoders are read at their last token, which transformers finds as the last that is not padding
        self._reads_last = hasattr(self.model, "score") and not hasattr(self.model, "classifier")
        self._waiting: list[tuple[int, Classify]] = []
        self._sorted: list[_Pair] = []
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a pair; returns its ticket.

        Raises:
            RecipeError: two texts for a model that knows fewer than three segments.
        """
        if not isinstance(call, Classify):
            raise TypeError(f"TorchClassifier answers Classify, not {type(call).__name__}")
        segments = getattr(self.model.config, "type_vocab_size", 0)
        if call.other and segments < 3:
            raise RecipeError(
                f"two texts beside the query are three segments, and this model's type_vocab_size is {segments}; "
                "give a model that compares two texts (duoBERT), or a recipe that shows one"
            )
        self._tickets += 1
        self._waiting.append((self._tickets, call))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Run one batch: the longest pairs waiting, as many as the token budget holds."""
        self._sorted += [self._tokenised(ticket, call) for ticket, call in self._waiting]
        if self._waiting:
            self._sorted.sort(key=lambda pair: len(pair.ids))
            self._waiting.clear()
        if not self._sorted:
            return []
        size = max(1, self.batch_tokens // len(self._sorted[-1].ids))
        batch, self._sorted = self._sorted[-size:], self._sorted[:-size]
        start = time.perf_counter()
        rows = self._logits(batch)
        seconds = (time.perf_counter() - start) / len(batch)
        return [(pair.ticket, pair.reply(row, seconds)) for pair, row in zip(batch, rows, strict=True)]

    def _tokenised(self, ticket: int, call: Classify) -> _Pair:
        texts = (call.query, call.text)
        found = self.tokenizer.triple(*texts, call.other) if call.other else self.tokenizer.pair(*texts)
        return _Pair(ticket, call, *found)

    def _logits(self, batch: list[_Pair]) -> list[list[float]]:
        import torch

        width = max(len(pair.ids) for pair in batch)
        pad = self._padding({pair.ids[-1] for pair in batch})

        def padded(rows: list[list[int]], fill: int) -> Any:
            return torch.tensor([row + [fill] * (width - len(row)) for row in rows], device=self.device)

        inputs = {
            "input_ids": padded([pair.ids for pair in batch], pad),
            "attention_mask": padded([[1] * len(pair.ids) for pair in batch], 0),
        }
        if getattr(self.model.config, "type_vocab_size", 0) > 1 or self.model.config.model_type == "split-bert":
            inputs["token_type_ids"] = padded([pair.types for pair in batch], 0)
        try:
            with torch.inference_mode():
                out = self.model(**inputs)
        except torch.OutOfMemoryError as error:
            raise BackendError(
                f"out of memory with {self.batch_tokens} tokens a batch; lower batch_tokens", retryable=True
            ) from error
        if self.model.config.model_type == "split-bert":  # one column an exit, the full model last
            table = out.hidden_states[0].double()
            return [[float(row[-1 - pair.call.level])] for row, pair in zip(table, batch, strict=True)]
        return [[float(x) for x in row] for row in out.logits.double()]

    def _padding(self, last: set[int]) -> int:
        """The id to pad with: for a model that reads the last token, one that is no text's last.

        Checkpoints name no padding (Llama) or pad with the end token, which may close a text; the model is told what it is.
        """
        if not self._reads_last:
            return self._pad
        pad: int = next(id_ for id_ in (self._pad, *range(len(last) + 1)) if id_ not in last)
        self.model.config.get_text_config().pad_token_id = pad
        return pad

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        gone = set(tickets)
        self._waiting = [item for item in self._waiting if item[0] not in gone]
        self._sorted = [pair for pair in self._sorted if pair.ticket not in gone]

    def close(self) -> None:
        """Drop what waits, and the model."""
        self._waiting.clear()
        self._sorted.clear()


class _Pair:
    """A tokenised call."""

    __slots__ = ("call", "cut", "ids", "ticket", "types")

    def __init__(self, ticket: int, call: Classify, ids: list[int], types: list[int], cut: bool) -> None:
        self.ticket, self.call, self.ids, self.types, self.cut = ticket, call, ids, types, cut

    def reply(self, logits: list[float], seconds: float) -> Reply:
        """The reply with these logits."""
        usage = Usage(calls=1, prompt_tokens=len(self.ids), seconds=seconds)
        return Reply(scores=tuple(logits), finish="truncated" if self.cut else "stop", usage=usage)
