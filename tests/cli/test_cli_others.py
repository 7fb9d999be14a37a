import json
import subprocess

import pytest
from cli_world import command, environment

QRELS = "q1 0 a 1\nq2 0 b 1\n"
RUN = "q1 Q0 a 1 2.0 t\nq1 Q0 b 2 1.0 t\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "qrels").write_text(QRELS)
    (tmp_path / "my.trec").write_text(RUN)
    return tmp_path / "qrels", tmp_path / "my.trec"


def test_help_lists_every_command_and_the_exit_codes(ponderank):
    shown = ponderank("--help").stdout
    for word in ("rerank", "search", "run", "evaluate", "recipes", "models", "train", "doctor", "130 interrupted"):
        assert word in shown


@pytest.mark.parametrize("name", ["rerank", "search", "run", "evaluate", "recipes", "models", "train", "doctor"])
def test_every_command_has_help(ponderank, name):
    process = ponderank(name, "--help")
    assert process.returncode == 0, process.stderr
    assert "Usage:" in process.stdout


def test_help_loads_nothing_heavy(tmp_path):
    words = [command()[0], "-X", "importtime", "-m", "ponderank.cli.main", "--help"]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True, env=environment(tmp_path)).stderr
    names = {line.rsplit("|", 1)[-1].strip() for line in loaded.splitlines()}
    assert not names & {
        "numpy",
        "onnxruntime",
        "tokenizers",
        "bm25s",
        "torch",
        "ir_measures",
        "rich.console",
        "sqlite3",
    }


def test_the_version_is_printed(ponderank):
    assert ponderank("--version").stdout.startswith("ponderank ")


def test_bad_usage_exits_2(ponderank):
    assert ponderank("rerank", "q", "a", "--nope").returncode == 2


def test_evaluate_prints_run_measure_value_as_json(ponderank, files):
    process = ponderank("evaluate", *files, "-m", "nDCG@10", "-m", "RR@10", "--format", "json")
    assert json.loads(process.stdout) == {str(files[1]): {"nDCG@10": 0.5, "RR@10": 0.5}}


def test_evaluate_reports_judged_queries_that_a_run_lacks(ponderank, files):
    process = ponderank("evaluate", *files, "-m", "AP")
    assert process.stdout.splitlines()[1].split() == [str(files[1]), "0.5000"]
    assert "1 of 2 judged queries" in process.stderr
    assert "q2" in process.stderr


def test_evaluate_reads_beir_judgements(ponderank, files):
    files[0].write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\n")
    process = ponderank("evaluate", *files, "-m", "AP", "--format", "md")
    assert process.stdout.splitlines() == ["| run | AP |", "| --- | ---: |", f"| {files[1]} | 1.0000 |"]


def test_evaluate_can_show_each_query(ponderank, files):
    process = ponderank("evaluate", *files, "-m", "AP", "--per-query", "--format", "json")
    assert json.loads(process.stdout) == {str(files[1]): {"q1": {"AP": 1.0}, "q2": {"AP": 0.0}}}


def test_a_judgement_line_with_four_tabs_names_file_and_line(ponderank, files):
    files[0].write_text("q1\t0\ta\t1\textra\n")
    process = ponderank("evaluate", *files)
    assert process.returncode == 2
    assert process.stderr.startswith(f"error: {files[0]}:1: found 4 tabs")


def test_recipes_are_listed_and_explained(ponderank):
    assert "default" in [json.loads(line)["name"] for line in ponderank("recipes").stdout.splitlines()]
    assert json.loads(ponderank("recipes", "default").stdout)["strategy"]["kind"] == "Pointwise"


def test_models_names_the_embedded_folder(ponderank):
    assert "embedded" in json.loads(ponderank("models").stdout)


def test_doctor_ranks_with_the_embedded_model(ponderank):
    process = ponderank("doctor")
    assert process.returncode == 0, process.stdout
    assert "loads and ranks" in process.stdout
