"""What a calibration is shown as: the table of its figures, files, and what has to be known to read them."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ponderank.calibrate.made import Made

PICTURES = (".png", ".svg", ".pdf")
"""What a reliability plot can be drawn as."""


class Layout(StrEnum):
    """How the figures are printed."""

    table = "table"
    json = "json"


def show(found: dict[int, Made], layout: Layout) -> None:
    """Write the figures of each level to stdout."""
    from ponderank.cli.output import grid

    if layout is Layout.json:
        print(json.dumps({str(level): one.to_dict() for level, one in found.items()}, indent=2))
        return
    for level, one in found.items():
        head = [
            "" if len(found) == 1 else f"level {level}",
            "ECE",
            "95 %",
            "equal mass",
            "Brier",
            "log loss",
            "mean prob",
        ]
        rows = [
            [
                name, f"{r.ece_width.value:.4f}", f"[{r.ece_width.low:.4f}, {r.ece_width.high:.4f}]", f"{r.ece_mass.value:.4f}",
                f"{r.brier.value:.4f}", f"{r.log_loss.value:.4f}", f"{r.mean_prob:.4f}",
            ]
            for name, r in one.figures.items()
        ]  # fmt: skip
        print(grid(head, rows))


def report(found: dict[int, Made], reports: list[Path]) -> None:
    """Write the figures, or draw the plot, into each of the files; a plot a level where there are several.

    Raises:
        MissingExtra: a plot is wanted and matplotlib is not installed.
    """
    for path in reports:
        if path.suffix == ".json":
            from ponderank.manifest import dumped, write_whole

            write_whole(path, dumped({str(level): one.to_dict() for level, one in found.items()}))
            continue
        from ponderank.calibrate.picture import draw

        for level, one in found.items():
            name = path if len(found) == 1 else path.with_stem(f"{path.stem}-{level}")
            draw(one.figures, name, _title(one))


def _title(one: Made) -> str:
    about = one.calibration.fitted_on
    names = ", ".join(f"{each['collection']} {each['split']}" for each in about["collections"])
    return f"{about['recipe']}, {one.calibration.method}, cross-fitted on {names}"


def said(found: dict[int, Made]) -> list[str]:
    """What has to be known to read the figures, and the probabilities from now on."""
    one = next(iter(found.values()))
    about, figure = one.calibration.fitted_on, list(one.figures.values())[-1]
    out = [
        f"{about['pairs']:,} judged pairs of {about['queries']:,} queries, {100 * figure.base_rate:.1f} % of them relevant: "
        "probabilities are for candidates like these, and too high where fewer are relevant",
        f"{figure.bins} bins; a perfect calibration would show an ECE of {figure.ece_floor:.4f} on as many pairs",
    ]
    for each in about["collections"]:
        unjudged = each.get("candidates", 0) - each.get("judged", 0)
        if unjudged and not each["assume_negative"]:
            out.append(
                f"{each['collection']}: {unjudged:,} of {each['candidates']:,} candidates were never judged and were left out; "
                "who chose what to judge chose texts that looked relevant, so probabilities of all candidates would be lower"
            )
        elif unjudged:
            out.append(
                f"{each['collection']}: {unjudged:,} of {each['candidates']:,} candidates were never judged and count as not relevant"
            )
        if each.get("flawed"):
            out.append(f"{each['collection']}: {each['flawed']:,} judgements gave no score and were left out")
    return out
