"""Judges that are plain arithmetic on a seed and on what is shown, and digests of what a method asked them.

Published code and ours meet the same judges: the recording scripts and the tests share this file.
"""

import hashlib
import json

SIZES = (0, 1, 2, 3, 9, 10, 11, 15, 19, 20, 21, 25, 37, 100)
KINDS = ("perfect", "noisy", "intransitive", "unparsed")
SEEDS = range(10)


def mixed(*numbers):
    """64 bits that follow from the numbers and look like chance."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state ^ (number + 1)) * 0xBF58476D1CE4E5B9 % 2**64
        state ^= state >> 29
    state = state * 0x94D049BB133111EB % 2**64
    return state ^ state >> 31


def draw(*numbers):
    """A number in [0, 1)."""
    return mixed(*numbers) / 2**64


WEIGHTS = {"perfect": (1.0, 0.0), "noisy": (1.0, 0.4), "intransitive": (0.0, 1.0), "unparsed": (1.0, 0.4)}


def scores(kind, seed, shown):
    """What the judge gives each of those shown, or None where it cannot be read.

    ``perfect`` knows the relevances; ``noisy`` adds noise that depends on all that is shown and on its order; ``intransitive``
    answers at random; ``unparsed`` is noisy, and every fourth answer is unreadable.
    """
    chance = mixed(seed, *shown)
    if kind == "unparsed" and chance % 4 == 0:
        return None
    knows, guesses = WEIGHTS[kind]
    return [knows * draw(seed, i) + guesses * draw(chance, i) for i in shown]


def place(kind, seed, shown):
    """The place of the one it picks, or None."""
    given = scores(kind, seed, shown)
    return None if given is None else max(range(len(shown)), key=lambda at: given[at])


def order(kind, seed, shown):
    """The places from best to worst; unreadable answers name only some of them, twice or out of range, or none."""
    given = scores(kind, seed, shown)
    if given is None:
        chance = mixed(seed, 3, *shown)
        return [mixed(chance, at) % (len(shown) + 2) for at in range(chance % 4)]
    return sorted(range(len(shown)), key=lambda at: -given[at])


def mended(places, k):
    """A full permutation: repeats and what is out of range dropped, what is missing at the end."""
    kept = [at for at in dict.fromkeys(places) if at < k]
    return kept + [at for at in range(k) if at not in kept]


def first_stage(name, seed, n=100):
    """Relevances in first-stage order: ``random``, or ``sorted`` by what a first stage sees of them through noise of 0.34."""
    truth = [draw(seed, i) for i in range(n)]
    if name == "random":
        return truth
    noise = [sum(draw(seed, i, at) for at in range(1, 13)) - 6 for i in range(n)]  # nearly normal, deviation 1
    return [truth[i] for i in sorted(range(n), key=lambda i: -truth[i] - 0.34 * noise[i])]


def digest(*things):
    """The first 16 hex digits of the SHA-256 of these things as JSON."""
    return hashlib.sha256(json.dumps(things, separators=(",", ":")).encode()).hexdigest()[:16]
