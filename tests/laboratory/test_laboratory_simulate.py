import json
import math
from dataclasses import dataclass, replace

import pytest

from ponderank.errors import DataError
from ponderank.laboratory.cases import Cases
from ponderank.laboratory.costs import Tokens
from ponderank.laboratory.judges import Judge
from ponderank.laboratory.named import Contender
from ponderank.laboratory.picture import pareto
from ponderank.laboratory.report import settings, write
from ponderank.laboratory.simulate import FIRST_STAGE, Estimate, Simulation, Standing
from ponderank.strategies.pointwise import Pointwise

CASES = Cases({f"q{q}": {f"d{d}": d % 4 for d in range(12)} for q in range(5)}, k=30)
POINTWISE = Contender("pointwise", Pointwise(), "score")


@dataclass(frozen=True)
class Twos:
    """Asks in two rounds about neighbours; a stand-in with costs that are known."""

    widest = 2
    absolute = False

    def plan(self, n, priors=None):
        answers = yield [(i, i + 1) for i in range(n - 1)]
        yield []
        again = yield [(1, 0)]
        scores = [0.0] * n
        for at, answer in enumerate([*answers, *again]):
            scores[at % n] += answer.scores[0]
        return scores


TWOS = Contender("twos", Twos(), "pair")


@dataclass(frozen=True)
class Nothings:
    """Gives no number for anything."""

    widest = 1
    absolute = True

    def plan(self, n, priors=None):
        yield [(i,) for i in range(n)]
        return [math.nan] * n


def simulated(*contenders, trials=20, judge=None, cases=CASES, **given):
    simulation = Simulation(cases, contenders, judge or Judge(), **given)
    simulation.run(trials)
    return simulation


def standings(*contenders, **given):
    return {one.name: one for one in simulated(*contenders, **given).standings()}


def test_a_judge_without_noise_gives_pointwise_the_ideal_order():
    one = standings(POINTWISE, judge=Judge(noise=0.0), with_tau=True)["pointwise"]
    assert (one.ndcg.mean, one.top.mean, one.tau.mean) == (pytest.approx(1.0), 1.0, 1.0)


def test_more_noise_is_worse():
    means = [
        standings(POINTWISE, judge=Judge(noise=noise), trials=200)["pointwise"].ndcg.mean for noise in (0.1, 0.5, 3)
    ]
    assert means == sorted(means, reverse=True)


def test_costs_are_counted_and_empty_rounds_are_none():
    one = standings(TWOS)["twos"]
    assert (one.calls, one.rounds, one.shown) == (30, 2, 60)


def test_tokens_follow_the_rule_that_is_documented():
    assert Tokens(10, 7, 3).of("pair", calls=4, shown=8) == 4 * (7 + 3 + 1) + 8 * 10
    assert Tokens(10, 7).of("order", calls=1, shown=20) == 7 + 20 * 15
    assert standings(TWOS, tokens=Tokens(10, 7))["twos"].tokens == 30 * 8 + 600


def test_the_first_stage_costs_nothing_and_is_the_input_order():
    one = standings(POINTWISE, cases=replace(CASES, order="ideal"))[FIRST_STAGE]
    assert (one.ndcg.mean, one.calls, one.rounds, one.tokens) == (pytest.approx(1.0), 0, 0, 0)


def test_scores_that_are_no_numbers_keep_the_input_order():
    found = standings(Contender("nothing", Nothings(), "score"))
    assert found["nothing"].ndcg == found[FIRST_STAGE].ndcg


def test_a_contenders_figures_do_not_depend_on_the_others():
    alone, beside = standings(TWOS), standings(POINTWISE, TWOS)
    assert alone["twos"] == beside["twos"]


def test_differences_are_paired_with_the_baselines_trials():
    simulation = simulated(POINTWISE, TWOS, baseline="pointwise")
    found = {one.name: one for one in simulation.standings()}
    expected = [a - b for a, b in zip(simulation.ndcg("twos"), simulation.ndcg("pointwise"), strict=True)]
    assert found["twos"].difference == Estimate.of(expected)
    assert found["pointwise"].difference is None


def test_trials_go_on_where_they_were():
    at_once, in_parts = simulated(TWOS, trials=6), simulated(TWOS, trials=2)
    in_parts.run(4)
    assert at_once.standings() == in_parts.standings()


def test_an_interruption_leaves_the_trials_that_all_have_done():
    def stop(done):
        if done == 3:
            raise KeyboardInterrupt

    simulation = Simulation(CASES, [POINTWISE, TWOS], Judge())
    with pytest.raises(KeyboardInterrupt):
        simulation.run(10, on_trial=stop)
    assert simulation.trials == 3
    assert {len(simulation.ndcg(name)) for name in (FIRST_STAGE, "pointwise", "twos")} == {3}


def test_flaws_are_counted():
    flaws = standings(TWOS, judge=Judge(unparsed=1.0), trials=2)["twos"].flaws
    assert flaws == {"unparsed": 60}


def test_a_strategy_twice_or_an_unknown_baseline_is_refused():
    with pytest.raises(DataError, match="stands twice"):
        Simulation(CASES, [TWOS, TWOS], Judge())
    with pytest.raises(DataError, match="among what is tried: first stage, twos"):
        Simulation(CASES, [TWOS], Judge(), baseline="window")


def test_the_same_simulation_writes_the_same_bytes(tmp_path):
    for folder in (tmp_path / "one", tmp_path / "other"):
        simulation = simulated(POINTWISE, TWOS, baseline="twos")
        write(folder, settings(simulation), simulation.standings())
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["pareto.svg", "simulation.json", "simulation.md"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_the_files_hold_the_settings_and_every_figure(tmp_path):
    simulation = simulated(POINTWISE, TWOS, judge=Judge(noise=0.25, bias=0.125))
    write(tmp_path, settings(simulation), simulation.standings())
    held = json.loads((tmp_path / "simulation.json").read_text())
    assert held["settings"]["judge"]["noise"] == 0.25
    assert held["settings"]["strategies"]["twos"] == {"is": "Twos()", "answer": "pair"}
    assert [row["strategy"] for row in held["results"]] == [FIRST_STAGE, "pointwise", "twos"]
    assert held["results"][2]["calls"] == 30
    assert "noise 0.25, bias 0.125" in (tmp_path / "simulation.md").read_text()


def test_the_picture_is_one_element_with_the_front_in_both_panels():
    import xml.etree.ElementTree as ET

    half, most = Estimate(0.5, 0.01), Estimate(0.9, 0.01)
    rows = [("cheap & quick", half, 1), ("waste", half, 5), ("dear", most, 9)]
    drawn = pareto([Standing(name, ndcg, None, ndcg, None, cost, cost, 1, 1, {}) for name, ndcg, cost in rows])
    root = ET.fromstring(drawn)
    dots = [one.get("class") for one in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert dots == ["dot best", "dot", "dot best"] * 2
