"""Prompts to token ids: special tokens are parsed in trusted parts only, and only documents are shortened.

For benign text the ids are those of tokenising the whole string, as a model's authors do. Where an untrusted part holds
one of the tokenizer's own tokens (``</think>``, ``<|im_end|>``), that text is read as plain characters.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from ponderank.backends.chat import ChatTemplate
from ponderank.backends.pairs import clean
from ponderank.errors import DataError
from ponderank.types import Part, Prompt


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt's ids ``[T]``, and how many of its tokens were cut from documents; ``too_long``: not even that sufficed."""

    ids: list[int]
    cut_tokens: int = 0
    too_long: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token stands: the prompt's part it begins in, and ``[start, end)`` in the code points of that part's text.

    ``part`` is -1 for what the tokenizer or the chat template puts around the parts.
    """

    part: int = -1
    start: int = 0
    end: int = 0


class PromptTokenizer:
    """A Hugging Face ``tokenizer.json`` used on prompts.

    Args:
        folder: holds ``tokenizer.json``; a chat template is read from ``chat_template.jinja`` or ``tokenizer_config.json``.

    Raises:
        DataError: there is no ``tokenizer.json``, or it cannot be read.
    """

    def __init__(self, folder: str | Path) -> None:
        from tokenizers import Tokenizer

        folder = Path(folder)
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise DataError(
                "no tokenizer.json in this model folder; save it with AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER)",
                path=folder,
            )
        try:
            described = json.loads(path.read_text("utf-8"))
            self.inner: Any = Tokenizer.from_str(json.dumps(described))
        except Exception as error:  # `tokenizers` raises a bare Exception
            raise DataError(f"not a tokenizer.json that `tokenizers` can read: {error}", path=path) from error
        self.inner.no_padding()
        self.inner.no_truncation()
        self._added = {token["id"] for token in described.get("added_tokens", ())}
        self._unknown = _unknown(described.get("model", {}))
        plain = {**described, "added_tokens": [], "truncation": None, "padding": None}
        self._first = Tokenizer.from_str(json.dumps(plain))
        self._rest = Tokenizer.from_str(json.dumps(_unprefixed(plain)))
        self._before, self._after = self._around()
        self.chat = ChatTemplate.load(folder)
        self._label = lru_cache(maxsize=1024)(self._label_ids)

    def _around(self) -> tuple[list[int], list[int]]:
        """The ids that the tokenizer puts before and after a text (``<s>``; ``</s>`` for T5)."""
        bare, whole = self.inner.encode("a", add_special_tokens=False).ids, self.inner.encode("a").ids
        at = next((i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), 0)
        return whole[:at], whole[at + len(bare) :]

    def count(self, prompt: Prompt | str) -> int:
        """Count the tokens of a prompt as the model reads it, or of an untrusted text alone."""
        if isinstance(prompt, str):
            return len(self._encode((Part(prompt, trusted=False),))[0])
        return len(self.encode(prompt))

    def encode(self, prompt: Prompt) -> list[int]:
        """The prompt's ids ``[T]``, with what the tokenizer or the chat template puts around it."""
        return self.fit(prompt, None).ids

    def fit(self, prompt: Prompt, room: int | None) -> Fitted:
        """The ids within ``room`` tokens: documents lose their ends, the longest first, never a query or the template."""
        return self._fitted(prompt, room)[0]

    def located(self, prompt: Prompt, room: int | None) -> tuple[Fitted, list[Place]]:
        """The same, and where each of the ids stands."""
        fitted, shown, numbers, spans = self._fitted(prompt, room)
        before = 0 if any(part.role for part in prompt) else len(self._before)
        after = len(fitted.ids) - before - len(spans)
        return fitted, [*[Place()] * before, *_places(shown, numbers, spans), *[Place()] * after]

    def _fitted(
        self, prompt: Prompt, room: int | None
    ) -> tuple[Fitted, Sequence[Part], list[int], list[tuple[int, int]]]:
        """What fits; the parts as they are read then, each one's number in the prompt, and the spans of the ids in them."""
        chat = any(part.role for part in prompt)
        parts, numbers = self._shown(prompt) if chat else (prompt, list(range(len(prompt))))
        around = 0 if chat else len(self._before) + len(self._after)

        def whole(ids: list[int]) -> list[int]:
            return ids if chat else [*self._before, *ids, *self._after]

        ids, spans = self._encode(parts)
        total = len(ids) + around
        if room is None or total <= room:
            return Fitted(whole(ids)), parts, numbers, spans
        for slack in (0, 1, 2, 4, 8, 16):  # cutting a word in two may make more tokens of it
            shorter = _shortened(parts, spans, len(ids) + around - room + slack)
            ids_now, spans_now = self._encode(shorter)
            if len(ids_now) + around <= room:
                return Fitted(whole(ids_now), cut_tokens=len(ids) - len(ids_now)), shorter, numbers, spans_now
        return Fitted(whole(ids), too_long=True), parts, numbers, spans

    def _shown(self, prompt: Prompt) -> tuple[list[Part], list[int]]:
        """A chat in the model's template, and each part's number in the prompt: -1 for the template's own."""
        numbered = tuple(replace(part, text=str(at), trusted=False) for at, part in enumerate(prompt))
        found = self.chat.render(numbered)  # which looks at no part's text
        numbers = [-1 if part.trusted else int(part.text) for part in found]
        parts = [part if at < 0 else replace(prompt[at], role="") for part, at in zip(found, numbers, strict=True)]
        return parts, numbers

    def label(self, label: str, after: str = "") -> tuple[int, ...]:
        """The ids that continue a text ending in ``after`` with ``label``.

        A SentencePiece tokenizer has other ids for a word at the beginning of a text than within one; what counts is the
        place where the label will stand.
        """
        return self._label(label, after[-64:])

    def _label_ids(self, label: str, after: str) -> tuple[int, ...]:
        before = self.inner.encode(after, add_special_tokens=False).ids
        both = self.inner.encode(after + label, add_special_tokens=False).ids
        if after and both[: len(before)] == before and len(both) > len(before):
            return tuple(both[len(before) :])
        if (
            after
        ):  # its last token would swallow the label's beginning (a space before "true"): the label without a word mark
            line = self.inner.encode("\n", add_special_tokens=False).ids
            lined = self.inner.encode(f"\n{label}", add_special_tokens=False).ids
            if lined[: len(line)] == line and len(lined) > len(line):
                return tuple(lined[len(line) :])
        return tuple(self.inner.encode(label, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens written out."""
        return str(self.inner.decode(list(ids), skip_special_tokens=False))

    def _encode(self, parts: Sequence[Part]) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids ``[T]`` and their spans in the joined text, nothing put around them."""
        texts = [clean(part.text) for part in parts]
        text = "".join(texts)
        encoding = self.inner.encode(text, add_special_tokens=False)
        borders = [0]
        for piece in texts:
            borders.append(borders[-1] + len(piece))
        untrusted = [span for span, part in zip(pairwise(borders), parts, strict=True) if not part.trusted]
        special = [
            (start, end, id_)
            for id_, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if self._is_special(id_, text[start:end])
        ]
        if not any(start < b and a < end for start, end, _ in special for a, b in untrusted):
            return encoding.ids, encoding.offsets
        ours = [s for s in special if not any(s[0] < b and a < s[1] for a, b in untrusted)]
        return self._piecewise(text, ours)

    def _is_special(self, id_: int, text: str) -> bool:
        """Whether a token is one of the tokenizer's own; what stands for unknown characters is none, unless it was written so."""
        return id_ in self._added and (self.inner.id_to_token(id_) != self._unknown or self._unknown in text)

    def _piecewise(self, text: str, separators: list[tuple[int, int, int]]) -> tuple[list[int], list[tuple[int, int]]]:
        """The same with only the given ``(start, end, id)`` as special tokens; all else is plain text."""
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        at = 0
        for start, end, id_ in [*separators, (len(text), len(text), -1)]:
            self._plain(text, at, start, ids, spans)
            if id_ >= 0:
                ids.append(id_)
                spans.append((start, end))
            at = end
        return ids, spans

    def _plain(self, text: str, start: int, end: int, ids: list[int], spans: list[tuple[int, int]]) -> None:
        """Append a stretch of plain text; one that the vocabulary itself holds as a special token is taken apart."""
        waiting = [(start, end)]
        while waiting:
            a, b = waiting.pop()
            if a >= b:
                continue
            encoding = (self._rest if a else self._first).encode(text[a:b], add_special_tokens=False)
            found = zip(encoding.ids, encoding.offsets, strict=True)
            bad = next(
                ((x, y) for id_, (x, y) in found if y - x > 1 and self._is_special(id_, text[a + x : a + y])), None
            )
            if bad:
                middle = a + (bad[0] + bad[1]) // 2
                waiting += [(middle, b), (a, middle)]
                continue
            ids += encoding.ids
            spans += [(a + x, a + y) for x, y in encoding.offsets]


def _unknown(model: dict[str, Any]) -> str:
    """The token that a tokenizer's model puts for what it does not know; empty if it has none."""
    at = model.get("unk_id")
    return str(model["vocab"][at][0]) if isinstance(at, int) else model.get("unk_token") or ""


def _places(parts: Sequence[Part], numbers: Sequence[int], spans: Sequence[tuple[int, int]]) -> list[Place]:
    """Where tokens with these spans in the joined text stand; one across a border counts with the part it begins in."""
    borders = [0]
    for part in parts:
        borders.append(borders[-1] + len(clean(part.text)))
    out = []
    for start, end in spans:
        first = start if end > start else max(start - 1, 0)  # of lone white space some tokenizers tell only the end
        at = min(bisect_right(borders, first), len(parts)) - 1
        out.append(Place(numbers[at], first - borders[at], min(end, borders[at + 1]) - borders[at]))
    return out


def _unprefixed(described: Any) -> Any:
    """A tokenizer's JSON in which no text but the first gets a space put before it."""
    if isinstance(described, dict):
        changed = {key: _unprefixed(value) for key, value in described.items() if key not in ("vocab", "merges")}
        kept = {key: described[key] for key in ("vocab", "merges") if key in described}
        return {**changed, **kept, **({"prepend_scheme": "never"} if changed.get("prepend_scheme") == "first" else {})}
    return [_unprefixed(item) for item in described] if isinstance(described, list) else described


def _shortened(parts: Sequence[Part], spans: Sequence[tuple[int, int]], excess: int) -> list[Part]:
    """The parts with ``excess`` tokens (as ``spans`` has them) cut from the ends of the longest that may be shortened."""
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(clean(part.text)))
    inside = [
        [end for start, end in spans if starts[i] <= start and end <= starts[i + 1]] if part.may_shorten else []
        for i, part in enumerate(parts)
    ]
    keep = levelled([len(ends) for ends in inside], excess)
    out = []
    for i, part in enumerate(parts):
        if part.may_shorten and keep[i] < len(inside[i]):
            cut = inside[i][keep[i] - 1] - starts[i] if keep[i] else 0
            part = replace(part, text=clean(part.text)[:cut])
        out.append(part)
    return out


def levelled(lengths: Sequence[int], excess: int) -> list[int]:
    """Lengths after ``excess`` was taken from the longest, then from the next longest with them.

    >>> levelled([10, 4, 8], 6)
    [6, 4, 6]
    """
    room = max(sum(lengths) - excess, 0)
    kept = [0] * len(lengths)
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    for place, i in enumerate(order):
        kept[i] = min(lengths[i], room // (len(order) - place))
        room -= kept[i]
    return kept
