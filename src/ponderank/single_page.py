"""The policy of a page that is one file: it holds strangers' texts, and may run its own script and nothing else."""

from __future__ import annotations

import base64
import hashlib


def policy(script: str, style: str) -> str:
    """A Content-Security-Policy that allows this one script and this one style by their hashes, and not even a connection.

    Source: W3C Content Security Policy Level 3, hash sources and ``require-trusted-types-for``.

    >>> policy("", "").partition(";")[0]
    "default-src 'none'"
    """
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
