"""Where the names in a picture go: beside their points, off each other, off other points and off lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

LETTER = 7.4
"""Pixels of a letter of a name, about; the font is the reader's."""
_HIGH = 13.0


class Box(NamedTuple):
    """A stretch of the picture."""

    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: Box) -> float:
        """The area that two have in common."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text may stand: ``x``, ``y`` of its baseline, and which end of it is at ``x``."""

    x: float
    y: float
    anchor: str

    def box(self, letters: int) -> Box:
        """The room that a text takes there."""
        wide = LETTER * letters
        left = self.x - {"start": 0.0, "middle": wide / 2, "end": wide}[self.anchor]
        return Box(left, self.y - _HIGH + 2, left + wide, self.y + 3)


def around(x: float, y: float) -> list[Place]:
    """Places about a point, the best first."""
    beside = [Place(x + 10, y + 4, "start"), Place(x - 10, y + 4, "end")]
    over = [Place(x, y - 11, "middle"), Place(x, y + 20, "middle")]
    corners = [
        Place(x + 7, y - 9, "start"),
        Place(x - 7, y - 9, "end"),
        Place(x + 7, y + 18, "start"),
        Place(x - 7, y + 18, "end"),
    ]
    return beside + over + corners


def along(left: float, right: float, y: float) -> list[Place]:
    """Places on a level line: above and below it, from its left end to its right."""
    return [
        Place(x, y + dy, anchor)
        for x, anchor in ((left + 6, "start"), (right - 6, "end"), ((left + right) / 2, "middle"))
        for dy in (-6, 15)
    ]


def placed(names: Sequence[tuple[str, Sequence[Place]]], taken: Sequence[Box], frame: Box) -> list[Place]:
    """One of each name's places, in order: the one that covers least of what is taken, and stays within the frame.

    >>> frame = Box(0, 0, 200, 100)
    >>> [p.anchor for p in placed([("ab", around(50, 50)), ("cd", around(195, 50))], [], frame)]
    ['start', 'end']
    """
    held, found = list(taken), []
    for name, places in names:
        boxes = [place.box(len(name)) for place in places]
        costs = [
            sum(box.shared(other) for other in held) + 4 * (_area(box) - box.shared(frame)) + at
            for at, box in enumerate(boxes)
        ]
        best = min(range(len(places)), key=lambda at: costs[at])
        found.append(places[best])
        held.append(boxes[best])
    return found


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)
