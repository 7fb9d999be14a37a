"""The losses and gains of a suite as one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LOSS, _GAIN = "#762a83", "#1b7837"


def draw(results: Mapping[str, Any], path: Path) -> bool:
    """Draw query variations, attacks by place, and places in the prompt by judge, as SVG.

    False where matplotlib is not installed or there is nothing to draw. The same results draw the same bytes.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        return False
    variations = {
        name: one for name, one in ((results["queries"] or {}).get("variations") or {}).items() if one.get("n")
    }
    attacks = (results["documents"] or {}).get("attacks") or {}
    panels = [(_losses, variations)] * bool(variations) + [(_heat, attacks)] * bool(attacks)
    panels += [(_places, one) for one in (results.get("position") or {}).get("judges", ())]
    if not panels:
        return False
    with matplotlib.rc_context({"svg.hashsalt": "ponderank"}):
        figure = Figure(figsize=(6.5 * len(panels), 4.5), layout="tight")
        for axes, (panel, told) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            panel(axes, told, results["measure"])
        figure.savefig(path, format="svg", metadata={"Date": None})
    return True


def _losses(axes: Any, told: Mapping[str, Any], measure: str) -> None:
    """Each variation's change with its interval, the greatest loss at the top."""
    names = sorted(told, key=lambda name: told[name]["before"] - told[name]["mean"])
    changes = [told[name]["mean"] - told[name]["before"] for name in names]
    ends = [
        [max(change - told[name]["low"], 0.0) for name, change in zip(names, changes, strict=True)],
        [max(told[name]["high"] - change, 0.0) for name, change in zip(names, changes, strict=True)],
    ]
    colours = [_GAIN if change > 0 else _LOSS for change in changes]
    axes.barh(names, changes, xerr=ends, color=colours, ecolor="#555555", capsize=2)
    for place, name in enumerate(names):
        axes.annotate(
            f"{told[name]['lost']:.0%}", (1.0, place), xycoords=("axes fraction", "data"), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(f"change of {measure}, with its 95 % interval")
    axes.set_title("queries said otherwise; right: queries that lose > 0.1", fontsize=10)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="x", alpha=0.3)


def _heat(axes: Any, told: Mapping[str, Any], measure: str) -> None:
    """Ranks that a passage rises beyond its control, by attack and place."""
    names = list(dict.fromkeys(name.rsplit("/", 1)[0] for name in told))
    places = [place for place in ("start", "middle", "end") if any(f"{name}/{place}" in told for name in names)]
    ranks = [[told.get(f"{name}/{place}", {}).get("beyond_rank_gain") for place in places] for name in names]
    most = max(1.0, *(abs(value) for row in ranks for value in row if value is not None))
    shown = [[float("nan") if value is None else value for value in row] for row in ranks]
    axes.imshow(shown, cmap="PRGn_r", vmin=-most, vmax=most, aspect="auto")
    axes.set_xticks(range(len(places)), places)
    axes.set_yticks(range(len(names)), names)
    for row, values in enumerate(ranks):
        for column, value in enumerate(values):
            if value is not None:
                dark = abs(value) > 0.65 * most
                axes.text(
                    column,
                    row,
                    f"{value:+.1f}",
                    ha="center",
                    va="center",
                    color="white" if dark else "black",
                    fontsize=9,
                )
    axes.set_title("ranks that an attack gains beyond random words", fontsize=10)


def _places(axes: Any, told: Mapping[str, Any], measure: str) -> None:
    """The ranks that a passage gains by its place in the prompt, with two standard errors."""
    known = [(one["place"], one["gain"]["mean"], one["gain"]["se"]) for one in told["places"]]
    known = [(place, gain, error) for place, gain, error in known if gain is not None]
    gains, errors = [gain for _, gain, _ in known], [2 * (error or 0.0) for _, _, error in known]
    colours = [_GAIN if gain > 0 else _LOSS for gain in gains]
    axes.bar([place for place, _, _ in known], gains, yerr=errors, color=colours, ecolor="#555555", capsize=2)
    axes.axhline(0, color="black", linewidth=0.8)
    most = (told["width"] - 1) / 2  # what the first place is worth to a judge that keeps the order it is shown
    axes.set_ylim(-1.15 * most, 1.15 * most)
    for level in (-most, most):
        axes.axhline(level, color="#999999", linewidth=0.8, linestyle=":")
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("place in the prompt, 1 is shown first; dotted: the most that it can be worth")
    axes.set_ylabel("ranks gained, with two standard errors")
    early = told["earlier"]["mean"]
    lean = "nothing could be read" if early is None else f"the earlier of two is preferred {early:.0%} of the time"
    axes.set_title(f"{told['width']} passages at a time: {lean}", fontsize=10)
    axes.grid(axis="y", alpha=0.3)
