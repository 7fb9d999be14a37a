"""Rerank text with as much thinking as the task deserves.

>>> from ponderank import Reranker
>>> ranking = Reranker().rank("capital of France", ["Berlin is big.", "Paris is the capital of France."])
>>> ranking.docs[0].text
'Paris is the capital of France.'
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ponderank.engine import Engine, Progress
    from ponderank.errors import BackendError, DataError, MissingExtra, PonderankError, RecipeError
    from ponderank.recipe import Recipe
    from ponderank.reranker import Reranker
    from ponderank.types import Candidates, Doc, Judgement, Query, Ranking, Usage

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "Candidates",
    "DataError",
    "Doc",
    "Engine",
    "Judgement",
    "MissingExtra",
    "PonderankError",
    "Progress",
    "Query",
    "Ranking",
    "Recipe",
    "RecipeError",
    "Reranker",
    "Usage",
]

# where each name lives; fetched when first asked for, so that `import ponderank` costs next to nothing
_HOMES = {
    "ponderank.engine": ("Engine", "Progress"),
    "ponderank.errors": ("BackendError", "DataError", "MissingExtra", "PonderankError", "RecipeError"),
    "ponderank.recipe": ("Recipe",),
    "ponderank.reranker": ("Reranker",),
    "ponderank.types": ("Candidates", "Doc", "Judgement", "Query", "Ranking", "Usage"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            value: object = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
