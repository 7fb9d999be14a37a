"""New judgements in the format of the old ones, and a file that says of each where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.data.lines import json_line, lines, written
from ponderank.data.trec import read_qrels
from ponderank.errors import DataError
from ponderank.judging.merge import Merged


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a merged row.

    ``done``: ``added`` (it was not judged), ``overruled`` (it was, and is judged otherwise now), ``kept`` (it was, and stays
    though people judged otherwise), ``same`` (they judged alike), ``open`` (people did not come to one grade).
    """

    row: Merged
    was: int | None
    done: str


def changes(qrels_path: str | Path, rows: Iterable[Merged], *, overrule: bool = False) -> list[Change]:
    """What merged rows change in judgements; nothing that was judged is, without ``overrule``.

    Raises:
        DataError: the judgements cannot be read.
    """
    judged = read_qrels(qrels_path)
    out = []
    for row in rows:
        was = judged.get(row.query_id, {}).get(row.doc_id)
        if row.grade is None:
            done = "open"
        elif was is None:
            done = "added"
        else:
            done = "same" if was == row.grade else "overruled" if overrule else "kept"
        out.append(Change(row, was, done))
    return out


def write_patched(qrels_path: str | Path, found: Sequence[Change], out: str | Path) -> None:
    """Write the judgements with the changes: the old lines as they are, new ones at the end in the same columns.

    Raises:
        DataError: an id that this format cannot hold.
    """
    overruled = {(c.row.query_id, c.row.doc_id): c.row.grade for c in found if c.done == "overruled"}
    sample = ""
    with written(out) as file:
        for _, line in lines(qrels_path):
            sample = line
            columns = _columns(line)
            query, doc, grade = columns[0].strip(), columns[-2].strip(), columns[-1]
            new = overruled.get((query, doc))
            kept = line if new is None else line[: len(line.rstrip()) - len(grade.strip())] + str(new)
            file.write(kept + "\n")
        for change in found:
            if change.done == "added":
                file.write(_line(change.row, sample, out) + "\n")


def _columns(line: str) -> list[str]:
    """As ``read_qrels`` parts a line."""
    return line.split("\t") if line.count("\t") == 2 else line.split()


def _line(row: Merged, sample: str, out: str | Path) -> str:
    """A new line with the columns of an old one."""
    tabs = "\t" in sample
    for name in (row.query_id, row.doc_id):
        if name.split() != [name] and not (tabs and name.strip() == name and not set(name) & set("\t\r\n")):
            raise DataError(
                f"the id {name!r} is empty or has white space, which these judgements cannot hold", path=out
            )
    short = len(_columns(sample)) == 3
    return ("\t" if tabs else " ").join([row.query_id, *([] if short else ["0"]), row.doc_id, str(row.grade)])


def provenance_path(out: str | Path) -> Path:
    """Where the provenance of judgements stands.

    >>> provenance_path("new.qrels").name
    'new.qrels.provenance.jsonl'
    """
    return Path(f"{out}.provenance.jsonl")


def write_provenance(
    found: Sequence[Change], out: str | Path, *, qrels_path: str | Path, merged_path: str | Path, overrule: bool
) -> None:
    """Write where new judgements come from: a line about the files, then one for each merged row, whatever came of it.

    Each has the grade and the one it had, what was done, by which policy, from which pool, and every vote: who, when, how
    long it took, whether blind.
    """
    files: dict[str, Any] = {
        name: {"path": str(path), "sha256": manifests.file_hash(Path(path))}
        for name, path in (("old", qrels_path), ("merged", merged_path), ("new", out))
    }
    with written(provenance_path(out)) as file:
        file.write(json_line({"provenance": {**files, "overrule": overrule, "counts": counts(found)}}))
        for change in found:
            file.write(json_line({"done": change.done, "was": change.was, **asdict(change.row)}))


def counts(found: Iterable[Change]) -> dict[str, int]:
    """How many rows had each outcome."""
    out = dict.fromkeys(("added", "overruled", "kept", "same", "open"), 0)
    for change in found:
        out[change.done] += 1
    return out
