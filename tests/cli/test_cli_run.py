import json
import os
import signal
import subprocess
import time

import pytest
from cli_world import command, environment, write_collection

FINAL = ("run.trec", "trace.jsonl", "metrics.json", "manifest.json")


def arguments(collection, model, out, *more):
    first = ("--run", collection / "first.trec")
    return (
        "run",
        "--collection",
        collection,
        *first,
        "-k",
        4,
        "--recipe",
        "default-alone",
        "--model",
        model,
        "--out",
        out,
        *more,
    )


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FINAL}


def test_the_folder_holds_run_trace_metrics_and_manifest(ponderank, collection, model, tmp_path):
    process = ponderank(*arguments(collection, model, tmp_path / "out"))
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "out" / "run.trec").read_text().splitlines()[0] == "q0 Q0 d-best 1 4 ponderank"
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["reranked"] == {"nDCG@10": 1.0, "RR@10": 1.0, "R@100": 1.0, "AP": 1.0}
    assert metrics["first_stage"]["RR@10"] == pytest.approx(1 / 3)
    assert metrics["queries"] == 12
    line = json.loads((tmp_path / "out" / "trace.jsonl").read_text().splitlines()[0])
    best = {
        "rank": 1,
        "id": "d-best",
        "score": 9.0,
        "first_rank": 3,
        "first_score": 7.0,
        "flaw": None,
        "level": 0,
        "tokens": 6,
    }
    assert {name: line["docs"][0][name] for name in best} == best
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["recipe"]["name"] == "default-alone"
    assert manifest["options"]["k"] == 4


def test_the_end_prints_both_stages(ponderank, collection, model, tmp_path):
    process = ponderank(*arguments(collection, model, tmp_path / "out", "-m", "RR@10", "-m", "AP(rel=1)"))
    lines = [line.split() for line in process.stdout.splitlines()]
    assert lines == [["RR@10", "AP(rel=1)"], ["first.trec", "0.3333", "0.3333"], ["reranked", "1.0000", "1.0000"]]


def test_bm25_is_the_first_stage_without_a_run(ponderank, collection, model, tmp_path):
    words = ("run", "--collection", collection, "--split", "test", "--first-stage", "bm25", "-k", 100, "--model", model)
    process = ponderank(*words, "--recipe", "default", "--out", tmp_path / "out")
    assert process.returncode == 0, process.stderr
    assert len((tmp_path / "out" / "run.trec").read_text().splitlines()) == 48


def test_search_indexes_once_and_reranks(ponderank, collection, model):
    words = ("search", collection, "an answer", "-k", 100, "--top-k", 2, "--model", model)
    first = ponderank(*words)
    built = (collection / ".ponderank" / "bm25" / "index.json").stat().st_mtime_ns
    second = ponderank(*words)
    assert [json.loads(line)["id"] for line in first.stdout.splitlines()] == ["d-best", "d-good"]
    assert second.stdout == first.stdout
    assert (collection / ".ponderank" / "bm25" / "index.json").stat().st_mtime_ns == built


def test_a_read_only_collection_keeps_its_index_in_the_users_cache(ponderank, collection, model, tmp_path):
    collection.chmod(0o555)
    process = ponderank("search", collection, "an answer", "--model", model)
    collection.chmod(0o755)
    assert process.returncode == 0, process.stderr
    assert not (collection / ".ponderank").exists()
    assert list((tmp_path / "cache").rglob("index.json"))


def test_the_same_command_again_leaves_the_same_bytes(ponderank, collection, model, tmp_path):
    words = arguments(collection, model, tmp_path / "out")
    ponderank(*words)
    before = contents(tmp_path / "out")
    assert ponderank(*words).returncode == 0
    assert contents(tmp_path / "out") == before


def test_another_configuration_in_a_used_folder_names_what_differs(ponderank, collection, model, tmp_path):
    ponderank(*arguments(collection, model, tmp_path / "out"))
    process = ponderank(*arguments(collection, model, tmp_path / "out", "--limit", 3))
    assert process.returncode == 2
    assert "options.limit: nothing there, 3 now" in process.stderr
    assert "--fresh" in process.stderr
    assert process.stderr.count("\n") == 1


def test_fresh_starts_over(ponderank, collection, model, tmp_path):
    ponderank(*arguments(collection, model, tmp_path / "out"))
    assert ponderank(*arguments(collection, model, tmp_path / "out", "--limit", 3, "--fresh")).returncode == 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["queries"] == 3


def start_and_stop(words, tmp_path, out, by):
    """Start a command, stop it by a signal once some queries are finished, and return it."""
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path)
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        partial = out / "trace.partial.jsonl"
        if partial.exists() and partial.read_bytes().count(b"\n") >= 2:
            break
        time.sleep(0.01)
    os.kill(process.pid, by)
    _, process.told = process.communicate(timeout=60)
    return process


def test_after_kill_9_the_same_command_gives_the_bytes_of_an_undisturbed_run(ponderank, slow_model, tmp_path):
    collection = write_collection(tmp_path / "many", queries=40)
    words = arguments(collection, slow_model, tmp_path / "out")
    process = start_and_stop(command(*words), tmp_path, tmp_path / "out", signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "run.trec").exists()
    assert ponderank(*words).returncode == 0
    assert ponderank(*arguments(collection, slow_model, tmp_path / "undisturbed")).returncode == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_ctrl_c_leaves_whole_lines_says_so_and_exits_130(slow_model, tmp_path):
    collection = write_collection(tmp_path / "many", queries=60)
    words = command(*arguments(collection, slow_model, tmp_path / "out"))
    process = start_and_stop(words, tmp_path, tmp_path / "out", signal.SIGINT)
    assert process.returncode == 130
    done = [json.loads(line) for line in (tmp_path / "out" / "trace.partial.jsonl").read_text().splitlines()]
    assert f"interrupted: {len(done)} of 60 queries are finished" in process.told
    assert "Traceback" not in process.told


BAD = {
    "unknown-split": (("--split", "tset"), ["'tset'", "test"]),
    "unknown-measure": (("-m", "nDGC@10"), ["'nDGC@10'", "nDCG"]),
    "unknown-recipe": (("--recipe", "defalt"), ["'defalt'", "default"]),
    "no-collection": (("--collection", "nowhere"), ["nowhere", "corpus.jsonl"]),
    "no-run": (("--run", "nowhere.trec"), ["nowhere.trec", "no such file"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_options_are_one_line_before_anything_is_ranked(ponderank, collection, model, tmp_path, case):
    more, expected = BAD[case]
    process = ponderank(*arguments(collection, model, tmp_path / "out", *more))
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    for word in expected:
        assert word in process.stderr
    assert not (tmp_path / "out" / "run.trec").exists()


RUNS = {
    "five-columns": ("q0 Q0 d-best 1 9.0\n", ["bad.trec:1", "6 columns"]),
    "unknown-query": ("qx Q0 d-best 1 9.0 t\n", ["'qx'", "queries.jsonl"]),
    "unknown-document": ("q0 Q0 dx 1 9.0 t\n", ["'q0'", "'dx'"]),
}


@pytest.mark.parametrize("case", RUNS)
def test_a_bad_run_file_names_itself_and_what_is_wrong(ponderank, collection, model, tmp_path, case):
    content, expected = RUNS[case]
    (tmp_path / "bad.trec").write_text(content)
    process = ponderank(*arguments(collection, model, tmp_path / "out", "--run", tmp_path / "bad.trec"))
    assert process.returncode == 2
    for word in ("bad.trec", *expected):
        assert word in process.stderr
