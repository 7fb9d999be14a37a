"""How a command ends: one line on stderr and a documented exit code, never a traceback for an expected failure."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

from ponderank.errors import BackendError, DataError, MissingExtra, PonderankError, RecipeError

P = ParamSpec("P")
R = TypeVar("R")

OK, FAILURE, BAD_INPUT, MISSING_EXTRA, BACKEND, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 4, 130, 141

EPILOG = (
    "Exit codes: 0 done · 1 failure · 2 bad usage or bad input · 3 an optional extra is missing · "
    "4 the model or its server failed · 130 interrupted (Ctrl-C) · 141 the reader of our output went away. "
    "An error is one line on stderr; PONDERANK_DEBUG=1 adds the traceback."
)


def code_of(error: BaseException) -> int:
    """The exit code of an error.

    >>> code_of(DataError("no such file"))
    2
    """
    match error:
        case DataError() | RecipeError():
            return BAD_INPUT
        case MissingExtra():
            return MISSING_EXTRA
        case BackendError():
            return BACKEND
        case _:
            return FAILURE


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn a command's expected failures into ``error: …`` on stderr and an exit code; bugs keep their traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result = command(*args, **kwargs)
            sys.stdout.flush()  # a reader that went away shows here, not in the interpreter's last breath
        except BrokenPipeError:
            _silence_stdout()
            sys.exit(BROKEN_PIPE)
        except KeyboardInterrupt as stop:
            say(f"interrupted{': ' if stop.args else ''}{' '.join(map(str, stop.args))}")
            sys.exit(INTERRUPTED)
        except (PonderankError, OSError) as error:
            fail(error)
        return result

    return run


def fail(error: Exception) -> NoReturn:
    """Print the error as one line and leave with its code; with PONDERANK_DEBUG=1 its traceback comes first."""
    if os.environ.get("PONDERANK_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    say(f"error: {' '.join(str(error).split())}")
    sys.exit(code_of(error))


def say(line: str) -> None:
    """One line for the user, on stderr."""
    print(line, file=sys.stderr, flush=True)


def _silence_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain when it closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
