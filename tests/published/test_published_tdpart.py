"""TopDown against the authors' TDPart, call by call: 8,000 recorded cases (``record_tdpart.py`` says how).

Recorded with their two faults taken out; and a case with them, to show what they do.
"""

import json
from pathlib import Path

import pytest
from cases_b import BLOCK, KINDS, SIZES, digest, driven, ranking, relevance, scores_of

from ponderank.strategies.top_down import TopDown

RECORD = json.loads(Path(__file__).with_name("tdpart.json").read_text())
SETTINGS = [tuple(setting) for setting in RECORD["settings"]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_one_window_after_the_other_asks_and_ranks_as_published(setting, kind):
    strategy = TopDown(*setting, sequential=True)
    for n in SIZES:
        cases = []
        for seed in range(BLOCK):
            scores, asked, _ = driven(strategy, n, lambda group, seed=seed: scores_of(kind, seed, group))
            asked = asked or [(0,)] * n  # theirs asks about a single candidate too
            cases.append([ranking(scores), [list(group) for group in asked]])
        assert digest(cases) == RECORD["cases"]["/".join(map(str, (*setting, kind, n)))][0], n


def test_the_published_test_for_the_end_never_holds_and_costs_a_judgement():
    """Where nothing beats the pivot, as after a last window that is full, all above it are ranked once more."""
    more = {n: RECORD["cases"][f"20/10/20/perfect/{n}"][1] for n in SIZES}
    assert all(more[n] == 0 for n in SIZES if n < 20)
    assert more[20] == BLOCK
    assert all(0 < more[n] <= BLOCK for n in SIZES if n > 20)


def test_the_published_ranking_has_its_tenth_candidate_behind_those_it_beat():
    """Theirs finds the ten best of its last window, and then puts the tenth of them last but nine. Ours keeps it."""
    published = RECORD["published"]["ranking"]
    scores, _, _ = driven(TopDown(sequential=True), 100, lambda group: scores_of("perfect", 0, group))
    ours = ranking(scores)
    assert ours[:9] == published[:9]
    assert published.index(ours[9]) == 89
    assert sum(relevance(0, i) > relevance(0, published[9]) for i in published[10:]) > 10
