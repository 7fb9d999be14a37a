"""What a run's folder says about how it was made, and whether a second command means the same."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ponderank.errors import DataError

_PACKAGES = (
    "ponderank",
    "numpy",
    "onnxruntime",
    "tokenizers",
    "bm25s",
    "torch",
    "transformers",
    "llama-cpp-python",
    "vllm",
)
_NOT_COMPARED = ("path", "versions", "continued_with")
"""Where a file lay says nothing about what is in it; its hash does. An upgrade must not cost the replies of a long run."""


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a score can depend on, those that are installed.

    >>> "python" in versions()
    True
    """
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path) from error


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Name each setting in which two manifests differ, with both values.

    >>> list(differences({"k": 10, "recipe": {"name": "a"}}, {"k": 20, "recipe": {"name": "a"}}))
    ['k: 10 there, 20 now']
    """
    for key in sorted(old.keys() | new.keys()):
        there, now = old.get(key), new.get(key)
        if key in _NOT_COMPARED or there == now:
            continue
        if isinstance(there, Mapping) and isinstance(now, Mapping):
            yield from differences(there, now, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}: {_short(there)} there, {_short(now)} now"


def read(path: Path) -> dict[str, Any] | None:
    """The manifest at ``path``, None where there is none.

    Raises:
        DataError: there is a file, but no manifest in it.
    """
    if not path.exists():
        return None
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(
            f"not a manifest ({error}); give another folder, or start over with --fresh", path=path
        ) from error
    if not isinstance(manifest, dict):
        raise DataError("not a manifest; give another folder, or start over with --fresh", path=path)
    return manifest


def dumped(value: Any) -> str:
    """JSON for people: sorted, indented, one final newline; equal values give equal bytes."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, also if the process is killed."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def claimed(folder: Path, wanted: dict[str, Any], *, what: str, free: str = "") -> dict[str, Any]:
    """Write a folder's manifest, or check that the one that is there means the same; returns what then stands there.

    Other versions than before are added under ``continued_with``. ``what`` the folder holds is for the message; the part called
    ``free`` may differ, and is replaced.

    Raises:
        DataError: the folder is about something else; the message names what differs.
    """
    path = folder / "manifest.json"
    there = read(path)
    if there is None:
        told = wanted
    else:
        before, now = ({name: value for name, value in one.items() if name != free} for one in (there, wanted))
        differing = list(differences(before, now))
        if differing:
            remedy = "give another --out, or start over here with --fresh"
            raise DataError(f"this folder holds another {what} ({'; '.join(differing)}); {remedy}", path=folder)
        seen = [there.get("versions"), *there.get("continued_with", [])]
        more = {} if wanted["versions"] in seen else {"continued_with": [*seen[1:], wanted["versions"]]}
        told = there | more | ({free: wanted[free]} if free else {})
    write_whole(path, dumped(told))
    return told


def _short(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:24]}…"
