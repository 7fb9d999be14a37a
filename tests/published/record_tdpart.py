"""Record what the authors' top-down partitioning asks and answers.

python tests/published/record_tdpart.py CLONE_OF_TDPART   (numpy, pandas<3)

Their module is run as it is (``published``), and with its two faults taken out (``repaired``): the test for the end, and what a
later scan drops being put behind what an earlier one dropped.
"""

import json
import subprocess
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
from cases_b import BLOCK, KINDS, SIZES, digest, order

SETTINGS = ((20, 10, 20), (10, 4, 8), (7, 3, 3), (5, 2, 12))
REPAIRS = (("if len(c) == self.cutoff - 1:", "if len(c) == self.cutoff:"), ("b = b + _b", "b = _b + b"))


def module(source):
    pyterrier = MagicMock(Transformer=type("Transformer", (), {}))
    sys.modules |= {"pyterrier": pyterrier, "torch": MagicMock(), "tqdm": MagicMock(), "tqdm.auto": MagicMock()}
    made = types.ModuleType("tdpart")
    sys.modules["tdpart"] = made
    exec(compile(source, "tdpart", "exec"), made.__dict__)
    return made


def run(made, n, kind, seed, window, cutoff, buffer):
    calls = []

    class Judge(made.ListWiseTransformer):
        def score(self, doc_idx, **_):
            group = [int(i) for i in doc_idx]
            calls.append(group)
            return np.array([group.index(i) for i in order(kind, seed, group)])

    judge = Judge(window_size=window, cutoff=cutoff, buffer=buffer, mode="pivot")
    ids = np.arange(n)
    frame = pd.DataFrame({"qid": "q", "docno": ids, "text": ids, "score": -ids})
    found = judge.pivot("q", frame)[0] if n else []
    return [int(i) for i in found], calls


def main(clone):
    source = (Path(clone) / "partitionrank/transformer/__init__.py").read_text()
    repaired = source
    for old, new in REPAIRS:
        assert repaired.count(old) == 1
        repaired = repaired.replace(old, new)
    commit = subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    record = {"repository": "Parry-Parry/TDPart", "commit": commit, "settings": SETTINGS, "cases": {}}
    as_published, as_repaired = module(source), module(repaired)
    for setting in SETTINGS:
        for kind in KINDS:
            for n in SIZES:
                cases, more = [], 0
                for seed in range(BLOCK):
                    found, calls = run(as_repaired, n, kind, seed, *setting)
                    cases.append([found, calls])
                    more += len(run(as_published, n, kind, seed, *setting)[1]) - len(calls)
                record["cases"]["/".join(map(str, (*setting, kind, n)))] = [digest(cases), more]
    found, calls = run(as_published, 100, "perfect", 0, 20, 10, 20)
    record["published"] = {"case": "20/10/20/perfect/100, seed 0", "ranking": found, "calls": calls}
    Path(__file__).with_name("tdpart.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
