"""Rankings of a suite in a file that only grows: what was ranked once is not ranked again, also after a kill."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from ponderank.data.lines import json_line
from ponderank.errors import DataError
from ponderank.robustness.trials import Trial
from ponderank.types import Candidates, Doc, Ranking


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranking as it is kept: ids best first, flawed judgements by flaw, calls it takes without a cache.

    ``scores`` go with ``order``, and are kept only where they are compared later: of the base, of repeats, and of groups.
    """

    order: tuple[str, ...]
    flaws: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    scores: tuple[float | None, ...] = ()


class Rankings:
    """The rankings in ``path``, by what was ranked: the query and its candidates as the model sees them.

    A line that a kill left unfinished is cut off. What was asked anew is kept under its own name, so that it is not answered by
    what was asked before.

    Raises:
        DataError: the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._found = path, dict[str, Ranked]()
        self._read()
        self._file: IO[str] = path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n")

    def _read(self) -> None:
        if not self.path.exists():
            return
        whole = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json.loads(line)
                    ranked = Ranked(tuple(row["order"]), row["flaws"], row["calls"], tuple(row.get("scores", ())))
                    self._found[row["key"]] = ranked
                except (ValueError, KeyError, TypeError) as error:
                    message = "expected a ranking of ponderank robustness; start over with --fresh"
                    raise DataError(message, path=self.path, line=number) from error
                whole += len(line)
        if whole < self.path.stat().st_size:
            with self.path.open("r+b") as file:
                file.truncate(whole)

    def get(self, trial: Trial, one: Candidates) -> Ranked | None:
        """The ranking of these candidates in this trial, if there is one."""
        return self._found.get(key_of(trial, one))

    def add(self, trial: Trial, one: Candidates, ranking: Ranking) -> None:
        """Keep a ranking; it is in the file when this returns."""
        key = key_of(trial, one)
        scores = (
            tuple(score if math.isfinite(score) else None for score in ranking.scores)
            if trial.test in ("base", "repeats", "position")
            else ()
        )
        ranked = Ranked(tuple(doc.id for doc in ranking.docs), ranking.flaws(), ranking.usage.calls, scores)
        row: dict[str, Any] = {
            "key": key, "test": trial.test, "trial": trial.name, "query": one.query.id, "text": one.query.text,
            "order": list(ranked.order), "flaws": dict(ranked.flaws), "calls": ranked.calls,
        }  # fmt: skip
        if scores:
            row["scores"] = list(scores)
        if trial.judge is not None:
            row |= {"judge": trial.judge, "shown": [doc.id for doc in one.docs]}
        self._file.write(json_line(row))
        self._file.flush()
        self._found[key] = ranked

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def key_of(trial: Trial, one: Candidates) -> str:
    """What is ranked, as SHA-256: equal inputs of two trials are one, unless they are asked anew, or of another judge alone."""
    anew = [trial.test, trial.name, trial.drawn] if trial.anew else []
    if trial.judge is not None:
        anew = [*anew, "judge", trial.judge]
    query = [one.query.id, one.query.text, one.query.instruction]
    told = [anew, query, [_digest(doc) for doc in one.docs], one.scores]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


@lru_cache(maxsize=65_536)
def _digest(doc: Doc) -> str:
    return hashlib.sha256(json.dumps([doc.id, doc.title, doc.text]).encode()).hexdigest()[:32]
