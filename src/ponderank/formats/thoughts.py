"""What a model wrote, given back to it as the beginning of its answer, to read a probability behind it."""

from __future__ import annotations

from ponderank.formats.parts import ours
from ponderank.formats.reading import cut_at_sentence
from ponderank.types import Part, Prompt, Reply, Role

START, END = "<think>", "</think>"


def own_words(text: str, role: Role = "assistant") -> Prompt:
    """A model's text as parts: the marks of its own thought special, all else plain, since a thought quotes documents.

    The marks are ``<think>`` where the text begins with it, and its last ``</think>``.

    >>> [(part.text, part.trusted) for part in own_words("<think>a </think> b</think> 3")]
    [('<think>', True), ('a </think> b', False), ('</think>', True), (' 3', False)]
    """
    before = text[: len(text) - len(text.lstrip())]
    opened = text.startswith(START, len(before))
    thought, ended, answer = text[(len(before) + len(START)) * opened :].rpartition(END)
    parts = [Part(before, trusted=False, role=role)] if opened and before else []
    parts += [ours(START, role)] if opened else []
    parts += [Part(thought, trusted=False, role=role)] if thought else []
    parts += [ours(END, role)] if ended else []
    parts += [Part(answer, trusted=False, role=role)] if answer else []
    return tuple(parts)


def ended(text: str, *, opened: bool = False, role: Role = "assistant") -> Prompt:
    """A text that was cut off, ended at its last whole sentence, its thought closed: only the answer is missing.

    ``opened`` says that the thought was begun by the chat template, so that its mark does not stand in the text.

    >>> "".join(part.text for part in ended("<think>It is. Or is"))
    '<think>It is.\\n</think>\\n\\n'
    >>> "".join(part.text for part in ended("It is. Or is"))
    'It is.\\n\\n'
    """
    marked = text.lstrip().startswith(START)
    if END in text:
        thought, _, answer = text.rpartition(END)
        whole = cut_at_sentence(answer)
        answer = f"\n\n{whole}" if whole.endswith((".", "!", "?")) else ""
        return (*own_words(f"{thought}{END}{answer}", role), ours("\n\n", role))
    body = cut_at_sentence(text.lstrip().removeprefix(START) if marked else text)
    kept = (Part(body, trusted=False, role=role),) if body else ()
    if marked or opened:
        return (*((ours(START, role),) if marked else ()), *kept, ours(f"\n{END}\n\n", role))
    return (*kept, ours("\n\n", role)) if kept else ()


def was_cut(reply: Reply) -> bool:
    """Whether a text ended otherwise than by the model's own will."""
    return reply.finish not in ("stop", "end", "truncated")
