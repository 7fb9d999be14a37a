"""Which items share a block: ways to cover n items with overlapping blocks so that all of them hang together."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

from ponderank.types import Group

DRAWS = 100
"""So many draws are looked at for one that hangs together, before the blocks are laid in a ring."""


def blocks_of(design: str, n: int, size: int, replicas: int, seed: int) -> list[Group]:
    """Blocks of ``size`` of the items 0 … n−1, each item in two or more, every two items joined by a chain of blocks.

    ``n <= size`` is one block. ``"latin"`` fits ``n == size²``, ``"triangular"`` ``2n == size·(size+1)``; for any other ``n`` they
    are ``"equi-replicate"``. What is drawn at random is drawn again, with the next seed, until it hangs together.

    >>> blocks_of("latin", 4, 2, 2, seed=0)
    [(0, 1), (2, 3), (0, 2), (1, 3)]
    """
    if n <= size:
        return [tuple(range(n))] if n > 1 else []
    if design == "latin" and n == size * size:
        return _latin(size)
    if design == "triangular" and 2 * n == size * (size + 1):
        return _triangular(size)
    draw: Callable[[int, int, int, random.Random], list[Group]] = _random if design == "random" else _equi_replicate
    for draws in range(DRAWS):
        blocks = draw(n, size, replicas, random.Random(seed + draws))
        if hang_together(blocks, n):
            return blocks
    return _ring(n, size, replicas, random.Random(seed))


DESIGNS = ("equi-replicate", "latin", "triangular", "random")


def hang_together(blocks: Sequence[Group], n: int) -> bool:
    """Whether a chain of blocks that share items leads from each item to each other one.

    >>> hang_together([(0, 1), (2, 3)], 4), hang_together([(0, 1), (1, 2, 3)], 4)
    (False, True)
    """
    root = list(range(n))

    def found(i: int) -> int:
        while root[i] != i:
            root[i] = i = root[root[i]]
        return i

    for block in blocks:
        for i in block[1:]:
            root[found(i)] = found(block[0])
    return len({found(i) for i in range(n)}) <= 1


def _equi_replicate(n: int, size: int, replicas: int, rng: random.Random) -> list[Group]:
    """Deal a shuffled pack, and again, until each item was dealt ``replicas`` times; a block that ends one pack begins the next.

    Source: JointRank (arXiv 2506.22262; V3RGANz/jointrank, ``blocks/design.py``, ``EquiReplicateBlockDesign`` and
    ``ReplicateBlockDesign``). Differs: the number of blocks is rounded up, not down, so that no item is shown less often.
    """
    blocks: list[Group] = []
    pack = list(range(n))
    rng.shuffle(pack)
    while len(blocks) < math.ceil(replicas * n / size):
        if len(pack) >= size:
            blocks.append(tuple(pack[:size]))
            pack = pack[size:]
        else:
            left = set(pack)
            borrowed = rng.sample([i for i in range(n) if i not in left], size - len(pack))
            blocks.append((*pack, *borrowed))
            pack = [i for i in range(n) if i not in set(borrowed)]
            rng.shuffle(pack)
    return blocks


def _random(n: int, size: int, replicas: int, rng: random.Random) -> list[Group]:
    """Blocks drawn alone; then each item that none has takes the place of one that stands in the most blocks.

    Source: JointRank (``RandomizedBlockDesign``). Differs: no item is left out, and the number of blocks is rounded up.
    """
    blocks = [rng.sample(range(n), size) for _ in range(math.ceil(replicas * n / size))]
    counts = Counter(i for block in blocks for i in block)
    for missing in range(n):
        if not counts[missing]:
            often = max(range(n), key=counts.__getitem__)
            block = rng.choice([block for block in blocks if often in block])
            block[block.index(often)] = missing
            counts[missing], counts[often] = 1, counts[often] - 1
    return [tuple(block) for block in blocks]


def _latin(size: int) -> list[Group]:
    """The rows and the columns of a square.

    Source: JointRank (``LatinSquarePBIBD``). Differs: nothing.
    """
    rows = [tuple(range(row * size, (row + 1) * size)) for row in range(size)]
    return [*rows, *zip(*rows, strict=True)]


def _triangular(size: int) -> list[Group]:
    """Blocks 0 … size; every two of them share one item, and an item is in two.

    Source: JointRank (``TriangularPBIBD``). Differs: nothing.
    """
    pairs = [(a, b) for a in range(size + 1) for b in range(a + 1, size + 1)]
    return [tuple(i for i, pair in enumerate(pairs) if block in pair) for block in range(size + 1)]


def _ring(n: int, size: int, replicas: int, rng: random.Random) -> list[Group]:
    """Stretches of a shuffled ring, each overlapping the next: they always hang together."""
    ring = list(range(n))
    rng.shuffle(ring)
    count = math.ceil(replicas * n / size)
    return [tuple(ring[(at * n // count + step) % n] for step in range(size)) for at in range(count)]
