"""A strategy of your own is a generator: yield groups of indices, be sent judgements, return a score for each candidate.

This one judges the candidates two by two rounds: the better half of the first stage first, the rest only if the best of
them is unsure.
"""

from dataclasses import dataclass

from ponderank import Recipe, Reranker
from ponderank.backends.testing import Oracle
from ponderank.formats.classify import CrossEncoder


@dataclass(frozen=True)
class HeadFirst:
    """Stop after the first half when its best score reaches `enough`."""

    enough: float
    widest: int = 1
    absolute: bool = True

    def plan(self, n, priors=None):
        """One round or two."""
        half = (n + 1) // 2
        scores = [j.scores[0] for j in (yield [(i,) for i in range(half)])]
        if max(scores, default=self.enough) >= self.enough:
            floor = min(scores, default=0.0)
            return scores + [floor - 1 - i for i in range(n - half)]
        return scores + [j.scores[0] for j in (yield [(i,) for i in range(half, n)])]


recipe = Recipe("head-first", "none", CrossEncoder(), HeadFirst(enough=5.0))
with Reranker(recipe, backend=Oracle(lambda query, text: float(len(text)))) as reranker:
    for texts in (["seven..", "a", "bb", "c"], ["xyz", "a", "bb", "longest here"]):
        ranking = reranker.rank("q", texts)
        print([doc.text for doc in ranking.docs], "calls:", ranking.usage.calls)
