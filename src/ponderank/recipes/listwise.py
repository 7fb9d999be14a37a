"""Language models that rank a list in one go, in windows that slide up the candidates, and what each needs.

Every model id was seen in its authors' repository (rank_llm, llm-reranker, fullrank, rank-k, ReasonRank, DeAR-Reranking), CodeRankLLM's
(there ``cornstack/CodeRankLLM``) in others' code and pages. RaCT and
Rank-without-GPT had published neither a model nor their code when this was written. Sizes are those of the base models.
"""

from __future__ import annotations

from ponderank.contracts import Format, Strategy
from ponderank.formats.first import First
from ponderank.formats.permutation import RankGPT, RankLLM
from ponderank.formats.permutation_prompts import AROUND
from ponderank.formats.rank_k import RankK
from ponderank.formats.reason_rank import ReasonRank
from ponderank.recipe import Recipe
from ponderank.recipes.needs import EVERY, Needs
from ponderank.strategies.window import Window

_WINDOW = Window(size=20, stride=10)
_WHOLE = Window(size=100, stride=50)
_FULL = RankLLM("full", words=100, widest=100)

_RANKGPT = "RankGPT, arXiv 2304.09542"
_VICUNA = "RankVicuna, arXiv 2309.15088"
_ZEPHYR = "RankZephyr, arXiv 2312.02724"
_FIRST = "FIRST, arXiv 2406.15657"
_FULL_RANKING = "full ranking, arXiv 2412.14574"
_CORNSTACK = "CoRNStack, arXiv 2412.01007"
_RANK_K = "Rank-K, arXiv 2505.14432"
_REASON = "ReasonRank, arXiv 2508.07050"
_DEAR = "DeAR, arXiv 2508.16998"


def _row(
    name: str, model: str, form: Format, strategy: Strategy, needs: Needs, paper: str, note: str = ""
) -> tuple[Recipe, Needs]:
    return Recipe(name, model, form, strategy, paper, note), needs


_ROWS: list[tuple[Recipe, Needs | None]] = [
    (Recipe("rankgpt", "", RankGPT(), _WINDOW, _RANKGPT,
            "any chat model, asked for an order of 20, each passage in a turn of its own; give its model"), None),
    (Recipe("window", "", RankLLM(), _WINDOW, _ZEPHYR, "any chat model, asked for an order of 20 in one turn; give its model"), None),
    (Recipe("full-ranking", "", _FULL, _WHOLE, _FULL_RANKING,
            "any chat model with a long context, asked for an order of 100 at once; give its model"), None),
    _row("rank-vicuna", "castorini/rank_vicuna_7b_v1", RankLLM("vicuna", around=AROUND["vicuna"]), _WINDOW,
         Needs(6.74, EVERY, 512), _VICUNA),
    _row("rank-zephyr", "castorini/rank_zephyr_7b_v1_full", RankLLM(), _WINDOW, Needs(7.24, EVERY, 128), _ZEPHYR),
    _row("rank-zephyr-rho", "castorini/rank_zephyr_7b_v1_full", RankLLM(), Window(size=20, stride=10, passes=3),
         Needs(7.24, EVERY, 128), _ZEPHYR, "three passes"),
    _row("first", "rryisthebest/First_Model", First(), _WINDOW, Needs(7.24, EVERY, 128), _FIRST, "generates nothing"),
    _row("first-mistral", "castorini/first_mistral", First("zephyr-letters"), _WINDOW, Needs(7.25, EVERY, 128),
         f"{_FIRST}; arXiv 2411.05508", "generates nothing"),
    _row("rank-mistral-100", "liuwenhan/RankMistral100", RankLLM("full", words=100, around=AROUND["mistral"], widest=100), _WHOLE,
         Needs(7.25, EVERY, 128), _FULL_RANKING, "100 passages in one prompt"),
    _row("code-rank-llm", "nomic-ai/CodeRankLLM", RankLLM("code", passage_tokens=1024, widest=10), Window(size=10, stride=5),
         Needs(7.62, EVERY, 56), _CORNSTACK, "code that a doc string asks for; RankLLM('code-issue') for issues"),
    _row("rank-k", "hltcoe/Rank-K-32B", RankK(), _WINDOW, Needs(32.8, EVERY, 256), _RANK_K, "thinks, then writes an order with ties"),
    _row("reason-rank-7b", "liuwenhan/reasonrank-7B", ReasonRank(), _WINDOW, Needs(7.62, EVERY, 56), _REASON),
    _row("reason-rank-8b", "liuwenhan/reasonrank-8B", ReasonRank(qwen3=True, temperature=0.6, top_p=0.95, top_k=20), _WINDOW,
         Needs(8.19, EVERY, 144), _REASON, "the id of its authors' script; their README links ModelScope's lwhlwh/reasonrank-8B"),
    _row("reason-rank-32b", "liuwenhan/reasonrank-32B", ReasonRank(), _WINDOW, Needs(32.8, EVERY, 256), _REASON),
    _row("dear-listwise", "abdoelsayed/dear-8b-reranker-listwise-v1", RankGPT("dear", max_tokens=1024, temperature=0.5, top_p=0.9), _WINDOW,
         Needs(8.03, EVERY, 128), _DEAR, "the second stage; its authors gave it the best 30 of the first"),
]  # fmt: skip

RECIPES: tuple[Recipe, ...] = tuple(recipe for recipe, _ in _ROWS)

NEEDS: dict[str, Needs] = {recipe.name: needs for recipe, needs in _ROWS if needs is not None}
"""By recipe; a recipe whose model must be given has none."""
