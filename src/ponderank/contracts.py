"""What a strategy, a format and a backend owe each other. Protocols only; nothing here runs.

Strategies and formats are plain generators (sans-I/O): they yield the questions that are independent *now*, are sent
the answers in the same order, and return their result. Drive one by hand with ``next`` and ``send``.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from ponderank.types import Ask, Call, Candidates, Doc, Group, Judgement, Prompt, Query, Reply

Plan: TypeAlias = Generator[list[Group | Ask], list[Judgement], list[float]]
"""Yields groups, is sent one judgement per group, returns ``n`` scores (higher first) in first-stage order."""

Dialogue: TypeAlias = Generator[list[Call], list[Reply], Judgement]
"""Yields calls, is sent one reply per call, returns the judgement."""


@runtime_checkable
class Tokenizer(Protocol):
    """What a format or a dry run may ask of a tokenizer."""

    def count(self, prompt: Prompt | str) -> int:
        """Count the tokens of a prompt or of an untrusted text, no special tokens added."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """Which candidates to show together, and how to combine the answers. Sees indices, never texts."""

    @property
    def widest(self) -> int:
        """Most documents shown at once."""
        ...

    @property
    def absolute(self) -> bool:
        """Whether it needs scores that compare across prompts."""
        ...

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """Rank ``n`` candidates; ``priors`` are first-stage scores ``[n]``, when known."""
        ...


@runtime_checkable
class Format(Protocol):
    """One published prompt, its parsing and its rounds."""

    @property
    def widest(self) -> int:
        """Most documents one judgement can hold."""
        ...

    @property
    def absolute(self) -> bool:
        """Whether its scores compare across prompts."""
        ...

    @property
    def needs(self) -> frozenset[type[Call]]:
        """The kinds of call it makes."""
        ...

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """Judge ``docs`` together."""
        ...


@runtime_checkable
class Levelled(Protocol):
    """A format that can also judge cheaper than in full; level 0 is the full judgement (see ``types.Ask``)."""

    def at_level(self, level: int) -> Format:
        """The same format at a cheaper level."""
        ...


@runtime_checkable
class Backend(Protocol):
    """Runs calls on hardware or over the wire. Knows nothing of queries, ranking or relevance."""

    @property
    def can(self) -> frozenset[type[Call]]:
        """The kinds of call it can run."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names the model and everything that changes its answers; part of every cache key."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """Counts tokens as the model does."""
        ...

    def add(self, call: Call) -> int:
        """Queue a call and return its ticket; does no work."""
        ...

    def step(self) -> list[tuple[int, Reply]]:
        """Work until there is progress; replies in any order, possibly none.

        Where it can it returns within a tenth of a second or so, with nothing if need be: deadlines are looked at between
        steps. If it raises, calls may be lost: whoever waits for one cancels what else it waits for, where it can, and asks again
        or gives up.
        """
        ...

    def close(self) -> None:
        """Give back threads, files, memory. May be called twice."""
        ...


@runtime_checkable
class Cancels(Protocol):
    """A backend that can drop calls it was given. Without it, calls that nobody waits for any more are still worked off."""

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls: ``step`` neither answers them nor fails because of them. Unknown tickets are fine."""
        ...


@runtime_checkable
class Interrupts(Protocol):
    """A backend that can cut short what it generates."""

    def interrupt(self, tickets: Collection[int]) -> None:
        """Let the next ``step`` answer these ``Generate`` calls with the text they have, ``finish="interrupted"``."""
        ...


@runtime_checkable
class Streams(Protocol):
    """A backend whose texts can be watched as they are written."""

    def written(self) -> list[tuple[int, str]]:
        """What was added to the texts of unfinished and finished calls since the last time it was asked, in order."""
        ...


class Retriever(Protocol):
    """A first stage: texts in, candidates out, best first."""

    def search(self, queries: Iterable[Query], k: int) -> list[Candidates]:
        """The best ``k`` documents for each query, with scores."""
        ...
