"""``ponderank recipes`` and ``ponderank models``: what there is to rank with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.output import Form

if TYPE_CHECKING:
    from ponderank.recipes.needs import Needs


def recipes(
    name: Annotated[str | None, typer.Argument(help="Explain this recipe.")] = None,
    form: Annotated[Form, typer.Option("--format", help="auto: a table on a terminal, JSON in a pipe.")] = Form.auto,
) -> None:
    """List the recipes, or explain one."""
    from ponderank.cli.output import console, is_table
    from ponderank.recipes import NEEDS, RECIPES, find

    if name is not None:
        described = find(name).to_dict()
        if is_table(form):
            print(_explained(described))
            print("\n".join(how_to_run(name)))
        else:
            needs = NEEDS.get(name)
            print(json.dumps(described | ({"needs": needed(needs)} if needs else {}), ensure_ascii=False))
        return
    if not is_table(form):
        for recipe in RECIPES.values():
            print(json.dumps(recipe.to_dict(), ensure_ascii=False))
        return
    from rich.table import Table

    table = Table("recipe", "model", "what it does", "after", box=None, pad_edge=False, header_style="bold")
    for recipe in RECIPES.values():
        what = recipe.note or f"{type(recipe.strategy).__name__} over {type(recipe.format).__name__}"
        table.add_row(recipe.name, recipe.model or "(give one)", what, recipe.paper)
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
    others = sorted({recipe.model for recipe in RECIPES.values()} - {"embedded", ""})
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


def needed(needs: Needs) -> dict[str, Any]:
    """What a model needs, ready for JSON: billions of parameters, gigabytes, engines."""
    return {
        "parameters_b": needs.parameters,
        "weights_gb": needs.weights_gb(),
        "weights_gb_4bit": needs.weights_gb(4),
        "memory_gb": needs.memory_gb(4096, 8),
        "engines": list(needs.engines),
    }


def how_to_run(name: str) -> list[str]:
    """What running a recipe takes, in lines: memory, engines, a command for each."""
    from ponderank.recipes import NEEDS, find

    model, needs = find(name).model, NEEDS.get(name)
    if needs is None:
        return (
            [] if model else ["", "needs     a model: --model FOLDER, --model FILE.gguf, or --engine URL --model NAME"]
        )
    folder = model.rpartition("/")[2]
    commands = {
        "http": [
            f"vllm serve {model} --port 8000      # or any OpenAI-compatible server",
            f'ponderank rerank "QUERY" docs.jsonl --recipe {name} --engine http://127.0.0.1:8000/v1 --model {model}',
        ],
        "transformers": [
            f"pip install 'ponderank[torch]' && hf download {model} --local-dir {folder}",
            f'ponderank rerank "QUERY" docs.jsonl --recipe {name} --engine transformers --model {folder}',
        ],
        "llamacpp": [
            "pip install 'ponderank[llamacpp]'      # and a GGUF of the model, see docs/engines/llamacpp.md",
            f'ponderank rerank "QUERY" docs.jsonl --recipe {name} --engine llamacpp --model {folder}.gguf',
        ],
    }
    whole, four = needs.memory_gb(4096, 8), needs.memory_gb(4096, 8, 4)
    memory = f"memory    about {whole:g} GB for 8 texts of 4,096 tokens at once, {four:g} GB at 4 bits"
    lines = ["", f"needs     {needs}", memory]
    for engine in ("http", "transformers", "llamacpp"):
        if engine in needs.engines:
            lines += ["", *(f"    {line}" for line in commands[engine])]
    return lines


def _part(value: Any) -> str:
    """A part as it is written in a table: ``Kind(field=value, …)``."""
    if isinstance(value, dict) and "kind" in value:
        return f"{value['kind']}({', '.join(f'{k}={_part(v)}' for k, v in value.items() if k != 'kind')})"
    return str(value)
