"""Cases for aggregation, made from a seed by whole-number arithmetic, so that both sides can make them."""

from fractions import Fraction
from hashlib import sha256

KINDS = ("agreeing", "noisy", "noise", "circles", "missing")
TIMES = (3, 4, 5, 8, 20)


def numbers(seed):
    state = seed * 2654435761 + 1
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


def case(kind, n, seed):
    """Rankings of items 0 … n - 1, best first; in ``missing`` each lacks some items."""
    draw = numbers(seed * 1009 + n * 31 + KINDS.index(kind))
    times = TIMES[next(draw) % len(TIMES)]
    hidden = sorted(range(n), key=lambda item: (next(draw), item))

    def shaken(spread):
        keys = {item: place * 1000 + next(draw) % (spread * 1000 + 1) for place, item in enumerate(hidden)}
        return sorted(hidden, key=lambda item: (keys[item], item))

    if kind == "agreeing":
        return [list(hidden) for _ in range(times)]
    if kind == "circles":  # the same circle, begun anywhere
        starts = [next(draw) % max(n, 1) for _ in range(times)]
        return [hidden[start:] + hidden[:start] for start in starts]
    rankings = [shaken(n * 50 if kind == "noise" else max(2, n // 2)) for _ in range(times)]
    if kind == "missing":
        rankings = [ranking[: max(1, n - next(draw) % 3)] for ranking in rankings]
        rankings = [[item for item in ranking if next(draw) % 5] or ranking for ranking in rankings]
    return rankings


def held(rankings):
    return sorted({item for ranking in rankings for item in ranking})


def exact_borda(rankings, item):
    """Minus the mean rank, exactly."""
    ranks = [ranking.index(item) for ranking in rankings if item in ranking]
    return -Fraction(sum(ranks), len(ranks))


def exact_reciprocal(rankings, item, k=60):
    """The mean of 1 / (k + rank), exactly."""
    ranks = [ranking.index(item) for ranking in rankings if item in ranking]
    return sum(Fraction(1, k + rank) for rank in ranks) / len(ranks)


def tied(order, worth):
    """The order with equally worthy neighbours sorted: what is left of it where ties may fall either way."""
    groups = []
    for item in order:
        if groups and worth[groups[-1][-1]] == worth[item]:
            groups[-1].append(item)
        else:
            groups.append([item])
    return [item for group in groups for item in sorted(group)]


def optima(above, items):
    """The smallest cost of an order of these items and how many orders have it, by going through all subsets."""
    best = {0: (0, 1)}
    for subset in range(1, 1 << len(items)):
        inside = [at for at in range(len(items)) if subset >> at & 1]
        found = (None, 0)
        for last in inside:  # put behind the rest of the subset
            cost, ways = best[subset ^ (1 << last)]
            cost += sum(above[items[last]][items[at]] for at in inside if at != last)
            if found[0] is None or cost < found[0]:
                found = (cost, ways)
            elif cost == found[0]:
                found = (cost, found[1] + ways)
        best[subset] = found
    return best[(1 << len(items)) - 1]


def votes(rankings, n):
    above = [[0] * n for _ in range(n)]
    for ranking in rankings:
        for at, item in enumerate(ranking):
            for other in ranking[at + 1 :]:
                above[item][other] += 1
    return above


def digest(values):
    return sha256(repr(values).encode()).hexdigest()[:16]
