"""The judging page as one file for people without a network, and the way back into a store.

What is hidden until it is graded is not in the file at all: whoever has the file could read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponderank.data.lines import open_text, written
from ponderank.errors import DataError
from ponderank.judging import page
from ponderank.judging.events import Event, event_of, named_assessor
from ponderank.judging.pool import Pool
from ponderank.judging.store import Store
from ponderank.single_page import policy

FORMAT = "ponderank-judgements-1"


def single_file(pool: Pool, assessor: str = "") -> str:
    """The page with its styles, its script and the pool in it; works from a disk, in any assessor's or one's own order.

    Its policy allows the one script and the one style by their hashes and nothing else, not even a connection.
    """
    style, script = page.part("page.css"), page.part("page.js")
    payload = page.outline(pool, assessor) | {
        "passages": {query: page.passages(pool, query) for query in pool.by_query}
    }
    text = page.part("page.html")
    for old, new in (
        ("<!-- policy -->", f'<meta http-equiv="Content-Security-Policy" content="{policy(script, style)}">'),
        ('<link rel="stylesheet" href="page.css">', f"<style>{style}</style>"),
        ("<!-- pool -->", f'<script type="application/json" id="pool">{_inert(payload)}</script>'),
        ('<script src="page.js" defer></script>', ""),
        ("</body>", f"<script>{script}</script>\n</body>"),
    ):
        if old not in text:
            raise AssertionError(f"page.html lacks {old}")
        text = text.replace(old, new, 1) if old != "</body>" else new.join(text.rsplit(old, 1))
    return text


def _inert(value: Any) -> str:
    """JSON that cannot end the element it stands in, whatever the passages hold."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def export(pool: Pool, out: str | Path, *, assessor: str = "") -> None:
    """Write the page as one file."""
    with written(out) as file:
        file.write(single_file(pool, named_assessor(assessor) if assessor else ""))


def read_judged(path: str | Path, pools: Mapping[str, Pool]) -> tuple[str, list[Event]]:
    """The pool's fingerprint and the events in a file that the page saved.

    Raises:
        DataError: no such file, of a pool that is not among ``pools``, or with an event that does not fit it.
    """
    with open_text(path) as file:
        try:
            held = json.load(file)
        except ValueError as error:
            raise DataError(f"not a file that the judging page saved: {error}", path=path) from error
    if not isinstance(held, dict) or held.get("format") != FORMAT or not isinstance(held.get("events"), list):
        raise DataError(f"not a file that the judging page saved; its format is {FORMAT!r}", path=path)
    pool = pools.get(str(held.get("pool")))
    if pool is None:
        raise DataError(
            f"judged on the pool {held.get('pool')!r}, which the store does not have; add it with --pool", path=path
        )
    events = []
    for place, record in enumerate(held["events"], 1):
        try:
            if not isinstance(record, dict):
                raise DataError("it is no object")
            events.append(event_of(record, pool, assessor=named_assessor(record.get("assessor")), origin="offline"))
        except DataError as error:
            raise DataError(f"event {place}: {error}", path=path) from error
    return pool.fingerprint, events


def take_in(path: str | Path, store: Store) -> tuple[int, int]:
    """Add a saved file's events to a store; returns how many were new and how many there are. Twice is as good as once.

    Raises:
        DataError: as ``read_judged`` and ``Store.append``; then nothing was added.
    """
    pool, events = read_judged(path, store.pools())
    return store.append(pool, events), len(events)
