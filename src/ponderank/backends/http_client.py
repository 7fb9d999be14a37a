"""Requests to a server: sent, sent again, given up. Knows nothing of models.

Of a key nothing leaves this module: it is read from the environment, sent in one header, and struck from whatever a
server says.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from ponderank.backends.http_limits import Gate, Limits
from ponderank.backends.http_replies import Unreadable, error_text, retry_after
from ponderank.backends.http_stream import Gathered
from ponderank.errors import BackendError

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")
_AGAIN = {408, 409, 425, 429}
_NEW_MODEL = re.compile(
    r"model.{0,120}(not exist|not found|unknown|no access|not available|no such)|no such model|not a valid model",
    re.I | re.S,
)


class Refused(Exception):
    """The server will not answer this request (400, 404, 422 …): asking again as it is would be in vain."""

    def __init__(self, status: int, message: str, raw: str) -> None:
        super().__init__(message)
        self.status, self.message, self.raw = status, message, raw


class GaveUp(Exception):
    """One request failed again and again while the server answered others; ``late``: it ran into the time limit."""

    def __init__(self, message: str, *, late: bool) -> None:
        super().__init__(message)
        self.late = late


class Client:
    """One server at ``url``; every method but ``clean`` belongs to one event loop."""

    def __init__(self, url: str, key: str, limits: Limits) -> None:
        self.url, self.limits, self.gate = url.rstrip("/"), limits, Gate(limits)
        self._key = key
        self.answers = 0  # of the model
        self._reached = False
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def clean(self, text: str) -> str:
        """A server's words without the key, should it repeat it."""
        return text.replace(self._key, "***") if self._key else text

    async def get(self, url: str) -> Any:
        """The JSON at an address of the server.

        Raises:
            Refused, GaveUp, BackendError: as ``ask``.
        """
        return await self.ask(url, None, lambda body: body, "get")

    async def ask(
        self, url: str, body: dict[str, Any] | None, read: Callable[[Any], T], seed: str, gathered: Gathered | None = None
    ) -> T:  # fmt: skip
        """Send a request until there is an answer that ``read`` can read; ``seed`` decides the jitter of the pauses.

        Raises:
            Refused: the server will not answer it.
            Unreadable: it answered three times, never readably.
            GaveUp: every try failed, and the server answers others.
            BackendError: it refuses everything, or is not there any more.
        """
        import aiohttp

        failures: tuple[type[Exception], ...] = (TimeoutError, OSError, aiohttp.ClientError)
        chance, tried, bad = random.Random(seed), 0.0, 0
        while True:
            trouble, pause, late, most = "", None, False, self.limits.retries
            await self.gate.enter()
            try:
                if gathered is not None:
                    gathered.begin()
                status, headers, raw = await self._send(url, body, gathered)
                self._reached = True
                if status == 200:
                    answer = gathered.body() if raw is None and gathered is not None else _parsed(raw or "")
                    value = read(answer)
                    self.answers += body is not None
                    self.gate.answered()
                    return value
                pause = self._judge(status, headers, raw or "")
                trouble = f"{status}: {self.said(raw or '')}"
                tried += 0.25 if status == 429 else 1.0
            except Unreadable:
                bad, tried = bad + 1, tried + 1.0
                if bad >= min(3, self.limits.retries + 1):
                    raise
            except failures as error:
                if isinstance(error, aiohttp.ClientPayloadError):
                    bad += 1
                    if bad >= min(3, self.limits.retries + 1):
                        raise Unreadable("the answer was cut off") from error
                late = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError)
                lost = self.clean(str(error)).replace(" ssl:default", "") or "connection lost"
                trouble = f"no answer within {self.limits.timeout:g} s" if late else lost
                if not (late or self._reached):
                    most = min(2, most)  # never reached: more likely a wrong address than a restart
                tried += 1.0
            finally:
                self.gate.leave()
            if tried > most:
                await self._give_up(trouble, most + 1, late=late)
            step = min(self.limits.wait, self.limits.backoff * 2.0 ** max(0.0, tried - 1.0)) * (0.5 + chance.random())
            await asyncio.sleep(max(step, min(pause or 0.0, self.limits.wait)))

    async def _give_up(self, trouble: str, tries: int, *, late: bool) -> None:
        """One request alone is given up if the server is there for others."""
        if self.answers and await self._is_there():
            raise GaveUp(trouble, late=late)
        raise BackendError(
            f"no answer from {self.url} after {tries} tries ({trouble}); start the server and run the "
            "same command again: with a cache or run folder nothing already answered is asked twice",
            retryable=True,
        )

    async def _is_there(self) -> bool:
        try:
            return (await self._send(self.url + "/models", None, None))[0] < 500
        except Exception:  # whatever it is, it is not there
            return False

    def said(self, raw: str) -> str:
        """The message in an error's body, at most 300 characters, without the key."""
        return self.clean(error_text(raw))[:300]

    def _judge(self, status: int, headers: Any, raw: str) -> float | None:
        """Seconds the server wants us to wait before another try.

        Raises:
            Refused: another try is in vain.
            BackendError: so is every other request.
        """
        message = self.said(raw)
        if status in (401, 402, 403) and not (status == 403 and re.search(r"moderation|flagged", message, re.I)):
            remedy = (
                "pay for it" if status == 402 else "put a valid key into the environment: export PONDERANK_API_KEY=…"
            )
            raise BackendError(f"{self.url} refuses every request ({status}: {message}); {remedy}")
        if status == 429 and "insufficient_quota" in raw:
            raise BackendError(
                f"{self.url}: the account's quota is used up ({message}); raise it and run again", retryable=True
            )
        if 300 <= status < 400:
            place = self.clean(str(headers.get("Location", "elsewhere")))
            raise BackendError(f"{self.url} redirects to {place}; give that address (keys are not sent on)")
        if status == 404 and _NEW_MODEL.search(message) and not re.search(r"chat model|v1/completions", message):
            raise BackendError(
                f"{self.url} does not know the model ({message}); name one that it serves (--model NAME)"
            )
        if status in _AGAIN or (status >= 500 and status != 501):
            pause = retry_after(headers.get("Retry-After"), time.time())
            if status == 429:
                self.gate.overloaded(min(pause or 0.0, self.limits.wait))
            return pause
        raise Refused(status, message, self.clean(raw))

    async def _send(
        self, url: str, body: dict[str, Any] | None, gathered: Gathered | None
    ) -> tuple[int, Any, str | None]:
        """Status, headers and text; no text where the answer came as a stream, into ``gathered``."""
        session = self._opened()
        method, data = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        async with session.request(method, url, data=data, allow_redirects=False) as response:
            streams = "event-stream" in response.headers.get("Content-Type", "")
            if response.status == 200 and gathered is not None and streams:
                async for chunk in response.content.iter_any():
                    gathered.take(chunk)
                return 200, response.headers, None
            raw = await response.read()
            return response.status, response.headers, raw.decode("utf-8", "replace")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            limits = self.limits
            timeout = aiohttp.ClientTimeout(total=limits.timeout, sock_connect=limits.connect)
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
            self._session = aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector)
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def renew(self) -> None:
        """Be ready for another event loop."""
        self.gate, self._session = Gate(self.limits), None


def _parsed(raw: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Unreadable("the answer is not JSON") from error


def address(url: str) -> str:
    """A server's address as it may be shown.

    Raises:
        BackendError: no http address, or one with credentials in it.

    >>> address("http://127.0.0.1:8000/v1/")
    'http://127.0.0.1:8000/v1'
    """
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BackendError(
            "a server's address holds no credentials or parameters; give http://HOST:PORT/v1, "
            "and the key in the environment: export PONDERANK_API_KEY=…"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BackendError(f"{url!r} is not a server's address; give one such as http://127.0.0.1:8000/v1")
    return url.rstrip("/")


def key_for(url: str, name: str) -> str:
    """The key in the environment variable ``name``; without one that in ``OPENAI_API_KEY``, if it would not travel in the clear.

    Raises:
        BackendError: it cannot stand in a header.
    """
    own = os.environ.get(name, "").strip()
    parts = urlsplit(url)
    safe = parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost", "::1")
    key = own or (os.environ.get("OPENAI_API_KEY", "").strip() if safe else "")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BackendError(f"the key in {name if own else 'OPENAI_API_KEY'} holds characters that no key has")
    return key
