"""TourRank and Groups against the authors' TourRank and GroupRank (``record_groups.py`` says how)."""

import json
from pathlib import Path

import pytest
from cases_b import BLOCK, SIZES, digest, driven, scores_of

from ponderank.strategies.groups import Groups
from ponderank.strategies.tourrank import TourRank

RECORD = json.loads(Path(__file__).with_name("groups.json").read_text())


@pytest.mark.parametrize("kind", ["perfect", "noisy", "intransitive"])
def test_a_tournament_of_100_has_the_published_groups_and_points(kind):
    cases = []
    for seed in range(40):
        points, asked, _ = driven(TourRank(seed=seed), 100, lambda group, seed=seed: scores_of(kind, seed, group))
        cases.append([[sorted(group) for group in asked], [int(point) for point in points]])
    assert digest(cases) == RECORD["tourrank"][kind]


def asked_of(n, seed):
    _, asked, _ = driven(Groups(seed=seed), n, lambda group: [0.0] * len(group))
    return asked[: len(asked) // 2], asked[len(asked) // 2 :]


def test_groups_are_dealt_in_the_published_order_from_the_same_seed():
    for n in SIZES:
        cases = [[[i for group in repeat for i in group] for repeat in asked_of(n, seed)] for seed in range(BLOCK)]
        assert digest(cases) == RECORD["orders"][str(n)]


def test_there_are_as_many_groups_as_published_but_none_is_left_with_what_remains():
    for n in SIZES:
        ours, theirs = [len(group) for group in asked_of(n, 0)[0]], RECORD["sizes"][str(n)]
        assert len(ours) == len(theirs)
        assert max(ours, default=0) - min(ours, default=0) <= 1
    assert RECORD["sizes"]["11"] == [10, 1]
