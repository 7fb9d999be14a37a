"""GGUF files on llama.cpp: many texts written side by side, on the CPU or a GPU, in four or eight bits.

Calls wait in one queue across queries. A call is admitted as soon as a sequence is free; a batch holds the next token of
every text and, in what room is left, prompts. What stands before the document is read once (see ``llamacpp_cells``), and a
thought that was cut off is kept for the verdict that is asked behind it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path

from ponderank.backends.llamacpp_cells import Cells, Chunk
from ponderank.backends.llamacpp_library import files_of
from ponderank.backends.llamacpp_rows import Logits, Row, Weighing, Writing
from ponderank.backends.llamacpp_tokens import GgufTokenizer
from ponderank.backends.weights import fingerprint
from ponderank.errors import BackendError
from ponderank.types import Call, Choose, Generate, Likelihood, Reply

_HELD_S = 0.1
"""How long a step works before it returns, finished or not; a single batch can take longer."""
_SPARE = 32
"""Cells that must be left for each text under way when another is admitted."""


class GgufModel:
    """A causal language model in a GGUF file; answers ``Generate``, ``Choose`` and ``Likelihood``.

    Args:
        file: the ``.gguf`` file, or the first of its parts.
        context: tokens of prompt and answer together; by default what the model was trained on, at most 16,384.
        slots: texts written at once, 80 at most; as many prompts are weighed beside them.
        threads: CPU threads; by default one a processor.
        batch_tokens: tokens read at once; fewer make steps shorter and reading slower.
        gpu_layers: layers on the GPU, -1 for all; llama-cpp-python has to be built for it.
        memory_tokens: tokens whose keys and values are held at once, over all texts; by default, and at least, twice ``context``.
            When it is full the youngest text gives way and is read again later.
        memory_precision: of the keys and values: ``"float16"``, ``"int8"`` (half the memory), or ``"float32"``, with which
            all of attention is reckoned in single precision and answers hardly depend on what shares the batch; slower.

    Raises:
        MissingExtra: llama-cpp-python is not installed, or too old.
        DataError: the file is not a GGUF file, or not a causal language model.
        BackendError: the model fails while running, or there is no memory for its keys and values.

    Greedy answers can differ in the last bits, and so, rarely, in a word, with what shares the batch; ``slots=1`` makes a
    run repeatable to the bit. A prompt too long for the context loses the ends of its documents (``Reply.cut_tokens``); one
    that is too long without them is answered with ``finish="refused"``.
    """

    can: frozenset[type[Call]] = frozenset({Generate, Choose, Likelihood})

    def __init__(
        self, file: str | Path, *, context: int | None = None, slots: int = 16, threads: int | None = None, batch_tokens: int = 512,
        gpu_layers: int = 0, memory_tokens: int | None = None, memory_precision: str = "float16",
    ) -> None:  # fmt: skip
        if not 1 <= slots <= 80:
            raise ValueError(f"slots is {slots}; give 1 to 80")
        file = Path(file)
        self.slots, self.batch_tokens = slots, max(batch_tokens, 2 * slots)
        self._cells = Cells(
            file, size=memory_tokens, context=context, sequences=2 * slots, keep=slots + 8, batch=self.batch_tokens,
            threads=threads, gpu_layers=gpu_layers, precision=memory_precision,
        )  # fmt: skip
        self.context = self._cells.context
        self.tokenizer = GgufTokenizer(self._cells.library, self._cells.model)
        settings = {"context": self.context, "gpu": gpu_layers != 0, "memory": memory_precision}
        self.fingerprint = "llamacpp:" + fingerprint(files_of(file), settings)
        self._waiting: tuple[deque[Row], deque[Row]] = (deque(), deque())  # choices, texts
        self._rows: list[Row] = []  # in the order of their admission
        self._ready: list[tuple[int, Reply]] = []
        self._written: list[tuple[int, str]] = []
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a call; returns its ticket."""
        self._tickets += 1
        if isinstance(call, Generate):
            self._waiting[1].append(Writing(self._tickets, call))
        elif isinstance(call, Choose | Likelihood):
            self._waiting[0].append(Weighing(self._tickets, call))
        else:
            raise TypeError(f"GgufModel answers Generate, Choose and Likelihood, not {type(call).__name__}")
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Admit what fits, then read and write until something is finished, for a tenth of a second or one batch."""
        until = time.perf_counter() + _HELD_S
        while not self._ready:
            self._admit()
            if not self._rows:
                break
            self._read()
            if time.perf_counter() > until:
                break
        ready, self._ready = self._ready, []
        return ready

    def written(self) -> list[tuple[int, str]]:
        """What was written since the last time."""
        written, self._written = self._written, []
        return written

    def interrupt(self, tickets: Collection[int]) -> None:
        """Answer these with what they have."""
        gone = set(tickets)

        def stopped(row: Row) -> bool:
            return row.ticket in gone and isinstance(row, Writing)

        for row in [row for row in self._rows if stopped(row)]:
            self._finish(row, "interrupted")
        for row in self._take_waiting(stopped):
            self._ready.append((row.ticket, row.reply("interrupted")))

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        gone = set(tickets)
        self._take_waiting(lambda row: row.ticket in gone)
        self._ready = [item for item in self._ready if item[0] not in gone]
        for row in [row for row in self._rows if row.ticket in gone]:
            self._rows.remove(row)
            self._drop(row)

    def close(self) -> None:
        """Drop what waits, and give the model's memory back."""
        self._take_waiting(lambda row: True)
        self._rows.clear()
        self._cells.close()

    # -- admission ------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Give sequences to what waits: choices first, behind which a whole judgement waits, then texts."""
        for kind, waiting in zip((Weighing, Writing), self._waiting, strict=True):
            free = self.slots - sum(isinstance(row, kind) for row in self._rows)
            while free > 0 and waiting:
                row = waiting.popleft()
                if not row.ids and not row.prepare(self.tokenizer, self.context):
                    self._ready.append((row.ticket, row.reply("refused")))
                    continue
                if self._leader(row) or not self._start(row):
                    waiting.appendleft(row)
                    break
                free -= 1

    def _leader(self, row: Row) -> bool:
        """Whether another row is just reading what this one begins with, so that it is worth waiting for it."""
        return bool(row.head) and any(
            other.head == row.head and other.held is not None and other.held.done < len(row.head)
            for other in self._rows
        )

    def _start(self, row: Row) -> bool:
        promised = sum(_missing(other) + _SPARE for other in self._rows)
        held = self._cells.open(row.ids, promised + _SPARE if self._rows else 0)
        if held is None:
            return False
        row.begin(held)
        self._rows.append(row)
        return True

    # -- reading and writing --------------------------------------------------------------------------------------

    def _read(self) -> None:
        """One batch: the next token of every text, and of what is still to be read as much as there is room for."""
        chunks = self._next()
        while not self._cells.make_room(sum(len(chunk.ids) for _, chunk in chunks)):
            self._give_way()
            chunks = self._next()
        try:
            logits = self._cells.read([chunk for _, chunk in chunks])
        except BackendError:
            self._rows.clear()
            raise
        for (row, _), wanted in zip(chunks, logits, strict=True):
            self._keep_head(row)
            if isinstance(row, Writing):
                self._write(row, wanted)
            else:
                self._weigh(row, wanted)

    def _next(self) -> list[tuple[Row, Chunk]]:
        """What is read next of each row; those that lack one token only come first, then first come, first served."""
        chunks, left = [], self.batch_tokens
        for row in sorted(self._rows, key=lambda row: _missing(row) > 1):
            if left and row.held is not None:
                done = row.held.done
                ids = row.ids[done : done + left]
                chunks.append((row, Chunk(row.held, ids, row.wanted_from - done)))
                left -= len(ids)
        return chunks

    def _keep_head(self, row: Row) -> None:
        held = row.held
        if row.head and held is not None and held.done >= len(row.head):
            if not self._cells.knows(row.head):
                self._cells.keep_head(held, row.head)
            row.head = ()

    def _write(self, row: Writing, logits: list[Logits]) -> None:
        if not logits:  # its prompt is not read to the end
            return
        piece, finish = row.take(logits, self.tokenizer)
        if piece:
            self._written.append((row.ticket, piece))
        if finish:
            self._finish(row, finish)

    def _weigh(self, row: Weighing, logits: list[Logits]) -> None:
        if logits:
            row.take(logits)
        if _missing(row):
            return
        length = row.next()
        if length is None:
            self._finish(row, "stop")
        elif row.held is not None:
            self._cells.cut(row.held, length)

    def _finish(self, row: Row, finish: str) -> None:
        self._ready.append((row.ticket, row.reply(finish)))
        self._rows.remove(row)
        if (
            isinstance(row, Writing) and finish != "stop" and row.held is not None
        ):  # its verdict is likely to be asked for
            self._cells.keep_whole(row.held, row.ids)
            row.held = None
        self._drop(row)

    def _give_way(self) -> None:
        """Take the youngest row's cells; it goes on later where it was."""
        if len(self._rows) < 2:
            raise BackendError(
                f"{self._cells.size} tokens of memory do not hold one text; this is a mistake of Ponderank's"
            )
        row = self._rows.pop()
        self._drop(row)
        row.give_way()
        self._waiting[isinstance(row, Writing)].appendleft(row)

    def _drop(self, row: Row) -> None:
        if row.held is not None:
            self._cells.drop(row.held)
            row.held = None

    def _take_waiting(self, wanted: Callable[[Row], bool]) -> list[Row]:
        taken = [row for waiting in self._waiting for row in waiting if wanted(row)]
        for waiting in self._waiting:
            left = [row for row in waiting if not wanted(row)]
            waiting.clear()
            waiting.extend(left)
        return taken


def _missing(row: Row) -> int:
    """How many of a row's ids are still to be read."""
    return len(row.ids) - (row.held.done if row.held is not None else 0)
