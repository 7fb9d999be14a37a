"""What is under way in the ``llamacpp`` backend: texts being written, and labels being weighed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponderank.backends.llamacpp_cells import Held, log_probability
from ponderank.backends.llamacpp_tokens import GgufTokenizer
from ponderank.backends.nucleus import likeliest
from ponderank.types import Choose, Generate, Likelihood, Reply, Usage, text_of

Logits = NDArray[np.float32]


class Writing:
    """A text being written; waits without ``ids``, and without ``held`` when its cells were taken from it."""

    def __init__(self, ticket: int, call: Generate) -> None:
        self.ticket, self.call = ticket, call
        self.ids: list[int] = []
        """The prompt and what is written, ``[T]``."""
        self.head: tuple[int, ...] = ()
        self.held: Held | None = None
        self.text = self.stop = ""
        self._scores: tuple[float, ...] = ()
        self._prompt = self._cut = self._known = self._most = 0
        self._start = 0.0
        self._stream: Any = None
        self._random: np.random.Generator | None = None

    def prepare(self, tokenizer: GgufTokenizer, context: int) -> bool:
        """Tokenise the prompt; False if it does not fit."""
        self._start = time.perf_counter()
        fitted = tokenizer.fit(self.call.prompt, max(context - self.call.max_tokens, context // 2))
        self.ids, self._prompt, self._cut = fitted.ids, len(fitted.ids), fitted.cut_tokens
        self._most = min(self.call.max_tokens, context - self._prompt)
        self._stream = tokenizer.stream()
        self.head = shared_head(self.ids, tokenizer.head(self.call.prompt))
        return bool(self.ids) and not fitted.too_long

    def begin(self, held: Held) -> None:
        """Take a sequence."""
        self.held = held
        self._known = self._known or held.shared

    def give_way(self) -> None:
        """Nothing: all that is written is in ``ids``, to be read again."""

    @property
    def wanted_from(self) -> int:
        """The first of ``ids`` behind which logits are wanted."""
        return len(self.ids) - 1

    def take(self, logits: Sequence[Logits], tokenizer: GgufTokenizer) -> tuple[str, str]:
        """Choose the next token: what it adds to the text, and how the text ends (``stop``, ``end``, ``length``) if it does."""
        chances = logits[-1]
        id_ = self._sampled(chances) if self.call.temperature > 0 else int(chances.argmax())
        if tokenizer.ends(id_):
            return "", "end"
        self.ids.append(id_)
        piece = self._append(tokenizer.piece(id_))
        if self.stop:
            self._watch(id_, chances, tokenizer)
            return piece, "stop"
        return piece, "length" if len(self.ids) - self._prompt >= self._most else ""

    def reply(self, finish: str) -> Reply:
        """The reply as far as it came."""
        if not self._start:
            return Reply(finish=finish)
        seconds = time.perf_counter() - self._start
        usage = Usage(1, self._prompt, self._known, len(self.ids) - self._prompt, seconds)
        return Reply(self.text, finish, self._scores, usage, self.stop, self._cut)

    def _append(self, data: bytes) -> str:
        """Add a token's bytes; what that adds to the text, which is cut at a stop string."""
        piece: str = self._stream.decode(data)
        before = len(self.text)
        self.text += piece
        ends = [(self.text.find(stop, max(0, before - len(stop))), stop) for stop in self.call.stop] if piece else []
        found = [end for end in ends if end[0] >= 0]
        if found:
            at, self.stop = min(found)
            self.text = self.text[:at]
        return self.text[before:]

    def _sampled(self, logits: Logits) -> int:
        """A token drawn at the call's temperature; the same for the same seed whatever shares the batch."""
        if self._random is None:
            self._random = np.random.default_rng(self.ticket if self.call.seed is None else self.call.seed)
        exact = logits.astype(np.float64) / self.call.temperature
        weights = np.exp(exact - exact.max())
        if self.call.top_k or self.call.top_p < 1:
            weights = likeliest(weights / weights.sum(), self.call.top_k, self.call.top_p)
        chances = np.cumsum(weights)
        return int(np.searchsorted(chances, self._random.random() * chances[-1], side="right"))

    def _watch(self, id_: int, logits: Logits, tokenizer: GgufTokenizer) -> None:
        """The watched labels' log-probabilities where the last token was chosen, if they are what could stand there."""
        before = self.stop[: -len(self.stop.split()[-1]) - 1] if " " in self.stop else self.stop
        labels = [tokenizer.label(label, before) for label in self.call.watch]
        if labels and all(len(ids) == 1 for ids in labels) and (id_,) in labels:
            self._scores = tuple(log_probability(logits, ids[0]) for ids in labels)


class Weighing:
    """Labels, or one target, whose log-probabilities behind a prompt are wanted; first tokens together, then label by label."""

    def __init__(self, ticket: int, call: Choose | Likelihood) -> None:
        self.ticket, self.call = ticket, call
        self.ids: list[int] = []
        """The prompt and, but for its last token, the label whose other tokens are being read, ``[T]``."""
        self.head: tuple[int, ...] = ()
        self.held: Held | None = None
        self._prompt: list[int] = []
        self._labels: list[tuple[int, ...]] = []
        self._values: list[float] = []
        self._at = -1
        """The label being read; -1 while it is the prompt."""
        self._cut = self._known = self._missing = 0
        self._start = 0.0

    def prepare(self, tokenizer: GgufTokenizer, context: int) -> bool:
        """Tokenise the prompt and the labels; False if they do not fit."""
        self._start = time.perf_counter()
        tail = text_of(self.call.prompt[-1:])
        texts = self.call.labels if isinstance(self.call, Choose) else (self.call.target,)
        self._labels = [tokenizer.label(text, tail) for text in texts]
        room = context - max((len(ids) for ids in self._labels), default=1)
        fitted = tokenizer.fit(self.call.prompt, room) if room > 0 else None
        if fitted is None or fitted.too_long or not fitted.ids:
            return False
        self.ids = self._prompt = fitted.ids
        self._cut = fitted.cut_tokens
        self.head = shared_head(self.ids, tokenizer.head(self.call.prompt))
        return True

    def begin(self, held: Held) -> None:
        """Take a sequence."""
        self.held = held
        self._known = self._known or held.shared

    def give_way(self) -> None:
        """Begin anew, with the prompt."""
        self.ids, self._at = self._prompt, -1

    @property
    def wanted_from(self) -> int:
        """The first of ``ids`` behind which logits are wanted."""
        return len(self._prompt) - (self._at < 0)

    def take(self, logits: Sequence[Logits]) -> None:
        """Note what the wanted logits of one chunk say; chunks of a long target come one after the other."""
        if self._at < 0:
            self._values = [self._value(logits[-1], ids[0]) if ids else 0.0 for ids in self._labels]
            return
        rest = self._labels[self._at][len(self._labels[self._at]) - self._missing :]
        self._values[self._at] += sum(log_probability(row, id_) for row, id_ in zip(logits, rest, strict=False))
        self._missing -= len(logits)

    def next(self) -> int | None:
        """Turn to the next label of several tokens: to how many ids the sequence is cut for it; None when all is known."""
        logit = isinstance(self.call, Choose) and self.call.scale == "logit"
        for at in range(self._at + 1, 0 if logit else len(self._labels)):
            if len(self._labels[at]) > 1:
                self._at, self._missing = at, len(self._labels[at]) - 1
                self.ids = [*self._prompt, *self._labels[at][:-1]]
                return len(self._prompt)
        return None

    def reply(self, finish: str) -> Reply:
        """The reply; without scores unless it is finished."""
        if finish != "stop":
            return Reply(finish=finish, usage=Usage(1, len(self._prompt)))
        usage = Usage(1, len(self._prompt), self._known, 0, time.perf_counter() - self._start)
        return Reply(scores=tuple(self._values), usage=usage, cut_tokens=self._cut)

    def _value(self, logits: Logits, id_: int) -> float:
        if isinstance(self.call, Choose) and self.call.scale == "logit":
            return float(logits[id_])
        return log_probability(logits, id_)


Row = Writing | Weighing


def shared_head(ids: Sequence[int], head: Sequence[int]) -> tuple[int, ...]:
    """As much of a head's ids as a whole prompt begins with; nothing if that is too little to be kept.

    >>> shared_head(range(20), [*range(10), 99])
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    """
    most = min(len(ids) - 1, len(head))
    length = next((i for i in range(most) if ids[i] != head[i]), most)
    return tuple(head[:length]) if length >= 8 else ()
