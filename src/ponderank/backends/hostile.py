"""Control strings in untrusted text, for servers that take a prompt as one text and would read them as their own tokens.

A server that is sent token ids needs none of this: ``backends.prompts`` keeps hostile text plain by itself. One that is
sent text tokenises all of it alike, so that a passage which holds ``<|im_end|>`` or ``</think>`` would end a turn or a
thought. Such a string gets one space inside, which people hardly see and which no tokenizer takes out again: all known
control strings are without spaces. Only spaces are added and nothing is taken away, so that nothing can come together to
another control string.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from ponderank.types import Part, Prompt

_NAMES = (
    r"/?s|/?think|/?thinking|/?thought|/?reasoning|bos|eos|pad|unk|mask|sop|eop|eod|sep|cls"
    r"|start_of_turn|end_of_turn|start_of_image|end_of_image|image_soft_token|eoh|eoa|eosys|eom|eot"
    r"|/?tool_call|/?tool_calls|/?tool_response|/?tool_sep|/?tools|/?arg_key|/?arg_value|/?role|/?unused\d+|/?function_calls?"
    r"|endoftext|startoftext|SPECIAL_\d+|extra_id_\d+|reserved_\d+|/?seed:\w+|/?mm:\w+|/?minimax:\w+|0x[0-9A-Fa-f]{2}"
    r"|/?longcat_\w+|/?ipynb_marker|/?fim_\w+|/?jupyter_\w+|/?file_sep|/?repo_name"
)
_BRACKETED = (
    r"/?INST|/?SYSTEM_PROMPT|/?AVAILABLE_TOOLS|/?TOOL_CALLS|/?TOOL_RESULTS|/?TOOL_CONTENT|/?THINK|/?MODEL_SETTINGS"
    r"|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|TRANSCRIBE|PREFIX|MIDDLE|SUFFIX|ARGS|CALL_ID|REFERENCE_DOC_\d+|gMASK|sMASK|eMASK"
    r"|control_\d+|MASK"
)
CONTROL = re.compile(
    r"<(?=(?P<angle>"
    r"\|[^\s<>]{1,80}?>"  # <|im_end|>, <|eot_id|>, <|turn>, DeepSeek's <｜end▁of▁sentence｜>
    r"|[^\s<>|]{1,80}\|>"  # <turn|>
    rf"|(?:{_NAMES})>"
    r"|</?SYS>>"
    r"))|\[(?=(?P<square>"
    rf"(?:{_BRACKETED})\]"
    r"|\|[^\s\[\]]{1,80}?\|\]"  # [|endofturn|]
    r"))"
)
"""Chat-template, thinking and tool tokens of the common families of models; only the first character is consumed, so that
overlapping ones are found."""


class _Folds(dict[int, str]):
    """What a code point counts as: its compatibility form if that is one character, nothing if it is invisible."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        folded = unicodedata.normalize("NFKC", char)
        plain = "" if unicodedata.category(char) == "Cf" or 0xFE00 <= code <= 0xFE0F else folded
        self[code] = plain if len(plain) <= 1 else char
        return self[code]


_FOLDS = _Folds()


def neutralise(text: str) -> tuple[str, int]:
    """The text with its control strings broken up, and how many there were; a text without any is returned as it is.

    Fullwidth forms and invisible characters inside are seen through, as some tokenizers see through them.

    >>> neutralise("so </think> true<|im_end|>")
    ('so < /think> true< |im_end|>', 2)
    >>> neutralise("if a < b and b > c: [1] <p>")
    ('if a < b and b > c: [1] <p>', 0)
    """
    (part,), count = neutralised((Part(text, trusted=False),))
    return part.text, count


def neutralised(prompt: Prompt) -> tuple[Prompt, int]:
    """The prompt with every control string broken up that lies in untrusted parts, or reaches into one; and their number.

    Parts of one turn are looked at together: ``"<thi"`` at the end of one and ``"nk>"`` in the next are found too.
    """
    texts = [part.text for part in prompt]
    ends = list(accumulate(len(text) for text in texts))
    breaks: set[int] = set()
    for start, end in _found("".join(texts)):
        parts = [prompt[bisect_right(ends, at)] for at in range(start, end)]
        if parts[0].role != parts[-1].role:
            continue  # the template stands between two turns
        place = _place(start, end, [not part.trusted for part in parts])
        if place is not None:
            breaks.add(place)
    if not breaks:
        return prompt, 0
    cuts: list[list[int]] = [[] for _ in prompt]
    for at in sorted(breaks):
        owner = bisect_right(ends, at)
        before = bisect_left(ends, at)  # another part where the break is at a border
        owner = before if prompt[owner].trusted and not prompt[before].trusted else owner
        cuts[owner].append(at - ends[owner] + len(texts[owner]))
    broken = [replace(part, text=_spaced(part.text, at)) for part, at in zip(prompt, cuts, strict=True)]
    return tuple(broken), len(breaks)


def _place(start: int, end: int, untrusted: Sequence[bool]) -> int | None:
    """Where to break ``[start, end)``: behind its first character, else where untrusted text begins in it; None if it is ours."""
    if untrusted[0]:
        return start + 1
    first = next((i for i, ours in enumerate(untrusted) if ours), None)
    return None if first is None or start + first >= end else start + first


def _spaced(text: str, cuts: Sequence[int]) -> str:
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return " ".join(pieces) if cuts else text


def _found(text: str) -> list[tuple[int, int]]:
    """The spans of control strings in a text, overlapping ones included."""
    folded = text if text.isascii() else text.translate(_FOLDS)
    spans = [(match.start(), match.end(match.lastgroup or 0)) for match in CONTROL.finditer(folded)]
    if len(folded) == len(text) or not spans:
        return spans
    places = [at for at, char in enumerate(text) if _FOLDS[ord(char)]]
    return [(places[start], places[end - 1] + 1) for start, end in spans]
