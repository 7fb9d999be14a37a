"""How far assessors agree beyond chance: Cohen's kappa of two, Fleiss' kappa of several, Krippendorff's alpha with gaps.

1 is full agreement, 0 what chance gives, below 0 less than chance. None where nothing can be said: nothing was judged
twice, or all grades are the same, so that chance agrees too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

Weights = Literal["none", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]


def cohen_kappa(first: Sequence[int], second: Sequence[int], *, weights: Weights = "none") -> float | None:
    """Agreement of two assessors on the same items, their grades in the same order.

    Source: Cohen (1960), "A Coefficient of Agreement for Nominal Scales"; with weights Cohen (1968), "Weighted Kappa":
        1 minus observed over expected disagreement. A disagreement weighs 1, or its distance in grades, or that squared.
    Differs: nothing where grades are 0, 1, 2, …; distances are of the grades themselves, not of their places among those used.

    >>> round(cohen_kappa([1] * 25 + [0] * 25, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15), 4)
    0.4
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} grades and {len(second)}; both assessors grade the same items")
    if not first:
        return None
    power = {"none": 0, "linear": 1, "quadratic": 2}[weights]

    def apart(a: int, b: int) -> float:
        return 0.0 if a == b else float(abs(a - b) ** power)

    observed = sum(apart(a, b) for a, b in zip(first, second, strict=True)) / len(first)
    left, right = Counter(first), Counter(second)
    expected = sum(apart(a, b) * m * n for a, m in left.items() for b, n in right.items()) / len(first) ** 2
    return None if expected == 0 else 1 - observed / expected


def fleiss_kappa(items: Sequence[Sequence[int]]) -> float | None:
    """Agreement of the same number of assessors on each item, not necessarily the same people; ``items`` hold their grades.

    Source: Fleiss (1971), "Measuring nominal scale agreement among many raters", Psychological Bulletin 76(5).
    Differs: nothing.

    >>> fleiss_kappa([[0, 0, 0], [1, 1, 1]])
    1.0
    """
    raters = {len(item) for item in items}
    if len(raters) > 1:
        raise ValueError(
            f"items with {', '.join(map(str, sorted(raters)))} grades; Fleiss' kappa needs as many on each"
        )
    if not items or raters <= {0, 1}:
        return None
    (n,) = raters
    counts = [Counter(item) for item in items]
    observed = sum((sum(c * c for c in count.values()) - n) / (n * (n - 1)) for count in counts) / len(items)
    total = sum(counts, Counter[int]())
    expected = sum((c / (n * len(items))) ** 2 for c in total.values())
    return None if len(total) == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(items: Sequence[Sequence[int]], *, level: Level = "nominal") -> float | None:
    """Agreement of any number of assessors who may have left items out; ``items`` hold the grades that each has.

    Source: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C: coincidences, and the squared
        differences of nominal, ordinal and interval data.
    Differs: nothing. Items with one grade count for nothing, as there.

    >>> krippendorff_alpha([[0, 0], [1, 1, 1], [2]], level="ordinal")
    1.0
    """
    paired = [Counter(item) for item in items if len(item) > 1]
    totals = sum(paired, Counter[int]())
    apart = _difference(level, totals)
    n = totals.total()
    observed = sum(
        apart(a, b) * count[a] * count[b] / (count.total() - 1) for count in paired for a, b in combinations(count, 2)
    )
    expected = sum(apart(a, b) * totals[a] * totals[b] for a, b in combinations(totals, 2)) / (n - 1) if n else 0.0
    return None if expected == 0 else 1 - observed / expected


def _difference(level: Level, totals: Mapping[int, int]) -> Callable[[int, int], float]:
    """The squared difference of two grades."""
    if level == "nominal":
        return lambda a, b: float(a != b)
    if level == "interval":
        return lambda a, b: float((a - b) ** 2)

    def ordinal(a: int, b: int) -> float:
        low, high = min(a, b), max(a, b)
        between = sum(count for grade, count in totals.items() if low <= grade <= high)
        return float((between - (totals[a] + totals[b]) / 2) ** 2)

    return ordinal


def agreement(grades: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """All of it, ready for JSON, from item → assessor → grade.

    ``pairs`` are of two assessors on what both judged; ``fleiss`` takes the items that all who judged anything have
    judged; ``alpha`` takes whatever has two grades or more.

    >>> agreement({"i": {"ada": 1, "ben": 1}, "j": {"ada": 0, "ben": 0}})["pairs"][0]["kappa"]
    1.0
    """
    assessors = sorted({name for by in grades.values() for name in by})
    pairs = []
    for one, other in combinations(assessors, 2):
        both = [(by[one], by[other]) for by in grades.values() if one in by and other in by]
        first, second = [a for a, _ in both], [b for _, b in both]
        pairs.append(
            {
                "assessors": [one, other], "items": len(both), "same": sum(a == b for a, b in both),
                "kappa": cohen_kappa(first, second), "kappa_linear": cohen_kappa(first, second, weights="linear"),
                "kappa_quadratic": cohen_kappa(first, second, weights="quadratic"),
            }
        )  # fmt: skip
    by_all = [list(by.values()) for by in grades.values() if len(by) == len(assessors) > 1]
    several = [list(by.values()) for by in grades.values() if len(by) > 1]
    levels: tuple[Level, ...] = ("nominal", "ordinal", "interval")
    return {
        "assessors": {name: sum(name in by for by in grades.values()) for name in assessors},
        "judged_twice": len(several),
        "pairs": pairs,
        "fleiss": {"items": len(by_all), "kappa": fleiss_kappa(by_all)},
        "alpha": {level: krippendorff_alpha(several, level=level) for level in levels},
    }
