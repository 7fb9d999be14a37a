"""TournamentSort against the authors' ListT5, call by call: 10,000 recorded cases (``record_list_t5_sort.py`` says how)."""

import json
from pathlib import Path

import pytest
from cases_b import BLOCK, KINDS, SIZES, digest, driven, ranking, scores_of

from ponderank.strategies.tournament import TournamentSort

RECORD = json.loads(Path(__file__).with_name("list_t5_sort.json").read_text())
SETTINGS = [tuple(setting) for setting in RECORD["settings"]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_same_groups_are_asked_in_the_same_order_and_the_ranking_is_the_same(setting, kind):
    for n in SIZES:
        cases = []
        for seed in range(BLOCK):
            scores, asked, _ = driven(
                TournamentSort(*setting), n, lambda group, seed=seed: scores_of(kind, seed, group)
            )
            cases.append([ranking(scores), [list(group) for group in asked]])
        assert digest(cases) == RECORD["cases"]["/".join(map(str, (*setting, kind, n)))][0], n
