"""Answers that come in pieces (server-sent events), put together to what they would have been at once."""

from __future__ import annotations

import json
from typing import Any

from ponderank.backends.http_replies import THINK, Unreadable, text_of_choice


class Gathered:
    """One answer as it comes; written by the event loop, ``text`` may be read from elsewhere.

    ``opened``: the prompt ends in ``<think>``. Of the log-probabilities the last tokens' are kept.
    """

    def __init__(self) -> None:
        self.opened = False
        self.shown = 0
        self.begin()

    def begin(self) -> None:
        """Forget what came: the request is made again."""
        self._rest = b""
        self._thought: list[str] = []
        self._content: list[str] = []
        self._listed: list[Any] = []
        self._lists: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": []}
        self._ends: dict[str, Any] = {}
        self._usage: Any = None
        self._chat = self._done = False

    def take(self, chunk: bytes) -> None:
        """Read what came."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:].strip())

    def _event(self, raw: bytes) -> None:
        if raw == b"[DONE]":
            self._done = True
            return
        try:
            event = json.loads(raw)
        except ValueError as error:
            raise Unreadable("a piece of the answer is not JSON") from error
        if not isinstance(event, dict) or event.get("error"):
            raise Unreadable("the server broke off its answer")
        self._usage = event.get("usage") or self._usage
        for choice in event.get("choices") or ():
            self._piece(choice)

    def _piece(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._chat = True
            self._thought.append(delta.get("reasoning") or delta.get("reasoning_content") or "")
            self._content.append(delta.get("content") or "")
        else:
            self._content.append(choice.get("text") or "")
        chances = choice.get("logprobs")
        if isinstance(chances, dict):
            self._listed = [*self._listed, *(chances.get("content") or ())][-64:]
            for name, values in self._lists.items():
                self._lists[name] = [*values, *(chances.get(name) or ())][-64:]
        ends = ("finish_reason", "stop_reason", "matched_stop", "stopping_word")
        self._ends |= {
            name: choice[name]
            for name in ends
            if choice.get(name) is not None or (name not in self._ends and name in choice)
        }

    def body(self) -> dict[str, Any]:
        """The whole, as if it had come at once.

        Raises:
            Unreadable: it was cut off.
        """
        if not self._ends.get("finish_reason"):
            raise Unreadable("the answer was cut off")
        chances = {"content": self._listed} if self._listed else self._lists
        return {"choices": [{**self._written(), **self._ends, "logprobs": chances}], "usage": self._usage}

    def _written(self) -> dict[str, Any]:
        thought, content = "".join(self._thought), "".join(self._content)
        return {"message": {"reasoning": thought, "content": content}} if self._chat else {"text": content}

    def text(self) -> str:
        """What has come so far."""
        text = text_of_choice({**self._written(), "finish_reason": "length"}, opened=self.opened)
        return "" if THINK.startswith(text) else text

    def news(self) -> str:
        """What was added since it was last asked; of a request that is made again, what goes beyond."""
        text = self.text()
        new, self.shown = text[self.shown :], max(self.shown, len(text))
        return new
