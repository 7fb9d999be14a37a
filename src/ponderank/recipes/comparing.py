"""Language models that compare passages: the best of a few, two at a time, grades for a group, the worst, the best half.

Every model id was seen in its authors' repository, or (Rank-R1 32B, FLAN-T5 XL) in others' evaluation code. A recipe without a model
asks any chat model, over a server too, unless its note says what else it needs; in its heap a tie goes to the earlier of the first
stage, where those of published models do as published. IRanker has published no checkpoint that could
be found, duoBERT one for TensorFlow only.
"""

from __future__ import annotations

from ponderank.contracts import Format, Strategy
from ponderank.formats.exclusion import IRanker
from ponderank.formats.group_rank import GroupRank
from ponderank.formats.pair import PRP, DuoBERT, DuoT5
from ponderank.formats.selection import Selection
from ponderank.formats.setwise import RankR1, Setwise
from ponderank.recipe import Recipe
from ponderank.recipes.needs import EVERY, HERE, Needs
from ponderank.strategies.elimination import Elimination
from ponderank.strategies.groups import Groups
from ponderank.strategies.pairs import AllPairs, PairHeapsort, PairQuicksort, PairSliding, SwissRounds
from ponderank.strategies.setwise import SetwiseBubble, SetwiseHeapsort
from ponderank.strategies.tourrank import TourRank
from ponderank.strategies.window import Window

_SETWISE = "Setwise, arXiv 2310.09497"
_RANK_R1 = "Rank-R1, arXiv 2503.06034"
_PRP = "PRP, arXiv 2306.17563"
_FUSION = "LLM-RankFusion, arXiv 2406.00231"
_DUO_T5 = "duoT5, arXiv 2101.05667"
_GROUP_RANK = "GroupRank, arXiv 2511.11653"
_TOURRANK = "TourRank, arXiv 2406.11678"

_T5_NOTE = "an encoder-decoder; its labels' likelihoods are read"
_BEGUN = "reads likelihoods behind a begun answer, which vLLM, SGLang and llama.cpp go on with"

_EXAMPLES = (
    (
        "why is the sky blue",
        "Air scatters short waves of sunlight far more than long ones, so that blue light reaches us from every part of the sky. "
        "This is called Rayleigh scattering.",
        "On a clear day the sky is blue. At dusk it turns orange and red, which has been painted and photographed countless times.",
    ),
)
"""Ponderank's own; LLM-RankFusion's, taken from a judged collection, are not published."""


def _any(name: str, form: Format, strategy: Strategy, paper: str, note: str) -> tuple[Recipe, None]:
    """A recipe whose model must be given."""
    return Recipe(name, "", form, strategy, paper, f"{note}; give its model"), None


def _rank_r1(size: str, parameters: float, context_kb: float) -> list[tuple[Recipe, Needs]]:
    """A Rank-R1 model and its twin without thoughts."""
    base, needs = f"Qwen/Qwen2.5-{size.upper()}-Instruct", Needs(parameters, EVERY, context_kb)
    note = f"an adapter: merge it into {base}, and give the merged folder"
    strategy, name = SetwiseHeapsort(children=19, shuffle=0), size.upper()
    return [
        (Recipe(f"rank-r1-{size}", f"ielabgroup/Rank-R1-{name}-v0.1", RankR1(), strategy, _RANK_R1, note), needs),
        (Recipe(f"setwise-sft-{size}", f"ielabgroup/Setwise-SFT-{name}-v0.1", RankR1(think=False), strategy, _RANK_R1, note), needs),
    ]  # fmt: skip


def _flan(size: str, parameters: float) -> list[tuple[Recipe, Needs]]:
    """What is published of a FLAN-T5 model."""
    model, needs = f"google/flan-t5-{size}", Needs(parameters, HERE)
    setwise, pairs = Setwise("likelihood", "raw"), PRP("scoring", "raw")
    return [
        (Recipe(f"setwise-heapsort-flan-t5-{size}", model, setwise, SetwiseHeapsort(), _SETWISE, _T5_NOTE), needs),
        (Recipe(f"setwise-windows-flan-t5-{size}", model, setwise, Window(4, 2, passes=5), _SETWISE, _T5_NOTE), needs),
        (Recipe(f"prp-heapsort-flan-t5-{size}", model, pairs, PairHeapsort(), _PRP, _T5_NOTE), needs),
        (Recipe(f"prp-sliding-flan-t5-{size}", model, pairs, PairSliding(), _PRP, _T5_NOTE), needs),
    ]


_CALIBRATED = PRP("scoring", "begun", both_orders=True, examples=_EXAMPLES)
_CALIBRATED_LETTER = PRP("scoring", "letter", both_orders=True, examples=_EXAMPLES)

_ROWS: list[tuple[Recipe, Needs | None]] = [
    _any("setwise-heapsort", Setwise(), SetwiseHeapsort(ties="earlier"), _SETWISE, "the best of 3 passages, in a heap"),
    _any("setwise-heapsort-10", Setwise(), SetwiseHeapsort(children=9, ties="earlier"), _SETWISE,
         "the best of 10 passages, in a heap: fewer calls"),
    _any("setwise-bubble", Setwise(), SetwiseBubble(), _SETWISE, "the best of 3 passages, in passes from the bottom up"),
    _any("setwise-likelihood", Setwise("likelihood", "begun"), SetwiseHeapsort(), _SETWISE, _BEGUN),
    _any("setwise-windows", Setwise("likelihood", "begun"), Window(4, 2, passes=5), _SETWISE, f"windows of 4; {_BEGUN}"),
    *_flan("large", 0.78),
    *_flan("xl", 2.85),
    _any("rank-r1", RankR1(), SetwiseHeapsort(children=19, shuffle=0, ties="earlier"), _RANK_R1,
         "thinks, then names the best of 20 passages"),
    *_rank_r1("3b", 3.09, 36),
    *_rank_r1("7b", 7.62, 56),
    *_rank_r1("14b", 14.8, 192),
    (Recipe("rank-r1-32b", "ielabgroup/Rank-R1-32B-v0.2", RankR1(version="0.2", max_tokens=8000),
            SetwiseHeapsort(children=19, shuffle=0), _RANK_R1,
            "an adapter: merge it into Qwen/Qwen3-32B, and give the merged folder"), Needs(32.8, EVERY, 256)),
    _any("prp-allpair", PRP(), AllPairs(), _PRP, "every pair in both orders: n * (n - 1) calls"),
    _any("prp-heapsort", PRP(), PairHeapsort(ties="earlier"), _PRP, "pairs in both orders, in a heap"),
    _any("prp-sliding", PRP(), PairSliding(passes=10), _PRP, "neighbours in both orders, in 10 passes from the bottom up"),
    _any("prp-quicksort", PRP(), PairQuicksort(), _PRP, "pairs in both orders, many at once, divided by pivots"),
    _any("prp-swiss", PRP(), SwissRounds(), _PRP, "pairs in both orders, 5 rounds of a Swiss tournament"),
    _any("prp-scoring", PRP("scoring", "letter"), AllPairs(aggregate="sum"), _PRP,
         "every pair by the probability of its letter, where a server gives log-probabilities"),
    _any("llm-rankfusion", _CALIBRATED, PairHeapsort(both_orders=False), _FUSION,
         f"pairs behind examples, calibrated over both orders; {_BEGUN}"),
    _any("llm-rankfusion-letter", _CALIBRATED_LETTER, PairHeapsort(both_orders=False), _FUSION,
         "the same by a single letter, where a server gives log-probabilities"),
    (Recipe("duot5-base", "castorini/duot5-base-msmarco", DuoT5(), AllPairs(aggregate="sum"), _DUO_T5, _T5_NOTE), Needs(0.22, HERE)),
    (Recipe("duot5-3b", "castorini/duot5-3b-msmarco", DuoT5(), AllPairs(aggregate="sum"), _DUO_T5, _T5_NOTE), Needs(2.85, HERE)),
    _any("duobert", DuoBERT(), AllPairs(aggregate="first"), "duoBERT, arXiv 1910.14424",
         "a classifier of two passages, published for TensorFlow: convert it"),
    _any("group-rank", GroupRank(), Groups(), _GROUP_RANK, "grades for groups of 10, drawn twice"),
    (Recipe("group-rank-7b", "AQ-MedAI/Diver-GroupRank-7B", GroupRank(), Groups(), _GROUP_RANK), Needs(7.62, EVERY, 56)),
    (Recipe("group-rank-32b", "AQ-MedAI/Diver-GroupRank-32B", GroupRank(), Groups(), _GROUP_RANK), Needs(32.8, EVERY, 256)),
    _any("iranker", IRanker(), Elimination(size=20), "IRanker, arXiv 2506.21638",
         "thinks, then leaves out the worst of the last 20, until one is left; begins the model's thought in its chat template"),
    _any("tourrank", Selection(), TourRank(), _TOURRANK, "one tournament: the best half of each group goes on"),
    _any("tourrank-10", Selection(), TourRank(tournaments=10), _TOURRANK, "ten tournaments"),
]  # fmt: skip

RECIPES: tuple[Recipe, ...] = tuple(recipe for recipe, _ in _ROWS)

NEEDS: dict[str, Needs] = {recipe.name: needs for recipe, needs in _ROWS if needs is not None}
"""By recipe; a recipe whose model must be given has none."""
