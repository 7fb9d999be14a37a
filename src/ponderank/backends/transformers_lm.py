"""Causal language models in torch: generation with continuous admission, and exact log-probabilities of labels.

Calls wait in one queue across queries. A call is admitted as soon as there is a free row, however long the thoughts of
others still take; what a prompt shares with one seen before (instruction and query; a thought whose verdict is forced) is
not computed again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ponderank.backends.adapters import interrupted
from ponderank.backends.prompts import Fitted, PromptTokenizer
from ponderank.backends.transformers_rows import Beginnings, Pending, Read, Row, end_ids
from ponderank.backends.weights import fingerprint, opened, weights
from ponderank.errors import BackendError
from ponderank.types import Call, Choose, Generate, Likelihood, Prompt, Reply, Usage, text_of

_HELD_S = 0.1
"""How long a step works before it returns, finished or not."""


class TorchGenerator:
    """A causal language model; answers ``Generate``, ``Choose`` and ``Likelihood``.

    Args:
        folder: a Hugging Face checkpoint folder with ``tokenizer.json``.
        device: ``"cpu"``, ``"cuda"`` …; by default the GPU if there is one.
        dtype: ``"auto"`` takes the checkpoint's on a GPU and float32 on the CPU; or ``"float32"``, ``"bfloat16"``, ``"float16"``,
            ``"float64"``.
        context: tokens of prompt and answer together; by default what the checkpoint allows.
        slots: texts generated at once.
        batch_tokens: padded tokens of prompts read at once; bounds memory.
        keep_tokens: tokens of prompt beginnings kept for reuse.
        threads: torch threads on the CPU; by default torch's own choice.

    Raises:
        MissingExtra: torch or transformers is not installed.
        DataError: the folder is not such a checkpoint.
        BackendError: the model fails while running; retryable when the device is out of memory.

    Greedy answers can differ in the last bits, and so, rarely, in a word, with what shares the batch; ``slots=1`` makes a
    run repeatable to the bit. A prompt too long for the context loses the ends of its documents (``Reply.cut_tokens``); one
    that is too long without them is answered with ``finish="refused"``.
    """

    can: frozenset[type[Call]] = frozenset({Generate, Choose, Likelihood})

    def __init__(
        self, folder: str | Path, *, device: str | None = None, dtype: str = "auto", context: int | None = None, slots: int = 32,
        batch_tokens: int = 4096, keep_tokens: int = 16384, threads: int | None = None,
    ) -> None:  # fmt: skip
        folder = Path(folder)
        self.tokenizer, files = (
            PromptTokenizer(folder),
            weights(folder),
        )  # what is missing is said before anything is loaded
        options: dict[str, Any] = {"device": device, "dtype": dtype, "threads": threads}
        self.model, self.device = opened(folder, "AutoModelForCausalLM", "a causal language model", **options)
        config = self.model.config.get_text_config()
        limit = int(getattr(config, "max_position_embeddings", 0) or 2048)
        self.context = min(limit, context or limit)
        self.slots, self.batch_tokens = slots, batch_tokens
        self._sliding = bool(getattr(config, "sliding_window", None)) and getattr(config, "use_sliding_window", True)
        self._ends = end_ids(folder, config)
        settings = {"context": self.context, "dtype": str(self.model.dtype), "device": self.device.type}
        self.fingerprint = "torch-lm:" + fingerprint([*files, folder / "tokenizer.json"], settings)
        from ponderank.backends.columns import Columns

        self._columns = Columns()
        self._rows: list[Row] = []
        self._beginnings = Beginnings(0 if self._sliding else keep_tokens)
        self._waiting: deque[tuple[int, Call]] = deque()
        self._ready: list[tuple[int, Reply]] = []
        self._written: list[tuple[int, str]] = []
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a call; returns its ticket."""
        if type(call) not in self.can:
            raise TypeError(f"TorchGenerator answers Generate, Choose and Likelihood, not {type(call).__name__}")
        self._tickets += 1
        self._waiting.append((self._tickets, call))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Admit what fits, then write tokens until something is finished, for a tenth of a second at most."""
        import torch

        until = time.perf_counter() + _HELD_S
        try:
            with torch.inference_mode():
                self._admit()
                while self._rows and not self._ready:
                    self._decode()
                    if time.perf_counter() > until:
                        break
        except torch.OutOfMemoryError as error:
            remedy = f"out of memory with {self.slots} slots and {self.batch_tokens} tokens a batch; lower them"
            raise BackendError(remedy, retryable=True) from error
        ready, self._ready = self._ready, []
        return ready

    def written(self) -> list[tuple[int, str]]:
        """What was written since the last time."""
        written, self._written = self._written, []
        return written

    def interrupt(self, tickets: Collection[int]) -> None:
        """Answer these with what they have."""
        gone = set(tickets)
        for at in range(len(self._rows) - 1, -1, -1):
            if self._rows[at].ticket in gone:
                self._finish(at, "interrupted")
        self._ready += interrupted(self._waiting, gone)

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        gone = set(tickets)
        self._waiting = deque(item for item in self._waiting if item[0] not in gone)
        self._ready = [item for item in self._ready if item[0] not in gone]
        for at in range(len(self._rows) - 1, -1, -1):
            if self._rows[at].ticket in gone:
                self._forget(at)

    def close(self) -> None:
        """Drop what waits, and the keys and values."""
        from ponderank.backends.columns import Columns

        self._waiting.clear()
        self._rows.clear()
        self._columns = Columns()
        self._beginnings.clear()

    # -- admission ------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Read the prompts of what fits now: all choices, and texts for the free rows."""
        free, chosen, left = self.slots - len(self._rows), [], deque[tuple[int, Call]]()
        budget = 4 * self.batch_tokens  # not all that waits: tokens of thousands of prompts would fill the memory
        while self._waiting and budget > 0:
            ticket, call = self._waiting.popleft()
            if isinstance(call, Generate) and not free:
                left.append((ticket, call))
                if len(left) > 4 * self.slots:
                    break
                continue
            free -= isinstance(call, Generate)
            reads = self._reads(ticket, call)
            chosen += reads
            budget -= sum(len(read.ids) for read in reads)
        self._waiting.extendleft(reversed(left))
        self._know_beginnings(chosen)
        for read in chosen:
            read.know(self._beginnings)
        chosen.sort(key=lambda read: (len(read.ids) - read.known, read.known))
        while chosen:
            width = len(chosen[-1].ids)
            size = max(1, self.batch_tokens // width)
            batch, chosen = chosen[-size:], chosen[:-size]
            self._read(batch)

    def _reads(self, ticket: int, call: Call) -> list[Read]:
        """What has to be read for a call: one prompt; for labels of several tokens one more each."""
        seconds = time.perf_counter()
        prompt: Prompt = call.prompt  # type: ignore[union-attr]
        wanted = (
            max(self.context - call.max_tokens, self.context // 2) if isinstance(call, Generate) else self.context - 16
        )
        fitted = self.tokenizer.fit(prompt, wanted)
        if fitted.too_long or not fitted.ids:
            self._ready.append((ticket, Reply(finish="refused", usage=Usage(1, len(fitted.ids)))))
            return []
        pending = Pending(ticket, call, fitted, seconds)
        if isinstance(call, Generate):
            return [Read(pending, fitted.ids, ())]
        texts = call.labels if isinstance(call, Choose) else (call.target,)  # type: ignore[union-attr]
        tail = text_of(prompt[-1:])
        pending.targets = [self.tokenizer.label(text, tail) for text in texts]
        pending.values = [None] * len(texts)
        if isinstance(call, Choose) and call.scale == "logit":
            return [Read(pending, fitted.ids, tuple(range(len(texts))), logits=True)]
        single = tuple(i for i, ids in enumerate(pending.targets) if len(ids) == 1)
        several = [i for i, ids in enumerate(pending.targets) if len(ids) > 1]
        reads = [Read(pending, [*fitted.ids, *pending.targets[i][:-1]], (i,)) for i in several]
        return ([Read(pending, fitted.ids, single)] if single else []) + reads

    def _know_beginnings(self, reads: Sequence[Read]) -> None:
        """Read once what several prompts begin with: all before their document."""
        heads: dict[tuple[int, ...], int] = {}
        for read in reads if self._beginnings.room else ():
            head = self._head(read.pending.call.prompt)  # type: ignore[union-attr]
            heads[head] = heads.get(head, 0) + 1
        for head, times in heads.items():
            if times > 1 and len(head) >= 8 and self._beginnings.longest(head)[1] < len(head) - 1:
                pending = Pending(0, Choose((), ()), Fitted(list(head)), time.perf_counter())
                pending.values, pending.targets = [], []
                read = Read(pending, list(head), ())
                read.know(self._beginnings)
                self._read([read], keep=True)

    def _head(self, prompt: Prompt) -> tuple[int, ...]:
        """The ids of what stands before the first document; few where a chat template puts it elsewhere."""
        before = next((i for i, part in enumerate(prompt) if part.may_shorten), 0)
        if not before or any(part.role for part in prompt):
            return ()
        return self._beginnings.head(prompt[:before], self.tokenizer)

    def _read(self, batch: Sequence[Read], *, keep: bool = False) -> None:
        """One forward pass over what the prompts do not share with what is known."""
        import torch

        from ponderank.backends.columns import Kept, past, sequences

        cache, before = past([(read.kept, read.known) for read in batch])
        width = max(len(read.ids) - read.known for read in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        mask, positions = torch.zeros_like(ids), torch.zeros_like(ids)
        for row, read in enumerate(batch):
            new = read.ids[read.known :]
            ids[row, width - len(new) :] = torch.tensor(new)
            mask[row, width - len(new) :] = 1
            positions[row, width - len(new) :] = torch.arange(read.known, len(read.ids))
        whole = torch.cat([before, mask], 1)
        last = max((len(read.pending.targets[i]) for read in batch for i in read.labels), default=1)
        out = self.model(
            input_ids=ids.to(self.device), attention_mask=whole.to(self.device), position_ids=positions.to(self.device),
            past_key_values=cache, use_cache=True, logits_to_keep=min(last, width),
        )  # fmt: skip
        for row, read in enumerate(batch):
            self._note(read, out.logits[row])
        texts = [(row, read) for row, read in enumerate(batch) if isinstance(read.pending.call, Generate)]
        if not texts and not keep:
            return
        states = sequences(out.past_key_values, whole)
        if keep:
            for row, read in enumerate(batch):
                self._beginnings.keep(Kept(tuple(read.ids), states[row]))
        if texts:
            self._columns.lay([states[row] for row, _ in texts])
            starting = [Row(read, self.tokenizer) for _, read in texts]
            self._rows += starting
            self._take(out.logits[[row for row, _ in texts], -1], range(len(self._rows) - len(texts), len(self._rows)))

    def _note(self, read: Read, logits: Any) -> None:
        """Put the labels' values into the pending call, and answer it when it has them all."""
        pending = read.pending
        if isinstance(pending.call, Generate):
            return
        for i in read.labels:
            target = pending.targets[i]
            if read.logits:
                pending.values[i] = float(logits[-1, target[0]])
                continue
            rows = logits[-len(target) :].double().log_softmax(-1)
            pending.values[i] = float(sum(rows[at, id_] for at, id_ in enumerate(target)))
        if read.labels and all(value is not None for value in pending.values):
            self._ready.append((pending.ticket, pending.reply()))

    # -- writing --------------------------------------------------------------------------------------------------

    def _decode(self) -> None:
        """One token more for every row."""
        import torch

        ids = torch.tensor([[row.ids[-1]] for row in self._rows])
        positions = torch.tensor([[length] for length in self._columns.lengths])
        mask = self._columns.mask()
        out = self.model(
            input_ids=ids.to(self.device), attention_mask=mask.to(self.device), position_ids=positions.to(self.device),
            past_key_values=self._columns.begin_column(), use_cache=True,
        )  # fmt: skip
        self._columns.end_column()
        self._take(out.logits[:, -1], range(len(self._rows)))

    def _take(self, logits: Any, rows: Sequence[int]) -> None:
        """Choose each row's next token; end the rows that are done, last first, so that row numbers stay right."""
        best = logits.argmax(-1).tolist()
        for at, row in reversed(list(zip(range(len(rows)), rows, strict=True))):
            one = self._rows[row]
            id_ = one.sampled(logits[at]) if one.call.temperature > 0 else best[at]
            if id_ in self._ends:
                self._finish(row, "end")
                continue
            piece = one.append(id_, self.tokenizer)
            if piece:
                self._written.append((one.ticket, piece))
            if one.stop:
                one.watch(logits[at], self.tokenizer)
                self._finish(row, "stop")
            elif len(one.ids) >= one.most:
                self._finish(row, "length")

    def _finish(self, row: int, finish: str) -> None:
        from ponderank.backends.columns import Kept

        one = self._rows[row]
        self._ready.append((one.ticket, one.reply(finish)))
        if finish != "stop" and self._beginnings.room:  # its verdict is likely to be asked for
            # the last token was chosen, not read
            self._beginnings.keep(Kept((*one.read.ids, *one.ids[:-1]), self._columns.kept(row)))
        self._forget(row)

    def _forget(self, row: int) -> None:
        last = self._columns.drop(row)
        self._rows[row] = self._rows[last]
        self._rows.pop()
