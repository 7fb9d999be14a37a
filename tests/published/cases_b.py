"""Judges whose answers follow from a seed by plain arithmetic, and digests of what happened with them."""

import hashlib
import json

KINDS = ("perfect", "noisy", "intransitive", "unreadable")
SIZES = (0, 1, 2, 3, 5, 6, 9, 10, 11, 15, 19, 20, 21, 25, 37, 39, 40, 64, 100, 150)
BLOCK = 25
"""So many seeds share one digest."""


def mixed(*values):
    """A 32-bit number that looks random."""
    state = 2166136261
    for value in values:
        state = ((state ^ (value & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
        state ^= state >> 15
        state = (state * 2246822519) & 0xFFFFFFFF
        state ^= state >> 13
    return state


def relevance(seed, i):
    """Different for different candidates; in every second case the first stage is a fair guess of it."""
    return (mixed(seed, i) % 1000 - (25 * i if seed % 2 else 0)) * 1000 + i


def order(kind, seed, group):
    """The group, best first, as a judge of this kind says; it depends on the candidates, not on how they are laid."""
    mark = mixed(seed, *sorted(group))
    if kind == "unreadable" and mark % 4 == 0:
        return list(group)
    if kind in ("perfect", "unreadable"):
        return sorted(group, key=lambda i: -relevance(seed, i))
    if kind == "noisy":
        return sorted(group, key=lambda i: -(relevance(seed, i) + 1000 * (mixed(mark, i) % 600)))
    return sorted(group, key=lambda i: mixed(mark, i, 7))


def digest(value):
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()[:16]


def scores_of(kind, seed, group):
    """The same as a judgement's scores: the more, the better; all equal where nothing can be read."""
    if kind == "unreadable" and mixed(seed, *sorted(group)) % 4 == 0:
        return (0.0,) * len(group)
    place = {i: at for at, i in enumerate(order(kind, seed, group))}
    return tuple(float(len(group) - place[i]) for i in group)


def driven(strategy, n, judge):
    """Scores ``[n]``, all groups asked in order, and the number of rounds; ``judge(group)`` gives scores or a judgement."""
    from ponderank.types import Judgement

    plan, asked, rounds = strategy.plan(n), [], 0
    try:
        groups = next(plan)
        while True:
            rounds += 1
            asked += groups
            answers = [judge(group) for group in groups]
            groups = plan.send([a if isinstance(a, Judgement) else Judgement(tuple(a)) for a in answers])
    except StopIteration as stop:
        return stop.value, asked, rounds


def ranking(scores):
    return sorted(range(len(scores)), key=lambda i: -scores[i])
