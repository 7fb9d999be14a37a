"""Traces that others collected: chat rows with a thought and a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ponderank.data.lines import records
from ponderank.distill.pairs import Pair
from ponderank.distill.shards import Collected
from ponderank.errors import DataError
from ponderank.formats.teacher import Trace
from ponderank.types import Doc, Query

_ASKED = re.compile(r"<Query>: (?P<query>.*?)\n+<Document>: (?P<document>.*?)(?: /think)?\s*\Z", re.DOTALL)
_ANSWERED = re.compile(
    r"\s*<think>(?P<thought>.*?)</think>\s*(?P<word>yes|no)(?:\((?P<grade>[0-4])\))?\s*\Z", re.DOTALL
)
_ABOUT_THE_FORM = re.compile(r"\s*Before giving the final reply to the user, .*\Z", re.DOTALL)


def read_tfrank(path: str | Path) -> Iterator[Collected | None]:
    """TFRank's pointwise rows (``messages``: what is asked, and a thought with ``yes`` or ``no``, perhaps a grade), None for others.

    The last paragraph of a thought, which speaks of the form of the answer, is left out: the rows are taught another form.
    Nobody judged these pairs, so the label is the verdict's own and the part is ``imported``.

    Source: TFRank's published training data (arXiv 2508.09539).

    Raises:
        DataError: a line has no messages.
    """
    for line, record in records(path):
        messages = record.get("messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise DataError("no messages in this row; expected TFRank's chat rows", path=path, line=line)
        said = {str(message.get("role")): str(message.get("content") or "") for message in messages}
        yield _collected(said.get("user", ""), said.get("assistant", ""), f"{Path(path).stem}-{line}")


def _collected(user: str, assistant: str, name: str) -> Collected | None:
    asked, answered = _ASKED.search(user), _ANSWERED.match(assistant)
    if asked is None or answered is None:
        return None
    verdict = answered["word"] == "yes"
    thought = _ABOUT_THE_FORM.sub("", answered["thought"]).strip()
    pair = Pair(Query(name, asked["query"].strip()), Doc(name, asked["document"].strip()), "imported", int(verdict))
    return Collected(pair, 0, Trace(thought, verdict), "stop")


def told(rows: int, skipped: int) -> dict[str, Any]:
    """What a folder of imported traces says of its teacher."""
    return {"teacher": "imported", "rows": rows, "not pointwise": skipped}
