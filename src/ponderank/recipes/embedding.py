"""Models that give vectors: bi-encoders, E2Rank, ColBERT; and what each needs.

The model ids of E2Rank are those of its authors' README, ColBERT's that of its repository. AGRaME had published no checkpoint when
this was written: its way of scoring sentences runs on any late-interaction model.
"""

from __future__ import annotations

from ponderank.formats.embedding import BiEncoder, E2Rank
from ponderank.formats.late_interaction import ColBERT
from ponderank.recipe import Recipe
from ponderank.recipes.needs import HERE, Needs
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.window import Window

_COLBERT = "colbert-ir/colbertv2.0"
_COLBERT_PAPER = "ColBERTv2, arXiv 2112.01488"
_E2RANK_PAPER = "E2Rank, arXiv 2510.22733"
_E2RANK_NOTE = "a listwise prompt as a query that is embedded: one reading of the first 20, one of each document"


def _e2rank(size: str, parameters: float) -> tuple[Recipe, Needs]:
    recipe = Recipe(
        f"e2rank-{size.lower()}", f"Alibaba-NLP/E2Rank-{size}", E2Rank(), Window(size=100), _E2RANK_PAPER, _E2RANK_NOTE
    )
    return recipe, Needs(parameters, HERE)


_ROWS: list[tuple[Recipe, Needs | None]] = [
    (Recipe("bi-encoder", "", BiEncoder(), Pointwise(), "Sentence-BERT, arXiv 1908.10084",
            "any embedding model that is read by its mean token; give its model"), None),
    _e2rank("0.6B", 0.6),
    _e2rank("4B", 4.02),
    _e2rank("8B", 8.19),
    (Recipe("colbert", _COLBERT, ColBERT(), Pointwise(), _COLBERT_PAPER, "late interaction"), Needs(0.11, HERE)),
    (Recipe("colbert-sentences", _COLBERT, ColBERT(unit="sentence"), Pointwise(), "AGRaME, arXiv 2405.15028",
            "documents by their best sentence"), Needs(0.11, HERE)),
]  # fmt: skip

RECIPES: tuple[Recipe, ...] = tuple(recipe for recipe, _ in _ROWS)

NEEDS: dict[str, Needs] = {recipe.name: needs for recipe, needs in _ROWS if needs is not None}
"""By recipe; a recipe whose model must be given has none."""
