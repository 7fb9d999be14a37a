"""From collected traces to the ones worth learning from: filters in a row, each with a count and examples of what fell."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ponderank.distill.shards import Collected
from ponderank.errors import DataError

Student = Callable[[Sequence[Collected]], Sequence[bool | None]]
"""A trained student's verdict on each row's pair; None where it has none."""
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """Which traces are kept.

    Args:
        trusted: parts whose implied label is an official one.
        agree: drop what contradicts the label that the part implies: ``"all"`` parts, the ``"trusted"`` ones only, ``"none"``.
        self_filter: parts in which a trained student has to agree with the teacher.
        consensus: the least share of a pair's samples that must say the same; one of those is kept.
        mix: shares of the parts in what is kept, or nothing for all that is left.
        shortest, longest: words of a thought.
        seed: of the draw that makes the mix.
    """

    trusted: tuple[str, ...] = ("positives", "negatives")
    agree: str = "all"
    self_filter: tuple[str, ...] = ()
    consensus: float = 0.5
    mix: Mapping[str, float] = field(default_factory=dict)
    shortest: int = 3
    longest: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.agree not in ("all", "trusted", "none"):
            raise ValueError(f"agree is {self.agree!r}; give 'all', 'trusted' or 'none'")
        if not 0 < self.consensus <= 1 or any(share < 0 for share in self.mix.values()):
            raise ValueError(
                f"consensus {self.consensus}, mix {dict(self.mix)}: need a share above 0, and no negative ones"
            )


PRESETS: Mapping[str, Selection] = {
    "everything": Selection(agree="none"),
    "rank1-first-mix": Selection(mix={"positives": 0.5, "negatives": 0.5}),
    "rank1": Selection(
        self_filter=("negatives", "hard 1-5", "hard 5-10"),
        mix={"positives": 136, "negatives": 154, "hard 1-5|hard 5-10": 96},
    ),
}
"""``rank1``: the final mix of the paper (arXiv 2502.18418, section 2.2): what contradicts its implied label is dropped, negatives
with which a student trained on the first mix disagrees too; 136 : 154 : 96 positives, sampled and hard negatives, the hard ones
of both ranges together. ``rank1-first-mix``: the sure labels only, balanced, which that student is trained on."""


@dataclass(frozen=True, slots=True)
class Fallen:
    """What one filter dropped: how many of each part, and a few of them."""

    reason: str
    before: int
    parts: dict[str, int]
    examples: tuple[Collected, ...]

    @property
    def count(self) -> int:
        """How many in all."""
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Selected:
    """The rows that are kept, in the order they are to be learnt in, and the funnel that led to them."""

    rows: tuple[Collected, ...]
    read: int
    funnel: tuple[Fallen, ...]


def select(rows: Iterable[Collected], selection: Selection, student: Student | None = None) -> Selected:
    """Pass the rows through the filters, cheapest first.

    Raises:
        DataError: a student is wanted and there is none; nothing is left; the mix names a part that there is not.
    """
    if selection.self_filter and student is None:
        raise DataError(
            f"a student has to agree in {', '.join(selection.self_filter)}; give one (--student), or another --preset"
        )
    left = list(rows)
    read, funnel = len(left), []
    for reason, stay in _filters(selection, left):
        kept = [row for row in left if stay(row)]
        funnel.append(_fallen(reason, left, kept))
        left = kept
    for reason, step in (
        ("the samples disagree", lambda some: _agreed(some, selection.consensus)),
        ("another sample of the pair", _one_each),
        ("the student disagrees", lambda some: _filtered(some, selection.self_filter, student)),
        ("more than the mix wants", lambda some: _mixed(some, selection)),
    ):
        kept = step(left)
        funnel.append(_fallen(reason, left, kept))
        left = kept
    if not left:
        worst = max(funnel, key=lambda fallen: fallen.count)
        raise DataError(f"nothing is left of {read} rows; most fell because: {worst.reason} ({worst.count})")
    random.Random(selection.seed).shuffle(left)
    return Selected(tuple(left), read, tuple(funnel))


def _filters(selection: Selection, rows: Sequence[Collected]) -> list[tuple[str, Callable[[Collected], bool]]]:
    """The filters that look at one row alone."""
    seen: set[tuple[str, int]] = set()

    def new(row: Collected) -> bool:
        name = (row.pair.key, row.sample)
        return name not in seen and not seen.add(name)  # type: ignore[func-returns-value]

    def sane(row: Collected) -> bool:
        return selection.shortest <= len(row.trace.thought.split()) <= selection.longest

    def agrees(row: Collected) -> bool:
        held = selection.agree == "all" or (selection.agree == "trusted" and row.pair.part in selection.trusted)
        return not held or row.trace.verdict == bool(row.pair.label)

    return [
        ("the same answer twice", new),
        ("cut off or refused", lambda row: row.finish in ("stop", "end", "truncated")),
        ("no verdict", lambda row: row.trace.verdict is not None),
        (f"a thought of fewer than {selection.shortest} or more than {selection.longest} words", sane),
        ("the verdict contradicts the implied label", agrees),
    ]


def _agreed(rows: Sequence[Collected], share: float) -> list[Collected]:
    """Of each pair the samples that say what most of them say, if so many do; none of a tie."""
    votes: dict[str, Counter[bool | None]] = {}
    for row in rows:
        votes.setdefault(row.pair.key, Counter())[row.trace.verdict] += 1
    settled = {}
    for key, counter in votes.items():
        (verdict, most), *others = counter.most_common(2)
        if most >= share * counter.total() and not (others and others[0][1] == most):
            settled[key] = verdict
    return [row for row in rows if row.pair.key in settled and settled[row.pair.key] == row.trace.verdict]


def _one_each(rows: Sequence[Collected]) -> list[Collected]:
    """One sample a pair: the one of median length, which is neither a slip nor a ramble; of two the shorter."""
    samples: dict[str, list[Collected]] = {}
    for row in rows:
        samples.setdefault(row.pair.key, []).append(row)
    chosen = {
        id(sorted(some, key=lambda row: (len(row.trace.thought), row.sample))[(len(some) - 1) // 2])
        for some in samples.values()
    }
    return [row for row in rows if id(row) in chosen]


def _filtered(rows: Sequence[Collected], parts: Sequence[str], student: Student | None) -> list[Collected]:
    asked = [row for row in rows if row.pair.part in parts]
    if student is None or not asked:
        return list(rows)
    agreed = {id(row) for row, said in zip(asked, student(asked), strict=True) if said == row.trace.verdict}
    return [row for row in rows if row.pair.part not in parts or id(row) in agreed]


def _mixed(rows: Sequence[Collected], selection: Selection) -> list[Collected]:
    """As many as the mix allows: the part that is scarcest for its share decides how much of the others stays."""
    if not selection.mix:
        return list(rows)
    groups = {name: name.split("|") for name, share in selection.mix.items() if share}
    found = {name: [row for row in rows if row.pair.part in parts] for name, parts in groups.items()}
    empty = [name for name, some in found.items() if not some]
    if empty:
        have = ", ".join(f"{part} {count}" for part, count in sorted(Counter(row.pair.part for row in rows).items()))
        raise DataError(f"the mix wants {empty[0]!r}, of which nothing is left (there is: {have or 'nothing'})")
    unit = min(len(some) / selection.mix[name] for name, some in found.items())
    rng, kept = random.Random(selection.seed), set()
    for name, some in found.items():
        take = min(len(some), max(1, round(unit * selection.mix[name])))
        kept |= {id(row) for row in rng.sample(some, take)}
    return [row for row in rows if id(row) in kept]


def _fallen(reason: str, before: Sequence[Collected], kept: Sequence[Collected]) -> Fallen:
    stayed = {id(row) for row in kept}
    fell = [row for row in before if id(row) not in stayed]
    parts = dict(sorted(Counter(row.pair.part for row in fell).items()))
    return Fallen(reason, len(before), parts, tuple(fell[:_EXAMPLES]))
