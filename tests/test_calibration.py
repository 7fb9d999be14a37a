import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank import DataError, Recipe, RecipeError, Reranker
from ponderank.backends.testing import Oracle, Scripted
from ponderank.calibration import FILE, Calibration, beside, fitting, formats, odds_of, read, write
from ponderank.formats.classify import CrossEncoder, sigmoid
from ponderank.formats.passages import Passages
from ponderank.formats.rank1 import Rank1
from ponderank.formats.yes_no import RANKT5, YesNo
from ponderank.models import default_folder
from ponderank.recipes import find
from ponderank.strategies.adaptive import AdaptiveThinking
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Candidates, Doc, Query, Reply

PLATT = Calibration("platt", slope=0.5, intercept=-1.0)
STEPS = Calibration("isotonic", knots=((0.0, 0.1), (1.0, 0.1), (2.0, 0.7), (3.0, 0.7)))
ALONE = Recipe("alone", "none", CrossEncoder(), Pointwise())
TEXTS = ["a", "bb", "ccc", "dddd"]


def by_length():
    return Oracle(lambda query, text: float(len(text)))


def belonging(recipe, backend, one=PLATT):
    return replace(one, format=recipe.to_dict()["format"], model=backend.fingerprint)


def test_a_sigmoid_of_slope_and_intercept():
    assert PLATT.prob(3.0) == sigmoid(0.5)


def test_isotonic_is_level_beyond_its_knots_and_straight_between_them():
    assert [STEPS.prob(x) for x in (-math.inf, -9.0, 0.5, 1.5, 2.0, 99.0)] == [
        0.1,
        0.1,
        0.1,
        pytest.approx(0.4),
        0.7,
        0.7,
    ]


def test_a_score_that_is_no_number_has_no_probability():
    assert PLATT.prob(math.nan) is None
    assert PLATT.probs((1.0, math.nan)) is None


@pytest.mark.parametrize("score", [-1e-300, -1e-9, -0.5, -3.0, -50.0, -700.0])
def test_log_odds_of_a_log_probability_keep_their_precision(score):
    odds = odds_of(score)
    assert (
        -math.log1p(math.exp(-odds)) == pytest.approx(score, rel=1e-9) if odds > -30 else odds == pytest.approx(score)
    )


@pytest.mark.parametrize("one", [PLATT, STEPS, Calibration("temperature", slope=2.0, scale="logprob")])
def test_to_dict_and_back_is_the_same(one):
    assert Calibration.from_dict(json.loads(json.dumps(one.to_dict()))) == one


BAD = {
    "another method": {"method": "beta"},
    "a slope that turns the order around": {"method": "platt", "slope": -1.0},
    "a temperature with an intercept": {"method": "temperature", "intercept": 1.0},
    "falling knots": {"method": "isotonic", "knots": [[0, 0.5], [1, 0.4]]},
    "knots at one place": {"method": "isotonic", "knots": [[0, 0.5], [0, 0.6]]},
    "no knots": {"method": "isotonic"},
    "a probability above one": {"method": "isotonic", "knots": [[0, 1.5]]},
    "an unknown field": {"method": "platt", "shape": 3},
    "a word for a number": {"method": "platt", "slope": "steep"},
}


@pytest.mark.parametrize("values", BAD.values(), ids=BAD)
def test_what_is_no_calibration_is_refused_with_the_file_it_stands_in(tmp_path, values):
    (tmp_path / FILE).write_text(json.dumps({"calibrations": [values]}))
    with pytest.raises(DataError, match=f"{FILE}: "):
        read(tmp_path / FILE)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"calibrations": 3}', '{"calibrations": [3]}'])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DataError, match="ponderank calibrate writes such a file"):
        read(tmp_path / FILE)


def test_writing_replaces_that_of_the_same_model_and_format_and_keeps_the_others(tmp_path):
    one, other = replace(PLATT, model="a"), replace(PLATT, model="b")
    write([one, other], tmp_path / FILE)
    newer = replace(one, slope=3.0)
    write([newer], tmp_path / FILE)
    assert set(read(tmp_path / FILE)) == {newer, other}


def test_a_folder_a_file_and_the_embedded_model_have_a_place_and_a_servers_name_has_none(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"")
    assert beside(str(tmp_path)) == tmp_path / FILE
    assert beside(str(tmp_path / "m.gguf")) == tmp_path / "m.gguf.calibration.json"
    assert beside("embedded") == default_folder() / FILE
    assert beside("Qwen/Qwen3-8B") is None


def test_probabilities_go_through_the_map_and_scores_do_not():
    backend = by_length()
    with Reranker(ALONE, backend=backend, calibration=belonging(ALONE, backend)) as reranker:
        ranking = reranker.rank("q", TEXTS)
    assert ranking.scores == (4.0, 3.0, 2.0, 1.0)
    assert ranking.probs == tuple(sigmoid(0.5 * score - 1) for score in ranking.scores)
    assert [step.judgement.probs for step in ranking.trace] == [(PLATT.prob(float(n)),) for n in (1, 2, 3, 4)]


def test_a_thinking_format_is_calibrated_on_its_log_odds():
    recipe = Recipe("rank1", "none", Rank1(), Pointwise())
    backend = Scripted([Reply(text="hm", scores=(-0.1, -2.3), stop="</think> true")])
    with Reranker(recipe, backend=backend, calibration=belonging(recipe, backend)) as reranker:
        ranking = reranker.rank("q", ["d"])
    assert ranking.probs == (pytest.approx(sigmoid(0.5 * 2.2 - 1)),)
    assert ranking.scores == (pytest.approx(2.2),)


def test_a_format_without_probabilities_gets_them():
    recipe = Recipe("rankt5", "none", RANKT5, Pointwise())
    backend = Scripted([Reply(scores=(3.0,))])
    with Reranker(recipe, backend=backend, calibration=belonging(recipe, backend)) as reranker:
        assert reranker.rank("q", ["d"]).probs == (PLATT.prob(3.0),)


def test_a_judgement_without_a_score_still_has_no_probability():
    recipe = Recipe("yes", "none", YesNo("{query} {document}", ("yes", "no")), Pointwise())
    backend = Scripted([Reply(scores=())])
    with Reranker(recipe, backend=backend, calibration=belonging(recipe, backend)) as reranker:
        ranking = reranker.rank("q", ["d"])
    assert (ranking.probs, ranking.flaws()) == ((None,), {"unparsed": 1})


maps = st.one_of(
    st.builds(lambda a, b: Calibration("platt", slope=a, intercept=b), st.floats(1e-3, 50), st.floats(-50, 50)),
    st.lists(st.tuples(st.floats(-9, 9), st.floats(0, 1)), min_size=1, max_size=6, unique_by=lambda knot: knot[0]).map(
        lambda knots: Calibration(
            "isotonic",
            knots=tuple(zip(sorted(x for x, _ in knots), sorted(p for _, p in knots), strict=True)),
        )
    ),
)


@settings(max_examples=60, deadline=None)
@given(maps, st.lists(st.floats(-10, 10), min_size=1, max_size=12), st.booleans())
def test_no_calibration_ever_changes_an_order_or_a_score(one, relevance, early):
    strategy = LayeredExit(k=2, exits=((1, 1.0),)) if early else Pointwise(prior_weight=0.3)
    recipe = Recipe("any", "none", CrossEncoder(), strategy)
    texts = {str(i): score for i, score in enumerate(relevance)}
    asked = Candidates(Query("q", "q"), tuple(Doc(t, t) for t in texts), tuple(-float(i) for i in range(len(texts))))
    found = []
    for calibration in (one, "none"):
        with Reranker(recipe, backend=Oracle(texts), calibration=calibration) as reranker:
            (ranking,) = reranker.rank_many([asked])
        found.append(ranking)
    assert (found[0].order, found[0].scores) == (found[1].order, found[1].scores)
    by_judged = sorted(zip((texts[doc.id] for doc in found[0].docs), found[0].probs, strict=True))
    assert all(a <= b for (_, a), (_, b) in pairwise(by_judged))


def test_levels_have_calibrations_of_their_own_and_one_without_has_no_probability():
    recipe = Recipe("early", "none", CrossEncoder(), LayeredExit(k=1, exits=((1, 0.1),)))
    forms = formats(recipe)
    deep = replace(PLATT, format=forms[0], model="m")
    assert fitting([deep], recipe, "m") == {0: deep}
    shallow = replace(STEPS, format=forms[1], model="m")
    assert fitting([deep, shallow], recipe, "m") == {0: deep, 1: shallow}
    backend = by_length()
    with Reranker(recipe, backend=backend, calibration=belonging(recipe, backend)) as reranker:
        ranking = reranker.rank("q", TEXTS)
    assert ranking.probs == (PLATT.prob(4.0), None, None, None)


def test_thinking_and_not_thinking_are_two_formats():
    recipe = Recipe("adaptive", "none", Rank1(), AdaptiveThinking())
    assert [formats(recipe)[level]["level"] for level in (0, 1)] == [0, 1]


def test_a_calibration_of_another_model_is_refused_and_the_remedy_is_said():
    with pytest.raises(RecipeError, match=r"another model's scores \(elsewhere; this is oracle.*--calibration none"):
        Reranker(ALONE, backend=by_length(), calibration=replace(belonging(ALONE, by_length()), model="elsewhere"))


def test_a_calibration_of_another_format_is_refused_where_it_was_asked_for():
    other = replace(ALONE, format=CrossEncoder(Passages(10, 5)))
    with pytest.raises(RecipeError, match="another format than that of recipe 'alone'"):
        Reranker(ALONE, backend=by_length(), calibration=belonging(other, by_length()))


def test_the_embedded_model_is_calibrated_at_every_level_its_recipes_ask_at():
    with Reranker("default-fast") as reranker:
        assert reranker.calibrations.keys() == {0, 2}
        alone = fitting(read(default_folder() / FILE), find("default-alone"), reranker.fingerprint)
    assert alone == {0: reranker.calibrations[0]}


def test_evidence_is_not_read_through_the_calibration():
    with Reranker("default") as reranker:
        found = reranker.rank("who wrote Hamlet?", ["Shakespeare wrote Hamlet. He was born in 1564."])
        shown = reranker.explain(found)
    assert (shown.probs, shown.scores) == (found.probs, found.scores)
