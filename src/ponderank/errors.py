"""The error tree. A message says what was given, what is allowed and what to do.

    PonderankError
    ├── RecipeError    (ValueError)     unknown recipe, or a recipe that does not fit its backend
    ├── DataError      (ValueError)     a file, a line, what was expected
    ├── MissingExtra   (ImportError)    the pip command that installs it
    └── BackendError   (RuntimeError)   the model or its server failed; .retryable says whether to ask again

A model that answers badly raises nothing: its judgement carries a counted ``flaw``.
"""

from __future__ import annotations

from pathlib import Path


class PonderankError(Exception):
    """Any error that Ponderank raises on purpose."""


class RecipeError(PonderankError, ValueError):
    """An unknown recipe, or one that does not fit the backend it meets."""


class DataError(PonderankError, ValueError):
    """Input that cannot be read.

    ``path`` and ``line`` (1-based) say where, when they are known; both stand in the message already.
    """

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        self.path = None if path is None else str(path)
        self.line = line
        where = "" if path is None else f"{path}:{line}: " if line is not None else f"{path}: "
        super().__init__(where + message)


class MissingExtra(PonderankError, ImportError):
    """An optional dependency is not installed; the message holds the pip command."""

    def __init__(self, extra: str, needed_for: str) -> None:
        self.extra = extra
        super().__init__(f"{needed_for} needs the extra [{extra}]: pip install 'ponderank[{extra}]'")


class BackendError(PonderankError, RuntimeError):
    """A model or its server failed. ``retryable`` says whether the same call may succeed later."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(message)
