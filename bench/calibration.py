"""The embedded model's calibration: fitted on what may train a shipped model and did not, checked on what was never trained on.

    python bench/calibration.py --data FOLDER --cache FILE [--fit squad11:train:60:100 …] [--check scifact:test:30:50 …] [--write]

A set is COLLECTION:SPLIT:QUERIES:DEPTH, or :judged in place of the depth for the judged candidates alone. Queries are drawn with
seed 0; those that the sketch was taught with are left out (training.json, the same draws again) where enough are left. Of BM25's
candidates what is not judged is not relevant. Each set counts the same in the fit. --write puts the calibrations of the levels
that recipes ask at into the model's folder.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ponderank import Candidates, Reranker
from ponderank.calibrate.fit import Pairs, mapped
from ponderank.calibrate.made import AFTER, Asked, Made, made
from ponderank.calibrate.pairs import Judged, alone
from ponderank.calibration import FILE, Calibration, formats, write
from ponderank.data.beir import Collection
from ponderank.metrics.calibration import reliability
from ponderank.models import default_folder
from ponderank.recipes import find
from ponderank.retrieval.bm25 import BM25Index
from ponderank.train.config import config_of
from ponderank.train.pairs import collection_groups

HERE = Path(__file__).parent
BEFORE = Calibration("platt", slope=0.234, intercept=-8.1)
"""What shipped until this was measured."""


@dataclass(frozen=True, slots=True)
class Args:
    data: Path
    cache: Path
    fit: tuple[str, ...]
    levels: tuple[int, ...]


def taught(data: Path) -> set[str]:
    """The queries of the embedded model's training, drawn again; kept in ``bench/.cache``."""
    kept = HERE / ".cache" / "taught.json"
    if kept.is_file():
        return set(json.loads(kept.read_text()))
    path = default_folder() / "training.json"
    config = config_of(json.loads(path.read_text())["config"], path)
    rng, found = random.Random(config.training.seed), set[str]()
    for one in config.data:
        here = replace(one, folder=str(data / Path(one.folder).name))
        found |= {group.query for group in collection_groups(here, config, rng)}
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(sorted(found)))
    return found


@cache
def judged(spec: str, level: int, data: Path, kept: Path) -> Judged:
    """A set's pairs with the model's scores at a level."""
    name, split, count, depth = spec.split(":")
    collection = Collection.open(data / name)
    qrels, queries = collection.qrels(split), collection.judged_queries(split)
    kind = "not trained on"
    if split == "train":
        before = taught(data)
        unseen = [query for query in queries if query.text not in before]
        # EntailmentBank's were taught nearly all: its few held-out ones would be no sample
        kind, queries = (kind, unseen) if len(unseen) >= int(count) else ("the sketch was taught with them", queries)
    queries = random.Random(0).sample(queries, min(int(count), len(queries)))
    if depth == "judged":
        found = [Candidates(q, tuple(collection.docs[doc] for doc in qrels[q.id])) for q in queries]
    else:
        found = BM25Index.open_or_build(collection, HERE / ".cache" / f"bm25-{name}").search(queries, int(depth))
    with Reranker(alone(find("default-fast"), level), cache=kept, calibration="none") as reranker:
        rows = [
            (ranking.query.id, score, int(qrels[ranking.query.id].get(doc.id, 0) > 0), prob)
            for ranking in reranker.rank_many([Candidates(one.query, one.docs) for one in found])
            for doc, score, prob in zip(ranking.docs, ranking.scores, ranking.probs, strict=True)
        ]
        model = reranker.fingerprint
    columns: Any = tuple(zip(*rows, strict=True))
    about = {
        "collection": name,
        "split": split,
        "queries": len(queries),
        "assume_negative": depth != "judged",
        "note": kind,
    }
    return Judged(
        Pairs(*columns),
        {
            **about,
            "first_stage": "judged" if depth == "judged" else "bm25",
            "k": depth if depth == "judged" else int(depth),
            "model": model,
        },
    )


def fitted(args: Args, method: Any = "platt") -> dict[int, Made]:
    forms, out = formats(find("default-fast")), {}
    for level in args.levels:
        sets = [judged(spec, level, args.data, args.cache) for spec in args.fit]
        about = [replace(one, about={key: one.about[key] for key in one.about if key != "model"}) for one in sets]
        out[level] = made(about, Asked(method), form=forms[level], model=sets[0].about["model"], recipe="default")
    return out


def checked(spec: str, ways: dict[str, Calibration], args: Args) -> dict[str, Any]:
    """A set's figures under several calibrations; ``own`` is fitted and tested on the set itself, the best there could be."""
    one = judged(spec, 0, args.data, args.cache)
    pairs = one.pairs
    probs = {"sigmoid": list(pairs.own)} | {name: list(mapped(way, pairs.scores)) for name, way in ways.items()}
    figures = {name: reliability(p, pairs.labels, pairs.queries) for name, p in probs.items()}
    own = made([one], Asked(), form={}, model="")
    figures["own"] = own.figures[AFTER]
    best = own.calibration
    print(f"\n{spec}: {len(pairs)} pairs, {100 * sum(pairs.labels) / len(pairs):.1f} % relevant; "
          f"own slope {best.slope:.3f}, intercept {best.intercept:.2f}")  # fmt: skip
    for name, r in figures.items():
        ece = r.ece_width
        print(f"  {name:10} ECE {ece.value:.4f} [{ece.low:.4f}, {ece.high:.4f}] mass {r.ece_mass.value:.4f} Brier "
              f"{r.brier.value:.4f} log loss {r.log_loss.value:.4f} mean prob {r.mean_prob:.4f} floor {r.ece_floor:.4f}")  # fmt: skip
    return {name: one.to_dict() for name, one in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--fit", nargs="+", default=["squad11:train:60:100", "entailmentbank_wt:train:100:100"])
    parser.add_argument("--check", nargs="*", default=[])
    parser.add_argument("--levels", nargs="*", type=int, default=[0, 2])
    parser.add_argument("--out", type=Path, help="figures, as JSON")
    parser.add_argument("--picture", type=Path, help="the reliability plot of the fit at level 0")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    args = Args(given.data, given.cache, tuple(given.fit), tuple(given.levels))
    found = fitted(args)
    for level, one in found.items():
        way, figures = one.calibration, one.figures
        print(f"level {level}: slope {way.slope:.4f}, intercept {way.intercept:.3f}, {way.fitted_on['pairs']} pairs, "
              f"base rate {way.fitted_on['base_rate']:.4f}")  # fmt: skip
        for name, r in figures.items():
            print(f"  {name:24} ECE {r.ece_width.value:.4f} mass {r.ece_mass.value:.4f} Brier {r.brier.value:.4f} "
                  f"log loss {r.log_loss.value:.4f} floor {r.ece_floor:.4f}")  # fmt: skip
    ways = {"before": BEFORE, "platt": found[0].calibration}
    if given.check:
        ways["isotonic"] = fitted(replace(args, levels=(0,)), "isotonic")[0].calibration
    checks = {spec: checked(spec, ways, args) for spec in given.check}
    if given.out:
        given.out.write_text(json.dumps({"fit": {str(k): v.to_dict() for k, v in found.items()}, "checks": checks}))
    if given.picture:
        from ponderank.calibrate.picture import draw

        draw(found[0].figures, given.picture, f"default, {', '.join(given.fit)}")
    if given.write:
        write([one.calibration for one in found.values()], default_folder() / FILE)


if __name__ == "__main__":
    main()
