"""``ponderank report`` on the command line; ``tests/report`` has what it writes."""

import json

import pytest
from typer.testing import CliRunner

from ponderank.cli.main import build
from report_world import letters, write_collection, write_folder


def call(*words):
    return CliRunner().invoke(build(words[:1]), list(map(str, words)))


@pytest.fixture
def folders(tmp_path):
    collection = write_collection(tmp_path / "things")
    good = write_folder(tmp_path / "good", collection, letters({0: "cf", 1: "c"}))
    return good, write_folder(tmp_path / "odd", collection, letters({2: "bdegh"}))


def test_the_ending_says_what_is_written_and_the_numbers_are_those_of_evaluate(folders, tmp_path):
    out = {ending: tmp_path / f"report.{ending}" for ending in ("html", "json")}
    for path in out.values():
        process = call("report", *folders, "--out", path, "--baseline", folders[1], "--seed", "7")
        assert process.exit_code == 0, process.stderr
        assert "things: 3 runs, 6 judged queries" in process.stderr
    assert out["html"].read_text().startswith("<!doctype html>")
    (section,) = json.loads(out["json"].read_text())["sections"]
    qrels = tmp_path / "things" / "qrels" / "test.tsv"
    words = ("-m", "nDCG@10", "-m", "RR@10", "--baseline", folders[1], "--seed", "7", "--format", "full", "--per-query")
    first = folders[0].with_name("first.trec")
    first.write_text(
        "".join(f"q{n} Q0 q{n}{c} 0 {-rank} t\n" for n in range(6) for rank, c in enumerate("abcdefghijkl"))
    )
    told = json.loads(call("evaluate", qrels, first, *folders, *words).stdout)
    mine = {system["name"]: system for system in section["systems"]}
    for name, path in (("BM25", first), ("good", folders[0]), ("odd", folders[1])):
        assert mine[name]["measures"] == told["measures"][str(path)]
        assert mine[name]["handling"] == told["handling"][str(path)]
        assert mine[name]["cost"] == told["cost_per_query"].get(str(path), {})
        for measure, values in section["values"][name].items():
            assert values == {query: row[measure] for query, row in told["per_query"][str(path)].items()}
            if name != "odd":
                assert mine[name]["compared"][measure] == told["comparison"]["measures"][measure][str(path)]


def test_bare_runs_with_judgements_go_to_stdout_as_asked(folders, tmp_path):
    run, qrels = folders[0] / "run.trec", tmp_path / "things" / "qrels" / "test.tsv"
    process = call("report", run, folders[1] / "run.trec", "--qrels", qrels, "--out", "-", "--format", "md")
    assert process.exit_code == 0, process.stderr
    assert process.stdout.startswith("# Report on test")
    assert "Texts of queries and passages are not known" in process.stdout


def test_what_is_wrong_is_said_in_a_line(folders, tmp_path):
    process = call("report", folders[0], "--out", tmp_path / "report.pdf")
    assert process.exit_code == 2
    assert ".html, .md or .json" in " ".join(process.stderr.replace("│", " ").split())
    process = call("report", folders[0] / "run.trec", "--out", tmp_path / "report.html")
    assert (process.exit_code, process.stderr.count("\n")) == (2, 1)
    assert "error: there are no judgements; give --qrels" in process.stderr
    assert not (tmp_path / "report.html").exists()
