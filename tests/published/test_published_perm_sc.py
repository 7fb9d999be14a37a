"""Aggregation against castorini/perm-sc (``record_perm_sc.py``): the same distances, and order where one is best."""

import json
from pathlib import Path

import numpy as np
import pytest
from cases_c import case, digest, exact_borda, exact_reciprocal, held, tied

from ponderank.aggregate.kemeny import kemeny, read_order
from ponderank.aggregate.rankings import borda, reciprocal_rank
from ponderank.strategies.tools import ordered

RECORDED = json.loads(Path(__file__).with_name("perm_sc.json").read_text())["cases"]
KEMENY = [name for name, row in RECORDED.items() if row["distances"]]


def _cases(name):
    kind, n = name.split()
    return [(case(kind, int(n), seed), int(n)) for seed in range(RECORDED[name]["seeds"])]


@pytest.mark.parametrize("name", KEMENY)
def test_the_kemeny_order_is_as_near_to_all_rankings_as_theirs(name):
    assert [kemeny(rankings, n).distance for rankings, n in _cases(name)] == RECORDED[name]["distances"]


@pytest.mark.parametrize("name", KEMENY)
def test_where_one_order_alone_is_nearest_it_is_theirs(name):
    sure = [given for given, only in zip(_cases(name), RECORDED[name]["only"], strict=True) if only == "1"]
    assert digest([list(kemeny(rankings, n).order) for rankings, n in sure]) == RECORDED[name]["orders"]


@pytest.mark.parametrize("name", RECORDED)
def test_mean_ranks_give_their_order_up_to_ties(name):
    orders = []
    for rankings, n in _cases(name):
        if held(rankings) == list(range(n)):
            worth = {item: exact_borda(rankings, item) for item in range(n)}
            orders.append(tied(ordered(range(n), borda(rankings, n)), worth))
    assert digest(orders) == RECORDED[name]["borda"]


@pytest.mark.parametrize("name", RECORDED)
def test_mean_reciprocal_ranks_give_their_order_up_to_ties(name):
    orders = []
    for rankings, n in _cases(name):
        if held(rankings) == list(range(n)):
            worth = {item: exact_reciprocal(rankings, item) for item in range(n)}
            orders.append(tied(ordered(range(n), reciprocal_rank(rankings, n, missing="ignored")), worth))
    assert digest(orders) == RECORDED[name]["rrf"]


def test_thousands_of_cases_are_compared_and_most_have_one_best_order():
    only = "".join(row["only"] for row in RECORDED.values())
    assert len(only) > 2500
    assert only.count("1") > 1000


def test_a_solvers_value_of_nearly_one_is_read_as_one_where_theirs_reads_zero():
    values = np.array([0.9999999, 0.9999999, 0.9999999])
    assert read_order(values, 3) == [0, 1, 2]
    assert [int(value) for value in values] == [0, 0, 0]  # theirs: nobody is before anybody
