"""Findings of papers that need no weights, tried against noisy judges made from qrels. The figures beside the papers' own.

    python bench/findings.py --qrels vaswani/qrels/test.tsv          # some minutes on one core

All settings are chosen once, for all findings: the first stage's noise so that its nDCG@10 is that of BM25 on DL19 (.506), and for
each of four judges the noise so that one pass of windows over it reaches RankGPT-3.5's .658. The judges differ in what else is
wrong with them, each with all of the one before: fresh noise; prejudice of the same size; a liking for early places of half a
spread; variance that grows with the number of documents shown. What counts as reproduced is a rule beside each finding, written
before the first full run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ponderank.laboratory.cases import Cases
from ponderank.laboratory.judges import Judge
from ponderank.laboratory.named import NAMED, contender
from ponderank.laboratory.picture import pareto
from ponderank.laboratory.simulate import FIRST_STAGE, Simulation, Standing
from ponderank.manifest import file_hash

HERE = Path(__file__).parent
FIRST, WINDOW, PAIRS = 0.506, 0.658, 0.724
JUDGES: dict[str, Callable[[float], Judge]] = {
    "noise": lambda noise: Judge(noise),
    "+ prejudice": lambda noise: Judge(noise, prejudice=noise),
    "+ bias": lambda noise: Judge(noise, prejudice=noise, bias=0.5),
    "+ width": lambda noise: Judge(noise, prejudice=noise, bias=0.5, width_penalty=0.5),
}


def tried(cases: Cases, judge: Judge, trials: int, *names: str, seed: int = 0) -> dict[str, Standing]:
    """Figures by name, differences from the first named."""
    many = [contender(name, cases.k) for name in names]
    simulation = Simulation(cases, many, judge, seed, baseline=names[0] if names else FIRST_STAGE)
    simulation.run(trials)
    return {one.name: one for one in simulation.standings()}


def bisected(value: Callable[[float], float], wanted: float, high: float) -> float:
    """Where a falling function has the value wanted."""
    low = 0.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if value(middle) > wanted else (low, middle)
    return round((low + high) / 2, 3)


def calibrated(cases: Cases, trials: int) -> tuple[Cases, dict[str, Judge]]:
    noise = bisected(
        lambda noise: tried(replace(cases, first_stage_noise=noise), Judge(), trials)[FIRST_STAGE].ndcg.mean, FIRST, 5
    )
    cases = replace(cases, first_stage_noise=noise)
    judges = {}
    for name, made in JUDGES.items():
        at = bisected(
            lambda noise, made=made: tried(cases, made(noise), trials, "window")["window"].ndcg.mean, WINDOW, 3
        )
        judges[name] = made(at)
        print(f"{name}: noise {at}", flush=True)
    return cases, judges


def shown(one: Standing) -> dict[str, float]:
    out = {
        "ndcg": one.ndcg.mean,
        "error": one.ndcg.error,
        "calls": one.calls,
        "rounds": one.rounds,
        "tokens": one.tokens,
    }
    if one.difference:
        out |= {"difference": one.difference.mean, "difference_error": one.difference.error}
    return {name: round(value, 4) for name, value in out.items()}


def orders(
    cases: Cases, judge: Judge, trials: int, *names: str, laid: Sequence[str] = ("first-stage", "random", "reversed")
) -> dict[str, dict[str, dict[str, float]]]:
    """Each strategy over the same candidates in several input orders."""
    out: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    for order in laid:
        found = tried(replace(cases, order=order), judge, trials, *names)
        for name in names:
            out[name][order] = shown(found[name])
    return out


def window_orders(cases: Cases, judge: Judge, trials: int) -> dict[str, Any]:
    found = orders(cases, judge, trials, "window", "window:passes=3")
    one = {order: row["ndcg"] for order, row in found["window"].items()}
    lost = {order: one["first-stage"] - one[order] for order in ("random", "reversed")}
    return {
        "found": found,
        "lost": lost,
        "direction": min(lost.values()) > 0.02,
        "size": min(lost.values()) > WINDOW / 2,
    }


def pair_orders(cases: Cases, judge: Judge, trials: int) -> dict[str, Any]:
    names = ("pairs-all", "prp-sliding", "prp-sliding:passes=1")
    found = orders(cases, judge, trials, *names, laid=("first-stage", "reversed"))
    lost = {name: row["first-stage"]["ndcg"] - row["reversed"]["ndcg"] for name, row in found.items()}
    direction = abs(lost[names[0]]) < 0.01 < lost[names[1]] < lost[names[2]]
    size = direction and 0.04 < lost[names[1]] < 0.16 and lost[names[2]] > 0.15
    return {"found": found, "lost": lost, "direction": direction, "size": size}


def steady_pairs(cases: Cases, trials: int) -> dict[str, Any]:
    """The same before judges that repeat themselves, as a model at temperature 0 does: what they get wrong is prejudice, little is
    drawn anew. Prejudice is set so that all pairs reach FLAN-UL2's .724. From no rule, after the first run."""
    names = ("pairs-all", "prp-sliding", "prp-sliding:passes=1")
    at = bisected(lambda size: tried(cases, Judge(0.1, prejudice=size), trials, names[0])[names[0]].ndcg.mean, PAIRS, 3)
    laid = ("first-stage", "reversed")
    found = {
        f"noise {noise}": orders(cases, Judge(noise, prejudice=at), trials, *names, laid=laid)
        for noise in (0.05, 0.1, 0.2, 0.3)
    }
    return {"prejudice": at, "found": found}


def consistency(cases: Cases, judge: Judge, trials: int) -> dict[str, Any]:
    names = ("window", *(f"self-consistency:times={times}" for times in (1, 2, 5, 10, 20)))
    found = tried(cases, judge, trials, *names)
    one, ten, twenty = (found[f"self-consistency:times={times}"].ndcg.mean for times in (1, 10, 20))
    gain = found[names[-1]].difference
    relative = gain.mean / found["window"].ndcg.mean if gain else 0.0
    faded = (ten - one) / (twenty - one) if twenty > one else 0.0
    return {
        "found": {name: shown(found[name]) for name in names}, "relative_gain": relative, "reached_by_ten": faded,
        "direction": gain is not None and gain.mean > 2 * gain.error and faded > 0.8, "size": 0.01 <= relative <= 0.08 and faded > 0.8,
    }  # fmt: skip


def blocks(cases: Cases, judge: Judge, trials: int) -> dict[str, Any]:
    names = ("one-window", "jointrank", "jointrank:size=10,replicas=2", "window")
    found = tried(cases, judge, trials, *names)
    gain = found["jointrank"].difference
    return {
        "found": {name: shown(found[name]) for name in names},
        "direction": gain is not None and gain.mean > 2 * gain.error, "size": gain is not None and 0.07 < gain.mean < 0.20,
    }  # fmt: skip


def top_down(cases: Cases, judge: Judge, trials: int) -> dict[str, Any]:
    names = ("window", "top-down:sequential=yes", "top-down")
    found = tried(cases, judge, trials, *names)
    theirs = found["top-down:sequential=yes"]
    even = theirs.difference is not None and abs(theirs.difference.mean) < 0.015
    return {
        "found": {name: shown(found[name]) for name in names}, "saved": 1 - theirs.calls / found["window"].calls,
        "direction": theirs.calls < 9 and even, "size": even and theirs.calls <= 6.5,
    }  # fmt: skip


FINDINGS: dict[str, Callable[[Cases, Judge, int], dict[str, Any]]] = {
    "window and input order": window_orders,
    "pairs and input order": pair_orders,
    "self-consistency": consistency,
    "jointrank against one window": blocks,
    "top-down against windows": top_down,
}

COUNTED = {
    "setwise-heapsort:children=2": (140, 127), "setwise-heapsort:children=3": (82, 78), "setwise-heapsort:children=9": (31, 30),
    "setwise-heapsort:children=19": (23, 21), "setwise-bubble:children=2": (463, 456), "setwise-bubble:children=3": (306, 293),
    "setwise-bubble:children=9": (97, 69), "setwise-bubble:children=19": (46, 30), "prp-heapsort": (556, 504), "prp-sliding": (1890, 1890),
    "pairs-all": (9900, 9900), "window": (9, 9), "top-down:sequential=yes": (4.8, 6.5), "top-down": (4.8, 6.5), "tourrank": (13, 13),
    "jointrank": (20, 20), "groups": (20, 20), "self-consistency": (180, 180), "elimination": (99, 99),
}  # fmt: skip
"""Calls on random lists and on the order of a noisy first stage, as the papers' loops make them with a comparator that does not err."""


def counts(cases: Cases, trials: int) -> dict[str, Any]:
    """Calls and rounds with a judge that does not err."""
    out: dict[str, Any] = {}
    for order in ("random", "first-stage"):
        few = tried(replace(cases, order=order), Judge(0.0), min(trials, 100), *COUNTED)
        for name, theirs in COUNTED.items():
            row = out.setdefault(name, {})
            row[order] = {"calls": round(few[name].calls, 1), "rounds": round(few[name].rounds, 1),
                          "theirs": theirs[order == "first-stage"], "ndcg": round(few[name].ndcg.mean, 4)}  # fmt: skip
    return out


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qrels", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=465)
    parser.add_argument("-k", type=int, default=100)
    parser.add_argument("--only", choices=[*FINDINGS, "counts", "front"], help="one of them, printed and not kept")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "findings.json")
    args = parser.parse_args()
    cases, judges = calibrated(Cases.read(args.qrels, k=args.k), args.trials)
    told: dict[str, Any] = {
        "qrels": {"name": "/".join(args.qrels.parts[-3:]), "sha256": file_hash(args.qrels), "queries": len(cases.queries)},
        "trials": args.trials, "k": args.k, "first_stage_noise": cases.first_stage_noise,
        "judges": {name: asdict(judge) for name, judge in judges.items()}, "findings": {},
    }  # fmt: skip
    for name, finding in FINDINGS.items():
        if args.only in (None, name):
            told["findings"][name] = {}
            for judge_name, judge in judges.items():
                found = finding(cases, judge, args.trials)
                told["findings"][name][judge_name] = found
                print(
                    name, "|", judge_name, "|", json.dumps({k: v for k, v in found.items() if k != "found"}), flush=True
                )
    if args.only in (None, "pairs and input order"):
        told["steady pairs"] = steady_pairs(cases, args.trials)
    if args.only in (None, "counts"):
        told["counts"] = counts(cases, args.trials)
    standings = []
    if args.only in (None, "front"):
        names = [name for name in NAMED if name != "prp-allpair"]
        standings = list(tried(cases, judges["+ bias"], min(args.trials, 186), *names).values())
        told["front"] = {one.name: shown(one) for one in standings}
    if args.only:
        print(json.dumps(told, indent=1))
        return
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(_short(told), indent=1) + "\n")
    args.out.with_suffix(".svg").write_text(pareto(standings), encoding="utf-8")


if __name__ == "__main__":
    main()
