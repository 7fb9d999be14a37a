"""The reliability plot: probability against the share that is relevant, with how many pairs there are of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponderank.errors import MissingExtra
from ponderank.metrics.calibration import Reliability

_BLUE, _GREY = "#2563a8", "#8a8f98"


def draw(figures: Mapping[str, Reliability], path: str | Path, title: str = "") -> None:
    """Draw a panel for each list of figures, side by side, into a PNG, SVG or PDF by the path's suffix.

    Dots are bins, the bars are two standard errors of their share of relevant pairs, the diagonal is perfect. Below are the
    counts, on a logarithmic scale.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("train", "drawing a reliability plot") from error
    drawn = Figure(figsize=(0.6 + 3.9 * len(figures), 4.9), layout="constrained")
    axes = drawn.subplots(
        2, len(figures), sharex=True, sharey="row", squeeze=False, gridspec_kw={"height_ratios": [3, 1]}
    )
    for at, (name, one) in enumerate(figures.items()):
        _panel(axes[0][at], axes[1][at], name, one)
    axes[0][0].set_ylabel("share that is relevant")
    axes[1][0].set_ylabel("pairs")
    if title:
        drawn.suptitle(title, fontsize=10)
    drawn.savefig(path, dpi=150)


def _panel(above: Any, below: Any, name: str, one: Reliability) -> None:
    probs = [bin.prob for bin in one.curve]
    shares = [bin.relevant for bin in one.curve]
    errors = [2 * (bin.relevant * (1 - bin.relevant) / bin.count) ** 0.5 for bin in one.curve]
    # no bar past what a share can be
    down = [min(error, share) for error, share in zip(errors, shares, strict=True)]
    up = [min(error, 1 - share) for error, share in zip(errors, shares, strict=True)]
    above.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="perfect")
    above.errorbar(
        probs, shares, yerr=[down, up], fmt="o-", color=_BLUE, markersize=4, linewidth=1, elinewidth=1, capsize=2
    )
    above.set_xlim(-0.02, 1.02)
    above.set_ylim(-0.02, 1.02)
    ece, brier = one.ece_width, one.brier
    above.set_title(f"{name}\nECE {ece.value:.3f} [{ece.low:.3f}, {ece.high:.3f}], Brier {brier.value:.3f}", fontsize=9)
    above.grid(color="#e6e8eb", linewidth=0.6)
    below.bar([bin.low for bin in one.curve], [bin.count for bin in one.curve],
              [bin.high - bin.low for bin in one.curve], align="edge", color=_BLUE, alpha=0.75, edgecolor="white")  # fmt: skip
    below.set_yscale("log")
    below.set_ylim(0.7, None)
    below.set_xlabel(f"probability ({one.pairs:,} pairs, {one.queries:,} queries)", fontsize=9)
    below.grid(axis="y", color="#e6e8eb", linewidth=0.6)
