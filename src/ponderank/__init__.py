"""Rerank text with as much thinking as the task deserves.

>>> from ponderank import Reranker
>>> ranking = Reranker().rank("capital of France", ["Berlin is big.", "Paris is the capital of France."])
>>> ranking.docs[0].text
'Paris is the capital of France.'
"""

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
