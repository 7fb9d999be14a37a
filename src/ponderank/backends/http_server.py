"""What is known of a server, and requests in its dialect.

``GET /models`` names who serves (``owned_by``: vllm, sglang, llamacpp, library for Ollama) and what. All else is learned by
asking: an address that is missing, a parameter that is refused, a number that is too high is not tried again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ponderank.backends.http_client import Client, GaveUp, Refused
from ponderank.backends.http_replies import THINK, Unreadable, too_long
from ponderank.backends.http_stream import Gathered
from ponderank.errors import BackendError

T = TypeVar("T")
COMPLETIONS, CHAT = "/completions", "/chat/completions"
_USUAL = 100
"""More log-probabilities than these are asked for on purpose, as an exception."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a kind of server takes beyond OpenAI's API.

    ``extra``: what undoes defaults that would change answers (a checkpoint's own repetition penalty, top-k); ``begun``: what
    has it go on with an assistant's turn, None where it is not known to; ``takes_ids``: prompts may be token ids.
    """

    extra: dict[str, Any] = field(default_factory=dict)
    begun: dict[str, Any] | None = None
    takes_ids: bool = False
    picks: bool = False


_GO_ON = {"add_generation_prompt": False, "continue_final_message": True}
_PLAIN = {"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0, "skip_special_tokens": False}
DIALECTS = {
    "vllm": Dialect({**_PLAIN, "spaces_between_special_tokens": False}, _GO_ON, takes_ids=True, picks=True),
    "sglang": Dialect(_PLAIN, _GO_ON, takes_ids=True),
    "llamacpp": Dialect({"repeat_penalty": 1.0, "top_k": 0, "min_p": 0.0, "cache_prompt": True}, {}, takes_ids=True),
}
"""By ``owned_by``; servers without an entry are asked in OpenAI's own words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as it is sent: as ``ids`` or ``text`` to /completions, as ``messages`` to /chat/completions.

    ``begun``: the last message is the beginning of the answer; ``opened``: the prompt ends in ``<think>``; ``borrowed``: a raw
    prompt had to be put into a chat; ``cut_tokens``: of documents, to fit.
    """

    text: str = ""
    ids: tuple[int, ...] | None = None
    messages: tuple[dict[str, str], ...] | None = None
    borrowed: bool = False
    cut_tokens: int = 0

    @property
    def path(self) -> str:
        """Where it is sent."""
        return COMPLETIONS if self.messages is None else CHAT

    @property
    def begun(self) -> bool:
        """Whether the last message is the beginning of the answer."""
        return bool(self.messages) and self.messages[-1]["role"] == "assistant"  # type: ignore[index]

    @property
    def opened(self) -> bool:
        """Whether the prompt ends in ``<think>``."""
        return (self.messages[-1]["content"] if self.messages else self.text).rstrip().endswith(THINK)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked about a prompt; ``top``: how many log-probabilities a token, 0 for none; ``picked``: of these token ids.

    ``nucleus`` and ``likeliest`` are ``Generate.top_p`` and ``top_k``; the latter goes to servers that are known to take it.
    """

    max_tokens: int
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    top: int = 0
    echo: bool = False
    picked: tuple[int, ...] = ()
    nucleus: float = 1.0
    likeliest: int = 0


class Server:
    """A server's model, and what was learned of the server."""

    def __init__(self, client: Client, model: str | None, top: int) -> None:
        self.client, self.model = client, model or ""
        self.identity: dict[str, Any] = {}
        self.context: int | None = None
        self.dialect = Dialect()
        self.completions = self.echoes = self.picks = self.lists_many = True
        self.tops: dict[str, int] = {COMPLETIONS: top, CHAT: top}
        self.gives: dict[str, bool] = {}  # whether it gives log-probabilities, as far as is known
        self.blanks = 0  # answers without them
        self._max_name = "max_tokens"
        self._dropped: set[str] = set()

    async def meet(self) -> None:
        """Ask what it serves.

        Raises:
            BackendError: it is not there, or no model was named and it has several.
        """
        try:
            found = await self.client.get(self.client.url + "/models")
        except (Refused, Unreadable, GaveUp):
            found = None
        entries = found.get("data") if isinstance(found, dict) else None
        listed = (
            [one for one in entries if isinstance(one, dict) and one.get("id")] if isinstance(entries, list) else []
        )
        entry = (
            next((one for one in listed if self.model in (one["id"], one.get("root"))), None) if self.model else None
        )
        if entry is None and not self.model:
            if len(listed) != 1:
                names = ", ".join(sorted(str(one["id"]) for one in listed)[:20]) or "none that it names"
                raise BackendError(f"{self.client.url} serves {len(listed)} models; name one (--model NAME): {names}")
            (entry,) = listed
        if entry is None and listed and listed[0].get("owned_by") == "llamacpp":
            (entry, *_) = listed  # serves its one model whatever it is asked for
        self._known(entry or {}, listed)

    def _known(self, entry: dict[str, Any], listed: Sequence[dict[str, Any]]) -> None:
        owner = str((entry or next(iter(listed), {})).get("owned_by", ""))
        self.dialect = DIALECTS.get(owner, Dialect())
        self.picks = self.dialect.picks
        self.model = str(entry.get("id") or self.model)
        limit = entry.get("max_model_len")
        self.context = limit if isinstance(limit, int) and limit > 0 else None
        self.identity = {
            "model": self.model,
            "server": owner,
            "root": entry.get("root"),
            "meta": entry.get("meta"),
            "context": limit,
        }
        if owner == "library":  # of Ollama's models the time says which pull it is; others say when they were started
            self.identity["created"] = entry.get("created")

    def body(self, asked: Asked, wanted: Wanted, *, stream: bool) -> dict[str, Any]:
        """The request."""
        chat = asked.messages is not None
        many = wanted.top > _USUAL and self.lists_many
        top = wanted.top if many else min(wanted.top, self.tops[asked.path])
        body: dict[str, Any] = {
            "model": self.model,
            **(
                {"messages": list(asked.messages or ())}
                if chat
                else {"prompt": asked.text if asked.ids is None else list(asked.ids)}
            ),
            self._max_name if chat else "max_tokens": wanted.max_tokens,
            "temperature": wanted.temperature,
            "top_p": wanted.nucleus,
            **self.dialect.extra,
            **({"top_k": wanted.likeliest} if wanted.likeliest and "top_k" in self.dialect.extra else {}),
        }
        if wanted.stop:
            body["stop"] = list(wanted.stop)
        if wanted.seed is not None:
            body["seed"] = wanted.seed
        if wanted.echo:
            body |= {"echo": True, "logprobs": 1}
        elif top:
            body |= {"logprobs": True, "top_logprobs": top} if chat else {"logprobs": top}
        if wanted.picked:
            body["logprob_token_ids"] = list(wanted.picked)
        if asked.begun:
            body |= self.dialect.begun or {}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return {name: value for name, value in body.items() if name not in self._dropped}

    async def send(
        self, asked: Asked, wanted: Wanted, read: Callable[[Any], T], seed: str, gathered: Gathered | None = None
    ) -> T:  # fmt: skip
        """Ask; again without what the server refuses.

        Raises:
            Refused, GaveUp, Unreadable, BackendError: as ``Client.ask``.
        """
        while True:
            body = self.body(asked, wanted, stream=gathered is not None)
            try:
                return await self.client.ask(self.client.url + asked.path, body, read, seed, gathered)
            except Refused as refused:
                if not self._learns(refused, asked, body):
                    raise
                wanted = replace(wanted, top=min(wanted.top, self.tops[asked.path]))

    def _learns(self, refused: Refused, asked: Asked, body: dict[str, Any]) -> bool:
        """Whether the server refused a parameter rather than the prompt; it is not sent again."""
        said = refused.message
        if refused.status not in (400, 422) or not _UNFIT.search(said):
            return False
        if too_long(refused.raw) and "logprob" not in said:
            return False
        if "max_completion_tokens" in said and "max_tokens" in body and self._max_name == "max_tokens":
            self._max_name = "max_completion_tokens"
            return True
        if "logprob" in said and "logprobs" in body and not body.get("echo") and "logprob_token_ids" not in body:
            now = int(body.get("top_logprobs", body["logprobs"]))
            if now > self.tops[asked.path]:
                self.lists_many = False
                return False
            self.tops[asked.path] = min(self.tops[asked.path], next((top for top in (20, 5, 1) if top < now), 0))
            return True
        optional = ("stream_options", "seed", "temperature", "top_p", "stop", *self.dialect.extra, *_GO_ON)
        named = next((name for name in optional if name in body and re.search(rf"\b{name}\b", said)), None)
        if named:
            self._dropped.add(named)
        return named is not None

    async def ids_of(self, labels: Sequence[str]) -> tuple[int, ...] | None:
        """The labels' token ids by the server's /tokenize, if every label is one token."""
        root = self.client.url.removesuffix("/v1")
        found = []
        for label in labels:
            ask = {
                "model": self.model,
                "prompt": label,
                "add_special_tokens": False,
                "content": label,
                "add_special": False,
            }
            try:
                ids = await self.client.ask(root + "/tokenize", ask, _ids, label)
            except (Refused, Unreadable, GaveUp):
                return None
            if len(ids) != 1:
                return None
            found += ids
        return tuple(found)


_UNFIT = re.compile(
    r"unsupported|not.{0,12}support|unrecogni[sz]ed|unknown|unexpected|not.{0,12}(permitted|allowed|accepted)|extra (inputs|fields)"
    r"|invalid|must|at most|less than|greater|only|cannot|exceed|range|too (many|large|high)|maximum|does not",
    re.IGNORECASE,
)


def _ids(body: Any) -> list[int]:
    tokens = body.get("tokens") if isinstance(body, dict) else None
    if not isinstance(tokens, list) or not all(isinstance(id_, int) for id_ in tokens):
        raise Unreadable("/tokenize gives no ids")
    return tokens
