"""Backends for tests and dry runs. Public: they are as useful to those who write strategies and formats."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from ponderank.backends.adapters import WordTokenizer
from ponderank.contracts import Tokenizer
from ponderank.errors import BackendError
from ponderank.types import (
    Attend,
    Call,
    Choose,
    Classify,
    Embed,
    Fused,
    Generate,
    Likelihood,
    Reply,
    Usage,
)

EVERY_KIND: frozenset[type[Call]] = frozenset({Generate, Choose, Classify, Likelihood, Fused, Attend, Embed})


class Oracle:
    """Knows the relevance of every text; answers ``Classify``.

    Args:
        relevance: a score for each text, or a function of query and text.
        seed: with a seed replies come back one at a time, in an order that the seed decides.
        noise: standard deviation of what is added to each score; the same for the same pair and seed.

    Raises:
        BackendError: a text whose relevance it was not told.
    """

    can: frozenset[type[Call]] = frozenset({Classify})

    def __init__(
        self,
        relevance: Mapping[str, float] | Callable[[str, str], float],
        *,
        seed: int | None = None,
        noise: float = 0.0,
    ) -> None:
        self.relevance, self.seed, self.noise = relevance, seed, noise
        self.tokenizer: Tokenizer = WordTokenizer()
        self.fingerprint = f"oracle:{seed}:{noise}"
        self.asked: list[Call] = []
        self._random = random.Random(seed)
        self._waiting: list[tuple[int, Classify]] = []

    def add(self, call: Call) -> int:
        """Queue a pair."""
        if not isinstance(call, Classify):
            raise TypeError(f"Oracle answers Classify, not {type(call).__name__}")
        self.asked.append(call)
        self._waiting.append((len(self.asked), call))
        return len(self.asked)

    def step(self) -> list[tuple[int, Reply]]:
        """All replies; with a seed a single one, picked at random."""
        if self.seed is not None and self._waiting:
            index = self._random.randrange(len(self._waiting))
            ticket, call = self._waiting.pop(index)
            return [(ticket, self._reply(call))]
        waiting, self._waiting = self._waiting, []
        return [(ticket, self._reply(call)) for ticket, call in waiting]

    def close(self) -> None:
        """Nothing to give back."""

    def _reply(self, call: Classify) -> Reply:
        known = self.relevance
        if not callable(known) and call.text not in known:
            raise BackendError(f"the oracle knows no relevance of {call.text!r}")
        score = known(call.query, call.text) if callable(known) else known[call.text]
        if self.noise:
            score += random.Random(f"{self.seed}|{call.query}|{call.text}").gauss(0.0, self.noise)
        tokens = self.tokenizer.count(call.query) + self.tokenizer.count(call.text)
        return Reply(scores=(float(score),), usage=Usage(calls=1, prompt_tokens=tokens))


class Scripted:
    """Gives the replies it was handed, in order; ``calls`` remembers what was asked.

    Raises:
        BackendError: more was asked than the script holds.
    """

    can = EVERY_KIND

    def __init__(self, replies: Iterable[Reply]) -> None:
        self.replies = deque(replies)
        self.calls: list[Call] = []
        self.tokenizer: Tokenizer = WordTokenizer()
        self.fingerprint = "scripted"
        self._ready: list[tuple[int, Reply]] = []

    def add(self, call: Call) -> int:
        """Take the next reply for this call."""
        self.calls.append(call)
        if not self.replies:
            raise BackendError(f"the script ends before call {len(self.calls)}: {call}")
        self._ready.append((len(self.calls), self.replies.popleft()))
        return len(self.calls)

    def step(self) -> list[tuple[int, Reply]]:
        """Every reply due."""
        ready, self._ready = self._ready, []
        return ready

    def close(self) -> None:
        """Nothing to give back."""


class Replay:
    """Answers from recorded ``(call, reply)`` pairs, by the call itself; order does not matter.

    Raises:
        BackendError: a call was not recorded.
    """

    can = EVERY_KIND

    def __init__(self, recorded: Iterable[tuple[Call, Reply]]) -> None:
        self.recorded = dict(recorded)
        self.tokenizer: Tokenizer = WordTokenizer()
        self.fingerprint = "replay"
        self._ready: list[tuple[int, Reply]] = []
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Look the call up."""
        if call not in self.recorded:
            raise BackendError(f"this call was not recorded: {call}")
        self._tickets += 1
        self._ready.append((self._tickets, self.recorded[call]))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Every reply due."""
        ready, self._ready = self._ready, []
        return ready

    def close(self) -> None:
        """Nothing to give back."""


class Counting:
    """Answers nothing in earnest and counts what would be asked: the dry run.

    Neutral replies: score 0 for a pair, equal log-probabilities for labels; a text counts as written to its last token
    (``Usage.output_tokens`` is thus an upper bound), is empty, and ended where its first stop string says. No word gets any
    attention, and all embeddings are the same; both have a value, or a vector, a word.
    """

    def __init__(self, backend_tokenizer: Tokenizer, can: frozenset[type[Call]] = EVERY_KIND) -> None:
        self.tokenizer, self.can = backend_tokenizer, can
        self.fingerprint = "counting"
        self._ready: list[tuple[int, Reply]] = []
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Count a call."""
        self._tickets += 1
        self._ready.append((self._tickets, self._neutral(call)))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Every reply due."""
        ready, self._ready = self._ready, []
        return ready

    def close(self) -> None:
        """Nothing to give back."""

    def _neutral(self, call: Call) -> Reply:
        if isinstance(call, Classify):
            # what the model would read, special tokens and cuts included
            texts = (call.query, call.text, *([call.other] if call.other else []))
            pair = getattr(self.tokenizer, "pair_tokens", None)
            tokens = pair(*texts) if pair else sum(map(self.tokenizer.count, texts))
            return Reply(scores=(0.0,), usage=Usage(calls=1, prompt_tokens=tokens))
        prompts = call.prompts if isinstance(call, Fused) else (call.prompt,)
        written = call.max_tokens if isinstance(call, Generate | Fused) else 0
        usage = Usage(calls=1, prompt_tokens=sum(map(self.tokenizer.count, prompts)), output_tokens=written)
        if isinstance(call, Fused):
            return Reply(usage=usage)
        if isinstance(call, Attend):
            words = (len(call.prompt[part].text.split()) for part in call.parts)
            return Reply(usage=usage, vectors=tuple((0.0,) * count for count in words))
        if isinstance(call, Embed):
            return _same(call, usage)
        labels = call.labels if isinstance(call, Choose) else call.watch if isinstance(call, Generate) else ("",)
        stop = call.stop[0] if isinstance(call, Generate) and call.stop else ""
        return Reply(scores=(0.0,) * len(labels), usage=usage, stop=stop)


def _same(call: Embed, usage: Usage) -> Reply:
    """An embedding like all others; by token one a word, with its span."""
    if call.pool != "tokens":
        return Reply(usage=usage, vectors=((1.0,),))
    text = "".join(part.text for part in call.prompt)
    spans = tuple(match.span() for match in re.finditer(r"\S+", text))
    return Reply(usage=usage, vectors=((1.0,),) * len(spans), spans=spans)
