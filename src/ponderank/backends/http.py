"""A model behind a server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, llama-cpp-python, Ollama, OpenRouter, OpenAI.

An event loop in a thread of its own holds the connections; ``add`` only queues, and ``step`` takes what is done. A call
becomes a task when there is room for it, so that tens of thousands may wait at the cost of the calls themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import queue
import threading
from collections import deque
from collections.abc import Collection
from pathlib import Path
from typing import Literal, TypeVar

from ponderank.backends.http_answers import Answers
from ponderank.backends.http_client import Client, address, key_for
from ponderank.backends.http_limits import Limits
from ponderank.backends.http_loop import LoopThread
from ponderank.backends.http_server import Server
from ponderank.backends.http_stream import Gathered
from ponderank.backends.prompts import PromptTokenizer
from ponderank.contracts import Tokenizer
from ponderank.errors import BackendError, MissingExtra
from ponderank.types import Call, Choose, Generate, Likelihood, Prompt, Reply

T = TypeVar("T")
_HELD_S = 0.1
"""How long a step waits for something to finish."""


class CharacterTokenizer:
    """Estimates: a token for every four characters, for servers whose tokenizer is not at hand.

    >>> CharacterTokenizer().count("ten chars.")
    3
    """

    def count(self, prompt: Prompt | str) -> int:
        """A quarter of the characters, rounded up."""
        return -(-(len(prompt) if isinstance(prompt, str) else sum(len(part.text) for part in prompt)) // 4)


class HttpModel:
    """A server's model; answers ``Generate``, ``Choose`` and, where the server scores prompts, ``Likelihood``.

    Args:
        url: as the server names its API, ``http://127.0.0.1:8000/v1``.
        model: the server's name for it; None takes the only one it serves.
        api_key_env: the environment variable with the key. Without one ``OPENAI_API_KEY`` is used, though not over plain
            http to another machine.
        chat: ``"auto"`` asks raw prompts at /completions, or in a chat where there is no such thing, and chats at
            /chat/completions; True and False leave one of them.
        concurrency: requests at once; fewer while the server answers 429.
        requests_per_minute: a limit of the account's.
        timeout: seconds for one request, thinking included.
        retries: after connection errors, timeouts, 408, 409, 429 and 5xx, ever longer after each other (``backoff`` seconds
            at first, a minute at most, or what ``Retry-After`` says).
        context: tokens of prompt and answer together, if the server does not tell.
        tokenizer: the model's folder with ``tokenizer.json``: exact counts, and token ids in place of text for servers that
            take them (vLLM, SGLang, llama.cpp), so that no document is changed.
        stream: have texts sent as they are written, so that they can be watched and cut short with what they have. It costs
            server and client some work a token, so it is off unless somebody waits.
        top_logprobs: how many of a token's likeliest are asked for to choose among labels.
        watch_logprobs: the same while a verdict is watched for: a few are enough, and they come for every token; 0 asks none
            and leaves it to a choice afterwards.
        votes: answers sampled where a server gives no log-probabilities.

    Raises:
        MissingExtra: aiohttp is not installed.
        BackendError: the address is none, or holds credentials; later also from ``step`` and ``fingerprint``: the key is
            refused, the model unknown, the server gone (``retryable``), the first eight calls all refused.
        DataError: ``tokenizer`` is no such folder.

    Documents are sent as text to servers that take no ids; control strings in them are then broken up by a space (see
    ``backends.hostile``). Calls that a server refuses are answered with ``finish="refused"``, those it garbles three times
    with ``"failed"``, those that time out again and again with ``"late"``.
    """

    can: frozenset[type[Call]] = frozenset({Generate, Choose, Likelihood})

    def __init__(
        self, url: str, model: str | None = None, *, api_key_env: str = "PONDERANK_API_KEY",
        chat: bool | Literal["auto"] = "auto", concurrency: int = 64, requests_per_minute: float | None = None,
        timeout: float = 900.0, retries: int = 6, backoff: float = 0.5, context: int | None = None,
        tokenizer: str | Path | None = None, stream: bool = False, top_logprobs: int = 20, watch_logprobs: int = 5, votes: int = 8,
    ) -> None:  # fmt: skip
        if importlib.util.find_spec("aiohttp") is None:
            raise MissingExtra("http", "a model behind a server")
        if (
            concurrency < 1
            or retries < 0
            or not timeout > 0
            or not (requests_per_minute is None or requests_per_minute > 0)
        ):
            raise ValueError(
                f"concurrency {concurrency}, retries {retries}, timeout {timeout}, requests_per_minute {requests_per_minute}: "
                "need 1 or more, 0 or more, more than 0, more than 0 or none"
            )
        self.url, self.stream = address(url), stream
        local = PromptTokenizer(tokenizer) if tokenizer is not None else None
        self.tokenizer: Tokenizer = local or CharacterTokenizer()
        limits = Limits(concurrency, requests_per_minute, timeout, min(10.0, timeout), retries, backoff)
        self._client = Client(self.url, key_for(self.url, api_key_env), limits)
        self._server = Server(self._client, model, top_logprobs)
        self._answers = Answers(
            self._server, tokenizer=local, chat=None if chat == "auto" else chat, context=context, watch=watch_logprobs, samples=votes
        )  # fmt: skip
        tokens = (
            hashlib.sha256((Path(tokenizer) / "tokenizer.json").read_bytes()).hexdigest()
            if tokenizer is not None
            else ""
        )
        self._settings = {
            "chat": chat,
            "context": context,
            "tokenizer": tokens,
            "votes": votes,
            "top": [top_logprobs, watch_logprobs],
        }
        self._waiting: deque[tuple[int, Call]] = deque()
        self._live: dict[int, Call] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._gathered: dict[int, Gathered] = {}
        self._done: queue.SimpleQueue[tuple[int, Reply | Exception]] = queue.SimpleQueue()
        self._ready: list[tuple[int, Reply]] = []
        self._news: list[tuple[int, str]] = []
        self._error: Exception | None = None
        self._tickets = 0
        self._met: asyncio.Future[None] | None = None
        self._loop = LoopThread(self._renew, self._client.close)
        self._queue = threading.Lock()

    def __repr__(self) -> str:
        return f"HttpModel({self.url!r}, {self._server.model or None!r})"

    @property
    def fingerprint(self) -> str:
        """The model as the server describes it, and the settings that change answers; asks the server the first time.

        The server's address, its start time and the key are not in it: a restart elsewhere keeps a cache valid. What is in
        it: the model's name, the kind of server, the weights it was loaded from (``root``; llama.cpp's ``meta``; Ollama's time
        of the pull) and the context, all as ``/models`` tells them. Where a server tells only a name, another model under
        the same name looks the same.
        """
        self._loop.run(self._meet())
        described = json.dumps([self._server.identity, self._settings], sort_keys=True)
        return f"http:{self._server.model}:{hashlib.sha256(described.encode()).hexdigest()[:32]}"

    def add(self, call: Call) -> int:
        """Queue a call; returns its ticket.

        Raises:
            BackendError: it asks for logits, which no server gives.
        """
        if type(call) not in self.can:
            raise TypeError(f"HttpModel answers Generate, Choose and Likelihood, not {type(call).__name__}")
        if isinstance(call, Choose) and call.scale == "logit":
            raise BackendError(
                "the recipe asks for unnormalised logits, which servers do not give; run it with the engine "
                "transformers or llamacpp"
            )
        self._tickets += 1
        self._live[self._tickets] = call
        with self._queue:
            self._waiting.append((self._tickets, call))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """What is done; waits a tenth of a second at most for the first."""
        if self._error is None and self._live:
            if self._waiting and len(self._tasks) < self._client.limits.concurrency:
                self._loop.soon(self._admit)
            self._take(wait=True)
        replies, self._ready = self._ready, []
        if not replies and self._error is not None:
            error, self._error = self._error, None
            self._drop()
            raise error
        return replies

    def _take(self, *, wait: bool) -> None:
        """Move what is done to where ``step`` gives it back; what nobody waits for any more is dropped."""
        taken = list(self._ready)
        try:
            one = self._done.get(timeout=_HELD_S) if wait and not taken else self._done.get_nowait()
            while True:
                ticket, found = one
                if ticket in self._live:
                    self._finish(ticket)
                    if isinstance(found, Exception):
                        self._error = self._error or found
                    else:
                        taken.append((ticket, found))
                one = self._done.get_nowait()
        except queue.Empty:
            self._ready = taken

    def _finish(self, ticket: int) -> None:
        del self._live[ticket]
        gathered = self._gathered.pop(ticket, None)
        if gathered is not None and (news := gathered.news()):
            self._news.append((ticket, news))

    def written(self) -> list[tuple[int, str]]:
        """What was added to texts since the last time; nothing unless they are streamed."""
        for ticket, gathered in list(self._gathered.items()):
            if news := gathered.news():
                self._news.append((ticket, news))
        news_of_all, self._news = self._news, []
        return news_of_all

    def interrupt(self, tickets: Collection[int]) -> None:
        """Answer these with what they have: with the text so far if it is streamed, else with none."""
        self._take(wait=False)
        gone = [ticket for ticket in tickets if isinstance(self._live.get(ticket), Generate)]
        for ticket in gone:
            gathered = self._gathered.get(ticket)
            text = gathered.text() if gathered is not None else ""
            self._finish(ticket)
            self._ready = [*self._ready, (ticket, Reply(text, "interrupted"))]
        self._forget(set(gone))

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls; the server is told by the connection's end."""
        gone = set(tickets)
        for ticket in gone:
            self._live.pop(ticket, None)
            self._gathered.pop(ticket, None)
        self._ready = [item for item in self._ready if item[0] not in gone]
        self._forget(gone)

    def close(self) -> None:
        """Drop what waits, close the connections, end the thread."""
        self._drop()
        self._loop.stop()

    def _drop(self) -> None:
        self.cancel(list(self._live))

    def _forget(self, gone: Collection[int]) -> None:
        """No longer ask what nobody waits for."""
        with self._queue:
            if any(ticket in gone for ticket, _ in self._waiting):
                self._waiting = deque(item for item in self._waiting if item[0] not in gone)
        if self._loop.running:
            self._loop.soon(self._cancel, tuple(gone))

    # -- in the thread --------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        self._met = None
        self._client.renew()

    def _admit(self) -> None:
        """Begin as many of the waiting calls as there is room for."""
        while len(self._tasks) < self._client.limits.concurrency:
            with self._queue:
                if not self._waiting:
                    return
                ticket, call = self._waiting.popleft()
            if ticket in self._live:
                self._tasks[ticket] = asyncio.get_running_loop().create_task(self._answer(ticket, call))

    def _cancel(self, tickets: Collection[int]) -> None:
        for ticket in tickets:
            task = self._tasks.get(ticket)
            if task is not None:
                task.cancel()

    async def _answer(self, ticket: int, call: Call) -> None:
        try:
            await self._meet()
            gathered = Gathered() if self.stream and isinstance(call, Generate) else None
            if gathered is not None and ticket in self._live:
                self._gathered[ticket] = gathered
            self._done.put((ticket, await self._answers.answer(ticket, call, gathered)))
        except Exception as error:  # handed to the thread that steps, which raises it
            self._done.put((ticket, error))
        finally:
            self._tasks.pop(ticket, None)
            self._admit()

    async def _meet(self) -> None:
        """Ask the server once what it serves; again if that failed."""
        if self._met is None or (self._met.done() and (self._met.cancelled() or self._met.exception())):
            self._met = asyncio.ensure_future(self._server.meet())
        await asyncio.shield(self._met)
