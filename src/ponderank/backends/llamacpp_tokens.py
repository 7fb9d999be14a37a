"""A GGUF file's own tokenizer used on prompts: special tokens are parsed in trusted parts only, only documents are shortened.

llama.cpp reads a model's special tokens in all of a text or, but for those it calls user-defined (``<think>``), in none.
So a text is given to it whole while no untrusted part holds such a token's name, which makes the ids those that the
model's authors get; otherwise in stretches between our own special tokens, and a name that llama.cpp would still read is
taken apart in its middle.
"""

from __future__ import annotations

import codecs
import ctypes
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from ponderank.backends.chat import ChatTemplate
from ponderank.backends.pairs import clean
from ponderank.backends.prompts import Fitted, levelled
from ponderank.types import Part, Prompt

_CONTROL, _USER_DEFINED, _UNKNOWN = 8, 16, 1
"""``LLAMA_TOKEN_ATTR_*``: which of a vocabulary's tokens have a name instead of a text."""


class GgufTokenizer:
    """The tokenizer of a loaded model; ``library`` is the module ``llama_cpp``, ``model`` its pointer to the model.

    Where the vocabulary is SentencePiece's, llama.cpp puts a space before a text and behind each special token; a name that
    is taken apart then holds a space.
    """

    def __init__(self, library: Any, model: Any) -> None:
        self._library = library
        self._vocab = library.llama_model_get_vocab(model)
        self.size: int = library.llama_vocab_n_tokens(self._vocab)
        self._special = self._named()
        names = sorted(map(re.escape, self._special), key=len, reverse=True)
        self._names = re.compile("|".join(names) or "(?!)")
        self._pieces: dict[int, bytes] = {}
        self._before = self._mark(library.llama_vocab_get_add_bos, library.llama_vocab_bos)
        self._after = self._mark(library.llama_vocab_get_add_eos, library.llama_vocab_eos)
        self.chat = self._template(model)
        self._label = lru_cache(maxsize=1024)(self._label_ids)
        self.ids_of_head = lru_cache(maxsize=256)(self._ids_of_head)

    def count(self, prompt: Prompt | str) -> int:
        """Count the tokens of a prompt as the model reads it, or of an untrusted text alone."""
        return len(self._encode((Part(prompt, trusted=False),)) if isinstance(prompt, str) else self.encode(prompt))

    def encode(self, prompt: Prompt) -> list[int]:
        """The prompt's ids ``[T]``, with what the vocabulary or the chat template puts around it."""
        return self.fit(prompt, None).ids

    def fit(self, prompt: Prompt, room: int | None) -> Fitted:
        """The ids within ``room`` tokens: documents lose their ends, the longest first, never a query or the template."""
        parts, before, after = self._around(prompt)
        ids = [*before, *self._encode(parts), *after]
        if room is None or len(ids) <= room:
            return Fitted(ids)
        own = [self._plain(clean(part.text)) if part.may_shorten else [] for part in parts]
        for slack in (0, 1, 2, 4, 8, 16, 32):  # cutting a word in two may make more tokens of it
            keep = levelled([len(tokens) for tokens in own], len(ids) - room + slack)
            shorter = [
                replace(part, text=self._first(clean(part.text), tokens, most)) if part.may_shorten else part
                for part, tokens, most in zip(parts, own, keep, strict=True)
            ]
            fitted = [*before, *self._encode(shorter), *after]
            if len(fitted) <= room:
                return Fitted(fitted, cut_tokens=len(ids) - len(fitted))
        return Fitted(ids, too_long=True)

    def head(self, prompt: Prompt) -> tuple[int, ...]:
        """The ids of what stands before the first document, as far as that is told by it alone; empty without a document."""
        parts, before, _ = self._around(prompt)
        first = next((i for i, part in enumerate(parts) if part.may_shorten), 0)
        return (*before, *self.ids_of_head(tuple(parts[:first]))) if first else ()

    def label(self, label: str, after: str = "") -> tuple[int, ...]:
        """The ids that continue a text ending in ``after`` with ``label``."""
        return self._label(label, after[-64:])

    def piece(self, id_: int) -> bytes:
        """The bytes of a token, special tokens written out; a letter may be spread over several."""
        if id_ not in self._pieces:
            room = ctypes.create_string_buffer(64)
            ask = self._library.llama_token_to_piece
            size = ask(self._vocab, id_, room, len(room), 0, True)
            if size < 0:
                room = ctypes.create_string_buffer(-size)
                size = ask(self._vocab, id_, room, len(room), 0, True)
            self._pieces[id_] = room.raw[:size]
        return self._pieces[id_]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens written out."""
        return b"".join(map(self.piece, ids)).decode("utf-8", "replace")

    def stream(self) -> codecs.IncrementalDecoder:
        """Turns one token's bytes after the other into text, holding back unfinished letters."""
        return codecs.getincrementaldecoder("utf-8")("replace")

    def ends(self, id_: int) -> bool:
        """Whether a token ends the model's text."""
        return bool(self._library.llama_vocab_is_eog(self._vocab, id_))

    def _around(self, prompt: Prompt) -> tuple[Sequence[Part], list[int], list[int]]:
        if any(part.role for part in prompt):
            return self.chat.render(prompt), [], []
        return prompt, self._before, self._after

    def _ids_of_head(self, parts: tuple[Part, ...]) -> tuple[int, ...]:
        return tuple(self._encode(parts))

    def _label_ids(self, label: str, after: str) -> tuple[int, ...]:
        before = self._tokens(after) if after else []
        both = self._tokens(after + label)
        if after and both[: len(before)] == before and len(both) > len(before):
            return tuple(both[len(before) :])
        return tuple(self._tokens(label))

    def _encode(self, parts: Sequence[Part]) -> list[int]:
        """The ids of parts one after the other, nothing put around them."""
        texts = [clean(part.text) for part in parts]
        borders = list(accumulate(map(len, texts), initial=0))
        untrusted = [span for span, part in zip(pairwise(borders), parts, strict=True) if not part.trusted]
        text = "".join(texts)
        named = [match.span() for match in self._names.finditer(text)]
        theirs = [any(start < b and a < end for a, b in untrusted) for start, end in named]
        if not any(theirs):
            return self._tokens(text)
        ids: list[int] = []
        at = 0
        ours = [span for span, hostile in zip(named, theirs, strict=True) if not hostile]
        for start, end in [*ours, (len(text), len(text))]:
            ids += self._plain(text[at:start])
            ids += [self._special[text[start:end]]] if start < end else []
            at = end
        return ids

    def _plain(self, text: str) -> list[int]:
        """The ids of a text in which nothing is special."""
        ids: list[int] = []
        waiting = [(0, len(text))]
        while waiting:
            start, end = waiting.pop()
            found = self._names.search(text, start, end)
            if found:
                middle = (found.start() + found.end()) // 2
                waiting += [(middle, end), (start, middle)]
            else:
                ids += self._tokens(text[start:end])
        return ids

    def _tokens(self, text: str) -> list[int]:
        """What llama.cpp makes of a text, special tokens parsed."""
        data = text.encode()
        if not data:
            return []
        room = (ctypes.c_int32 * (len(data) + 8))()
        size = self._library.llama_tokenize(self._vocab, data, len(data), room, len(room), False, True)
        if size < 0:  # a vocabulary that makes texts longer before it reads them
            room = (ctypes.c_int32 * -size)()
            size = self._library.llama_tokenize(self._vocab, data, len(data), room, len(room), False, True)
        return list(room[:size])

    def _first(self, text: str, ids: Sequence[int], most: int) -> str:
        """The beginning of ``text`` that its first ``most`` tokens hold."""
        if most >= len(ids):
            return text
        held = b"".join(map(self.piece, ids[:most]))
        for whole in (held, held.removeprefix(b" ")):
            if text.encode().startswith(whole):
                return whole.decode("utf-8", "ignore")
        return text[: len(text) * most // len(ids)]  # a vocabulary that does not keep its texts

    def _named(self) -> dict[str, int]:
        """Special tokens by name; neither white space, which Gemma has as user-defined tokens, nor single letters."""
        library, kinds = self._library, _CONTROL | _USER_DEFINED | _UNKNOWN
        ids = [i for i in range(self.size) if library.llama_vocab_get_attr(self._vocab, i) & kinds]
        named = {library.llama_vocab_get_text(self._vocab, i).decode("utf-8", "replace"): i for i in ids}
        return {name: id_ for name, id_ in named.items() if len(name.strip()) > 1}

    def _mark(self, wanted: Any, which: Any) -> list[int]:
        """The token that the vocabulary wants put before or behind a text, as a list; empty if none."""
        return [which(self._vocab)] if wanted(self._vocab) and which(self._vocab) >= 0 else []

    def _template(self, model: Any) -> ChatTemplate:
        library = self._library
        source = library.llama_model_chat_template(model, None) or b""
        kinds = {
            "bos_token": library.llama_vocab_bos,
            "eos_token": library.llama_vocab_eos,
            "pad_token": library.llama_vocab_pad,
        }
        ids = {name: which(self._vocab) for name, which in kinds.items()}
        texts = [
            (name, library.llama_vocab_get_text(self._vocab, id_).decode("utf-8", "replace"))
            for name, id_ in ids.items()
            if id_ >= 0
        ]
        return ChatTemplate(source.decode("utf-8", "replace"), tuple(texts))
