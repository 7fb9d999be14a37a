"""A bar on the probability of relevance: what reaches it, and what was left out and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ponderank.errors import RecipeError
from ponderank.recipe import Recipe
from ponderank.types import Ranking


def at_least(ranking: Ranking, min_prob: float) -> Ranking:
    """The documents whose probability of relevance is ``min_prob`` or more, in the same order; trace and usage stay whole.

    A document without a probability (late, refused, unparsed, or judged by a cheaper judge that has none) does not reach it.
    One that was truncated, or whose verdict was forced, has a probability and is taken by it.

    Raises:
        RecipeError: ``min_prob`` is not in [0, 1], or judgements without a flaw have no probability: the recipe gives none.

    >>> from ponderank.types import Doc, Query
    >>> found = Ranking(Query("q", ""), (Doc("a", ""), Doc("b", "")), (3.0, 1.0), probs=(0.9, 0.2), order=(1, 0))
    >>> at_least(found, 0.5).docs[0].id, len(at_least(found, 0.5))
    ('a', 1)
    """
    checked(min_prob)
    if not any(prob is not None for prob in ranking.probs) and any(s.judgement.flaw is None for s in ranking.trace):
        raise RecipeError(_NO_PROB.format("this recipe"))
    kept = [rank for rank, prob in enumerate(ranking.probs) if prob is not None and prob >= min_prob]
    return replace(
        ranking,
        docs=tuple(ranking.docs[i] for i in kept),
        scores=tuple(ranking.scores[i] for i in kept),
        probs=tuple(ranking.probs[i] for i in kept),
        order=tuple(ranking.order[i] for i in kept) if ranking.order else (),
        priors=None if ranking.priors is None else tuple(ranking.priors[i] for i in kept),
    )


def left_out(ranking: Ranking, min_prob: float) -> dict[str, int]:
    """How many documents of a ranking do not reach ``min_prob``, by reason: ``below``, a flaw's name, or ``no probability``."""
    counts = Counter[str]()
    for rank, prob in enumerate(ranking.probs):
        if prob is None:
            judged = ranking.judgement(rank) if ranking.order else None
            counts[(judged and judged.flaw) or "no probability"] += 1
        elif prob < min_prob:
            counts["below"] += 1
    return dict(counts)


def checked(min_prob: float, recipe: Recipe | None = None) -> None:
    """Refuse a bar that is no probability, and a recipe that is known to give none, before anything is asked.

    Raises:
        RecipeError: either.
    """
    if not 0 <= min_prob <= 1:
        raise RecipeError(f"min_prob is {min_prob}; give a probability from 0 to 1")
    if recipe is not None and not getattr(recipe.format, "has_prob", True):
        raise RecipeError(_NO_PROB.format(f"recipe {recipe.name!r}"))


_NO_PROB = (
    "{} gives no probability, only scores, so nothing can be held against min_prob; calibrate it first "
    "(ponderank calibrate), or cut by rank with top_k"
)
