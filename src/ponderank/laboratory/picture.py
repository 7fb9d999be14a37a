"""The picture of a simulation: effectiveness against calls and against rounds, each with its Pareto front. SVG without matplotlib."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ponderank.laboratory.simulate import FIRST_STAGE, Standing
from ponderank.report.axes import Axis, linear, logarithmic, number
from ponderank.report.figures import Point, front, text
from ponderank.report.labels import Box, Place, around, placed
from ponderank.report.markup import Markup, joined, tag

WIDTH, PANEL = 920.0, 430.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, WIDTH - 24.0, 34.0, PANEL - 50.0

_STYLE = """
svg { --card: #fffdf8; --ink: #22211e; --soft: #6d6a62; --faint: #e9e5da; --best: #1f6f5c; --other: #a39c8c; background: var(--card); }
@media (prefers-color-scheme: dark) {
  svg { --card: #1f211e; --ink: #e8e5dc; --soft: #a39f93; --faint: #33362f; --best: #6cc3a8; --other: #7d7869; }
}
text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink); }
.tick { fill: var(--soft); font-size: 12px; } .axis { fill: var(--soft); font-size: 12.5px; } .head { font-size: 14px; font-weight: 600; }
.name { font-size: 12px; fill: var(--soft); paint-order: stroke; stroke: var(--card); stroke-width: 3.5px; stroke-linejoin: round; }
.name.best { fill: var(--ink); font-weight: 600; }
.grid { stroke: var(--faint); } .base { stroke: var(--soft); stroke-width: 1.2; } .lead { stroke: var(--other); stroke-width: .8; }
.level { stroke: var(--soft); stroke-dasharray: 5 4; stroke-width: 1.2; }
.front { fill: none; stroke: var(--best); stroke-width: 1.6; opacity: .8; }
.dot { fill: var(--other); stroke: var(--card); stroke-width: 1.5; } .dot.best { fill: var(--best); }
.error { stroke: var(--other); stroke-width: 1.2; } .error.best { stroke: var(--best); }
"""


def pareto(standings: Sequence[Standing]) -> str:
    """Two panels, one above the other: nDCG@10 against calls and against rounds a query, both logarithmic; bars are two standard errors.

    Those on the front are coloured: nothing as cheap is better by the means. The first stage is a level line.

    >>> from ponderank.laboratory.simulate import Estimate
    >>> half = Estimate(0.5, 0.0)
    >>> pareto([Standing("one", half, None, half, None, 1.0, 1.0, 2.0, 9.0, {})]).count("<circle")
    2
    """
    costs: list[tuple[str, Callable[[Standing], float]]] = [
        ("calls a query", lambda one: one.calls),
        ("rounds a query (calls of a round can run together)", lambda one: one.rounds),
    ]
    panels = [
        tag("g", _panel(standings, cost, words), transform=f"translate(0 {PANEL * at:g})")
        for at, (words, cost) in enumerate(costs)
    ]
    high = PANEL * len(costs)
    return tag(
        "svg", tag("title", "Effectiveness against cost, with the Pareto front"), tag("style", Markup(_STYLE)), *panels,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH:g} {high:g}", width=WIDTH, height=high, role="img",
    ) + "\n"  # fmt: skip


def _panel(standings: Sequence[Standing], cost: Callable[[Standing], float], words: str) -> Markup:
    tried = [one for one in standings if cost(one) > 0]
    levels = [one for one in standings if one.name == FIRST_STAGE]
    heights = [end for one in standings for end in _ends(one)]
    y = linear(heights, _BOTTOM, _TOP, floor=0.0, ceiling=1.0 if max(heights) <= 1 else math.inf, want=7)
    x = logarithmic([cost(one) for one in tried] or [1.0], _LEFT, _RIGHT)
    points = [Point(one.name, cost(one), one.ndcg.mean, 0) for one in tried]
    best = front(points)
    shown = {point.name for point in best}
    parts = [_grid(x, y), text(_LEFT, 18, f"nDCG@10 against {words}", "head", "start")]
    parts += [text((_LEFT + _RIGHT) / 2, PANEL - 10, f"{words}, logarithmic", "axis")]
    parts += [_level(one, y) for one in levels]
    if best:
        parts.append(_steps(best, x, y))
    parts += [_dot(one, cost(one), x, y, best=one.name in shown) for one in tried]
    return joined([*parts, _names(points, shown, levels, x, y)])


def _ends(one: Standing) -> tuple[float, float]:
    return max(0.0, one.ndcg.mean - 2 * one.ndcg.error), min(1.0, one.ndcg.mean + 2 * one.ndcg.error)


def _grid(x: Axis, y: Axis) -> Markup:
    rows = [tag("line", x1=_LEFT, x2=_RIGHT, y1=y.at(tick), y2=y.at(tick), class_="grid") for tick in y.ticks]
    rows += [text(_LEFT - 7, y.at(tick) + 4, number(tick), anchor="end") for tick in y.ticks]
    columns = [tag("line", x1=x.at(tick), x2=x.at(tick), y1=_BOTTOM, y2=_TOP, class_="grid") for tick in x.ticks]
    columns += [text(x.at(tick), _BOTTOM + 18, number(tick)) for tick in x.ticks]
    return joined([*rows, *columns, tag("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM, class_="base")])


def _level(one: Standing, y: Axis) -> Markup:
    at = y.at(one.ndcg.mean)
    told = tag("title", f"{one.name}: nDCG@10 {one.ndcg.mean:.4f}, without a call")
    return tag("line", told, x1=_LEFT, x2=_RIGHT, y1=at, y2=at, class_="level")


def _steps(best: Sequence[Point], x: Axis, y: Axis) -> Markup:
    path = f"M{x.at(best[0].cost):.1f} {y.at(best[0].value):.1f}"
    path += "".join(f"H{x.at(p.cost):.1f}V{y.at(p.value):.1f}" for p in best[1:])
    return tag("path", tag("title", "Pareto front"), d=f"{path}H{_RIGHT:.1f}", class_="front")


def _dot(one: Standing, cost: float, x: Axis, y: Axis, *, best: bool) -> Markup:
    told = f"{one.name}: nDCG@10 {one.ndcg.mean:.4f} ± {one.ndcg.error:.4f}; {one.calls:.4g} calls, {one.rounds:.4g} rounds"
    low, high = _ends(one)
    mark = " best" * best
    bar = tag("line", x1=x.at(cost), x2=x.at(cost), y1=y.at(low), y2=y.at(high), class_=f"error{mark}")
    dot = tag("circle", cx=x.at(cost), cy=y.at(one.ndcg.mean), r=5 + best, class_=f"dot{mark}")
    return tag("g", tag("title", told), bar, dot)


def _names(points: Sequence[Point], best: set[str], levels: Sequence[Standing], x: Axis, y: Axis) -> Markup:
    """Each name beside its dot, or farther off with a line to it where there is no room."""
    spots = [(x.at(point.cost), y.at(point.value)) for point in points]
    taken = [Box(a - 7, b - 7, a + 7, b + 7) for a, b in spots]
    heights = [y.at(one.ndcg.mean) for one in levels]
    taken += [Box(_LEFT, at - 1, _RIGHT, at + 1) for at in heights]
    frame = Box(_LEFT, _TOP - 12, _RIGHT + 16, _BOTTOM - 2)
    # names of the front are bold, hence wider
    wide = [point.name + "m" * (1 + len(point.name) // 6) * (point.name in best) for point in points]
    found = placed([(name, _about(*spot)) for name, spot in zip(wide, spots, strict=True)], taken, frame)
    out = [text(_RIGHT, at - 6, one.name, "name", "end") for one, at in zip(levels, heights, strict=True)]
    for point, place, (a, b) in zip(points, found, spots, strict=True):
        if max(abs(place.x - a), abs(place.y - b)) > 24:
            out.append(tag("line", x1=a, y1=b, x2=place.x, y2=place.y - 4, class_="lead"))
        out.append(text(place.x, place.y, point.name, "name" + " best" * (point.name in best), place.anchor))
    return joined(out)


def _about(x: float, y: float) -> list[Place]:
    """Places about a dot: beside it first, then in wider and wider circles."""
    far = [
        Place(x + dx * reach, y + 4 + dy * reach, "start" if dx > 0 else "end")
        for reach in (1.0, 1.8, 2.8, 4.0)
        for dx, dy in ((22, 16), (22, -16), (-22, 16), (-22, -16), (10, 26), (10, -26), (-10, 26), (-10, -26))
    ]
    return [*around(x, y), *far]
