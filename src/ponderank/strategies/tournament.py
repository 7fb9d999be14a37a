"""Tournament sort: the winner of a tree of small groups leaves, and only what that changes is played again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ponderank.contracts import Plan
from ponderank.strategies.tools import Steps, ordered, placed

FAR = 21
"""So many places further on in the first stage stands who takes a winner's slot."""


@dataclass(frozen=True, slots=True)
class TournamentSort:
    """Find the best ``k`` one by one: groups of ``group``, from each of which ``keep`` go on, until one has won.

    The winner's slot goes to another candidate, far off, who so plays twice; groups that met before are not asked again, whatever
    their order, and the groups of a level are asked in one round. A last, short group is filled up with other candidates. A
    candidate that got into a group twice is shown once, so that a group may be smaller. The rest follow in first-stage
    order. At most ``group`` candidates are one judgement.

    A judge without errors gives the exact top ``k``.

    Source: ListT5 (arXiv 2402.15838; soyoung97/ListT5, ``run_listt5.py``, ``run_one_loop``).
    Differs: repeated candidates, in groups and in the one group of a short list, are not shown; ``keep`` above half of ``group``, with
    which the published recursion need not end, is refused.

    >>> from ponderank.types import Judgement
    >>> plan = TournamentSort(group=4, keep=2, k=1).plan(8)
    >>> next(plan), plan.send([Judgement((4.0, 3.0, 2.0, 1.0)), Judgement((1.0, 2.0, 3.0, 4.0))])
    ([(0, 1, 2, 3), (4, 5, 6, 7)], [(0, 1, 6, 7)])
    """

    group: int = 5
    keep: int = 2
    k: int = 10

    absolute = False

    def __post_init__(self) -> None:
        if self.keep < 1 or 2 * self.keep > self.group:
            raise ValueError(
                f"group {self.group}, keep {self.keep}: need 1 or more to go on, and at most half of a group"
            )
        if self.k < 1:
            raise ValueError(f"k {self.k}: need 1 or more")

    @property
    def widest(self) -> int:
        """A whole group."""
        return self.group

    def plan(self, n: int, priors: Sequence[float] | None = None) -> Plan:
        """For each winner at most as many rounds as the tree has levels."""
        if n <= self.group:
            everybody = tuple(range(n))
            judgements = (yield [everybody]) if n > 1 else []
            return placed(ordered(everybody, judgements[0].scores) if judgements else everybody, n)
        slots, won, met = list(range(n)), list[int](), dict[frozenset[int], list[int]]()
        while len(won) < min(self.k, n):
            winner = yield from self._winner(slots, won, met)
            won.append(winner)
            slots[slots.index(winner)] = (winner + FAR) % n
            slots = [_next_in_play(i, n, won) for i in slots]
        return placed(won, n)

    def _winner(self, slots: list[int], won: list[int], met: dict[frozenset[int], list[int]]) -> Steps[int]:
        """Level by level, until those that go on fit into one group; who is best there."""
        playing = slots
        while True:
            before = playing
            groups = [playing[at : at + self.group] for at in range(0, len(playing), self.group)]
            results = yield from self._results([self._filled(group, playing, won) for group in groups], met)
            playing = [i for result in results for i in reversed(result[: self.keep])]
            if len(playing) <= self.group:
                (last,) = yield from self._results([self._filled(playing, before, won)], met)
                return last[0]

    def _results(self, groups: list[frozenset[int]], met: dict[frozenset[int], list[int]]) -> Steps[list[list[int]]]:
        """Each group's order; only those are asked that never met."""
        met.update({group: list(group) for group in groups if len(group) == 1})
        new = [group for group in dict.fromkeys(groups) if group not in met]
        shown = [tuple(sorted(group)) for group in new]
        judgements = (yield list(shown)) if new else []
        for group, order, judgement in zip(new, shown, judgements, strict=True):
            met[group] = ordered(order, judgement.scores)
        return [met[group] for group in groups]

    def _filled(self, group: list[int], playing: list[int], won: list[int]) -> frozenset[int]:
        """The group, a short one filled up from the slots of those playing that are neither in it nor have won."""
        others = (i for i in playing if i not in group and i not in won)
        return frozenset([*group, *islice(others, self.group - len(group))])


def _next_in_play(i: int, n: int, won: list[int]) -> int:
    """The candidate itself, or the next one that has not won."""
    while i in won and len(won) < n:
        i = (i + 1) % n
    return i
