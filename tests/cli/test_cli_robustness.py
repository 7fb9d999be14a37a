import json

from ponderank.cli.robustness import Test as Tried
from ponderank.cli.robustness import robustness
from ponderank.robustness.trials import TESTS


def test_the_command_prints_the_five_and_leaves_everything_in_its_folder(collection, model, tmp_path, capsys):
    given = {"recipe": "default", "model": str(model), "limit": 3, "run_file": collection / "first.trec"}
    given |= {"variations": ["plain", "frame"], "tests": [Tried.order, Tried.queries, Tried.others]}
    robustness(str(collection), tmp_path / "out", **given)
    told = capsys.readouterr()
    assert [line[:2] for line in told.out.splitlines()[1:6]] == ["1 ", "2 ", "3 ", "4 ", "5 "]
    assert "input order (5)" in told.out
    assert "no other collection was given" in told.err
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["base"]["queries"] == 3
    assert found["manifest"]["recipe"]["name"] == "default"
    frame = found["queries"]["variations"]["frame"]
    assert frame["examples"][0] == "Please find what is written about this: question 0 answer"
    assert (tmp_path / "out" / "robustness.md").read_text().startswith("# Robustness of default")


def test_a_dry_run_counts_and_writes_nothing(collection, model, tmp_path, capsys):
    given = {"model": str(model), "tests": [Tried.order], "run_file": collection / "first.trec", "dry_run": True}
    robustness(str(collection), tmp_path / "out", **given)
    assert json.loads(capsys.readouterr().out)["calls"] == 48
    assert not (tmp_path / "out").exists()


def test_a_recipe_of_single_passages_is_told_that_places_are_left_out(collection, model, tmp_path, capsys):
    given = {"recipe": "default", "model": str(model), "limit": 1, "run_file": collection / "first.trec"}
    robustness(str(collection), tmp_path / "out", **given, tests=[Tried.position])
    assert "position is left out: the recipe judges the relevance of one passage at a time" in capsys.readouterr().err


def test_every_test_can_be_asked_for():
    assert {test.value for test in Tried} == set(TESTS)


def test_a_wrong_variation_is_bad_input(ponderank, collection, model, tmp_path):
    words = (
        "robustness",
        "--collection",
        collection,
        "--model",
        model,
        "--out",
        tmp_path / "out",
        "--variation",
        "swop",
    )
    process = ponderank(*words)
    assert process.returncode == 2
    assert "did you mean swap" in process.stderr
