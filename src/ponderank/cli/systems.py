"""``ponderank systems``: which system is best over many tasks, and whether the answer depends on the rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ponderank.cli.evaluate_tables import Layout, lines

if TYPE_CHECKING:
    from ponderank.metrics.systems import Standings


def systems(
    tables: Annotated[
        list[Path],
        typer.Argument(help="One JSON {system: {task: score}}; or with -m a file a task, from evaluate --format json."),
    ],
    measure: Annotated[
        str | None, typer.Option("-m", "--measure", help="What to rank by, where a file is a task.")
    ] = None,
    layout: Annotated[Layout, typer.Option("--format", help="json and full print everything.")] = Layout.table,
    resamples: Annotated[
        int, typer.Option(min=0, help="Draws for Bradley-Terry's intervals; 0 leaves them out.")
    ] = 200,
    seed: Annotated[int, typer.Option(help="Of those draws.")] = 0,
) -> None:
    """Rank systems over many tasks by five rules: mean, Borda, Bradley-Terry, Copeland and minimax.

    Scores are higher for better systems. null, or no entry, is a task that a system was not run on.
    """
    from ponderank.evaluate import read_table
    from ponderank.metrics.systems import rank_systems

    found = rank_systems(read_table(tables, measure), resamples=resamples, seed=seed)
    if layout in (Layout.json, Layout.full):
        print(json.dumps(found.to_dict(), indent=2))
        return
    print(_standings(found, layout))
    print("\n" + _agreement(found, layout))
    print("\n" + "\n".join(_said(found)))


def _standings(found: Standings, layout: Layout) -> str:
    rules = list(found.ranks)
    best = "mean" if found.common else "bradley-terry"
    order = sorted(found.tasks, key=lambda system: found.ranks[best][system])
    rows = [
        [system, *(_cell(found, rule, system) for rule in rules), str(found.tasks[system])]
        + (["[{:+.2f}, {:+.2f}]".format(*found.intervals[system])] if found.intervals else [])
        for system in order
    ]
    interval = ["bradley-terry, 95 %"] if found.intervals else []
    return lines(["rank (score)", *rules, "tasks", *interval], rows, layout)


def _cell(found: Standings, rule: str, system: str) -> str:
    rank, score = found.ranks[rule][system], found.scores[rule][system]
    return "–" if rank != rank else f"{rank:g} ({score:.4g})"


def _agreement(found: Standings, layout: Layout) -> str:
    rules = list(found.ranks)
    both = found.agreement | {(b, a): tau for (a, b), tau in found.agreement.items()}
    rows = [
        [
            one,
            *(
                "" if one == other else "–" if both[one, other] != both[one, other] else f"{both[one, other]:.2f}"
                for other in rules
            ),
        ]
        for one in rules
    ]
    return lines(["Kendall tau-b", *rules], rows, layout)


def _said(found: Standings) -> list[str]:
    out = [f"beats every other one on most tasks: {found.condorcet or 'no system'}"]
    whole = len(found.common)
    out.append(
        f"mean and borda: the {whole} tasks that all systems have" if whole else "mean and borda: no task that all have"
    )
    if not found.connected:
        out.append("bradley-terry: some systems were never beaten by the others; its prior alone keeps them near")
    out += [f"{a} before {b}: {', '.join(one)}; after: {', '.join(other)}" for a, b, one, other in found.disputed]
    return out if found.disputed else [*out, "no two rules disagree about a pair of systems"]
