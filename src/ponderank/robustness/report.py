"""What a suite found, for people: the table that is read first, a page in Markdown, a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ponderank import manifest as manifests
from ponderank.robustness.picture import draw

Rows = tuple[list[str], list[list[str]]]
"""A table: its head and its rows."""

_SHARES = ("types of question", "other collections", "query variations", "document attacks")


def write(results: Mapping[str, Any], out: Path) -> bool:
    """Write ``results.json``, ``robustness.md`` and, where matplotlib is installed, ``robustness.svg``; whether it is drawn."""
    manifests.write_whole(out / "results.json", manifests.dumped(results))
    drawn = draw(results, out / "robustness.svg")
    manifests.write_whole(out / "robustness.md", page(results, "robustness.svg" if drawn else None))
    return drawn


def five_table(results: Mapping[str, Any]) -> Rows:
    """The five figures, one a row."""
    rows = []
    for number, one in enumerate(results["five"], 1):
        shown = _percent if one["task"] in _SHARES else _plain
        rows.append([f"{number} {one['task']}", shown(one["value"]), shown(one["worst"]), one["where"], one["about"]])
    return ["", "figure", "worst", "where", "what it is"], rows


def steady_table(results: Mapping[str, Any]) -> Rows | None:
    """Input orders and repeats, one a row; None where neither was tried."""
    rows = []
    for test, name in (("order", "input order"), ("repeats", "the same again")):
        told = results[test]
        if told is not None:
            scores = "" if test == "order" else _percent(told["scores_changed"], sign=False)
            numbers = [_plain(told[key]) for key in ("mean", "sd", "worst", "query_sd", "tau")]
            rows.append([f"{name} ({len(told['means'])})", *numbers, _percent(told["changed"], sign=False), scores])
    head = ["", "mean", "sd", "worst", "sd of a query", "tau", "rankings changed", "scores changed"]
    return (head, rows) if rows else None


def variations_table(results: Mapping[str, Any]) -> Rows | None:
    """Query variations, one a row, and their fusion."""
    if results["queries"] is None:
        return None
    head = ["", "queries", "n/a", "before", "after", "change", "95 %", "sd", "worst decile", "lose > 0.1"]
    rows = []
    for name, one in results["queries"]["variations"].items():
        rows.append([f"{name} ({one['kind']})", *_changed(one, str(one["not_applicable"]))])
    if results["queries"]["fused"]:
        rows.append(["all fused (RRF)", *_changed(results["queries"]["fused"], "")])
    return head, rows


def _changed(one: Mapping[str, Any], not_applicable: str) -> list[str]:
    if not one.get("n"):
        return ["0", not_applicable, *[""] * 7]
    interval = f"{one['low']:+.3f} to {one['high']:+.3f}"
    after = [_plain(one["before"]), _plain(one["mean"]), _percent(one["drop_rate"]), interval]
    return [
        str(one["n"]), not_applicable, *after, _plain(one["sd"]), _plain(one["worst_decile"]), _percent(one["lost"], sign=False),
    ]  # fmt: skip


def gains_table(told: Mapping[str, Mapping[str, Any]] | None) -> Rows | None:
    """Gains over the first stage by type or collection, one a row; None where there are none."""
    if not told:
        return None
    rows = [
        [name, str(one["queries"]), _plain(one["first_stage"]), _plain(one["reranked"]), f"{one['gain']:+.4f}",
         _percent(one["relative_gain"])]
        for name, one in told.items()
    ]  # fmt: skip
    return ["", "queries", "first stage", "reranked", "gain", "relative"], rows


def attacks_table(results: Mapping[str, Any]) -> Rows | None:
    """Attacks by place, one a row, the strongest first."""
    if results["documents"] is None:
        return None
    head = [
        "",
        "targets",
        "ranks risen",
        "random words",
        "beyond, 95 %",
        "into top 10",
        "random words",
        "harm",
        "beyond",
    ]
    attacks = results["documents"]["attacks"]
    rows = []
    for name in sorted(attacks, key=lambda name: (-attacks[name]["beyond_rank_gain"], name)):
        one = attacks[name]
        beyond = f"{one['beyond_rank_gain']:+.2f} ({one['low']:+.2f} to {one['high']:+.2f})"
        rows.append([
            name, str(one["targets"]), f"{one['rank_gain']:+.2f}", f"{one['control_rank_gain']:+.2f}", beyond,
            _percent(one["success"], sign=False), _percent(one["control_success"], sign=False), f"{one['harm']:+.4f}",
            f"{one['beyond_harm']:+.4f}",
        ])  # fmt: skip
    return head, rows


def position_table(results: Mapping[str, Any]) -> Rows | None:
    """What the place in the prompt decides, one judge a row; None where it was not tested."""
    judges = _judges(results)
    if not judges:
        return None
    head = [
        "", "answers", "unread", "flawed", "earlier shown preferred", "lean", "pairs that flip", "to the earlier", "to the later",
        "tau", "best changes",
    ]  # fmt: skip
    rows = []
    for one in judges:
        name = f"{one['width']} at a time" + f" (judge {one['judge'] + 1})" * (len(judges) > 1)
        shares = [_share(one[key]) for key in ("flipped", "flipped_early", "flipped_late")]
        counts = [str(one["answers"]), str(one["unread"]), _percent(one["flawed"], sign=False)]
        tau, top = _plain(one["tau"]["mean"]), _share(one["top_changed"])
        rows.append([name, *counts, _share(one["earlier"]), one["direction"] or "–", *shares, tau, top])
    return head, rows


def position_lines(results: Mapping[str, Any]) -> list[str]:
    """Circular triads and flaws by order, in words."""
    lines = []
    for one in _judges(results):
        triads = one["circular"]
        if triads is not None:
            lines.append(
                f"of each three of {triads['passages']} passages {_share(triads['one_order'])} go round by one order, "
                f"{_share(triads['both_orders'])} by both together; by chance a quarter would by one"
            )
        if one["flaws"]:
            by_order = ", ".join(f"{name} {share:.0%}" for name, share in one["flawed_by_order"].items())
            found = ", ".join(f"{count} {flaw}" for flaw, count in one["flaws"].items())
            lines.append(
                f"{one['width']} at a time: {found} of {one['answers']} answers; flawed by order: {by_order}; "
                f"without these {_share(one['earlier_whole'])} of what is preferred is shown earlier"
            )
    return lines


def places_table(results: Mapping[str, Any]) -> Rows | None:
    """What each place is worth, one a row, of wide groups each several; None where it was not tested."""
    judges = _judges(results)
    rows = []
    for one in judges:
        of = f" (judge {one['judge'] + 1})" * (len(judges) > 1)
        each = -(-one["width"] // _PLACES)
        for start in range(0, one["width"], each):
            some = one["places"][start : start + each]
            name = str(start + 1) if len(some) == 1 else f"{start + 1} to {start + len(some)}"
            rows.append([name + of, *(_over(some, key) for key in ("mean_rank", "gain", "first", "without_score"))])
    return (["place", "mean rank", "ranks gained", "held best", "without a score"], rows) if rows else None


_PLACES = 20
"""Rows of the table of places, at most."""


def _judges(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((results.get("position") or {}).get("judges", ()))


def _over(places: Sequence[Mapping[str, Any]], key: str) -> str:
    """The mean over places, of one alone with its standard error."""
    if len(places) == 1:
        one = places[0][key]
        if key == "without_score":
            return _percent(one["mean"], sign=False)
        return _share(one) if key == "first" else _with_error(one, sign=key == "gain")
    known = [place[key]["mean"] for place in places if place[key]["mean"] is not None]
    if not known:
        return "–"
    mean = fmean(known)
    return f"{mean:.1%}" if key in ("first", "without_score") else f"{mean:+.2f}" if key == "gain" else f"{mean:.2f}"


def _with_error(one: Mapping[str, float | None], *, sign: bool = False) -> str:
    if one["mean"] is None:
        return "–"
    return f"{one['mean']:{'+' * sign}.2f}" + ("" if one["se"] is None else f" ± {one['se']:.2f}")


def _share(one: Mapping[str, float | None]) -> str:
    """A share with its standard error."""
    if one["mean"] is None:
        return "–"
    return f"{one['mean']:.1%}" + ("" if one["se"] is None else f" ± {one['se']:.1%}")


def page(results: Mapping[str, Any], picture: str | None) -> str:
    """Everything in Markdown, the five figures first."""
    base, made = results["base"], results["manifest"]
    measure = results["measure"]
    about = (
        f"{base['queries']} queries of {base['collection']}, {base['candidates']:.0f} candidates each. {measure}: first stage "
        f"{base['first_stage']['mean']:.4f}, reranked {base['reranked']['mean']:.4f}. VNAP: first stage "
        f"{_plain(base['first_stage']['vnap'])}, reranked {_plain(base['reranked']['vnap'])}. Seed {made['asked']['seed']}."
    )
    parts = [f"# Robustness of {made['recipe']['name']}", about, markdown(five_table(results))]
    if picture:
        parts.append(f"![the losses and gains]({picture})")
    sections = (
        ("The same candidates again", steady_table(results)),
        ("Queries said otherwise", variations_table(results)),
        ("Types of question", gains_table(results["types"])),
        ("Collections", gains_table(results["others"])),
        ("Hostile documents", attacks_table(results)),
    )
    for title, table in sections:
        if table is not None and table[1]:
            parts += [f"## {title}", markdown(table)]
    parts += _position(results)
    parts += ["## To know", "\n".join(f"- {note}" for note in results["notes"])]
    return "\n\n".join(parts) + "\n"


def _position(results: Mapping[str, Any]) -> list[str]:
    """The section on places, where they were tested."""
    whole, places = position_table(results), places_table(results)
    if whole is None or places is None:
        return []
    about = "; ".join(
        f"{one['queries']} queries, {one['groups']} × {one['width']} passages each" for one in _judges(results)
    )
    note = (
        f"The same passages together in several orders, each order and its reverse ({about}); ± one standard error over queries. "
        "Half of what is preferred is shown earlier where the place does not matter."
    )
    lines = "\n".join(f"- {line}" for line in position_lines(results))
    return ["## The place in the prompt", note, markdown(whole), *([lines] if lines else []), markdown(places)]


def markdown(table: Rows) -> str:
    """A table in Markdown.

    >>> print(markdown((["", "AP"], [["bm25", "0.25"]])))
    |  | AP |
    | --- | ---: |
    | bm25 | 0.25 |
    """
    head, rows = table
    rule = ["---", *["---:"] * (len(head) - 1)]
    cells: Sequence[Sequence[str]] = [head, rule, *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells)


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _percent(value: float | None, *, sign: bool = True) -> str:
    return "–" if value is None else f"{value:+.1%}" if sign else f"{value:.1%}"
