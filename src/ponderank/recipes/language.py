"""Language models that judge one passage at a time, pointwise, and what each needs.

Every model id was seen in its authors' repository or model card; those of RankLLaMA 13B and of the RankT5 checkpoints, converted
by the author of ListT5, in others' evaluation code. TFRank had published no checkpoint when this was written. Sizes are those of
the base models; see ``Needs`` for the estimate of memory.
"""

from __future__ import annotations

from ponderank.contracts import Format
from ponderank.formats.graded import ERank, RetroStar, TFRank
from ponderank.formats.pair_form import PairForm
from ponderank.formats.rank1 import Rank1
from ponderank.formats.verdict import Verdict
from ponderank.formats.yes_no import (
    BGE_GEMMA,
    FOLLOWIR,
    MONOT5,
    MT5_TRUE,
    MT5_YES,
    MXBAI_RERANK_V2,
    PTT5,
    QWEN3_RERANKER,
    RANKT5,
)
from ponderank.recipe import Recipe
from ponderank.recipes.needs import EVERY, HERE, SERVED, Needs
from ponderank.strategies.adaptive import AdaptiveThinking
from ponderank.strategies.pointwise import Pointwise

_NO_THOUGHT = "<think>\n\n</think>\n\n"
_T5_NOTE = "an encoder-decoder; run with prompts of 512 tokens, as it was trained"
_RANKLLAMA_NOTE = (
    "an adapter: merge it into its Llama 2 base, as a classifier with one label, and give the merged folder"
)
_AWQ_NOTE = "4-bit weights (AWQ)"

_RANK1 = "Rank1, arXiv 2502.18418"
_MONOT5 = "monoT5, arXiv 2003.06713"
_MMARCO = "mMARCO, arXiv 2108.13897"
_RANKT5 = "RankT5, arXiv 2210.10634"
_RANKLLAMA = "RankLLaMA, arXiv 2310.08319"
_QWEN3 = "Qwen3-Reranker, arXiv 2506.05176"
_MXBAI = "ProRank (mxbai-rerank-v2), arXiv 2506.03487"
_ERANK = "ERank, arXiv 2509.00520"
_RETRO = "Retro*, arXiv 2509.24869"


def _row(name: str, model: str, form: Format, needs: Needs, paper: str, note: str = "") -> tuple[Recipe, Needs]:
    return Recipe(name, model, form, Pointwise(), paper, note), needs


def _rank1(size: str, needs: Needs, model: str = "") -> list[tuple[Recipe, Needs]]:
    """A Rank1 model."""
    return [_row(f"rank1-{size}", f"jhu-clsp/rank1-{model or size}", Rank1(), needs, _RANK1)]


def _awq(size: str, parameters: float, context_kb: float, model: str = "") -> list[tuple[Recipe, Needs]]:
    """The same with the authors' own 4-bit weights."""
    needs = Needs(parameters, SERVED, context_kb, bits=4)
    return [_row(f"rank1-{size}-awq", f"jhu-clsp/rank1-{model or size}-awq", Rank1(), needs, _RANK1, _AWQ_NOTE)]


_ROWS: list[tuple[Recipe, Needs | None]] = [
    (Recipe("rank1", "", Rank1(), Pointwise(), _RANK1, "thinks, then says true or false; give its model"), None),
    (Recipe("rank1-direct", "", Rank1(think=False), Pointwise(), _RANK1,
            "Rank1 without a thought, for models trained so; give its model"), None),
    (Recipe("rank1-adaptive", "", Rank1(), AdaptiveThinking(k=10), "Rank1; AcuRank, arXiv 2505.18512",
            "verdicts at once for all, thoughts where the top 10 is in doubt; give its model"), None),
    (Recipe("verdict", "", Verdict(), Pointwise(), "",
            "any chat model: it reasons, then says yes or no; give its model"), None),
    (Recipe("verdict-direct", "", Verdict(think=False), Pointwise(), "",
            "any chat model, asked for yes or no at once; give its model"), None),
    (Recipe("tfrank", "", TFRank(), Pointwise(), "TFRank, arXiv 2508.09539",
            "grades without a thought; give its model"), None),
    *_rank1("0.5b", Needs(0.49, EVERY, 12)),
    *_rank1("1.5b", Needs(1.54, EVERY, 28)),
    *_rank1("3b", Needs(3.09, EVERY, 36)),
    *_rank1("7b", Needs(7.62, EVERY, 56)),
    *_rank1("14b", Needs(14.8, EVERY, 192)),
    *_rank1("32b", Needs(32.8, EVERY, 256)),
    *_rank1("llama3-8b", Needs(8.03, EVERY, 128)),
    *_rank1("mistral-24b", Needs(23.6, EVERY, 160), "mistral-2501-24b"),
    *_awq("7b", 7.62, 56),
    *_awq("14b", 14.8, 192),
    *_awq("32b", 32.8, 256),
    *_awq("llama3-8b", 8.03, 128),
    *_awq("mistral-24b", 23.6, 160, "mistral-2501-24b"),
    _row("monot5-small", "castorini/monot5-small-msmarco-10k", MONOT5, Needs(0.06, HERE), _MONOT5, _T5_NOTE),
    _row("monot5-base", "castorini/monot5-base-msmarco-10k", MONOT5, Needs(0.22, HERE), _MONOT5, _T5_NOTE),
    _row("monot5-large", "castorini/monot5-large-msmarco-10k", MONOT5, Needs(0.74, HERE), _MONOT5, _T5_NOTE),
    _row("monot5-3b", "castorini/monot5-3b-msmarco-10k", MONOT5, Needs(2.85, HERE), _MONOT5, _T5_NOTE),
    _row("mt5-base-mmarco", "unicamp-dl/mt5-base-mmarco-v2", MT5_YES, Needs(0.58, HERE), _MMARCO, _T5_NOTE),
    _row("mt5-13b-mmarco", "unicamp-dl/mt5-13b-mmarco-100k", MT5_TRUE, Needs(12.9, HERE), _MMARCO, _T5_NOTE),
    _row("ptt5-base", "unicamp-dl/ptt5-base-pt-msmarco-100k-v2", PTT5, Needs(0.22, HERE), _MMARCO, _T5_NOTE),
    _row("rankt5-base", "Soyoung97/RankT5-base", RANKT5, Needs(0.22, HERE), _RANKT5, _T5_NOTE),
    _row("rankt5-large", "Soyoung97/RankT5-large", RANKT5, Needs(0.74, HERE), _RANKT5, _T5_NOTE),
    _row("rankt5-3b", "Soyoung97/RankT5-3b", RANKT5, Needs(2.85, HERE), _RANKT5, _T5_NOTE),
    _row("rankllama-7b", "castorini/rankllama-v1-7b-lora-passage", PairForm(), Needs(6.61, HERE), _RANKLLAMA, _RANKLLAMA_NOTE),
    _row("rankllama-13b", "castorini/rankllama-v1-13b-lora-passage", PairForm(), Needs(12.9, HERE), _RANKLLAMA, _RANKLLAMA_NOTE),
    _row("followir-7b", "jhu-clsp/FollowIR-7B", FOLLOWIR, Needs(7.24, EVERY, 128), "FollowIR, arXiv 2403.15246",
         "follows a query's instruction"),
    _row("qwen3-reranker-0.6b", "Qwen/Qwen3-Reranker-0.6B", QWEN3_RERANKER, Needs(0.6, EVERY, 112), _QWEN3),
    _row("qwen3-reranker-4b", "Qwen/Qwen3-Reranker-4B", QWEN3_RERANKER, Needs(4.02, EVERY, 144), _QWEN3),
    _row("qwen3-reranker-8b", "Qwen/Qwen3-Reranker-8B", QWEN3_RERANKER, Needs(8.19, EVERY, 144), _QWEN3),
    _row("mxbai-rerank-base-v2", "mixedbread-ai/mxbai-rerank-base-v2", MXBAI_RERANK_V2, Needs(0.49, EVERY, 12), _MXBAI),
    _row("mxbai-rerank-large-v2", "mixedbread-ai/mxbai-rerank-large-v2", MXBAI_RERANK_V2, Needs(1.54, EVERY, 28), _MXBAI),
    _row("bge-reranker-v2-gemma", "BAAI/bge-reranker-v2-gemma", BGE_GEMMA, Needs(2.51, HERE, 18), "FlagEmbedding",
         "one label's logit, which only an engine in this process gives"),
    _row("erank-4b", "Alibaba-NLP/ERank-4B", ERank(), Needs(4.02, EVERY, 144), _ERANK),
    _row("erank-14b", "Alibaba-NLP/ERank-14B", ERank(), Needs(14.8, EVERY, 160), _ERANK),
    _row("erank-32b", "Alibaba-NLP/ERank-32B", ERank(), Needs(32.8, EVERY, 256), _ERANK),
    _row("retro-star-7b", "ljw13/retro-star-qwen2.5-7b-instruct-0923", RetroStar(), Needs(7.62, EVERY, 56), _RETRO),
    _row("retro-star-32b", "ljw13/retro-star-qwen2.5-32b-instruct-0923", RetroStar(), Needs(32.8, EVERY, 256), _RETRO),
    _row("retro-star-qwen3-8b", "ljw13/retro-star-qwen3-8b-0928", RetroStar(prefill=_NO_THOUGHT), Needs(8.19, EVERY, 144), _RETRO),
    _row("retro-star-qwen3-14b", "ljw13/retro-star-qwen3-14b-0928", RetroStar(prefill=_NO_THOUGHT), Needs(14.8, EVERY, 160), _RETRO),
    _row("retro-star-qwen3-32b", "ljw13/retro-star-qwen3-32b-0928", RetroStar(prefill=_NO_THOUGHT), Needs(32.8, EVERY, 256), _RETRO),
]  # fmt: skip

RECIPES: tuple[Recipe, ...] = tuple(recipe for recipe, _ in _ROWS)

NEEDS: dict[str, Needs] = {recipe.name: needs for recipe, needs in _ROWS if needs is not None}
"""By recipe; a recipe whose model must be given has none."""
