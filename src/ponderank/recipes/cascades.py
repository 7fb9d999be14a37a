"""A cascade written as text: ``default:20,rank1:5``."""

from __future__ import annotations

import re

from ponderank.errors import RecipeError
from ponderank.recipe import Judge, Recipe
from ponderank.recipes import find
from ponderank.strategies.cascade import Cascade

_STAGE = re.compile(r"(?P<name>[^@:]+)(?:@(?P<model>.+?))?(?::(?P<keep>[^:]*))?")


def cascade(text: str) -> tuple[Recipe, int | None]:
    """The recipe that a text describes, and how many of the last stage's best are wanted (None: all).

    Stages are separated by commas, the cheapest first: ``RECIPE:KEEP``, or ``RECIPE@MODEL:KEEP`` with a model of its own. So
    many of a stage's best go on to the next one; behind the last, so many are shown.

    Raises:
        RecipeError: fewer than two stages, a stage that is not written so, no such recipe, or a KEEP that grows.

    >>> recipe, shown = cascade("default:20,rank1:5")
    >>> recipe.strategy.keep, shown, [judge.model for judge in recipe.judges]
    ((20,), 5, ['embedded', ''])
    """
    stages = [_stage(piece.strip(), text) for piece in text.split(",")]
    if len(stages) < 2:
        raise RecipeError(f"a cascade of one stage, {text!r}; give two or more, such as default:20,rank1:5")
    keeps = [keep for _, keep in stages]
    kept = [keep for keep in keeps[:-1] if keep is not None]
    if len(kept) < len(stages) - 1:
        at = keeps.index(None)
        raise RecipeError(f"stage {stages[at][0].name!r} does not say how many go on; write {stages[at][0].name}:20")
    sizes = [keep for keep in keeps if keep is not None]
    if sizes != sorted(sizes, reverse=True):
        raise RecipeError(
            f"cascade {text!r} keeps {', '.join(map(str, sizes))}; a stage cannot keep more than it is given"
        )
    recipes = [recipe for recipe, _ in stages]
    judges = [judge for recipe in recipes for judge in recipe.judges]
    papers = dict.fromkeys(recipe.paper for recipe in recipes if recipe.paper)
    made = Recipe(
        text,
        judges[0].model,
        judges[0].format,
        Cascade(tuple(recipe.strategy for recipe in recipes), tuple(kept)),
        "; ".join(papers),
        " → ".join(recipe.name for recipe in recipes),
        tuple(judges[1:]),
    )
    return made, keeps[-1]


def _stage(piece: str, text: str) -> tuple[Recipe, int | None]:
    found = _STAGE.fullmatch(piece)
    if not found:
        raise RecipeError(f"cannot read stage {piece!r} of {text!r}; write RECIPE:KEEP, such as default:20,rank1:5")
    recipe, keep = find(found["name"].strip()), found["keep"]
    if found["model"]:
        recipe = recipe.judged_by([Judge(found["model"], recipe.format), *recipe.others])
    if keep is None:
        return recipe, None
    if not keep.strip().isdecimal() or int(keep) < 1:
        raise RecipeError(f"stage {piece!r} keeps {keep!r}; give a whole number of 1 or more")
    return recipe, int(keep)
