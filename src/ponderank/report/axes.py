"""Axes: which values get a tick, and where they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from ``low`` to ``high`` laid over pixels from ``start`` to ``end``; ``log`` by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...] = ()
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value lies, in pixels.

        >>> Axis(0.0, 2.0, 10.0, 30.0).at(1.0)
        20.0
        """
        low, high, mine = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        share = 0.5 if high == low else (mine - low) / (high - low)
        return self.start + share * (self.end - self.start)


def linear(values: Sequence[float], start: float, end: float, *, zero: bool = False, floor: float = -math.inf,
           ceiling: float = math.inf, want: int = 5) -> Axis:  # fmt: skip
    """An axis a little wider than its values, from tick to tick; with ``zero`` 0 is on it.

    >>> linear([0.21, 0.39], 0, 100).ticks
    (0.2, 0.25, 0.3, 0.35, 0.4)
    """
    low, high = min([*values, 0.0] if zero else values), max([*values, 0.0] if zero else values)
    span = (high - low) or abs(high) * 0.1 or 1.0
    if high == low:
        low, high = low - span / 2, high + span / 2
    step = _step((high - low) / max(1, want - 1))
    low = max(floor, math.floor(low / step + 1e-9) * step)
    high = min(ceiling, math.ceil(high / step - 1e-9) * step)
    count = round((high - low) / step)
    return Axis(low, high, start, end, tuple(round(low + at * step, 10) for at in range(count + 1)))


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * m for m in (1.0, 2.0, 2.5, 5.0, 10.0) if power * m >= least * (1 - 1e-9))


def logarithmic(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis of positive values; ticks at 1, 2 and 5 times powers of ten, or at the powers where those are many.

    >>> logarithmic([0.3, 12.0], 0, 100).ticks
    (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    """
    low, high = min(values) / 1.6, max(values) * 1.6
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [m * 10.0**power for power in powers for m in (1, 2, 5)]
    ticks = [mark for mark in marks if low <= mark <= high]
    if len(ticks) > 7:
        ticks = [10.0**power for power in powers if low <= 10.0**power <= high]
    return Axis(low, high, start, end, tuple(round(tick, 12) for tick in ticks), log=True)


def number(value: float) -> str:
    """A number as a tick shows it.

    >>> [number(v) for v in (0.05, 12.0, 12500.0, 3e6, -0.5)]
    ['0.05', '12', '12.5k', '3M', '−0.5']
    """
    size = abs(value)
    for least, word in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= least:
            return f"{value / (1e3 if word == 'k' else least):g}{word}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places for labels near the ones wanted and at least ``gap`` from each other, between ``low`` and ``high`` if they fit.

    >>> apart([10.0, 10.0, 40.0], 10, 0, 100)
    [5.0, 15.0, 40.0]
    """
    order = sorted(range(len(places)), key=lambda at: places[at])
    blocks: list[tuple[float, list[int]]] = []  # the middle of a block of labels, and its labels
    for at in order:
        middle, held = places[at], [at]
        while blocks and middle - (len(held) - 1) * gap / 2 < blocks[-1][0] + (len(blocks[-1][1]) - 1) * gap / 2 + gap:
            earlier, those = blocks.pop()
            middle = (earlier * len(those) + middle * len(held)) / (len(those) + len(held))
            held = those + held
        half = (len(held) - 1) * gap / 2
        blocks.append((min(max(middle, low + half), max(high - half, low + half)), held))
    out = list(places)
    for middle, held in blocks:
        for place, at in enumerate(held):
            out[at] = middle + (place - (len(held) - 1) / 2) * gap
    return out
