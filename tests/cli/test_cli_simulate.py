import json

import pytest
import typer
from typer.testing import CliRunner

from ponderank.cli.exits import guarded
from ponderank.cli.simulate import simulate
from ponderank.laboratory import simulate as laboratory

app = typer.Typer(rich_markup_mode=None)
app.command("simulate")(guarded(simulate))
app.callback()(lambda: None)


@pytest.fixture
def qrels(tmp_path):
    path = tmp_path / "qrels.tsv"
    rows = [f"q{q}\td{d}\t{d % 3}\n" for q in range(4) for d in range(8)]
    path.write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    return path


def called(*words):
    return CliRunner().invoke(app, ["simulate", *map(str, words)])


def test_the_command_prints_figures_and_leaves_three_files(qrels, tmp_path):
    words = [
        "--strategy",
        "pointwise",
        "--strategy",
        "pointwise:prior_weight=1",
        "--qrels",
        qrels,
        "-k",
        20,
        "--noise",
        0.5,
    ]
    words += ["--trials", 10, "--out", tmp_path / "out"]
    told = called(*words)
    assert told.exit_code == 0
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert [row["strategy"] for row in rows] == ["first stage", "pointwise", "pointwise:prior_weight=1"]
    assert rows[1]["difference"] is None
    held = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(held) == ["pareto.svg", "simulation.json", "simulation.md"]
    assert json.loads(held["simulation.json"])["results"] == rows
    called(*words)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == held


def test_a_table_on_request(qrels):
    told = called("--strategy", "pointwise", "--qrels", qrels, "--trials", 4, "--format", "table", "--unparsed", 1)
    assert told.stdout.splitlines()[0].split()[:2] == ["strategy", "nDCG@10"]
    assert "400 unparsed" in told.stdout


def test_a_run_is_the_first_stage_where_it_is_given(qrels, tmp_path):
    run = tmp_path / "first.trec"
    run.write_text("q1 Q0 d2 1 9 t\nq1 Q0 d0 2 8 t\n")
    told = called("--strategy", "pointwise", "--qrels", qrels, "--run", run, "--trials", 3)
    assert json.loads(told.stdout.splitlines()[1])["calls"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--strategy", "windwo", "--qrels", "QRELS"], "did you mean window"),
        (["--strategy", "pointwise:wide=3", "--qrels", "QRELS"], "it has prior_weight"),
        (["--strategy", "pointwise", "--qrels", "nowhere.txt"], "nowhere.txt: no such file"),
        (["--strategy", "pointwise", "--qrels", "QRELS", "--baseline", "window"], "among what is tried"),
        (["--strategy", "pointwise", "--qrels", "QRELS", "--noise", "inf"], "noise is inf"),
        (["--qrels", "QRELS"], "give --strategy"),
        (["--strategy", "pointwise"], "and --qrels"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(words, told, qrels, tmp_path):
    done = called(*(qrels if word == "QRELS" else word for word in words), "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_interruption_prints_what_is_done_and_writes_nothing(qrels, tmp_path, monkeypatch):
    plain = laboratory.Simulation.run

    def stopped(self, trials, *, on_trial=None):
        plain(self, 3)
        raise KeyboardInterrupt

    monkeypatch.setattr(laboratory.Simulation, "run", stopped)
    told = called("--strategy", "pointwise", "--qrels", qrels, "--out", tmp_path / "out")
    assert told.exit_code == 130
    assert len(told.stdout.splitlines()) == 2
    assert "3 of 1,000 trials done; nothing was written" in told.stderr
    assert not (tmp_path / "out").exists()


def test_the_list_names_every_strategy():
    told = called("--list")
    names = [json.loads(line)["name"] for line in told.stdout.splitlines()]
    assert {"pointwise", "window", "setwise-heapsort", "self-consistency"} <= set(names)
