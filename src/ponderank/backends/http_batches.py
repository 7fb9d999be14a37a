"""OpenAI-style batch files: requests written to a file, sent, waited for, and their answers read back.

The same lines are what ``vllm run-batch`` reads and writes, so that a file can also be worked off without a server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from ponderank.backends.hostile import neutralised
from ponderank.backends.http_client import address, key_for
from ponderank.backends.http_replies import Unreadable, choice_of, error_text, stopped, text_of_choice, usage_of
from ponderank.backends.pairs import clean
from ponderank.errors import BackendError, MissingExtra
from ponderank.types import Generate, Reply

MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000
"""OpenAI's limits of one file."""
PATH = "/v1/chat/completions"
FINAL = ("completed", "failed", "expired", "cancelled")
"""How a batch can end."""


def request_line(name: str, call: Generate, model: str) -> str:
    """One request of a batch file; its prompt's parts need roles. Control strings in what is not ours are broken up."""
    parts, _ = neutralised(tuple(replace(part, text=clean(part.text)) for part in call.prompt))
    turns = groupby(parts, key=lambda part: part.role)
    messages = [{"role": role, "content": "".join(part.text for part in some)} for role, some in turns]
    body: dict[str, Any] = {
        "model": model, "messages": messages, "max_tokens": call.max_tokens, "temperature": call.temperature,
    }  # fmt: skip
    body |= {"top_p": call.top_p} if call.top_p < 1 else {}
    body |= {"stop": list(call.stop)} if call.stop else {}
    body |= {} if call.seed is None else {"seed": call.seed}
    return json.dumps({"custom_id": name, "method": "POST", "url": PATH, "body": body}, ensure_ascii=False) + "\n"


def answer_of(record: Mapping[str, Any]) -> tuple[str, Reply] | None:
    """The name and reply in a line of an output file, None where it is none.

    ``finish`` is ``"failed"`` where the request got no answer that can be read.

    >>> answer_of({"custom_id": "a", "response": {"body": {"choices": [{"message": {"content": "true"}}]}}})[1].text
    'true'
    """
    name, response = record.get("custom_id"), record.get("response") or {}
    if not isinstance(name, str):
        return None
    body = response.get("body") if isinstance(response, dict) else None
    if record.get("error") or not isinstance(body, dict) or response.get("status_code", 200) != 200:
        return name, Reply(finish="failed")
    try:
        choice = choice_of(body)
        text, _, finish = stopped(choice, text_of_choice(choice), (), ())
    except Unreadable:
        return name, Reply(finish="failed")
    return name, Reply(text, finish, usage=usage_of(body, 0.0))


class Batches:
    """A server's /files and /batches.

    Raises:
        BackendError: the server refuses, or is not there; the message says what it said, without the key.
        MissingExtra: aiohttp is not installed.
    """

    def __init__(self, url: str, api_key_env: str = "PONDERANK_API_KEY") -> None:
        self.url = address(url)
        self._key = key_for(self.url, api_key_env)
        try:
            import aiohttp  # noqa: F401
        except ImportError as error:
            raise MissingExtra("http", "batch files") from error

    def submit(self, path: Path) -> str:
        """Send a file and begin its batch; returns the batch's id."""
        sent = json.loads(asyncio.run(self._ask("POST", "/files", upload=path)))
        body = {"input_file_id": sent["id"], "endpoint": PATH, "completion_window": "24h"}
        return str(json.loads(asyncio.run(self._ask("POST", "/batches", body=body)))["id"])

    def state(self, batch: str) -> dict[str, Any]:
        """What the server says of a batch: ``status``, ``request_counts``, ``output_file_id``, ``error_file_id``."""
        said = json.loads(asyncio.run(self._ask("GET", f"/batches/{batch}")))
        if not isinstance(said, dict) or "status" not in said:
            raise BackendError(f"{self.url}: no state of batch {batch}")
        return said

    def download(self, file: str) -> str:
        """The content of a file."""
        return asyncio.run(self._ask("GET", f"/files/{file}/content"))

    async def _ask(self, method: str, path: str, *, body: Any = None, upload: Path | None = None) -> str:
        import aiohttp

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=600)
        form = None
        if upload is not None:
            form = aiohttp.FormData({"purpose": "batch"})
            form.add_field("file", upload.read_bytes(), filename=upload.name, content_type="application/jsonl")
        for tried in range(4):
            try:
                async with (
                    aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
                    session.request(method, self.url + path, json=body, data=form, allow_redirects=False) as response,
                ):
                    text = (await response.read()).decode("utf-8", "replace")
                    if response.status < 300:
                        return text
                    said = f"{response.status}: {error_text(text)[:300]}"
                    again = response.status == 429 or response.status >= 500
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                said, again = str(error) or "connection lost", True
            # a file or batch that may have been made already is not made a second time
            if not again or method == "POST" or tried == 3:
                break
            await asyncio.sleep(2.0**tried)
        said = said.replace(self._key, "***") if self._key else said
        raise BackendError(f"{self.url}{path}: {said}; run the same command again when that is mended", retryable=again)
