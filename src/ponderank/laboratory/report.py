"""What a simulation leaves behind: figures as JSON, a table for people, the picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ponderank.laboratory.judges import Judge
from ponderank.laboratory.picture import pareto
from ponderank.laboratory.simulate import Estimate, Simulation, Standing
from ponderank.manifest import dumped, file_hash, write_whole


def settings(simulation: Simulation, *, qrels: Path | None = None, run: Path | None = None) -> dict[str, Any]:
    """Everything that decides the figures; files by name and hash."""
    files = {name: path for name, path in (("qrels", qrels), ("run", run)) if path is not None}
    cases = simulation.cases
    return {
        "strategies": {one.name: {"is": repr(one.strategy), "answer": one.kind} for one in simulation.contenders},
        "judge": dataclasses.asdict(simulation.judge),
        "cases": {
            name: getattr(cases, name) for name in ("k", "first_stage_noise", "order", "within", "gain", "highest")
        } | {"queries": len(cases.queries), "run": cases.run is not None},
        "tokens": dataclasses.asdict(simulation.tokens),
        "baseline": simulation.baseline,
        "trials": simulation.trials,
        "seed": simulation.seed,
        "files": {name: {"name": path.name, "sha256": file_hash(path)} for name, path in files.items()},
    }  # fmt: skip


def rows(standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """One JSON-ready mapping a strategy; figures with six decimals."""
    return [
        {"strategy": one.name, "nDCG@10": _figure(one.ndcg), "difference": _figure(one.difference), "top": _figure(one.top)}
        | ({"tau": _figure(one.tau)} if one.tau else {})
        | {name: round(getattr(one, name), 6) for name in ("calls", "rounds", "shown", "tokens")}
        | {"flaws": one.flaws}
        for one in standings
    ]  # fmt: skip


def _figure(one: Estimate | None) -> dict[str, float] | None:
    return None if one is None else {"mean": round(one.mean, 6), "error": round(one.error, 6)}


def table(standings: Sequence[Standing], baseline: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows for people."""
    steady = any(one.tau for one in standings)
    head = ["strategy", "nDCG@10", f"Δ {baseline}", "top 10", *["tau"] * steady, "calls", "rounds", "shown", "tokens"]
    flawed = any(one.flaws for one in standings)
    return head + ["flaws"] * flawed, [
        [
            one.name, _plain(one.ndcg), "–" if one.difference is None else _plain(one.difference, signed=True), _plain(one.top),
            *([_plain(one.tau)] if one.tau else []), *(_count(value) for value in (one.calls, one.rounds, one.shown, one.tokens)),
            *([", ".join(f"{count} {name}" for name, count in one.flaws.items())] * flawed),
        ]
        for one in standings
    ]  # fmt: skip


def _plain(one: Estimate, *, signed: bool = False) -> str:
    return f"{one.mean:+.4f} ± {one.error:.4f}" if signed else f"{one.mean:.4f} ± {one.error:.4f}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or value >= 1000 else f"{value:,.1f}"


def markdown(told: Mapping[str, Any], standings: Sequence[Standing]) -> str:
    """The table with what it was made of."""
    head, body = table(standings, told["baseline"])
    cells = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    cases, judge = told["cases"], told["judge"]
    plain = dataclasses.asdict(Judge())
    changed = ", ".join(f"{name} {value}" for name, value in judge.items() if name == "noise" or value != plain[name])
    first = "from a run" if cases["run"] else f"first stage noise {cases['first_stage_noise']:g}"
    candidates = f"{cases['k']} candidates, {first}"
    return "\n".join([
        "# Simulation", "",
        f"{told['trials']:,} trials over {cases['queries']:,} queries of {told['files'].get('qrels', {}).get('name', 'judgements')}, "
        f"{candidates}, input order {cases['order']}, seed {told['seed']}.",
        f"Judge: {changed}. Values are means ± standard errors over trials; Δ is the paired difference.", "",
        *lines, "",
        "`top 10`: share of the ten candidates of highest utility among the first ten. See `simulation.json`, `pareto.svg`.",
        "", "| strategy | is |", "| --- | --- |",
        *(f"| {name} | `{one['is']}` |" for name, one in told["strategies"].items()), "",
    ])  # fmt: skip


def write(folder: Path, told: Mapping[str, Any], standings: Sequence[Standing]) -> None:
    """``simulation.json``, ``simulation.md`` and ``pareto.svg``, each replaced whole; the same simulation gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "simulation.md", markdown(told, standings))
    write_whole(folder / "pareto.svg", pareto(standings))
    write_whole(folder / "simulation.json", dumped({"settings": told, "results": rows(standings)}))
