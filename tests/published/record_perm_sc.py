"""Record what castorini/perm-sc answers: ``python record_perm_sc.py CLONE`` writes ``perm_sc.json``.

It needs numba, numpy and PuLP. Kemeny: each case's smallest distance, and a digest of the orders where only one has it.
Borda and reciprocal ranks: a digest of the orders, equal items sorted, since theirs fall as the sort leaves them.
"""

import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
from cases_c import KINDS, case, digest, exact_borda, exact_reciprocal, held, optima, tied, votes

SIZES = {
    1: 5, 2: 40, 3: 80, 4: 80, 5: 80, 6: 80, 7: 60, 8: 60, 9: 50, 10: 40, 11: 30, 15: 20, 19: 6, 20: 6, 21: 4, 25: 2, 37: 1, 100: 20,
}  # fmt: skip
WIDEST_KEMENY = 37
WIDEST_COUNTED = 11


def published(clone):
    """Their aggregators, without the rest of their package, which wants a language model's client."""
    package = types.ModuleType("permsc")
    package.__path__ = [str(Path(clone) / "permsc")]
    sys.modules["permsc"] = package
    from permsc.aggregator import BordaRankAggregator, KemenyOptimalAggregator, RRFRankAggregator
    from permsc.aggregator.utils import compute_preferences_kendall_tau

    return BordaRankAggregator(), RRFRankAggregator(), KemenyOptimalAggregator(), compute_preferences_kendall_tau


def table(rankings, n):
    """Their form: ``[rankings, n]``, -1 behind the end of those that lack items."""
    return np.array([ranking + [-1] * (n - len(ranking)) for ranking in rankings])


def only_one(rankings, n):
    """Whether one order alone is the best: counted where quick, else by majorities that leave no doubt; None: not known."""
    above = votes(rankings, n)
    if n <= WIDEST_COUNTED:
        return optima(above, list(range(n)))[1] == 1
    beaten = sorted(sum(above[i][j] > above[j][i] for j in range(n)) for i in range(n))
    return True if beaten == list(range(n)) else None


def main(clone):
    borda, rrf, kemeny, distance = published(clone)
    commit = subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    written = {"repository": "castorini/perm-sc", "commit": commit.stdout.strip(), "cases": {}}
    for n, seeds in SIZES.items():
        for kind in KINDS:
            if n > 25 and kind in ("noise", "circles") and n <= WIDEST_KEMENY:
                continue  # their solver takes hours
            row = {"seeds": seeds, "distances": [], "only": "", "orders": [], "borda": [], "rrf": []}
            for seed in range(seeds):
                rankings = case(kind, n, seed)
                theirs = table(rankings, n)
                if held(rankings) == list(range(n)):  # an item that nobody ranks has no mean
                    worth = {item: exact_borda(rankings, item) for item in range(n)}
                    row["borda"].append(tied([int(item) for item in borda.aggregate(theirs)], worth))
                    worth = {item: exact_reciprocal(rankings, item) for item in range(n)}
                    row["rrf"].append(tied([int(item) for item in rrf.aggregate(theirs)], worth))
                if 2 <= n <= WIDEST_KEMENY:
                    order = kemeny.aggregate(theirs, verbose=False)
                    row["distances"].append(int(distance(theirs, order)))
                    sure = only_one(rankings, n)
                    row["only"] += "1" if sure else "0"
                    if sure:
                        row["orders"].append([int(item) for item in order])
                    if n <= WIDEST_COUNTED:
                        least = optima(votes(rankings, n), list(range(n)))[0]
                        if least != row["distances"][-1]:
                            print("theirs is not the best:", kind, n, seed, row["distances"][-1], least)
            row |= {name: digest(row[name]) for name in ("orders", "borda", "rrf")}
            written["cases"][f"{kind} {n}"] = row
            print(n, kind, flush=True)
    lines = ",\n".join(
        f"{json.dumps(key)}: {json.dumps(row, separators=(',', ':'))}" for key, row in written["cases"].items()
    )
    head = ", ".join(f'"{name}": {json.dumps(written[name])}' for name in ("repository", "commit"))
    Path(__file__).with_name("perm_sc.json").write_text(f'{{{head}, "cases": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main(sys.argv[1])
