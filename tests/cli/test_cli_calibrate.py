import json
import math
import random
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from ponderank import RecipeError, Reranker
from ponderank.calibration import FILE, Calibration, formats, read, write
from ponderank.cli.main import build
from ponderank.formats.classify import sigmoid
from ponderank.run import Experiment, perform

SCORES = {"best": 9.0, "good": 5.0, "fair": 3.0, "bad": -4.0}
SLOPE, INTERCEPT = 0.4, -1.5


@pytest.fixture
def calibrate(tmp_path, monkeypatch):
    """Run the command in this process; returns its result."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))

    def run(*words):
        args = ["calibrate", *map(str, words)]
        return CliRunner().invoke(build(args), args, catch_exceptions=False)

    return run


@pytest.fixture
def folder(model, tmp_path):
    """A copy of the tiny model, to put calibrations beside."""
    out = tmp_path / "model"
    out.mkdir()
    for path in model.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    return out


@pytest.fixture
def judged(tmp_path):
    """Sixty queries, eight texts each; relevance is drawn from a known sigmoid of the model's score, two texts are unjudged."""
    rng, out = random.Random(0), tmp_path / "judged"
    (out / "qrels").mkdir(parents=True)
    queries, docs, grades, first = [], [], [], []
    for n in range(60):
        queries.append({"_id": f"q{n}", "text": f"question {n}"})
        for at in range(8):
            word = rng.choice(list(SCORES))
            docs.append({"_id": f"d{n}-{at}", "title": "", "text": f"a {word} text"})
            first.append(f"q{n} Q0 d{n}-{at} {at + 1} {9 - at} t\n")
            if at < 6:
                grades.append(f"q{n}\td{n}-{at}\t{int(rng.random() < sigmoid(SLOPE * SCORES[word] + INTERCEPT))}\n")
    for name, rows in (("queries", queries), ("corpus", docs)):
        (out / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (out / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(grades))
    (out / "first.trec").write_text("".join(first))
    (out / "collection.json").write_text('{"given": true}')
    return out


def test_a_calibration_stands_beside_the_model_and_is_used_from_then_on(calibrate, folder, judged):
    with Reranker("default-alone", model=folder) as reranker:
        before = reranker.rank("q", ["a best text", "a bad text"])
    done = calibrate("--collection", judged, "--recipe", "default-alone", "--model", folder, "--format", "json")
    assert done.exit_code == 0, done.output
    (kept,) = read(folder / FILE)
    assert (kept.slope, kept.intercept) == (pytest.approx(SLOPE, abs=0.15), pytest.approx(INTERCEPT, abs=0.6))
    with Reranker("default-alone", model=folder) as reranker:
        after = reranker.rank("q", ["a best text", "a bad text"])
    assert (after.scores, after.order) == (before.scores, before.order)
    assert after.probs == (kept.prob(9.0), kept.prob(-4.0)) != before.probs


def test_the_figures_are_of_queries_that_were_not_fitted_on_and_get_better(calibrate, folder, judged, tmp_path):
    done = calibrate(
        "--collection", judged, "--recipe", "default-alone", "--model", folder, "--bins", "5", "--out", tmp_path / "c.json",
        "--report", tmp_path / "figures.json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "figures.json").read_text())["0"]["figures"]
    before, after = figures["as the model gives it"], figures["calibrated"]
    assert before["bins"] == 5
    assert after["ece_width"]["value"] < before["ece_width"]["value"]
    assert after["log_loss"]["value"] < before["log_loss"]["value"]
    assert after["ece_width"]["low"] <= after["ece_width"]["value"] <= after["ece_width"]["high"]
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[1:]] == ["as the model gives it", "calibrated"]


def test_only_judged_pairs_count_and_what_that_means_is_said(calibrate, folder, judged):
    done = calibrate("--collection", judged, "--recipe", "default-alone", "--model", folder)
    (kept,) = read(folder / FILE)
    assert kept.fitted_on["pairs"] == 360
    assert 0.3 < kept.fitted_on["base_rate"] < 0.7
    assert f"{100 * kept.fitted_on['base_rate']:.1f} % of them relevant" in done.stderr
    assert "120 of 480 candidates were never judged and were left out" in done.stderr


def test_what_nobody_judged_counts_as_not_relevant_only_when_that_is_said(calibrate, folder, judged):
    done = calibrate("--collection", judged, "--recipe", "default-alone", "--model", folder, "--assume-negative")
    (kept,) = read(folder / FILE)
    assert kept.fitted_on["pairs"] == 480
    assert kept.fitted_on["collections"][0]["assume_negative"] is True
    assert "120 of 480 candidates were never judged and count as not relevant" in done.stderr


def test_a_collection_that_judges_relevant_texts_only_is_refused_with_the_remedy(calibrate, folder, collection):
    done = calibrate("--collection", collection, "--model", folder)
    assert done.exit_code == 2
    assert "all of them relevant" in done.stderr
    assert "--assume-negative" in done.stderr
    assert not (folder / FILE).exists()


def test_a_finished_run_is_calibrated_on_without_asking_the_model(calibrate, folder, judged, tmp_path):
    perform(Experiment(judged, recipe="default-alone", model=folder), tmp_path / "run")
    assert calibrate("--collection", judged, "--recipe", "default-alone", "--model", folder).exit_code == 0
    (asked,) = read(folder / FILE)
    (folder / "model.onnx").unlink()
    done = calibrate("--run", tmp_path / "run", "--out", tmp_path / "c.json")
    assert done.exit_code == 0, done.output
    (found,) = read(tmp_path / "c.json")
    assert found == asked


def test_a_run_whose_scores_hold_the_first_stages_is_refused_and_its_cache_is_named(
    calibrate, folder, judged, tmp_path
):
    perform(Experiment(judged, recipe="default", model=folder), tmp_path / "run")
    done = calibrate("--run", tmp_path / "run")
    assert done.exit_code == 2
    assert f"--cache {tmp_path / 'run' / 'cache.sqlite'}" in done.stderr


def test_a_prior_in_the_strategy_does_not_get_into_the_calibration(calibrate, folder, judged, tmp_path):
    for name in ("default", "default-alone"):
        done = calibrate(
            "--collection", judged, "--recipe", name, "--model", folder, "--out", tmp_path / f"{name}.json"
        )
        assert done.exit_code == 0, done.output
    assert read(tmp_path / "default.json") == read(tmp_path / "default-alone.json")


def test_the_run_names_its_calibration_and_another_one_is_another_run(folder, judged, tmp_path):
    one = Experiment(judged, recipe="default-alone", model=folder, calibration=Calibration("platt", slope=0.5))
    perform(one, tmp_path / "run")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["calibration"]["0"]["slope"] == 0.5
    perform(one, tmp_path / "run")  # the same goes on
    with pytest.raises(ValueError, match=r"another experiment \(calibration.0.slope: 0.5 there, 0.6 now\)"):
        perform(replace(one, calibration=Calibration("platt", slope=0.6)), tmp_path / "run")


def test_a_run_with_a_calibration_shows_how_that_one_did(calibrate, folder, judged, tmp_path):
    given = Calibration("platt", slope=SLOPE, intercept=INTERCEPT)
    perform(Experiment(judged, recipe="default-alone", model=folder, calibration=given), tmp_path / "run")
    done = calibrate("--run", tmp_path / "run", "--out", tmp_path / "c.json", "--format", "json")
    figures = json.loads(done.stdout)["0"]["figures"]
    assert list(figures) == ["as calibrated before", "calibrated"]


def test_the_plot_is_a_picture(calibrate, folder, judged, tmp_path):
    pytest.importorskip("matplotlib")
    done = calibrate(
        "--collection", judged, "--recipe", "default-alone", "--model", folder, "--method", "isotonic",
        "--report", tmp_path / "plot.png",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert read(folder / FILE)[0].method == "isotonic"


BAD = {
    "nothing to fit on": ((), "give --collection, or --run"),
    "a report of another kind": (("--collection", "x", "--report", "a.txt"), "a.txt: give a name that ends in .json"),
    "no such run": (("--run", "nowhere"), "not a finished run"),
    "the package's own folder": (("--collection", "{judged}"), "name a file, and give it to --calibration"),
}


@pytest.mark.parametrize(("words", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_done_is_said(calibrate, judged, words, said):
    done = calibrate(*(word.format(judged=judged) for word in words))
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_beside_the_model_that_of_another_format_does_not_concern_this_one(folder):
    write([Calibration("platt", format={"kind": "Rank1"}, model="whatever")], folder / FILE)
    with Reranker("default-alone", model=folder) as reranker:
        assert reranker.calibrations == {}


def test_beside_the_model_that_of_other_weights_is_refused_and_none_leaves_it_out(folder):
    with Reranker("default-alone", model=folder) as reranker:
        form = formats(reranker.recipe)[0]
    write([Calibration("platt", format=form, model="onnx:older")], folder / FILE)
    with pytest.raises(RecipeError, match="another model's scores"):
        Reranker("default-alone", model=folder)
    with Reranker("default-alone", model=folder, calibration="none") as reranker:
        assert reranker.rank("q", ["a good text"]).probs == (sigmoid(5.0),)


@pytest.fixture
def rerank(model, monkeypatch):
    """Run ``ponderank rerank`` in this process on the tiny model; returns its rows and what it said."""

    def run(*words):
        args = [
            "rerank",
            "q",
            "a bad text",
            "a best text",
            "a fair text",
            "--model",
            str(model),
            "--recipe",
            "default-alone",
            *words,
        ]
        done = CliRunner().invoke(build(args), args, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    return run


def test_min_prob_leaves_out_what_is_below_and_says_how_many(rerank, tmp_path):
    write([Calibration("platt", slope=1.0, intercept=-3.5)], tmp_path / "c.json")
    rows, said = rerank("--min-prob", "0.5", "--calibration", str(tmp_path / "c.json"))
    assert [row["id"] for row in rows] == ["1"]
    assert rows[0]["prob"] == pytest.approx(sigmoid(5.5))
    assert said == "--min-prob 0.5 left out 2 of 3: 2 below\n"


def test_min_prob_says_nothing_where_all_reach_it(rerank):
    rows, said = rerank("--min-prob", "0.001")
    assert (len(rows), said) == (3, "")


def test_an_explanation_is_of_what_reached_the_bar(rerank):
    rows, _ = rerank("--min-prob", "0.99", "--explain")
    assert [row["id"] for row in rows] == ["1"]
    assert "evidence" in rows[0]


def test_late_texts_are_counted_by_their_flaw():
    from ponderank.cli.rerank import best
    from ponderank.types import Doc, Judgement, Query, Ranking, Step

    late = Step((1,), Judgement((math.nan,), flaw="late"))
    docs = (Doc("a", "a"), Doc("b", "b"))
    found = Ranking(
        Query("q", ""), docs, (1.0, math.nan), (0.9, None), (0, 1), (Step((0,), Judgement((1.0,), (0.9,))), late)
    )
    assert [doc.id for doc in best(found, None, 0.5).docs] == ["a"]


def test_search_has_a_bar_too(model, judged, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    args = [
        "search",
        str(judged),
        "text",
        "-k",
        "500",
        "--model",
        str(model),
        "--recipe",
        "default-alone",
        "--min-prob",
        "0.99",
    ]
    done = CliRunner().invoke(build(args), args, catch_exceptions=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 10
    assert {row["text"] for row in rows} == {"a best text"}
    assert "--min-prob 0.99 left out" in done.stderr
