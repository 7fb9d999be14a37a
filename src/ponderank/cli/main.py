"""The command ``ponderank``. Only the module of the command that is called is imported, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import typer

from ponderank.cli.exits import EPILOG, guarded


class Entry(NamedTuple):
    """A command by name: where its function (or its group of commands) lives, and its line in ``--help``."""

    name: str
    target: str
    help: str


COMMANDS = (
    Entry("rerank", "ponderank.cli.rerank:rerank", "Order texts by their relevance to a query."),
    Entry("search", "ponderank.cli.search:search", "Search a collection: BM25 or vectors, then rerank."),
    Entry("run", "ponderank.cli.run:run", "Rerank every query of a collection into a folder; resumable."),
    Entry("evaluate", "ponderank.cli.evaluate:evaluate", "Score run files against relevance judgements."),
    Entry("robustness", "ponderank.cli.robustness:robustness", "Test how steady a recipe is, in five figures."),
    Entry("simulate", "ponderank.cli.simulate:simulate", "Try strategies on noisy judges made from judgements."),
    Entry("systems", "ponderank.cli.systems:systems", "Rank systems over many tasks, by several rules."),
    Entry("report", "ponderank.cli.report:report", "Write a page about runs: tables, pictures, reasons, holes."),
    Entry("judge", "ponderank.cli.judge:app", "Judge what was never judged, and evaluate again."),
    Entry("calibrate", "ponderank.cli.calibrate:calibrate", "Make probabilities hold, on judged pairs."),
    Entry("collections", "ponderank.cli.collections:collections", "List the collections, or explain one."),
    Entry("recipes", "ponderank.cli.recipes:recipes", "List the recipes, explain one, or see what an engine runs."),
    Entry("models", "ponderank.cli.recipes:models", "Show the embedded model and its card."),
    Entry("distill", "ponderank.cli.distill:app", "From a teacher to training rows."),
    Entry("train", "ponderank.cli.train:app", "Train a reranker."),
    Entry("quantise", "ponderank.cli.quantise:quantise", "Make a model smaller, and measure what that costs."),
    Entry("doctor", "ponderank.cli.doctor:doctor", "Check this installation."),
)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # a lone surrogate from a broken document then prints as \udXXX, which is also its JSON escape
        stream.reconfigure(errors="backslashreplace", **({} if stream.isatty() else {"encoding": "utf-8"}))  # type: ignore[union-attr]
    build(sys.argv[1:])(prog_name="ponderank")


def build(args: Sequence[str]) -> typer.Typer:
    """The application, with the command named in ``args`` imported and a mere line of help for each other one."""
    app = typer.Typer(
        help="Rerank text with as much thinking as the task deserves.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: half the start-up time
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    called = next((word for word in args if not word.startswith("-")), None)
    completing = "_PONDERANK_COMPLETE" in os.environ
    for entry in COMMANDS:
        if completing or entry.name == called:
            _mount(app, entry)
        else:
            app.command(entry.name, help=entry.help)(_not_imported)
    return app


def _mount(app: typer.Typer, entry: Entry) -> None:
    module, attribute = entry.target.split(":")
    found: Any = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        for command in found.registered_commands:
            if command.callback is not None:
                command.callback = guarded(command.callback)
        app.add_typer(found, name=entry.name, help=entry.help)
    else:
        app.command(entry.name, epilog=EPILOG)(guarded(found))


def _print_version(asked: bool) -> None:
    if asked:
        from ponderank import __version__

        print(f"ponderank {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Declares the options that stand before a command."""


def _not_imported() -> None:
    """Stands for a command that was not called."""


if __name__ == "__main__":
    main()
