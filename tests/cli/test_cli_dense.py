"""``--first-stage dense`` and ``hybrid`` from the command line, on a random embedding model."""

import json
import os
import signal
import subprocess
import time

import pytest
from cli_world import command, environment, write_collection

pytestmark = pytest.mark.torch
FINAL = ("run.trec", "trace.jsonl", "metrics.json", "manifest.json")
MANY = 3_000
"""More documents than two shards hold."""


@pytest.fixture(scope="module")
def embedder(tiny_bert):
    return tiny_bert()


@pytest.fixture
def many(tmp_path):
    folder = write_collection(tmp_path / "many", queries=3)
    rows = [{"_id": f"d{n}", "text": f"the cat is no {n}. " + "what is the dog? " * 8} for n in range(MANY)]
    with (folder / "corpus.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def arguments(collection, model, embedder, out, *more, stage="dense"):
    return (
        "run", "--collection", collection, "--first-stage", stage, "--embedder", embedder, "-k", 4,
        "--recipe", "default-alone", "--model", model, "--out", out, *more,
    )  # fmt: skip


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FINAL}


@pytest.mark.parametrize("stage", ["dense", "hybrid"])
def test_a_run_names_its_first_stage_and_its_model(ponderank, collection, model, embedder, tmp_path, stage):
    process = ponderank(*arguments(collection, model, embedder, tmp_path / "out", stage=stage))
    assert process.returncode == 0, process.stderr
    assert [line.split()[0] for line in process.stdout.splitlines()] == ["nDCG@10", stage, "reranked"]
    assert len((tmp_path / "out" / "run.trec").read_text().splitlines()) == 48
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())["first_stage"]
    assert told["kind"] == stage
    assert told["embedder"]["path"] == str(embedder)
    assert told["embedder"]["fingerprint"].startswith("torch-embed:")


@pytest.mark.parametrize("stage", ["dense", "hybrid"])
def test_search_makes_vectors_once_and_reranks(ponderank, collection, model, embedder, stage):
    words = ("search", collection, "an answer", "--first-stage", stage, "--embedder", embedder, "--top-k", 2)
    first = ponderank(*words, "--model", model)
    assert first.returncode == 0, first.stderr
    assert [json.loads(line)["id"] for line in first.stdout.splitlines()] == ["d-best", "d-good"]
    (shard,) = (collection / ".ponderank").glob("dense-*/000000.npy")
    made = shard.stat().st_mtime_ns
    assert ponderank(*words, "--model", model).stdout == first.stdout
    assert shard.stat().st_mtime_ns == made


def test_templates_pool_and_weight_are_taken(ponderank, collection, model, embedder, tmp_path):
    more = ("--query-template", "query: {query}", "--document-template", "passage: {document}", "--pool", "first")
    words = arguments(collection, model, embedder, tmp_path / "out", *more, "--hybrid-weight", 0.5, stage="hybrid")
    process = ponderank(*words)
    assert process.returncode == 0, process.stderr
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())["first_stage"]
    assert (told["query_template"], told["document_template"]) == ("query: {query}", "passage: {document}")
    assert (told["pool"], told["weight"]) == ("first", 0.5)


def test_a_dry_run_counts_the_rerankers_calls(ponderank, collection, model, embedder, tmp_path):
    process = ponderank(*arguments(collection, model, embedder, tmp_path / "out", "--dry-run"))
    assert json.loads(process.stdout)["calls"] == 48
    assert not (tmp_path / "out").exists()


def started(words, tmp_path):
    return subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path)
    )


def stopped(process, folder, by):
    """Stop a command by a signal once a shard of its index is written; what it said."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if any((folder / ".ponderank").glob("dense-*/*.npy")):
            break
        time.sleep(0.002)
    os.kill(process.pid, by)
    return process.communicate(timeout=60)[1]


@pytest.mark.slow
def test_after_kill_9_while_vectors_are_made_the_same_command_gives_the_bytes_of_an_undisturbed_run(
    ponderank, many, model, embedder, tmp_path
):
    words = arguments(many, model, embedder, tmp_path / "out", stage="hybrid")
    process = started(words, tmp_path)
    stopped(process, many, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    (about,) = (many / ".ponderank").glob("dense-*/dense.json")
    assert "complete" not in json.loads(about.read_text())
    kept = {path: path.stat().st_mtime_ns for path in about.parent.glob("00000*.npy")}
    assert 1 <= len(kept) < 3
    assert ponderank(*words).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    (many / ".ponderank").rename(tmp_path / "aside")
    undisturbed = arguments(many, model, embedder, tmp_path / "undisturbed", stage="hybrid")
    assert ponderank(*undisturbed).returncode == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_ctrl_c_while_vectors_are_made_says_how_far_it_is_and_exits_130(many, model, embedder, tmp_path):
    process = started(arguments(many, model, embedder, tmp_path / "out"), tmp_path)
    told = stopped(process, many, signal.SIGINT)
    assert process.returncode == 130
    assert "interrupted: 1,024 of 3,004 documents have their vectors, in " in told
    assert "the same command goes on from here" in told
    assert "Traceback" not in told


BAD = {
    "no-embedder": (("--first-stage", "dense"), ["needs an embedding model", "--embedder"]),
    "not-dense": (("--embedder", "m"), ["--first-stage dense or hybrid"]),
    "a-run-too": (("--first-stage", "dense", "--embedder", "m", "--run", "r"), ["--run gives the candidates"]),
    "no-folder": (("--first-stage", "dense", "--embedder", "org/m"), ["org/m", "hf download org/m --local-dir FOLDER"]),
    "no-model": (("--first-stage", "dense", "--embedder", "."), ["no weights here"]),
    "no-hybrid": (("--hybrid-weight", "0.5"), ["hybrid weight 0.5", "--first-stage hybrid"]),
    "bad-template": (
        ("--first-stage", "dense", "--embedder", ".", "--query-template", "q"),
        ["query_template is 'q'", "must name query"],
    ),
    "bad-pool": (("--first-stage", "dense", "--embedder", ".", "--pool", "max"), ["pool is 'max'", "'mean'"]),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("verb", ["run", "search"])
def test_bad_options_are_one_line(ponderank, collection, tmp_path, case, verb):
    more, expected = BAD[case]
    if verb == "search" and case == "a-run-too":
        pytest.skip("search takes no run")
    words = (
        ("run", "--collection", collection, "--out", tmp_path / "out") if verb == "run" else ("search", collection, "q")
    )
    process = ponderank(*words, *more)
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    for word in expected:
        assert word in process.stderr


def test_a_template_without_a_model_is_bad_usage(ponderank, collection, tmp_path):
    process = ponderank("run", "--collection", collection, "--out", tmp_path / "out", "--pool", "first")
    assert process.returncode == 2
    assert "--embedder" in process.stderr


def test_a_corpus_that_changed_says_what_to_delete(ponderank, collection, model, embedder, tmp_path):
    assert ponderank(*arguments(collection, model, embedder, tmp_path / "out")).returncode == 0
    with (collection / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "new", "text": "new"}\n')
    process = ponderank(*arguments(collection, model, embedder, tmp_path / "other"))
    assert process.returncode == 2
    (folder,) = (collection / ".ponderank").glob("dense-*")
    assert str(folder) in process.stderr
    assert process.stderr.splitlines()[-1].endswith("give another folder, or delete this one")
