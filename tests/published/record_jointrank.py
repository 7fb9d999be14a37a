"""Record the blocks that the authors' JointRank draws, and the scores that it makes of their orders.

python tests/published/record_jointrank.py CLONE_OF_JOINTRANK   (numpy, scipy, evalica 0.4.2)

Their module reads the items that may be borrowed from a set, whose order is Python's own affair; here it reads them in ascending order.
"""

import json
import random
import subprocess
import sys
from pathlib import Path

from cases_b import BLOCK, KINDS, digest, order

DESIGNS = tuple((n, size, replicas) for n, size, replicas in (
    (21, 20, 2), (25, 20, 4), (25, 10, 2), (37, 20, 4), (37, 10, 3), (40, 20, 2), (64, 8, 3), (100, 20, 4), (100, 10, 2), (100, 20, 2),
    (150, 20, 4), (15, 3, 2), (9, 4, 5), (11, 10, 4), (200, 20, 3),
))  # fmt: skip
RULES = {"pagerank": "pagerank", "win-rate": "wr"}


def joined(n, size, replicas, kind, seed, design):
    random.seed(seed)
    blocks = design.build(n, size)
    return blocks, [order(kind, seed, block) for block in blocks]


def main(clone):
    sys.path.insert(0, clone)
    from jointrank.aggregation.tournament import TournamentAggregator
    from jointrank.blocks import design as module

    module.list = sorted
    commit = subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    record = {"repository": "V3RGANz/jointrank", "commit": commit, "designs": DESIGNS, "blocks": {}, "scores": {}}
    for n, size, replicas in DESIGNS:
        drawn = [
            joined(n, size, replicas, "perfect", seed, module.ReplicateBlockDesign(replicas))[0]
            for seed in range(BLOCK)
        ]
        record["blocks"][f"{n}/{size}/{replicas}"] = digest(drawn)
    record["latin"] = digest([module.LatinSquarePBIBD().build(size * size, size) for size in range(2, 15)])
    record["triangular"] = digest(
        [module.TriangularPBIBD().build(size * (size + 1) // 2, size) for size in range(2, 15)]
    )
    limits = {"pagerank": {"tolerance": 1e-12, "limit": 10000}, "wr": {}}
    for n, size, replicas in DESIGNS:
        for kind in KINDS[:3]:
            for ours, theirs in RULES.items():
                rows = []
                for seed in range(BLOCK):
                    design = module.ReplicateBlockDesign(replicas)
                    orders = joined(n, size, replicas, kind, seed, design)[1]
                    scores = TournamentAggregator(theirs, **limits[theirs]).score(orders)
                    rows.append(scores)
                sums = [round(sum((i + 1) * score for i, score in enumerate(scores)), 6) for scores in rows]
                record["scores"][f"{n}/{size}/{replicas}/{kind}/{ours}"] = sums
    Path(__file__).with_name("jointrank.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
