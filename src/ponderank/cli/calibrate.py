"""``ponderank calibrate``: probabilities that hold, fitted on judged pairs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.calibrate_shown import PICTURES, Layout, report, said, show
from ponderank.cli.rerank import Cache, EngineName, Model, RecipeName, Think, ThinkTokens, named

if TYPE_CHECKING:
    from ponderank.calibrate.made import Asked, Made
    from ponderank.calibrate.pairs import Judged, Labels


class Way(StrEnum):
    """How a score becomes a probability."""

    temperature = "temperature"
    platt = "platt"
    isotonic = "isotonic"


def calibrate(
    collections: Annotated[
        list[str] | None,
        typer.Option(
            "--collection", help="A folder or id with judgements; may be repeated, and then each counts the same."
        ),
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--run",
            help="A finished folder of ponderank run, whose scores are taken; may be repeated.",
            metavar="FOLDER",
        ),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Whose judgements. [default: dev where there is one]")] = None,
    k: Annotated[
        int, typer.Option("-k", min=1, help="Candidates a query that the first stage gives; as many as in use.")
    ] = 100,
    queries: Annotated[
        int | None, typer.Option(min=2, help="Draw so many queries of each collection.", metavar="N")
    ] = None,
    recipe: RecipeName = None,
    model: Model = None,
    engine: EngineName = None,
    think: Think = None,
    think_tokens: ThinkTokens = None,
    cache: Cache = None,
    method: Annotated[
        Way, typer.Option(help="platt: slope and intercept; temperature: a slope; isotonic: rising steps.")
    ] = Way.platt,
    level: Annotated[
        list[int] | None,
        typer.Option(help="Of a recipe with cheaper judges: which to calibrate, 0 the full one. [default: all]"),
    ] = None,
    relevant: Annotated[
        int | None, typer.Option(help="The lowest grade that is relevant. [default: the collection's]")
    ] = None,
    assume_negative: Annotated[
        bool, typer.Option("--assume-negative", help="Count candidates that nobody judged as not relevant.")
    ] = False,
    folds: Annotated[
        int, typer.Option(min=2, help="Parts of the queries; each is tested by what the others teach.")
    ] = 5,
    bins: Annotated[int, typer.Option(min=1, help="Of the calibration errors and the plot.")] = 15,
    seed: Annotated[int, typer.Option(help="Of the folds, the intervals and --queries.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where it is kept. [default: beside the model]", metavar="FILE")
    ] = None,
    reports: Annotated[
        list[Path] | None,
        typer.Option(
            "--report",
            help="Figures as .json, or the reliability plot as .png, .svg, .pdf; may be repeated.",
            metavar="FILE",
        ),
    ] = None,
    layout: Annotated[Layout, typer.Option("--format", help="How the figures are printed.")] = Layout.table,
) -> None:
    """Fit how scores become probabilities of relevance, on judged pairs; scores and order stay as they are.

    Figures are of queries that were not fitted on. Candidates that nobody judged are left out, unless --assume-negative.
    """
    from ponderank.calibrate.made import Asked
    from ponderank.calibrate.pairs import Labels
    from ponderank.cli.exits import say
    from ponderank.recipes import find

    _check(collections, runs, reports)
    asked, labels = Asked(method.value, folds, bins, seed=seed), Labels(relevant, assume_negative)
    if runs:
        found, place = _of_runs(runs, asked, labels, collections, split, level)
        path = _place(out, place)
    else:
        given: dict[str, Any] = {
            "recipe": named(recipe, think),
            "model": model,
            "engine": engine,
            "think_tokens": think_tokens,
        }
        given |= {"think": think is not False, "cache": cache}
        path = _place(out, model or find(given["recipe"]).model)  # before anything is asked
        found = _of_collections(collections or [], asked, labels, given, split, k, queries, level)
    from ponderank.calibration import write

    write([one.calibration for one in found.values()], path)
    show(found, layout)
    report(found, reports or [])
    for line in said(found):
        say(line)
    say(f"kept in {path}")


def _check(collections: list[str] | None, runs: list[Path] | None, reports: list[Path] | None) -> None:
    if not collections and not runs:
        raise typer.BadParameter("judged pairs are needed: give --collection, or --run with a finished run's folder")
    if runs and len(collections or []) > 1:
        raise typer.BadParameter("with --run, --collection stands for the one that the run names; give it once at most")
    for path in reports or []:
        if path.suffix not in (".json", *PICTURES):
            raise typer.BadParameter(
                f"{path}: give a name that ends in .json, {', '.join(PICTURES)}", param_hint="--report"
            )


def _of_collections(
    names: list[str], asked: Asked, labels: Labels, given: dict[str, Any], split: str | None, k: int, queries: int | None,
    levels: list[int] | None,
) -> dict[int, Made]:  # fmt: skip
    from ponderank.calibrate.made import made
    from ponderank.calibrate.pairs import alone, of_collection
    from ponderank.calibration import beside, fitting, formats, read
    from ponderank.cli.progress import shown
    from ponderank.errors import RecipeError
    from ponderank.reranker import Reranker
    from ponderank.run import Experiment

    with Reranker(**given, calibration="none") as ranker:
        whole, forms = ranker.recipe, formats(ranker.recipe)
        alone(whole)
        present: Any = {}
        path = beside(whole.model)
        if path is not None and path.is_file():
            try:
                present = fitting(read(path), whole, ranker.fingerprint, path=path)
            except RecipeError:
                present = {}  # of another model: what this command is about to mend
        found = {}
        for level in _levels(levels, list(forms)):
            with shown("judging") as on_progress:
                one = Reranker(alone(whole, level), backend=ranker.backend)
                judged = [
                    of_collection(
                        Experiment(name, split=split or _dev(name), k=k), one, labels, count=queries, seed=asked.seed,
                        on_progress=on_progress,
                    )
                    for name in names
                ]  # fmt: skip
            found[level] = made(
                judged,
                asked,
                form=forms[level],
                model=ranker.fingerprint,
                recipe=whole.name,
                present=present.get(level),
            )
        return found


def _of_runs(
    folders: list[Path], asked: Asked, labels: Labels, collections: list[str] | None, split: str | None,
    levels: list[int] | None,
) -> tuple[dict[int, Made], str]:  # fmt: skip
    from ponderank.calibrate.made import made
    from ponderank.calibrate.pairs import of_run
    from ponderank.calibration import Calibration, formats
    from ponderank.errors import DataError

    traced = [
        of_run(folder, labels, collection=collections[0] if collections else None, split=split) for folder in folders
    ]
    first, forms = traced[0], formats(traced[0].recipe)
    for folder, one in zip(folders, traced, strict=True):
        if (one.model, formats(one.recipe)) != (first.model, forms):
            raise DataError(
                f"this run is of another model or format than {folders[0]}; calibrate them one by one", path=folder
            )
    found = {}
    for level in _levels(levels, sorted({level for one in traced for level in one.judged})):
        judged: list[Judged] = [one.judged[level] for one in traced if level in one.judged]
        old = next(
            (one.calibration[str(level)] for one in traced if one.calibration and str(level) in one.calibration), None
        )
        present = None if old is None else Calibration.from_dict(old)
        found[level] = made(
            judged, asked, form=forms[level], model=first.model, recipe=first.recipe.name, present=present,
            scale=None if present is None else present.scale,
        )  # fmt: skip
    return found, first.recipe.model


def _levels(asked: list[int] | None, there: list[int]) -> list[int]:
    wrong = sorted(set(asked or []) - set(there))
    if wrong:
        raise typer.BadParameter(
            f"there is no level {wrong[0]}; there are {', '.join(map(str, there))}", param_hint="--level"
        )
    return asked or there


def _dev(name: str) -> str | None:
    from ponderank.data.collections import open_collection

    return "dev" if "dev" in open_collection(name).splits else None


def _place(out: Path | None, model: str) -> Path:
    """Where the calibrations go: never into an installed package."""
    from ponderank.calibration import beside

    path = None if model == "embedded" else beside(model)
    if out is None and path is None:
        what = (
            "the embedded model's folder belongs to the package"
            if model == "embedded"
            else f"{model!r} has no folder here"
        )
        raise typer.BadParameter(f"{what}; name a file, and give it to --calibration", param_hint="--out")
    return out or path or Path()
