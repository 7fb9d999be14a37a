"""One call of ours as vLLM's requests: what they ask for, and the reply made of their answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ponderank.backends.prompts import Fitted
from ponderank.errors import BackendError
from ponderank.types import Call, Reply, Usage


@dataclass(slots=True)
class Running:
    """A call under way, as one or more of vLLM's requests."""

    call: Call
    start: float
    fitted: Fitted = field(default_factory=lambda: Fitted([]))
    unanswered: set[int] = field(default_factory=set)
    watched: list[tuple[int, ...]] = field(default_factory=list)
    targets: list[tuple[int, ...]] = field(default_factory=list)
    parts: list[list[int]] = field(default_factory=list)  # which labels a request tells
    values: dict[int, float] = field(default_factory=dict)
    text: str = ""
    tokens: int = 0
    cached: int = 0

    def note(self, part: int, output: Any) -> None:
        """Read the labels' log-probabilities that this request tells."""
        labels = self.parts[part]
        if output.prompt_logprobs:
            target = self.targets[labels[0]]
            rows = output.prompt_logprobs[-len(target) :]
            self.values[labels[0]] = sum(row[id_].logprob for row, id_ in zip(rows, target, strict=True))
        elif output.outputs[0].logprobs:
            row = output.outputs[0].logprobs[0]
            self.values |= {at: row[self.targets[at][0]].logprob for at in labels}

    def chosen(self) -> Reply:
        """The reply to a choice.

        Raises:
            BackendError: vLLM left a label out.
        """
        if len(self.values) < len(self.targets):
            raise BackendError("vLLM answered without the log-probabilities it was asked for; is it older than 0.32?")
        scores = tuple(float(self.values[at]) for at in range(len(self.targets)))
        return Reply(scores=scores, usage=self._usage(), cut_tokens=self.fitted.cut_tokens)

    def ended(self, last: Any) -> Reply:
        """The reply to a text that came to an end."""
        if last.finish_reason != "stop":
            return self.written(str(last.finish_reason))
        if not isinstance(last.stop_reason, str):  # the model's own end: none, or the id of one of its end tokens
            return self.written("end")
        known = [last.logprobs[-1].get(ids[0]) for ids in self.watched] if last.logprobs else []
        at_place = bool(last.token_ids) and (last.token_ids[-1],) in self.watched
        scores = tuple(one.logprob for one in known) if at_place and all(one is not None for one in known) else ()
        return self.written("stop", last.stop_reason, scores)

    def written(self, finish: str, stop: str = "", scores: Sequence[float] = ()) -> Reply:
        """The text as far as it came."""
        return Reply(self.text, finish, tuple(map(float, scores)), self._usage(), stop, self.fitted.cut_tokens)

    def _usage(self) -> Usage:
        return Usage(1, len(self.fitted.ids), self.cached, self.tokens, time.perf_counter() - self.start)
