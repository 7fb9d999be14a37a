"""What a collection of traces looks like: lengths by verdict as a picture, the funnel as a table, a data card."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponderank.distill.select import Selected
from ponderank.distill.shards import Collected

_WIDTH = 20
"""Words a bar of the picture."""


@dataclass(slots=True)
class Lengths:
    """Words of thoughts by verdict and by part, as counts of bars ``_WIDTH`` wide; fits any number of rows."""

    by_verdict: dict[str, Counter[int]] = field(default_factory=dict)
    by_part: dict[str, Counter[str]] = field(default_factory=dict)
    words: dict[str, list[int]] = field(default_factory=dict)

    def note(self, row: Collected) -> None:
        """Count a row."""
        verdict = {True: "true", False: "false", None: "none"}[row.trace.verdict]
        count = len(row.trace.thought.split())
        self.by_verdict.setdefault(verdict, Counter())[count // _WIDTH] += 1
        self.words.setdefault(verdict, []).append(count)
        self.by_part.setdefault(row.pair.part, Counter())[verdict] += 1

    def to_dict(self) -> dict[str, Any]:
        """Rows, quartiles of words by verdict, verdicts by part; ready for JSON."""
        out: dict[str, Any] = {"rows": sum(map(len, self.words.values())), "words": {}, "parts": {}}
        for verdict, counts in sorted(self.words.items()):
            cuts = statistics.quantiles(counts, n=4) if len(counts) > 1 else [float(counts[0])] * 3
            out["words"][verdict] = {
                "rows": len(counts), "mean": round(statistics.fmean(counts), 1), "quartiles": [round(cut, 1) for cut in cuts],
            }  # fmt: skip
        for part, verdicts in sorted(self.by_part.items()):
            out["parts"][part] = dict(sorted(verdicts.items()))
        return out


def lengths(rows: Iterable[Collected]) -> Lengths:
    """The lengths of all rows."""
    found = Lengths()
    for row in rows:
        found.note(row)
    return found


def draw(found: Lengths, path: Path) -> None:
    """Draw how long the thoughts are, by verdict (the paper's Figure 2), as SVG; the same rows draw the same bytes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "ponderank"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for verdict, colour in (("true", "#1b7837"), ("false", "#762a83"), ("none", "#999999")):
        bars = found.by_verdict.get(verdict)
        if bars:
            total = bars.total()
            places = range(max(bars) + 1)
            axes.step(
                [place * _WIDTH for place in places], [bars[place] / total for place in places], where="post",
                color=colour, label=f"{verdict} ({total:,})",
            )  # fmt: skip
    axes.set_xlabel("words of the thought")
    axes.set_ylabel("share of the thoughts")
    axes.legend(title="verdict")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def funnel_table(selected: Selected) -> str:
    """The funnel for people: how many fell where, of which parts.

    >>> print(funnel_table(Selected((), 2, ())))
       rows  fell  why
          2        read
          0        kept
    """
    lines = ["   rows  fell  why", f"{selected.read:>7}        read"]
    for fallen in selected.funnel:
        if fallen.count:
            parts = ", ".join(f"{part} {count}" for part, count in fallen.parts.items())
            lines.append(f"{fallen.before - fallen.count:>7} {fallen.count:>5}  {fallen.reason} ({parts})")
    return "\n".join([*lines, f"{len(selected.rows):>7}        kept"])


def funnel_dict(selected: Selected) -> dict[str, Any]:
    """The funnel with examples, ready for JSON."""
    return {
        "read": selected.read,
        "kept": len(selected.rows),
        "parts": dict(sorted(Counter(row.pair.part for row in selected.rows).items())),
        "verdicts": dict(sorted(Counter(str(row.trace.verdict).lower() for row in selected.rows).items())),
        "funnel": [
            {
                "reason": fallen.reason, "before": fallen.before, "fell": fallen.count, "parts": fallen.parts,
                "examples": [json.loads(row.line()) for row in fallen.examples],
            }
            for fallen in selected.funnel
        ],
    }  # fmt: skip


def card(selected: Selected, settings: Mapping[str, Any], teacher: Mapping[str, Any] | None) -> str:
    """A data card in Markdown: what it is, how it was made, what fell out, what it is not."""
    kept = funnel_dict(selected)
    parts = "\n".join(f"| {part} | {count} |" for part, count in kept["parts"].items())
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in kept["verdicts"].items())
    asked = json.dumps(teacher, ensure_ascii=False, indent=1) if teacher else "not on record"
    return f"""# Training rows for a reranker that thinks

{kept["kept"]:,} rows ({verdicts}): a query, a passage, a teacher's thought and its verdict, in the format of the recipe `rank1`
(`train.jsonl`: `prompt`, `completion`, and the pair's `key`, `part`, `verdict`).

| part | rows |
| --- | --- |
{parts}

## How they were made

Made by `ponderank distill` with these settings: `{json.dumps(dict(settings), ensure_ascii=False)}`.

The teacher and how it was asked:

```json
{asked}
```

What fell out, in order (`funnel.json` has examples):

```
{funnel_table(selected)}
```

## What to know

- The thoughts are a machine's: they can be wrong where the verdict is right.
- Labels of negatives are mostly implied, not judged. Rows whose verdict contradicted the implied label are gone, so what the
  teacher knew better is gone with them.
- The texts keep the licences of the collection that they were sampled from.
"""
