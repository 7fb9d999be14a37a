"""Models that rank a whole list by where they look, or by what they write over passages read apart; and what each needs.

The model ids are those of the authors' repositories (``run_icr_beir.sh``; ListT5's ``README.md``).
"""

from __future__ import annotations

from ponderank.formats.attention import ICR
from ponderank.formats.list_t5 import ListT5
from ponderank.recipe import Recipe
from ponderank.recipes.needs import HERE, Needs
from ponderank.strategies.tournament import TournamentSort
from ponderank.strategies.window import Window

_ICR = "In-context reranking, arXiv 2410.02642"
_LIST_T5 = "ListT5, arXiv 2402.15838"
_ALL = Window(size=100)
_TREE = TournamentSort(group=5, keep=2, k=10)

_ROWS: list[tuple[Recipe, Needs | None]] = [
    (Recipe("icr", "", ICR(), _ALL, _ICR,
            "attention to the documents, nothing is written; any causal language model with a chat template; give its model"), None),
    (Recipe("icr-llama3.1-8b", "meta-llama/Meta-Llama-3.1-8B-Instruct", ICR(chat="llama-3"), _ALL, _ICR,
            "attention to the documents, nothing is written"), Needs(8.03, HERE, 128)),
    (Recipe("icr-mistral-7b", "mistralai/Mistral-7B-Instruct-v0.2", ICR(chat="mistral"), _ALL, _ICR,
            "attention to the documents, nothing is written"), Needs(7.24, HERE, 128)),
    (Recipe("list-t5-base", "Soyoung97/ListT5-base", ListT5(), _TREE, _LIST_T5,
            "five passages at a time, by an encoder-decoder; the top 10"), Needs(0.22, HERE)),
    (Recipe("list-t5-3b", "Soyoung97/ListT5-3b", ListT5(), _TREE, _LIST_T5,
            "five passages at a time, by an encoder-decoder; the top 10"), Needs(2.85, HERE)),
]  # fmt: skip

RECIPES: tuple[Recipe, ...] = tuple(recipe for recipe, _ in _ROWS)

NEEDS: dict[str, Needs] = {recipe.name: needs for recipe, needs in _ROWS if needs is not None}
"""By recipe; a recipe whose model must be given has none."""
