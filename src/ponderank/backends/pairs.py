"""Query and document to token ids: the query is tokenised once, only the document is shortened, nothing is injected."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from ponderank.errors import DataError
from ponderank.types import Prompt

_LEAST_FOR_DOCUMENT = 32
"""Tokens that a query must leave free; a longer query is cut to half of the model's length and reported."""


class PairTokenizer:
    """A Hugging Face ``tokenizer.json`` used on pairs.

    Special tokens that stand in a text (``[SEP]``, ``</s>``) are tokenised as plain text; for text without them the ids
    equal those of ``transformers`` with ``truncation="only_second"``.

    ``end``: query and document are one text, a space between them, and this id is put at its end after cutting, as tevatron's
    ``append_eos_token`` does; None joins them as the tokenizer joins pairs.
    """

    def __init__(self, tokenizer: Any, max_length: int, end: int | None = None) -> None:
        self.inner, self.max_length, self.end = tokenizer, max_length, end
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = True
        self._added = tokenizer.num_special_tokens_to_add(True)
        self._query = lru_cache(maxsize=256)(self._encode)

    @classmethod
    def load(cls, folder: Path, max_length: int | None = None, *, joined: bool = False) -> PairTokenizer:
        """Read ``tokenizer.json``; the length is the least of ``max_length``, the model's positions and the tokenizer's limit.

        ``joined`` makes one text of a pair, closed by the end token that ``config.json`` names.
        """
        from tokenizers import Tokenizer

        if not folder.is_dir():
            raise DataError(
                "no such model folder; give a folder with model.onnx, tokenizer.json and config.json", path=folder
            )
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise DataError(
                "no tokenizer.json in this model folder; save it with AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER)",
                path=folder,
            )
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            raise DataError(f"not a tokenizer.json that `tokenizers` can read: {error}", path=path) from error
        limits = [
            _number(folder / "config.json", "max_position_embeddings"),
            _number(folder / "tokenizer_config.json", "model_max_length"),
        ]
        if _field(folder / "config.json", "model_type") in ("roberta", "xlm-roberta", "camembert") and limits[0]:
            limits[0] -= 2  # their positions start after the padding index
        length = min(x for x in (*limits, max_length, 512 if not any(limits) else None) if x)
        end = _field(folder / "config.json", "eos_token_id") if joined else None
        if joined and not isinstance(end, int):
            raise DataError(
                f"eos_token_id is {end!r}; a joined pair is closed by the one end token that it names", path=folder
            )
        return cls(tokenizer, length, end)

    def count(self, prompt: Prompt | str) -> int:
        """Count the tokens of a text, no special tokens added."""
        text = prompt if isinstance(prompt, str) else "".join(part.text for part in prompt)
        return len(self._encode(text))

    def _encode(self, text: str) -> Any:
        return self.inner.encode(clean(text), add_special_tokens=False)

    def pair(self, query: str, text: str) -> tuple[list[int], list[int], bool]:
        """``ids [T]``, ``token types [T]`` and whether something was cut."""
        if self.end is not None:
            return self._joined(query, text, self.end)
        room = self.max_length - self._added
        left = self._query(query)
        right = self._encode(text)
        cut = False
        if len(left) > room - _LEAST_FOR_DOCUMENT and len(left) + len(right) > room:
            left, cut = self._encode(query), True
            left.truncate(max(room // 2, 1))
        if len(left) + len(right) > room:
            right.truncate(max(room - len(left), 0))
            cut = True
        both = self.inner.post_process(left, right, True)
        return both.ids, both.type_ids, cut

    def triple(self, query: str, text: str, other: str) -> tuple[list[int], list[int], bool]:
        """The same of a query and two texts as three segments: ``[CLS] query [SEP] text [SEP] other [SEP]``, types 0, 1, 2.

        Each text has half of what the query leaves, however short the other one is. Source: duoBERT, castorini/duobert
        ``convert_msmarco_to_duobert_tfrecord.py``: 223 tokens each of 512 beside a query of 62. Differs: a query is not cut at
        62 tokens.
        """
        room = self.max_length - self._added - 1
        left, cut = self._query(query), False
        texts = [self._encode(text), self._encode(other)]
        if len(left) > room - 2 * _LEAST_FOR_DOCUMENT and len(left) + sum(map(len, texts)) > room:
            left, cut = self._encode(query), True
            left.truncate(max(room // 3, 1))
        half = max((room - len(left)) // 2, 0)
        for one in texts:
            if len(one) > half:
                one.truncate(half)
                cut = True
        pair = self.inner.post_process(left, texts[0], True)
        last = [*texts[1].ids, pair.ids[-1]]
        return [*pair.ids, *last], [*pair.type_ids, *[2] * len(last)], cut

    def _joined(self, query: str, text: str, end: int) -> tuple[list[int], list[int], bool]:
        """The same of one text with an end token that is never cut."""
        ids, cut = self.one(f"{query} {text}", self.max_length - 1)
        ids = ids if ids[-1:] == [end] else [*ids, end]
        return ids, [0] * len(ids), cut

    def pair_tokens(self, query: str, text: str, other: str = "") -> int:
        """Tokens of the pair, or of a query and two texts, as the model reads them."""
        return len((self.triple(query, text, other) if other else self.pair(query, text))[0])

    def one(self, text: str, limit: int) -> tuple[list[int], bool]:
        """Ids of one text alone with its special tokens, at most ``limit``, and whether it was cut."""
        encoding = self._encode(text)
        room = limit - self.inner.num_special_tokens_to_add(False)
        cut = len(encoding) > room
        if cut:
            encoding.truncate(room)
        return self.inner.post_process(encoding, None, True).ids, cut


def clean(text: str) -> str:
    """Replace lone surrogates, which no tokenizer can encode, by U+FFFD.

    >>> clean("a\\ud800b")
    'a\\ufffdb'
    """
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _field(path: Path, name: str) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text("utf-8")).get(name)
    except (ValueError, AttributeError) as error:
        raise DataError(f"not a JSON object: {error}", path=path) from error


def _number(path: Path, name: str) -> int | None:
    value = _field(path, name)
    # tokenizers without a limit store about 1e30
    return int(value) if isinstance(value, int | float) and 0 < value < 1_000_000 else None
