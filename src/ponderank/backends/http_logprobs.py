"""Reading servers' log-probabilities: pure functions.

They come in two shapes: lists side by side (``tokens``, ``token_logprobs``, ``top_logprobs``, of the old completions: vLLM,
SGLang, llama-cpp-python, OpenAI) and a list of objects (``content``, of chats and llama.cpp).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Position:
    """One token that was written or read: its text, its log-probability (None of a first token), and the likeliest there."""

    token: str
    logprob: float | None
    top: Mapping[str, float]


def positions(choice: Mapping[str, Any]) -> list[Position]:
    """The tokens with their log-probabilities; empty where the server gave none."""
    found = choice.get("logprobs")
    if not isinstance(found, dict):
        return []
    content = found.get("content")
    if isinstance(content, list):
        return [
            Position(_text(one), _number(one.get("logprob")), _tops(one.get("top_logprobs")))
            for one in content
            if isinstance(one, dict)
        ]
    tokens, chances = found.get("tokens"), found.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(chances, list) or len(tokens) != len(chances):
        return []
    tops = found.get("top_logprobs")
    tops = tops if isinstance(tops, list) and len(tops) == len(tokens) else [None] * len(tokens)
    return [Position(plain(str(t)), _number(c), _tops(top)) for t, c, top in zip(tokens, chances, tops, strict=True)]


def _tops(found: Any) -> dict[str, float]:
    if isinstance(found, dict):
        pairs = [(plain(str(token)), _number(value)) for token, value in found.items()]
    elif isinstance(found, list):
        pairs = [(_text(one), _number(one.get("logprob"))) for one in found if isinstance(one, dict)]
    else:
        return {}
    best: dict[str, float] = {}
    for token, value in pairs:
        if value is not None:
            best[token] = max(value, best.get(token, -math.inf))
    return best


def _text(one: Mapping[str, Any]) -> str:
    """A token's text: from its bytes where the server gives them, else as written."""
    raw = one.get("bytes")
    if isinstance(raw, list) and raw:
        try:
            return bytes(raw).decode()
        except (ValueError, TypeError):
            pass
    return plain(str(one.get("token", "")))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not math.isnan(value) else None


def plain(token: str) -> str:
    """A token's text from the forms in which servers write it.

    >>> plain("Ġtrue"), plain("▁true"), plain("<0x0A>"), plain("bytes:\\\\x20true")
    (' true', ' true', '\\n', ' true')
    """
    if token.startswith("bytes:"):
        return re.sub(r"\\x([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), token[6:])
    if re.fullmatch(r"<0x[0-9A-Fa-f]{2}>", token):
        return chr(int(token[3:5], 16))
    if token[:1] in "ĠĊ" or "▁" in token:
        return token.replace("▁", " ").replace("Ġ", " ").replace("Ċ", "\n")
    return token


def watched(tokens: Sequence[Position], stop: str, labels: Sequence[str]) -> tuple[float, ...]:
    """The labels' log-probabilities where the stop string's last token was chosen; empty where the answer does not tell.

    The tokens must end in the stop string: llama.cpp leaves its tokens out, and what is last then stands elsewhere.
    """
    if not labels or not tokens or not stop or tokens[-1].token not in labels:
        return ()
    if not "".join(position.token for position in tokens[-64:]).endswith(stop):
        return ()
    last = tokens[-1]
    top = {last.token: last.logprob, **last.top}
    found = [top.get(label) for label in labels]
    return tuple(value for value in found if value is not None) if None not in found else ()


def chosen(
    position: Position, labels: Sequence[str], *, loose: bool = False
) -> tuple[tuple[float, ...], tuple[str, ...], str]:
    """The labels' log-probabilities among the likeliest of a position, those missing there, and what bounds these.

    ``loose`` also counts a label without its leading space, as an answer that begins a turn has none. A missing label is
    bounded by the least likely one listed, by the mass that is left, and by nothing where one listed is its beginning
    (then by that). No scores where no label is listed.

    >>> chosen(Position("a", -0.1, {"a": -0.1, "b": -3.0}), ("a", "c"))[1]
    ('c',)
    """
    top = dict(position.top)
    if position.logprob is not None:
        top.setdefault(position.token, position.logprob)
    scores: list[float | None] = []
    for label in labels:
        forms = {label, label.lstrip()} if loose else {label}
        found = [top[form] for form in forms if form in top]
        scores.append(_sum_logs(found) if found else None)
    missing = tuple(label for label, score in zip(labels, scores, strict=True) if score is None)
    if len(missing) == len(labels) or not top:
        return (), missing, ""
    left = 1.0 - math.fsum(math.exp(value) for value in top.values())
    least = min(min(top.values()), math.log(left) if left > 1e-12 else -27.6)
    filled = [
        _bound(label, top, least) if score is None else score for label, score in zip(labels, scores, strict=True)
    ]
    named = " and ".join(map(repr, missing))
    note = f"{named} not among the {len(position.top)} likeliest: bounded" if missing else ""
    return tuple(filled), missing, note


def _bound(label: str, top: Mapping[str, float], least: float) -> float:
    begun = [value for token, value in top.items() if token.strip() and label.startswith(token)]
    return max([least, *begun])


def _sum_logs(values: Sequence[float]) -> float:
    most = max(values)
    return most if most == -math.inf else most + math.log(math.fsum(math.exp(value - most) for value in values))


def scored(tokens: Sequence[Position], before: str, label: str, written: int) -> tuple[float, int] | None:
    """The summed log-probability of ``label`` at the end of an echoed prompt, and how many tokens stand before it.

    ``before`` is the text in front of the label, ``written`` the number of tokens that were written behind the prompt. None
    where a token reaches over the border, or the echo is not what was sent.
    """
    for drop in dict.fromkeys((written, 0)):
        read = list(tokens[: len(tokens) - drop])
        found = _tail(read, before, label)
        if found is not None:
            return found
    return None


def _tail(read: Sequence[Position], before: str, label: str) -> tuple[float, int] | None:
    """See ``scored``; tokens of a SentencePiece vocabulary may have lost the space in front of a word."""
    text, loose = "", 0
    for count in range(1, min(len(read), 4 * len(label) + 4) + 1):
        text = read[-count].token + text
        if text == label:
            return _checked(read, before, count)
        if not label.endswith(text):
            break
        if text.strip() and text == label.lstrip():
            loose = count
    return _checked(read, before, loose) if loose else None


def _checked(read: Sequence[Position], before: str, count: int) -> tuple[float, int] | None:
    """The sum over the last ``count`` tokens if those in front of them are the end of ``before``."""
    ahead = "".join(position.token for position in read[-count - 16 : -count])
    same, wanted = "".join(ahead.split())[-8:], "".join(before.split())[-8:]
    values = [position.logprob for position in read[-count:]]
    if not (same.endswith(wanted) or wanted.endswith(same)) or (wanted and not same) or None in values:
        return None
    return math.fsum(value for value in values if value is not None), len(read) - count
