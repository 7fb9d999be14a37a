"""Rank movements of one query as a picture: a column a system, a line a document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ponderank.report.axes import apart
from ponderank.report.content import Line
from ponderank.report.figures import cut, picture, text
from ponderank.report.markup import Markup, joined, tag

_ROW, _TOP, _NAMES, _TAIL = 21.0, 34.0, 104.0, 76.0


@dataclass(frozen=True, slots=True)
class _Ground:
    """Where ranks and systems lie, in pixels; ``lowest`` is the last rank, ``missing`` says that something is not ranked."""

    systems: tuple[str, ...]
    depth: int
    lowest: int
    missing: bool
    relevant: int

    @property
    def rule(self) -> float:
        """The line below the top."""
        return _TOP + _ROW * min(self.depth, self.lowest) + 2

    @property
    def tail(self) -> bool:
        return self.lowest > self.depth or self.missing

    @property
    def height(self) -> float:
        return self.rule + (_TAIL if self.lowest > self.depth else 0) + (22 if self.missing else 0) + 10

    @property
    def step(self) -> float:
        """From one column to the next."""
        return max(150.0, 380.0 / max(1, len(self.systems) - 1))

    @property
    def width(self) -> float:
        return 2 * _NAMES + max(120.0, self.step * (len(self.systems) - 1))

    def x(self, at: int) -> float:
        return _NAMES + at * self.step if len(self.systems) > 1 else self.width / 2

    def y(self, rank: int | None) -> float:
        """A rank's height: a row each in the top, by the logarithm below; at the bottom what is not ranked."""
        if rank is None:
            return self.height - 14
        if rank <= self.depth:
            return _TOP + _ROW * (rank - 0.5)
        return self.rule + 12 + math.log(rank / self.depth) / math.log(self.lowest / self.depth) * (_TAIL - 26)


def bump(lines: Sequence[Line], systems: Sequence[str], depth: int, relevant: int, links: Mapping[str, str]) -> Markup:
    """Ranks 1 to ``depth`` a row each, lower ones squeezed below a rule, what a system did not rank at the bottom.

    Relevant documents are drawn thick and in colour, judged others dashed, unjudged ones thin. ``links`` are by document.
    """
    lowest = max((rank for line in lines for rank in line.ranks.values()), default=1)
    missing = any(name not in line.ranks for line in lines for name in systems)
    ground = _Ground(tuple(systems), depth, lowest, missing, relevant)
    parts = [text(ground.x(at), 17, cut(name, int(ground.step / 7)), "name") for at, name in enumerate(systems)]
    columns = [ground.x(at) for at in range(len(systems))]
    parts += [tag("line", x1=x, x2=x, y1=_TOP, y2=ground.height - 4, class_="grid") for x in columns]
    if ground.tail:
        ends = {"x1": _NAMES - 14, "x2": ground.width - _NAMES + 14}
        parts.append(tag("line", y1=ground.rule, y2=ground.rule, class_="level", **ends))
    parts += [_line(line, ground) for line in lines]
    parts.append(_labels(lines, ground, 0, links))
    if len(systems) > 1:
        parts.append(_labels(lines, ground, len(systems) - 1, links))
    label = f"ranks of {len(lines)} documents in {', '.join(systems)}"
    return picture(*parts, width=ground.width, height=ground.height, label=label, class_="bump", natural=True)


def kind(grade: int | None, relevant: int) -> str:
    """The class of a document: relevant, judged not to be, or unjudged.

    >>> kind(None, 1), kind(0, 1), kind(2, 1)
    ('unjudged', 'judged', 'relevant')
    """
    return "unjudged" if grade is None else "relevant" if grade >= relevant else "judged"


def _line(line: Line, ground: _Ground) -> Markup:
    ranks = [line.ranks.get(name) for name in ground.systems]
    places = [(ground.x(at), ground.y(rank)) for at, rank in enumerate(ranks)]
    path = f"M{places[0][0]:.1f} {places[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(places):
        bend = (x1 - x0) * 0.45
        path += f"C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    grade = "not judged" if line.grade is None else f"grade {line.grade}"
    ranked = ", ".join(
        f"{name} {'not ranked' if rank is None else rank}" for name, rank in zip(ground.systems, ranks, strict=True)
    )
    dots = [tag("circle", cx=x, cy=y, r=2.5 if rank is None else 4) for rank, (x, y) in zip(ranks, places, strict=True)]
    told = tag("title", f"{line.doc} ({grade}): {ranked}")
    return tag("g", told, tag("path", d=path), *dots, class_=f"move {kind(line.grade, ground.relevant)}")


def _labels(lines: Sequence[Line], ground: _Ground, at: int, links: Mapping[str, str]) -> Markup:
    """Rank and id of the top documents beside the first or the last column, and of relevant ones below them."""
    system, left = ground.systems[at], at == 0
    kept = [line for line in lines if line.ranks.get(system, ground.depth + 1) <= ground.depth]
    kept += [line for line in lines if line not in kept and kind(line.grade, ground.relevant) == "relevant"]
    kept.sort(key=lambda line: line.ranks.get(system, math.inf))
    places = apart([ground.y(line.ranks.get(system)) for line in kept], 14, _TOP + 6, ground.height - 8)
    parts = []
    for line, place in zip(kept, places, strict=True):
        name, rank = cut(line.doc, 11), str(line.ranks.get(system, "–"))
        words = [tag("tspan", name), tag("tspan", rank, dx=7, class_="rank")]
        if not left:
            words = [tag("tspan", rank, class_="rank"), tag("tspan", name, dx=7)]
        label = tag(
            "text", *words, x=ground.x(at) + (-12 if left else 12), y=place + 4,
            class_=f"tick {kind(line.grade, ground.relevant)}", text_anchor="end" if left else None,
        )  # fmt: skip
        parts.append(tag("a", label, href=links[line.doc]) if line.doc in links else label)
    return joined(parts)
