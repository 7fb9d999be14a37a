"""Pictures of figures, as inline SVG: effectiveness against cost, differences by query, intervals. Colours are the page's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ponderank.report.axes import Axis, linear, logarithmic, number
from ponderank.report.labels import LETTER, Box, along, around, placed
from ponderank.report.markup import Markup, joined, tag

WIDTH, HEIGHT = 400, 300
COLOURS = 8


@dataclass(frozen=True, slots=True)
class Point:
    """A system in the plane of cost and effectiveness; ``colour`` is its number in the page's palette."""

    name: str
    cost: float
    value: float
    colour: int


@dataclass(frozen=True, slots=True)
class Span:
    """A value between two ends; ``told`` is shown on hovering."""

    name: str
    low: float
    value: float
    high: float
    colour: int
    told: str


def front(points: Sequence[Point]) -> list[Point]:
    """The Pareto front, cheapest first: no other point is as cheap and better, or as good and cheaper.

    >>> [p.name for p in front([Point("a", 1, 0.2, 0), Point("b", 2, 0.1, 0), Point("c", 3, 0.5, 0)])]
    ['a', 'c']
    """
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.value)):
        if not best or point.value > best[-1].value:
            best.append(point)
    return best


def picture(
    *inside: str, width: float = WIDTH, height: float = HEIGHT, label: str, class_: str = "", natural: bool = False
) -> Markup:
    """An SVG element that says what it shows and scales with the page; a ``natural`` one is no larger than it was drawn."""
    return tag(
        "svg",
        *inside,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width if natural else None,
        role="img",
        aria_label=label,
        class_=class_ or None,
    )


def text(x: float, y: float, words: str, class_: str = "tick", anchor: str = "middle", turned: bool = False) -> Markup:
    """A label; ``turned`` reads upwards."""
    return tag(
        "text", words, x=x, y=y, class_=class_, text_anchor=None if anchor == "start" else anchor,
        transform=f"rotate(-90 {x:.1f} {y:.1f})" if turned else None,
    )  # fmt: skip


def cut(words: str, letters: int) -> str:
    """A label of at most so many letters; the whole is in a title beside it.

    >>> cut("abcdefgh", 5)
    'abcd…'
    """
    return words if len(words) <= letters else words[: max(1, letters - 1)] + "…"


def cost_plot(points: Sequence[Point], levels: Mapping[str, tuple[float, int]], cost: str, measure: str) -> Markup:
    """Effectiveness against cost with the Pareto front; ``levels`` are systems without a known cost.

    The axis of cost is logarithmic where costs are far apart, and otherwise begins at 0.
    """
    left, right, top, bottom = 58.0, WIDTH - 18.0, 16.0, HEIGHT - 46.0
    values = [point.value for point in points] + [value for value, _ in levels.values()]
    costs = [point.cost for point in points]
    wide = max(costs) >= 5 * min(costs)
    x = logarithmic(costs, left, right) if wide else linear([*costs, 1.1 * max(costs)], left, right, zero=True)
    y = linear(_padded(values), bottom, top, ceiling=1.0 if max(values) <= 1 else math.inf)
    scale = f"{cost}, logarithmic" if wide else cost
    parts = [_grid_y(y, left, right), _ticks_x(x, bottom, top), text((left + right) / 2, HEIGHT - 8, scale, "axis")]
    parts.append(text(14, (top + bottom) / 2, measure, "axis", turned=True))
    for name, (value, colour) in levels.items():
        told = tag("title", f"{name}: {measure} {value:.4f}; its cost is not known")
        at = y.at(value)
        parts.append(tag("line", told, x1=left, x2=right, y1=at, y2=at, class_=f"level c{colour % COLOURS}"))
    parts += _front(front(points), x, y, right)
    parts += [
        tag(
            "circle", tag("title", f"{p.name}: {measure} {p.value:.4f}, {p.cost:.4g} {cost}"), cx=x.at(p.cost), cy=y.at(p.value),
            r=6, class_=f"dot c{p.colour % COLOURS}",
        )
        for p in points
    ]  # fmt: skip
    parts.append(_names(points, levels, x, y))
    return picture(*parts, label=f"{measure} against {cost}, with the Pareto front")


def _front(best: Sequence[Point], x: Axis, y: Axis, right: float) -> list[Markup]:
    """The steps of the front, from its cheapest point to the right end."""
    path = f"M{x.at(best[0].cost):.1f} {y.at(best[0].value):.1f}"
    path += "".join(f"H{x.at(p.cost):.1f}V{y.at(p.value):.1f}" for p in best[1:])
    return [tag("path", tag("title", "Pareto front"), d=f"{path}H{right:.1f}", class_="front")]


def _padded(values: Sequence[float]) -> list[float]:
    span = (max(values) - min(values)) or 0.1
    return [min(values) - 0.08 * span, max(values) + 0.04 * span]


def _names(points: Sequence[Point], levels: Mapping[str, tuple[float, int]], x: Axis, y: Axis) -> Markup:
    """Each point's name beside it, each level's along its line, off everything else."""
    spots = [(x.at(point.cost), y.at(point.value)) for point in points]
    heights = [y.at(value) for value, _ in levels.values()]
    taken = [Box(a - 7, b - 7, a + 7, b + 7) for a, b in spots] + [Box(x.start, b - 1, x.end, b + 1) for b in heights]
    names = [(cut(point.name, 26), around(*spot)) for point, spot in zip(points, spots, strict=True)]
    names += [(cut(name, 26), along(x.start, x.end, at)) for name, at in zip(levels, heights, strict=True)]
    found = placed(names, taken, Box(x.start, y.end - 8, x.end + 6, y.start))
    return joined(
        text(place.x, place.y, name, "name" if at < len(points) else "name soft", place.anchor)
        for at, ((name, _), place) in enumerate(zip(names, found, strict=True))
    )


def _grid_y(y: Axis, left: float, right: float) -> Markup:
    lines = [tag("line", x1=left, x2=right, y1=y.at(tick), y2=y.at(tick), class_="grid") for tick in y.ticks]
    return joined([*lines, *(text(left - 7, y.at(tick) + 4, number(tick), anchor="end") for tick in y.ticks)])


def _ticks_x(x: Axis, bottom: float, top: float) -> Markup:
    lines = [tag("line", x1=x.at(tick), x2=x.at(tick), y1=bottom, y2=top, class_="grid") for tick in x.ticks]
    base = tag("line", x1=x.start, x2=x.end, y1=bottom, y2=bottom, class_="base")
    return joined([*lines, base, *(text(x.at(tick), bottom + 17, number(tick)) for tick in x.ticks)])


BARS = 1_000
"""Queries up to which each has a bar of its own, to hover over and to follow."""


def delta_bars(name: str, deltas: Mapping[str, float], told: Mapping[str, str], links: Mapping[str, str], measure: str,
               base: str, colour: int) -> Markup:  # fmt: skip
    """A bar a query, largest gain first: how much higher a system is than the baseline. Queries that do not differ take room too."""
    left, right, top, bottom, height = 60.0, WIDTH - 8.0, 30.0, 188.0, 216
    order = sorted(deltas, key=lambda query: -deltas[query])
    better, worse = (sum(sign * value > 0 for value in deltas.values()) for sign in (1, -1))
    y = linear(list(deltas.values()), bottom, top, zero=True, floor=-1.0 if min(deltas.values()) >= -1 else -1e99)
    wide = (right - left) / max(1, len(order))
    zero = y.at(0.0)
    if len(order) <= BARS:
        bars = [
            _bar(left + at * wide, wide, zero, y.at(deltas[query]), f"{told.get(query, query)}: {deltas[query]:+.4f}",
                 links.get(query), gain=deltas[query] > 0)
            for at, query in enumerate(order) if deltas[query]
        ]  # fmt: skip
    else:
        bars = _outline(order, deltas, y, left, wide)
    same = len(deltas) - better - worse
    return picture(
        _grid_y(y, left, right), *bars, tag("line", x1=left, x2=right, y1=zero, y2=zero, class_="base"),
        text(left, 17, cut(name, 34), f"name c{colour % COLOURS}", "start"),
        text(14, (top + bottom) / 2, f"Δ {measure}", "axis", turned=True),
        text((left + right) / 2, height - 8, f"{better:,} queries better · {same:,} the same · {worse:,} worse", "axis"),
        height=height, label=f"{name} minus {base}, {measure}, by query",
    )  # fmt: skip


def _bar(x: float, wide: float, zero: float, end: float, told: str, link: str | None, *, gain: bool) -> Markup:
    gap = min(1.0, wide * 0.2)
    bar = tag(
        "rect", tag("title", told), x=x + gap / 2, width=max(0.4, wide - gap), y=min(zero, end), height=max(0.6, abs(end - zero)),
        class_="gain" if gain else "loss",
    )  # fmt: skip
    return tag("a", bar, href=link) if link else bar


def _outline(order: Sequence[str], deltas: Mapping[str, float], y: Axis, left: float, wide: float) -> list[Markup]:
    """Gains and losses as one shape each."""
    shapes = []
    for word, sign in (("gain", 1), ("loss", -1)):
        ends = [(left + at * wide, y.at(deltas[query])) for at, query in enumerate(order) if sign * deltas[query] > 0]
        if ends:
            steps = "".join(f"H{x:.1f}V{end:.1f}" for x, end in ends)
            path = f"M{ends[0][0]:.1f} {y.at(0.0):.1f}{steps}H{ends[-1][0] + wide:.1f}V{y.at(0.0):.1f}Z"
            shapes.append(tag("path", d=path, class_=word))
    return shapes


def span_plot(
    spans: Sequence[Span], label: str, *, zero: bool = False, floor: float = -1e99, ceiling: float = 1e99
) -> Markup:
    """A line from low to high with a dot at the value, a row a system; ``zero`` draws the line of no difference."""
    names = min(180.0, 16 + LETTER * max(len(span.name) for span in spans))
    left, right, top, row = names, WIDTH - 16.0, 8.0, 27.0
    bottom = top + row * len(spans)
    ends = [end for span in spans for end in (span.low, span.high)]
    x = linear(ends, left, right, zero=zero, floor=floor, ceiling=ceiling)
    parts = [_ticks_x(x, bottom, top), text((left + right) / 2, bottom + 38, label, "axis")]
    if zero:
        parts.append(tag("line", x1=x.at(0), x2=x.at(0), y1=top, y2=bottom, class_="base"))
    for at, span in enumerate(spans):
        y, colour = top + row * (at + 0.5), f"c{span.colour % COLOURS}"
        parts.append(text(left - 8, y + 4, cut(span.name, int((names - 14) / LETTER)), "name", "end"))
        parts.append(
            tag(
                "line",
                tag("title", span.told),
                x1=x.at(span.low),
                x2=x.at(span.high),
                y1=y,
                y2=y,
                class_=f"span {colour}",
            )
        )
        parts.append(tag("circle", tag("title", span.told), cx=x.at(span.value), cy=y, r=5, class_=f"dot {colour}"))
    return picture(*parts, height=bottom + 46, label=label)
