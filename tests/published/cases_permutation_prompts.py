"""Queries and passages whose prompts are compared with the published code's, made by arithmetic, without a file."""

import hashlib
import json
import re

PIECES = re.compile(r"\s*\S+|\s+$")


def pieces(text):
    """A tokenizer's tokens as both sides take them here: a word with the white space before it."""
    return PIECES.findall(text)


def _passage(seed, words):
    """Words without sense."""
    return " ".join(f"w{(seed * 7919 + i * 104729) % 997}" for i in range(words))


def cases():
    """By name: a query, and titles and texts of passages."""
    short = [("", _passage(i, 5 + i)) for i in range(5)]
    return {
        "one": ("who wrote it", short[:1]),
        "two": ("who wrote it", short[:2]),
        "three with titles": ("who wrote it?", [(f"Title {i}", text) for i, (_, text) in enumerate(short[:3])]),
        "five": ("a longer question, with a comma", short),
        "twenty": ("twenty", [("", _passage(i, 30)) for i in range(20)]),
        "long": ("long ones", [("", _passage(i, n)) for i, n in enumerate((99, 100, 101, 299, 300, 301, 449, 512, 700))]),
        "citations": ("plain", [("", "as shown in [12] and [3] > [1], [ 4 ], [a1]"), ("", "[1]"), ("", "[[2]]")]),
        "letters in brackets": ("plain", [("", "as shown in [B] > [A] and [sic]"), ("", "[C]")]),
        "white space": ("spaced", [("", "  two  spaces\tand\ntabs\r\n\nlines  "), ("", "a\n\nb")]),
        "unicode": ("où est-ce?", [("", "Où est la gare — là-bas ✓ 日本語 🙂"), ("", "naïve Ünïcödé ∑ ≠ ½")]),
        "braces": ("{query} {num} %s", [("", "{candidate} {rank} {0} {{x}} %d \\n"), ("", "")]),
        "marks": ("quoted \"it\" <b>", [("", "</think> [INST] <|im_end|> 'x' & y"), ("", "<answer>[1]</answer>")]),
        "hundred": ("many", [("", _passage(i, 12)) for i in range(100)]),
    }  # fmt: skip


SIZES = (1, 2, 5, 9, 10, 11, 19, 20, 21, 25, 37, 100)
BLOCKS = range(0, 200, 50)
"""Seeds of answers, fifty a block."""


def answer(n, seed, kind):
    """An answer of the ``kind`` ``"numbers"``, ``"letters"`` or ``"tied"``: in form, but with ids left out, twice, or unknown."""
    keys = [(seed * 7919 + i * 104729 + (i * seed) % 31 * 613) % 10007 for i in range(1, n + 2)]
    ids = sorted(range(1, n + 1), key=lambda i: (keys[i], i))
    ids = ids[seed % 3 % len(ids) :]
    if seed % 4 == 1:
        ids.insert(keys[0] % (len(ids) + 1), ids[keys[1] % len(ids)])
    if seed % 5 == 2:
        ids.insert(keys[1] % (len(ids) + 1), n + 3)
    names = [chr(ord("A") + i - 1) if kind == "letters" else str(i) for i in ids]
    signs = [" = " if kind == "tied" and key % 3 == 0 else " > " for key in keys]
    return f"[{names[0]}]" + "".join(f"{sign}[{name}]" for sign, name in zip(signs, names[1:], strict=False))


LETTERED = 20
"""The most passages in prompts that call them by letters."""


def digest(turns):
    """Of a prompt's turns ``[[role, text], …]``, or of a text."""
    return hashlib.sha256(json.dumps(turns, ensure_ascii=False).encode()).hexdigest()[:16]
