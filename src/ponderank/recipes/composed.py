"""Systems made of others: blocks, partitions and repeats around a listwise prompt; one stage behind the other; diversity.

Model ids as in the other tables; those of DeAR's first stage were seen in its authors' repository.
"""

from __future__ import annotations

from ponderank.contracts import Format, Strategy
from ponderank.formats.classify import CrossEncoder
from ponderank.formats.likeness import Likeness
from ponderank.formats.pair import DuoT5
from ponderank.formats.pair_form import PairForm
from ponderank.formats.passages import Passages
from ponderank.formats.permutation import RankGPT, RankLLM
from ponderank.formats.rank1 import Rank1
from ponderank.formats.snippets import Snippets
from ponderank.formats.yes_no import MONOT5
from ponderank.recipe import Judge, Recipe
from ponderank.recipes.needs import EVERY, HERE, Needs
from ponderank.strategies.blocks import Blocks
from ponderank.strategies.cascade import Cascade
from ponderank.strategies.diverse import Diverse
from ponderank.strategies.pairs import AllPairs
from ponderank.strategies.pointwise import Pointwise
from ponderank.strategies.repeat import Repeat
from ponderank.strategies.top_down import TopDown
from ponderank.strategies.window import Window

_JOINT = "JointRank, arXiv 2506.22262"
_PSC = "permutation self-consistency, arXiv 2310.07712"
_TDPART = "TDPart, arXiv 2405.14589"
_MONO_DUO = "Expando-Mono-Duo, arXiv 2101.05667"
_DEAR = "DeAR, arXiv 2508.16998"
_MMR = "maximal marginal relevance, SIGIR 1998"

_ZEPHYR = "castorini/rank_zephyr_7b_v1_full"
_DEAR_8B, _DEAR_LIST = "abdoelsayed/dear-8b-reranker-ce-v1", "abdoelsayed/dear-8b-reranker-listwise-v1"
_EMBEDDED = CrossEncoder(Passages(length=160, stride=120))
_WORDS = Judge("", Likeness())


def _any(name: str, form: Format, strategy: Strategy, paper: str, note: str) -> tuple[Recipe, None]:
    """A recipe whose model must be given."""
    return Recipe(name, "", form, strategy, paper, f"{note}; give its model"), None


def _mono_duo(size: str, parameters: float) -> tuple[Recipe, Needs]:
    """The monoT5 model of a size on all, the duoT5 model on its best 50."""
    stages = Cascade((Pointwise(), AllPairs(aggregate="sum")), keep=(50,))
    mono, duo = f"castorini/monot5-{size}-msmarco-10k", f"castorini/duot5-{size}-msmarco"
    note = "one model on all, the other on every pair of its best 50"
    return Recipe(f"mono-duo-t5-{size}", mono, MONOT5, stages, _MONO_DUO, note, (Judge(duo, DuoT5()),)), Needs(
        parameters, HERE
    )


_ROWS: list[tuple[Recipe, Needs | None]] = [
    _any("jointrank", Snippets(), Blocks(size=20, replicas=4), _JOINT, "20 overlapping blocks of 20 in one round, joined by PageRank"),
    _any("jointrank-10", Snippets(), Blocks(size=10, replicas=2), _JOINT, "20 overlapping blocks of 10 in one round"),
    _any("tdpart", RankLLM(), TopDown(sequential=True), _TDPART, "windows of 20 that ask who is above the tenth of the first"),
    _any("tdpart-parallel", RankLLM(), TopDown(), _TDPART, "the same, a whole scan a round: three rounds in place of six"),
    (Recipe("tdpart-rank-zephyr", _ZEPHYR, RankLLM(), TopDown(sequential=True), _TDPART, "about a third fewer calls than windows"),
     Needs(7.24, EVERY, 128)),
    _any("self-consistency", RankGPT(), Repeat(Window(), times=20), _PSC,
         "the centre of 20 rankings of shuffled candidates, by Kendall's distance"),
    (Recipe("self-consistency-rank-zephyr", _ZEPHYR, RankLLM(), Repeat(Window(), times=10), _PSC,
            "the centre of 10 rankings of shuffled candidates"), Needs(7.24, EVERY, 128)),
    _mono_duo("base", 0.44),
    _mono_duo("3b", 5.7),
    (Recipe("dear-pointwise", _DEAR_8B, PairForm(), Pointwise(), _DEAR, "the first stage"), Needs(8.03, HERE)),
    (Recipe("dear", _DEAR_8B, PairForm(), Cascade((Pointwise(), Window()), keep=(30,)), _DEAR,
            "both stages: the second on the best 30 of the first",
            (Judge(_DEAR_LIST, RankGPT("dear", max_tokens=1024, temperature=0.5, top_p=0.9)),)), Needs(16.1, HERE)),
    (Recipe("think-top-20", "embedded", _EMBEDDED, Cascade((Pointwise(prior_weight=0.2), Pointwise()), keep=(20,)),
            "Rank1, arXiv 2502.18418", "the embedded model on all, thoughts about its best 20; give the model that thinks",
            (Judge("", Rank1()),)), None),
    (Recipe("default-diverse", "embedded", _EMBEDDED, Diverse(Pointwise(prior_weight=0.2)), _MMR,
            "the embedded model's order, with ten on top that do not repeat each other", (_WORDS,)), None),
]  # fmt: skip

RECIPES: tuple[Recipe, ...] = tuple(recipe for recipe, _ in _ROWS)

NEEDS: dict[str, Needs] = {recipe.name: needs for recipe, needs in _ROWS if needs is not None}
"""By recipe, all its models together; a recipe whose model must be given has none."""
