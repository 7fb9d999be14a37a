"""What a chain came to: the funnels, the losses, the measure during training, the test set; as Markdown and as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MODELS = {
    "base": "the base, thinking",
    "base-direct": "the base, verdicts only",
    "student": "student: the sure labels (first mix)",
    "thinking": "filtered by the student, with thoughts",
    "direct": "the same rows, verdicts only",
    "noisy": "all answers as given, with thoughts",
}


def write_report(folder: Path) -> str:
    """Write ``report.md``, ``report.json`` and ``report.svg`` (where matplotlib is installed); returns the Markdown."""
    funnels = {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("rows/*/funnel.json"))}
    logs = {path.parts[-3]: lines(path) for path in sorted(folder.glob("models/*/training/log.jsonl"))}
    tests = {path.parent.name: tested(path.parent) for path in folder.glob("runs/*/metrics.json")}
    lengths = json.loads((folder / "traces" / "lengths.json").read_text())
    found = {"funnels": funnels, "logs": logs, "tests": tests, "lengths": lengths}
    text = markdown(funnels, logs, tests)
    (folder / "report.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "report.md").write_text(text)
    try:
        draw(funnels, logs, folder / "report.svg")
    except ImportError:
        print("no picture: matplotlib is not installed")
    return text


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def tested(run: Path) -> dict[str, float]:
    """The test set's measures, the share of right verdicts, what was written for it."""
    collection = run.parents[1] / "collection"
    relevant = {tuple(line.split("\t")[:2]) for line in (collection / "qrels" / "test.tsv").read_text().splitlines()}
    right = pairs = flaws = written = 0
    for row in lines(run / "trace.jsonl"):
        for doc in row["docs"]:
            pairs += 1
            right += (doc["score"] > 0) == ((row["query"], doc["id"]) in relevant)
            flaws += bool(doc.get("flaw"))
        written += row["output_tokens"]
    measures = json.loads((run / "metrics.json").read_text())
    counts = {"right": right / pairs, "pairs": pairs, "flaws": flaws, "written": written}
    return {**measures["reranked"], **counts, "first_stage": measures["first_stage"]}


def markdown(funnels: dict[str, Any], logs: dict[str, list[dict[str, Any]]], tests: dict[str, Any]) -> str:
    out = ["# A reasoner, from traces to measures", "", "## What was kept of the teacher's answers", ""]
    for name, funnel in funnels.items():
        out += [
            f"**{name}**: {funnel['kept']:,} of {funnel['read']:,} ({funnel['parts']}, {funnel['verdicts']})",
            "",
            *_head("fell", "why"),
        ]
        out += [f"| {step['fell']:,} | {step['reason']} |" for step in funnel["funnel"] if step["fell"]] + [""]
    out += [
        "## What the models learnt",
        "",
        *_head("model", "loss at the end", "dev nDCG@10, checkpoint by checkpoint"),
    ]
    for name, log in logs.items():
        losses = [row["loss"] for row in log if "loss" in row]
        judged = ", ".join(f"{row['eval_measure']:.3f}" for row in log if "eval_measure" in row)
        out.append(f"| {MODELS.get(name, name)} | {losses[-1]:.3f} | {judged} |")
    columns = ("model", "nDCG@10", "RR@10", "right verdicts", "tokens a pair", "flaws")
    out += ["", "## Test set", "", *_head(*columns)]
    if tests:
        bm25 = next(iter(tests.values()))["first_stage"]
        out.append(f"| BM25 | {bm25['nDCG@10']:.4f} | {bm25['RR@10']:.4f} | | | |")
    for name in (name for name in MODELS if name in tests):
        row = tests[name]
        out.append(
            f"| {MODELS[name]} | {row['nDCG@10']:.4f} | {row['RR@10']:.4f} | {row['right']:.1%} "
            f"| {row['written'] / row['pairs']:.1f} | {row['flaws']} |"
        )
    return "\n".join(out) + "\n"


def _head(*columns: str) -> list[str]:
    return [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]


def draw(funnels: dict[str, Any], logs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """The funnel of the final rows, losses, and the dev measure during training, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    funnel = funnels.get("filtered") or next(iter(funnels.values()))
    steps = [("answers", funnel["read"])]
    steps += [(step["reason"], step["before"] - step["fell"]) for step in funnel["funnel"] if step["fell"]]
    left.barh([name for name, _ in steps], [count for _, count in steps], color="tab:green")
    left.invert_yaxis()
    left.set_xlabel("answers left")
    for axes, key, label in ((middle, "loss", "loss"), (right, "eval_measure", "dev nDCG@10")):
        for name, log in logs.items():
            points = [(row["step"], row[key]) for row in log if key in row]
            if points:
                axes.plot(*zip(*points, strict=True), label=MODELS.get(name, name))
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    right.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})
