"""Each rule against evalica 0.4.2 and choix 0.4.1 on two small tables, and what they get wrong."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank import DataError
from ponderank.aggregate.comparisons import (
    average_win_rate,
    circular_triads,
    consistency,
    copeland,
    eigenvector,
    elo,
    pagerank,
    pooled_win_rate,
    rank_centrality,
    strengths,
    table,
)  # fmt: skip

ONE = [
    (0, 4, 1.0), (1, 5, 1.0), (5, 0, 1.0), (1, 0, 0.0), (0, 1, 0.0), (0, 1, 1.0), (1, 2, 1.0), (3, 5, 1.0), (4, 5, 1.0),
    (3, 4, 0.0), (3, 1, 1.0), (5, 4, 0.0), (3, 0, 0.5), (3, 2, 0.5), (4, 3, 0.5), (6, 1, 0.0), (6, 2, 0.5), (2, 6, 1.0),
    (2, 6, 1.0), (5, 4, 1.0), (3, 1, 0.0), (0, 6, 0.0), (4, 6, 1.0), (1, 0, 1.0), (6, 1, 0.0), (3, 0, 1.0), (0, 4, 1.0),
    (3, 6, 0.0),
]  # fmt: skip
TWO = [
    (6, 1, 1.0), (6, 2, 0.5), (2, 0, 1.0), (2, 4, 0.5), (2, 3, 0.0), (6, 4, 0.0), (5, 4, 1.0), (3, 6, 0.0), (0, 1, 0.0),
    (3, 0, 0.0), (3, 0, 0.0), (2, 6, 1.0), (6, 4, 1.0), (3, 1, 0.0), (4, 5, 1.0), (6, 2, 1.0), (3, 2, 1.0), (1, 2, 0.5),
    (6, 2, 1.0), (6, 5, 0.0), (5, 3, 0.5), (0, 2, 0.5), (5, 2, 1.0), (1, 5, 0.5), (0, 3, 1.0), (6, 0, 0.5), (5, 2, 0.5),
    (2, 3, 0.5),
]  # fmt: skip
EVALICA = {  # elo: in the order given; the others: tolerance 1e-12; strengths: logarithms, their mean taken away
    "pagerank": ([0.216632, 0.207078, 0.079384, 0.180521, 0.125197, 0.085313, 0.105876],
                 [0.09704, 0.10319, 0.204131, 0.104298, 0.130448, 0.168511, 0.192382]),
    "average_win_rate": ([0.35, 0.8, 0.444444, 0.5, 0.604167, 0.333333, 0.433333],
                         [0.4375, 0.6, 0.423611, 0.266667, 0.5, 0.65, 0.604167]),
    "elo": ([998.023284, 1007.885569, 1001.999539, 999.920413, 1001.829574, 996.114254, 994.227368],
            [1001.988292, 1001.965267, 994.136506, 994.092085, 1000.034146, 1003.885944, 1003.89776]),
    "bradley_terry": ([-0.008587, 0.743869, 0.281343, 0.071685, -0.006654, -0.576265, -0.505392],
                      [-0.087236, 0.319196, -0.475045, -0.777856, 0.227175, 0.518718, 0.275048]),
    "newman": ([-0.00986, 0.882508, 0.333052, 0.084883, -0.008574, -0.682711, -0.599297],
               [-0.136284, 0.492871, -0.733173, -1.201564, 0.352, 0.801951, 0.424199]),
}  # fmt: skip
CHOIX_RANK_CENTRALITY = ([0.112039, 0.363953, 0.086987, 0.135699, 0.148225, 0.060543, 0.092554],
                         [0.075793, 0.157127, 0.104637, 0.058573, 0.177127, 0.25514, 0.171603])  # fmt: skip
CHAIN = np.triu(np.ones((4, 4)), 1)  # everybody beat all behind
RULES = (pagerank, average_win_rate, pooled_win_rate, copeland, strengths, rank_centrality, eigenvector)


def tables(games):
    wins, ties = table(games, 7)
    return wins, ties, wins + ties / 2


@pytest.mark.parametrize(("games", "at"), [(ONE, 0), (TWO, 1)])
def test_each_rule_gives_the_numbers_of_evalica_and_choix(games, at):
    wins, ties, all_wins = tables(games)
    found = {
        "pagerank": pagerank(all_wins),
        "average_win_rate": average_win_rate(all_wins),
        "elo": elo(games, 7, shuffles=0),
        "bradley_terry": strengths(all_wins, prior=0),
        "newman": strengths(wins, ties, prior=0),
    }
    for rule, numbers in EVALICA.items():
        assert found[rule] == pytest.approx(numbers[at], abs=2e-5), rule
    assert rank_centrality(all_wins, prior=0) == pytest.approx(CHOIX_RANK_CENTRALITY[at], abs=1e-6)


def test_strengths_stay_sound_where_somebody_never_lost():
    """There evalica's Bradley–Terry gives all the same 1e-06, and choix's does not converge."""
    found = strengths(CHAIN)
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 4
    assert max(found) < 3


def test_the_winner_has_the_largest_eigenvector_score():
    """evalica 0.4.2 multiplies by the transposed table and gives the loser the largest: {'c': 0.85, 'b': 0.43, 'a': 0.31} here."""
    wins = np.array([[0.0, 3.0, 3.0], [1.0, 0.0, 6.0], [1.0, 1.0, 0.0]])
    assert eigenvector(wins)[2] == min(eigenvector(wins))
    losses = eigenvector(wins.T, prior=0)
    assert losses == pytest.approx([0.3092, 0.4297, 0.8483], abs=1e-4)


@pytest.mark.parametrize("rule", RULES)
def test_whoever_beat_all_behind_is_before_them(rule):
    found = rule(CHAIN)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("rule", RULES)
@given(games=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0])), max_size=30))
def test_any_games_give_finite_scores_and_those_that_met_nobody_differ_from_each_other_in_nothing(rule, games):
    wins, ties = table([game for game in games if game[0] != game[1]], 8)
    found = rule(wins + ties / 2)
    assert len(found) == 8
    assert np.isfinite(found).all()
    assert found[6] == found[7]


@pytest.mark.parametrize("rule", [pagerank, average_win_rate, pooled_win_rate, copeland, rank_centrality])
@given(seed=st.integers(0, 999))
def test_names_do_not_matter(rule, seed):
    rng = np.random.default_rng(seed)
    wins = rng.integers(0, 3, size=(6, 6)) * (1 - np.eye(6))
    turn = rng.permutation(6)
    assert rule(wins[np.ix_(turn, turn)]) == pytest.approx([rule(wins)[i] for i in turn], rel=1e-6)


def test_equal_standing_gives_equal_scores_to_the_last_bit():
    ring = np.roll(np.eye(7), 1, axis=1) + np.roll(np.eye(7), 2, axis=1)
    for rule in RULES:
        assert len(set(rule(ring))) == 1, rule


def test_nothing_is_scored_where_there_is_nothing():
    for rule in RULES:
        assert rule(np.zeros((0, 0))) == []
    assert elo([], 2) == [1000.0, 1000.0]


def test_elo_is_the_mean_over_orders_so_that_the_order_given_hardly_matters():
    games = [(0, 1, 1.0)] * 8 + [(1, 0, 1.0)] * 8  # as often the one as the other
    given_order = elo(games, 2, k=32, shuffles=0)
    assert given_order[1] - given_order[0] > 90
    shuffled = elo(games, 2, k=32, shuffles=400)
    assert abs(shuffled[1] - shuffled[0]) < 20
    assert elo(games, 2, seed=5) == elo(games, 2, seed=5)


def test_circular_triads_are_those_that_one_can_count():
    rng = np.random.default_rng(0)
    for n in (5, 8, 11):
        wins = np.triu(rng.integers(0, 2, size=(n, n)), 1).astype(float)
        wins += np.tril(1 - wins.T, -1)
        counted = sum(
            wins[a, b] * wins[b, c] * wins[c, a] + wins[b, a] * wins[c, b] * wins[a, c]
            for a, b, c in itertools.combinations(range(n), 3)
        )
        by_formula = n * (n - 1) * (2 * n - 1) / 12 - (wins.sum(axis=1) ** 2).sum() / 2
        assert circular_triads(wins) == counted == by_formula


def test_a_chain_is_consistent_and_a_ring_of_five_could_not_be_less_so():
    assert consistency(CHAIN) == 1.0
    assert consistency(np.roll(np.eye(5), 1, axis=1) + np.roll(np.eye(5), 2, axis=1)) == 0.0
    assert consistency(np.zeros((2, 2))) == 1.0


@pytest.mark.parametrize("wins", [np.zeros((2, 3)), -np.ones((2, 2)), np.eye(2), np.full((2, 2), np.nan)])
def test_what_is_no_table_of_wins_is_refused(wins):
    with pytest.raises(DataError):
        pagerank(wins)


def test_a_result_is_a_win_a_loss_or_a_tie():
    with pytest.raises(DataError, match=r"0\.3"):
        table([(0, 1, 0.3)], 2)
