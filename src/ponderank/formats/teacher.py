"""What a reasoning teacher is asked about one pair, and how its answer is read: the source of Rank1's training rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ponderank.formats.classify import asked
from ponderank.formats.parts import filled
from ponderank.formats.rank1 import HEAD
from ponderank.formats.thoughts import END, START
from ponderank.types import Doc, Prompt, Query

_TEMPLATE = HEAD + "{query}\nPassage: {document}"
_WORD = re.compile(r"\b(true|false)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trace:
    """A thought, and the verdict behind it: None where there is none, or both."""

    thought: str
    verdict: bool | None


def teacher_prompt(query: Query, doc: Doc) -> Prompt:
    """Rank1's own instruction as one user turn: a model that thinks by itself needs no more.

    Source: Rank1 (arXiv 2502.18418, section 2.1; ``rank1.py``). Differs: no ``<think>`` at the end, which a chat's template
    or the teacher itself writes.

    >>> "".join(part.text for part in teacher_prompt(Query("q", "who"), Doc("d", "me")))[-22:]
    'Query: who\\nPassage: me'
    """
    return filled(_TEMPLATE, {"query": asked(query), "document": doc.full_text}, role="user")


def read_trace(text: str) -> Trace:
    """The thought between its marks, and the one of true and false in the answer behind them.

    A thought that never ended has no verdict, whatever it says; neither has an answer that says both, or none.

    >>> read_trace("<think> It is. </think> **True**.")
    Trace(thought='It is.', verdict=True)
    >>> read_trace("<think> true or false? true").verdict, read_trace("<think>so</think> true, not false").verdict
    (None, None)
    """
    thought, ended, answer = text.rpartition(END)
    if not ended:
        return Trace(text.strip().removeprefix(START).strip(), None)
    said = {word.lower() for word in _WORD.findall(answer)}
    return Trace(thought.strip().removeprefix(START).strip(), "true" in said if len(said) == 1 else None)
