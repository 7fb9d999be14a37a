"""``ponderank recipes`` and ``ponderank models``: what there is to rank with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ponderank.cli.output import Form


def recipes(
    name: Annotated[str | None, typer.Argument(help="Explain this recipe.")] = None,
    form: Annotated[Form, typer.Option("--format", help="auto: a table on a terminal, JSON in a pipe.")] = Form.auto,
) -> None:
    """List the recipes, or explain one."""
    from ponderank.cli.output import console, is_table
    from ponderank.recipes import RECIPES, find

    if name is not None:
        described = find(name).to_dict()
        print(_explained(described) if is_table(form) else json.dumps(described, ensure_ascii=False))
        return
    if not is_table(form):
        for recipe in RECIPES.values():
            print(json.dumps(recipe.to_dict(), ensure_ascii=False))
        return
    from rich.table import Table

    table = Table("recipe", "model", "what it does", "after", box=None, pad_edge=False, header_style="bold")
    for recipe in RECIPES.values():
        what = recipe.note or f"{type(recipe.strategy).__name__} over {type(recipe.format).__name__}"
        table.add_row(recipe.name, recipe.model, what, recipe.paper)
    console().print(table)


def models(
    form: Annotated[Form, typer.Option("--format", help="auto: text on a terminal, JSON in a pipe.")] = Form.auto,
) -> None:
    """Show the embedded model, the first part of its card, and the models that the recipes name."""
    from ponderank.cli.output import is_table
    from ponderank.models import default_folder
    from ponderank.recipes import RECIPES

    folder = default_folder()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    others = sorted({recipe.model for recipe in RECIPES.values()} - {"embedded"})
    if not is_table(form):
        print(
            json.dumps(
                {"embedded": str(folder), "bytes": size, "card": card(folder), "named_by_recipes": others},
                ensure_ascii=False,
            )
        )
        return
    print(
        f"embedded: {folder}, {size / 1e6:.1f} MB" if size else f"embedded: missing ({folder}); install Ponderank again"
    )
    print(f"\n{card(folder)}\n" if card(folder) else "")
    print("named by recipes, to be fetched first and given with --model FOLDER:")
    print("\n".join(f"  {other}" for other in others))


def card(folder: Path) -> str:
    """The first section of a model's card (``README.md``), without its YAML head; empty where there is none."""
    path = folder / "README.md"
    if not path.is_file():
        return ""
    text = path.read_text("utf-8")
    if text.startswith("---\n") and "\n---\n" in text:
        text = text.split("\n---\n", 1)[1]
    return text.strip().split("\n## ", 1)[0].strip()


def _explained(described: dict[str, Any]) -> str:
    lines = [f"{key:<9} {_part(value)}" for key, value in described.items() if value]
    return "\n".join(lines)


def _part(value: Any) -> str:
    """A part as it is written in a table: ``Kind(field=value, …)``."""
    if isinstance(value, dict) and "kind" in value:
        return f"{value['kind']}({', '.join(f'{k}={_part(v)}' for k, v in value.items() if k != 'kind')})"
    return str(value)
