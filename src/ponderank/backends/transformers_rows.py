"""What ``TorchGenerator`` keeps of its calls: prompts to be read, texts being written, beginnings worth keeping."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponderank.backends.nucleus import likeliest
from ponderank.backends.prompts import Fitted, PromptTokenizer
from ponderank.types import Call, Generate, Prompt, Reply, Usage


@dataclass(slots=True)
class Pending:
    """A call under way, and the values of its labels as they come."""

    ticket: int
    call: Call
    fitted: Fitted
    start: float
    known: int = 0
    targets: list[tuple[int, ...]] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)

    def reply(self) -> Reply:
        """The reply to a choice."""
        usage = Usage(1, len(self.fitted.ids), self.known, 0, time.perf_counter() - self.start)
        scores = tuple(value for value in self.values if value is not None)
        return Reply(scores=scores, usage=usage, cut_tokens=self.fitted.cut_tokens)


class Read:
    """Ids to be read, and which of the call's labels they give; ``known`` of them are in ``kept``."""

    __slots__ = ("ids", "kept", "known", "labels", "logits", "pending")

    def __init__(self, pending: Pending, ids: Sequence[int], labels: tuple[int, ...], *, logits: bool = False) -> None:
        self.pending, self.ids, self.labels, self.logits = pending, list(ids), labels, logits
        self.kept: Any = None
        self.known = 0

    def know(self, beginnings: Beginnings) -> None:
        """Take over what is known of the ids, but for those whose logits are wanted."""
        longest = max((len(self.pending.targets[i]) for i in self.labels), default=1)
        self.kept, known = beginnings.longest(self.ids)
        self.known = self.pending.known = min(known, len(self.ids) - longest)


class Row:
    """A text being written."""

    def __init__(self, read: Read, tokenizer: PromptTokenizer) -> None:
        from tokenizers.decoders import DecodeStream

        call = read.pending.call
        assert isinstance(call, Generate)
        self.read, self.call, self.ticket = read, call, read.pending.ticket
        self.most = call.max_tokens
        self.ids: list[int] = []
        self.text = self.stop = ""
        self.scores: tuple[float, ...] = ()
        self._stream = DecodeStream(ids=read.ids[-8:], skip_special_tokens=False)
        self._longest = max(map(len, call.stop), default=0)
        self._random: Any = None

    def append(self, id_: int, tokenizer: PromptTokenizer) -> str:
        """Add a token; its text, as far as it can be told. Sets ``stop`` and cuts the text at a stop string."""
        self.ids.append(id_)
        piece: str = self._stream.step(tokenizer.inner, id_) or ""
        if not piece:
            return ""
        before = len(self.text)
        self.text += piece
        found = [(at, stop) for stop in self.call.stop if (at := self.text.find(stop, max(0, before - len(stop)))) >= 0]
        if found:
            at, self.stop = min(found)
            self.text = self.text[:at]
            return self.text[before:]
        return piece

    def sampled(self, logits: Any) -> int:
        """A token drawn at the call's temperature; the same for the same seed whatever shares the batch."""
        import torch

        if self._random is None:
            self._random = torch.Generator()
            self._random.manual_seed(self.call.seed if self.call.seed is not None else self.ticket)
        chances = (logits.double().cpu() / self.call.temperature).softmax(-1)
        if self.call.top_k or self.call.top_p < 1:
            chances = torch.from_numpy(likeliest(chances.numpy(), self.call.top_k, self.call.top_p))
        return int(torch.multinomial(chances, 1, generator=self._random))

    def watch(self, logits: Any, tokenizer: PromptTokenizer) -> None:
        """The watched labels' log-probabilities where the last token was chosen, if they are what could stand there."""
        before = next((self.stop[: -len(label)] for label in self.call.watch if self.stop.endswith(label)), "")
        labels = [tokenizer.label(label, before) for label in self.call.watch]
        if labels and all(len(ids) == 1 for ids in labels) and (self.ids[-1],) in labels:
            chances = logits.double().log_softmax(-1)
            self.scores = tuple(float(chances[ids[0]]) for ids in labels)

    def reply(self, finish: str) -> Reply:
        """The reply as far as it came."""
        pending = self.read.pending
        usage = Usage(1, len(pending.fitted.ids), self.read.known, len(self.ids), time.perf_counter() - pending.start)
        return Reply(self.text, finish, self.scores, usage, self.stop, pending.fitted.cut_tokens)


class Beginnings:
    """Keys and values of what prompts begin with, the least recently used given up first."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._kept: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._heads: OrderedDict[Prompt, tuple[int, ...]] = OrderedDict()

    def head(self, prompt: Prompt, tokenizer: PromptTokenizer) -> tuple[int, ...]:
        """The ids of a prompt's beginning, remembered."""
        if prompt not in self._heads:
            self._heads[prompt] = tuple(tokenizer.encode(prompt))
            if len(self._heads) > 256:
                self._heads.popitem(last=False)
        return self._heads[prompt]

    def longest(self, ids: Sequence[int]) -> tuple[Any, int]:
        """What is kept of the longest beginning of ``ids``, and its length; the last id is always read anew."""
        best, length = None, 0
        for known in self._kept:
            shared = _shared(known, ids)
            if shared > length:
                best, length = known, shared
        if best is None or length < 4:
            return None, 0
        self._kept.move_to_end(best)
        return self._kept[best], min(length, len(ids) - 1)

    def keep(self, kept: Any) -> None:
        """Keep a sequence, and give up others beyond the room."""
        if not self.room:
            return
        self._kept[kept.ids] = kept
        self._kept.move_to_end(kept.ids)
        while len(self._kept) > 1 and sum(map(len, self._kept)) > self.room:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Give up all."""
        self._kept.clear()


def _shared(a: Sequence[int], b: Sequence[int]) -> int:
    most = min(len(a), len(b))
    return next((i for i in range(most) if a[i] != b[i]), most)


def end_ids(folder: Path, config: Any) -> frozenset[int]:
    """The ids that end a text: the generation config's, else the model's."""
    path = folder / "generation_config.json"
    described = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    ends = described.get("eos_token_id", getattr(config, "eos_token_id", None))
    return frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])
