"""``ponderank recipes`` and ``ponderank models``: what there is to rank with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.output import Form

if TYPE_CHECKING:
    from ponderank.recipe import Recipe
    from ponderank.recipes.needs import Needs
    from ponderank.suits import Suited


def recipes(
    name: Annotated[str | None, typer.Argument(help="Explain this recipe.")] = None,
    find: Annotated[
        str | None,
        typer.Option(
            "--find", help="Only those with this text in name, model, format, strategy, paper or note.", metavar="TEXT"
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help="Say what runs on this engine and what does not, and why: onnx, transformers, llamacpp, vllm, or a server's URL.",
            metavar="ENGINE",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="With --engine: the model's folder, or a server's name for it.", metavar="MODEL"),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="auto: a table on a terminal, JSON in a pipe.")] = Form.auto,
) -> None:
    """List the recipes, or explain one; with --engine, say which of them it can run."""
    from ponderank.cli.output import is_table
    from ponderank.recipes import RECIPES
    from ponderank.recipes import find as find_recipe

    if model is not None and engine is None:
        raise typer.BadParameter("--model says which model an --engine runs; give both", param_hint="--model")
    chosen = [find_recipe(name)] if name is not None else [one for one in RECIPES.values() if _holds(one, find)]
    if not chosen:
        raise typer.BadParameter(f"no recipe has {find!r} in it; leave --find out to see all", param_hint="--find")
    suited = _suited(chosen, engine, model)
    if not is_table(form):
        for recipe in chosen:
            print(json.dumps(_described(recipe, suited), ensure_ascii=False))
    elif name is not None:
        print(_explained(chosen[0].to_dict()))
        print(spent(chosen[0]))
        print("\n".join(how_to_run(name)))
        if suited:
            print(f"\non {engine}: {_said(suited[name])}")
    else:
        _listed(chosen, suited)


def _holds(recipe: Recipe, text: str | None) -> bool:
    """Whether a recipe has a text in what is told of it, small and capital letters alike."""
    kinds = (type(recipe.strategy).__name__, *(type(judge.format).__name__ for judge in recipe.judges))
    told = " ".join((recipe.name, recipe.paper, recipe.note, *kinds, *(judge.model for judge in recipe.judges)))
    return text is None or text.lower() in told.lower()


def _suited(chosen: Sequence[Recipe], engine: str | None, model: str | None) -> dict[str, Suited]:
    """By recipe, whether the engine can run it; empty without an engine."""
    if engine is None:
        return {}
    from ponderank.recipes import NEEDS
    from ponderank.suits import offered, suits

    offer = offered(engine, model)
    return {recipe.name: suits(recipe, offer, NEEDS.get(recipe.name)) for recipe in chosen}


def _described(recipe: Recipe, suited: dict[str, Suited]) -> dict[str, Any]:
    from ponderank.recipes import NEEDS

    needs, found = NEEDS.get(recipe.name), suited.get(recipe.name)
    told = {"needs": needed(needs)} if needs else {}
    if found is not None:
        told |= {"runs": found.runs, "why": found.why}  # type: ignore[dict-item]
    return recipe.to_dict() | told


def _said(found: Suited) -> str:
    return f"{'yes' if found.runs else 'no'}{': ' if found.why else ''}{found.why}"


def _listed(chosen: Sequence[Recipe], suited: dict[str, Suited]) -> None:
    from rich.table import Table

    from ponderank.cli.output import console

    last = "runs there" if suited else "after"
    table = Table("recipe", "model", "what it does", last, box=None, pad_edge=False, header_style="bold")
    for recipe in sorted(chosen, key=lambda one: bool(suited) and not suited[one.name].runs):
        kinds = " + ".join(type(judge.format).__name__ for judge in recipe.judges)
        what = recipe.note or f"{type(recipe.strategy).__name__} over {kinds}"
        told = _said(suited[recipe.name]) if suited else recipe.paper
        table.add_row(recipe.name, recipe.model or "(give one)", what, told)
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


def spent(recipe: Recipe, n: int = 100) -> str:
    """What ranking ``n`` candidates takes, in a line: exact, or counted on right answers where they decide what is asked."""
    from ponderank.estimate import is_exact, judgements_and_rounds

    judgements, rounds = judgements_and_rounds(recipe.strategy, n)
    about = "" if is_exact(recipe.strategy, n) else "about "
    why = "" if not about else ", if the answers are right and the first stage is as good as BM25 often is"
    return (
        f"{'cost':<9} {about}{judgements:,} judgements in {rounds:,} round{'s' * (rounds != 1)} for {n} candidates{why}"
    )


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

    named = list(dict.fromkeys(judge.model for judge in find(name).judges if judge.model not in ("", "embedded")))
    needs = NEEDS.get(name)
    if needs is None:
        empty = any(not judge.model and judge.format.needs for judge in find(name).judges)
        said = "needs     a model: --model FOLDER, --model FILE.gguf, or --engine URL --model NAME"
        return ["", said] if empty else []
    model, folders = named[0], [one.rpartition("/")[2] for one in named]
    folder = folders[0] if len(named) == 1 else "."  # of several, the folder that holds theirs
    served = f" --model {model}" if len(named) == 1 else ""  # each is asked for by its own name
    commands = {
        "http": [
            *(f"vllm serve {one} --port 8000      # or any OpenAI-compatible server" for one in named),
            f'ponderank rerank "QUERY" docs.jsonl --recipe {name} --engine http://127.0.0.1:8000/v1{served}',
        ],
        "transformers": [
            "pip install 'ponderank[torch]'",
            *(f"hf download {one} --local-dir {at}" for one, at in zip(named, folders, strict=True)),
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
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return f"[{', '.join(map(_part, value))}]"
    return str(value)
