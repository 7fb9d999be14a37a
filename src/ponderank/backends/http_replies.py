"""Reading what OpenAI-compatible servers answer: texts, ends, costs, errors. Pure functions over their JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from ponderank.backends.http_logprobs import Position
from ponderank.types import Reply, Usage

THINK, END = "<think>", "</think>"


class Unreadable(Exception):
    """An answer that says nothing: wrong JSON, no choices, cut off. Asked again, then counted as a flaw."""


def choice_of(body: Any) -> dict[str, Any]:
    """The first choice.

    Raises:
        Unreadable: there is none.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Unreadable("the answer has no choices")
    return choices[0]


def text_of_choice(choice: Mapping[str, Any], *, opened: bool = False) -> str:
    """What was written; a thought that the server keeps apart stands first, between ``<think>`` and ``</think>``.

    ``opened``: the prompt ends in ``<think>`` itself, so that it is not written again.

    >>> text_of_choice({"message": {"reasoning": "hm", "content": "yes"}})
    '<think>hm</think>yes'
    """
    message = choice.get("message")
    if not isinstance(message, dict):
        text = choice.get("text")
        if not isinstance(text, str):
            raise Unreadable("the answer has no text")
        return text.removeprefix(THINK) if opened else text
    content = message.get("content") or ""
    if isinstance(content, list):  # parts
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise Unreadable("the answer's content is no text")
    thought = message.get("reasoning") or message.get("reasoning_content") or ""
    if not isinstance(thought, str) or not thought or END in content:
        return content.removeprefix(THINK) if opened else content
    thought = thought.removeprefix(THINK)
    cut_off = choice.get("finish_reason") == "length" and not content
    return f"{'' if opened else THINK}{thought}{'' if cut_off else END}{content}"


def stopped(
    choice: Mapping[str, Any], text: str, tokens: Sequence[Position], stops: Sequence[str]
) -> tuple[str, str, str]:
    """The text without its stop string, that stop string where it can be known, and how the answer ended.

    Known from the text (servers that leave it there), from the server's word (vLLM ``stop_reason``, SGLang
    ``matched_stop``, llama.cpp ``stopping_word``), or from the tokens.
    """
    at, stop = min(((text.find(stop), stop) for stop in stops if stop in text), default=(-1, ""))
    if stop:
        return text[:at], stop, "stop"
    reason = choice.get("finish_reason")
    if reason in ("content_filter", "safety", "blocked") or _refusal(choice):
        return text, "", "refused"
    if reason == "length":
        return text, "", "length"
    told = [choice[name] for name in ("stop_reason", "matched_stop", "stopping_word") if name in choice]
    named = next((word for word in told if isinstance(word, str) and word in stops), "")
    if named:
        return text, named, "stop"
    written = "".join(position.token for position in tokens[-64:])
    ending = max((stop for stop in stops if written.endswith(stop)), key=len, default="")
    if ending and text.endswith(written[: -len(ending)][-32:]):
        return text, ending, "stop"
    if reason not in ("stop", "eos", "eos_token", None):
        return text, "", str(reason)
    own = bool(told) and reason == "stop" and not any(isinstance(word, str) and word for word in told)
    return text, "", "end" if own or not stops else "stop"


def _refusal(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message")
    return isinstance(message, dict) and bool(message.get("refusal")) and not message.get("content")


def usage_of(body: Mapping[str, Any], seconds: float) -> Usage:
    """What an answer cost."""
    told = body.get("usage")
    told = told if isinstance(told, dict) else {}
    details = told.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    counts = (told.get("prompt_tokens"), cached, told.get("completion_tokens"))
    prompt, known, written = (
        int(count) if isinstance(count, int | float) and math.isfinite(count) else 0 for count in counts
    )
    return Usage(1, prompt, known, written, seconds)


def votes(texts: Sequence[str], labels: Sequence[str]) -> Reply:
    """Smoothed log-shares of the labels that sampled answers begin with; no scores where none does.

    >>> votes([" true", "True.", "maybe"], (" true", " false")).estimate
    '3 sampled votes, 1 for no label'
    """
    counts = [0] * len(labels)
    order = sorted(range(len(labels)), key=lambda i: -len(labels[i]))
    for text in texts:
        said = text.rpartition(END)[2].strip().strip("*_`'\"([").casefold()
        found = next((i for i in order if said.startswith(labels[i].strip().casefold())), None)
        if found is not None:
            counts[found] += 1
    none = len(texts) - sum(counts)
    note = f"{len(texts)} sampled votes" + (f", {none} for no label" if none else "")
    if none == len(texts):
        return Reply(estimate=note)
    total = sum(counts) + 0.5 * len(labels)
    return Reply(scores=tuple(math.log((count + 0.5) / total) for count in counts), estimate=note)


def error_text(raw: str) -> str:
    """The message in an error's body, whatever its shape.

    >>> error_text('{"error": {"message": "no such model", "code": 404}}')
    'no such model'
    """
    try:
        body = json.loads(raw)
    except ValueError:
        body = re.sub(r"<[^>]*>", " ", raw)
    for name in ("error", "message", "detail", "msg"):
        if isinstance(body, list) and body:
            body = body[0]
        if isinstance(body, dict) and body.get(name):
            body = body[name]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


_LIMIT = re.compile(
    r"(?:maximum context length (?:is|of)|context (?:size|length|window)(?: of| is)?|n_ctx\D{1,4}|max_model_len\D{1,6})"
    r"\s*\(?(\d{2,8})|>\s*(\d{2,8}) maximum|than the (?:model's )?(?:maximum )?context length \(?(\d{2,8})"
)
_ASKED = re.compile(
    r"(\d{2,8}) (?:tokens )?(?:in|from) (?:the |your )?(?:messages|prompt|input)|request \((\d{2,8}) tokens\)"
    r"|(?:prompt|request) (?:contains|has)(?: at least)? (\d{2,8})|n_prompt_tokens\D{1,4}(\d{2,8})|resulted in (\d{2,8})"
    r"|(?:too long: |input \(|Requested tokens \()(\d{2,8})|The input \((\d{2,8}) tokens\)|passed (\d{2,8}) input"
)
_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window)|context_length|too long|too many tokens"
    r"|exceed_context|longer than the model|max_model_len|reduce the length",
    re.IGNORECASE,
)


def too_long(raw: str) -> tuple[int | None, int | None] | None:
    """Whether an error says that a prompt is too long: (the context's tokens, the prompt's), as far as it tells; else None.

    >>> too_long("maximum context length is 4096 tokens. However, you requested 9000 tokens (8000 in the messages, …")
    (4096, 8000)
    """
    if not _TOO_LONG.search(raw):
        return None
    found = [next((int(group) for group in match.groups() if group), None) if match else None
             for match in (_LIMIT.search(raw), _ASKED.search(raw))]  # fmt: skip
    return found[0], found[1]


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, in seconds or as an HTTP date; ``now`` in seconds since 1970.

    >>> retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 50.0)
    10.0
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
