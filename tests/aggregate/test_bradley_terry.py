import math

import numpy as np
import pytest

from ponderank import DataError
from ponderank.aggregate.bradley_terry import bradley_terry, connected

CHAIN = np.triu(np.ones((3, 3)), 1)  # a beat b and c, b beat c: nobody lost to somebody below


def _gradient(wins, ties, found, prior):
    """Of the log-likelihood with its prior by log-strength and log v; 0 at the most likely point."""
    strengths, tie = np.exp(found.logs), found.tie
    root = np.sqrt(np.outer(strengths, strengths))
    whole = strengths[:, None] + strengths + 2 * tie * root
    games = wins + wins.T + ties
    expected = games * (strengths[:, None] + tie * root) / whole
    by_strength = (wins + ties / 2 - expected).sum(axis=1) + prior * (1 - strengths) / (1 + strengths)
    by_tie = (ties - games * 2 * tie * root / whole).sum() / 2
    return np.append(by_strength, by_tie)


@pytest.mark.parametrize("prior", [0.0, 0.5, 1.0])
def test_the_gradient_is_0_at_the_answer(prior):
    rng = np.random.default_rng(0)
    tried = 0
    for _ in range(12):
        wins = rng.integers(0, 3, size=(6, 6)).astype(float)
        ties = rng.integers(0, 2, size=(6, 6)).astype(float)
        ties = np.triu(ties, 1) + np.triu(ties, 1).T
        np.fill_diagonal(wins, 0)
        if prior or connected(wins):
            tried += 1
            found = bradley_terry(wins, ties, prior=prior, tolerance=1e-11)
            assert _gradient(wins, ties, found, prior) == pytest.approx(0, abs=1e-7)
    assert tried > 5


def test_two_players_by_hand():
    """3 of 4 games won: the odds are 3."""
    logs = bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]]), prior=0).logs
    assert logs[0] - logs[1] == pytest.approx(math.log(3))


def _sparse(rng, n=12):
    """A ring of wins, which joins all, and some more games."""
    wins = np.zeros((n, n))
    wins[np.arange(n), (np.arange(n) + 1) % n] = 1
    for i, j in rng.integers(0, n, size=(n, 2)):
        wins[i, j] += i != j
    return wins


def _all_at_once(wins, sweeps=300):
    strengths = np.ones(len(wins))
    for _ in range(sweeps):
        whole = strengths[:, None] + strengths
        strengths = (wins * strengths / whole).sum(axis=1) / (wins.T / whole).sum(axis=1)
        strengths /= np.exp(np.log(strengths).mean())
    return np.log(strengths)


def test_sparse_graphs_settle_also_where_updating_all_at_once_does_not():
    rng = np.random.default_rng(5)
    none, astray = np.zeros((12, 12)), 0
    for _ in range(12):
        wins = _sparse(rng)
        found = bradley_terry(wins, prior=0, tolerance=1e-12)
        assert _gradient(wins, none, found, 0) == pytest.approx(0, abs=1e-6)
        astray += not np.allclose(_all_at_once(wins), found.logs, atol=1e-3)
    assert astray


def test_without_a_chain_of_wins_the_prior_keeps_strengths_finite_and_it_is_said():
    """One imagined win and loss each gives a > b > c at ±0.91."""
    found = bradley_terry(CHAIN)
    assert not found.connected
    assert found.logs == pytest.approx((0.91, 0.0, -0.91), abs=0.005)


def test_without_a_prior_it_is_an_error():
    with pytest.raises(DataError, match="no finite strengths exist"):
        bradley_terry(CHAIN, prior=0)


def test_all_ties_are_all_equal():
    ties = np.ones((3, 3)) - np.eye(3)
    assert bradley_terry(np.zeros((3, 3)), ties).logs == (0.0, 0.0, 0.0)


def test_ties_must_be_symmetric():
    with pytest.raises(DataError, match="ties are symmetric"):
        bradley_terry(np.zeros((2, 2)), np.array([[0.0, 1.0], [0.0, 0.0]]))
