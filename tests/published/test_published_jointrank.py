"""Blocks against the authors' JointRank: what is drawn from a seed, and what is made of the orders (``record_jointrank.py``).

Of scores the record holds one sum a case, each score times the place of its item from 1.
"""

import json
import random
from pathlib import Path

import pytest
from cases_b import BLOCK, digest, driven, relevance, scores_of

from ponderank.aggregate.comparisons import average_win_rate, pagerank, table
from ponderank.strategies.block_designs import _equi_replicate, blocks_of, hang_together
from ponderank.strategies.blocks import Blocks, comparisons
from ponderank.types import Judgement

RECORD = json.loads(Path(__file__).with_name("jointrank.json").read_text())
DESIGNS = [tuple(design) for design in RECORD["designs"]]


def weighed(scores):
    return sum((i + 1) * score for i, score in enumerate(scores))


def as_published(n, size, replicas, seed):
    """Their number of blocks, rounded down."""
    return _equi_replicate(n, size, replicas, random.Random(seed))[: replicas * n // size]


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_the_same_blocks_are_drawn_from_the_same_seed(design):
    drawn = [as_published(*design, seed) for seed in range(BLOCK)]
    assert digest(drawn) == RECORD["blocks"]["/".join(map(str, design))]


def test_squares_and_triangles_are_the_same():
    assert digest([blocks_of("latin", k * k, k, 2, 0) for k in range(2, 15)]) == RECORD["latin"]
    triangles = [blocks_of("triangular", k * (k + 1) // 2, k, 2, 0) for k in range(2, 15)]
    assert digest(triangles) == RECORD["triangular"]


@pytest.mark.parametrize("kind", ["perfect", "noisy", "intransitive"])
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_the_same_orders_give_the_same_scores(design, kind):
    for name, rule in (("pagerank", pagerank), ("win-rate", average_win_rate)):
        for seed in range(BLOCK):
            games = []
            for block in as_published(*design, seed):
                games += comparisons(block, Judgement(scores_of(kind, seed, block)))
            published = RECORD["scores"]["/".join(map(str, (*design, kind, name)))][seed]
            assert weighed(rule(table(games, design[0])[0])) == pytest.approx(published, abs=1e-5)


@pytest.mark.parametrize("design", [(100, 20, 4), (100, 10, 2), (40, 20, 2), (64, 8, 3)], ids=str)
def test_a_whole_plan_gives_the_published_scores_wherever_the_published_blocks_hang_together(design):
    n, size, replicas = design
    for name in ("pagerank", "win-rate"):
        for seed in range(BLOCK):
            if hang_together(as_published(*design, seed), n):
                strategy = Blocks(size, replicas, aggregate=name, seed=seed)
                scores, _, _ = driven(strategy, n, lambda group, seed=seed: scores_of("noisy", seed, group))
                assert weighed(scores) == pytest.approx(
                    RECORD["scores"][f"{n}/{size}/{replicas}/noisy/{name}"][seed], abs=1e-5
                )


def test_published_blocks_may_fall_apart_and_ours_never_do():
    """20 items in pairs, twice each: most draws are several circles, each with a best of its own."""
    apart = [seed for seed in range(BLOCK) if not hang_together(as_published(20, 2, 2, seed), 20)]
    assert len(apart) > BLOCK / 2
    assert all(hang_together(blocks_of("equi-replicate", 20, 2, 2, seed), 20) for seed in range(BLOCK))


def test_the_published_number_of_blocks_shows_some_less_often_than_asked():
    """37 in blocks of 20, four times each: theirs are 7 blocks, 140 places for 148; ours 8."""
    theirs, ours = as_published(37, 20, 4, 0), blocks_of("equi-replicate", 37, 20, 4, 0)
    assert (len(theirs), len(ours)) == (7, 8)
    assert min(sum(i in block for block in theirs) for i in range(37)) == 3
    assert min(sum(i in block for block in ours) for i in range(37)) >= 4


def test_pagerank_may_put_another_before_the_best_even_with_a_perfect_judge():
    """A win over somebody who lost rarely is worth more than many others. By win rate nobody can be above the best."""
    missed = {"pagerank": 0, "win-rate": 0}
    for name in missed:
        for seed in range(BLOCK):
            scores, _, _ = driven(
                Blocks(aggregate=name, seed=seed), 100, lambda group, seed=seed: scores_of("perfect", seed, group)
            )
            missed[name] += scores[max(range(100), key=lambda i, seed=seed: relevance(seed, i))] < max(scores)
    assert missed["pagerank"] > 0 == missed["win-rate"]
