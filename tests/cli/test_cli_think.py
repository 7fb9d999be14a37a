"""Thinking from the command line, on a tiny random model."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import tiny_lm

pytestmark = pytest.mark.torch
DOCS = [f"nobody knows who wrote it {i}" for i in range(4)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("think")
    tiny_lm.model(folder / "lm")
    (folder / "docs.jsonl").write_text(
        "".join(json.dumps({"id": f"d{i}", "text": text}) + "\n" for i, text in enumerate(DOCS))
    )
    beir = folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    (beir / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": f"d{i}", "text": text}) + "\n" for i, text in enumerate(DOCS))
    )
    (beir / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": f"q{i}", "text": f"who wrote it {i}"}) + "\n" for i in range(3))
    )
    (beir / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{i}\t1\n" for i in range(3))
    )
    return folder


def ponderank(*words, cwd=None, **options):
    command = [sys.executable, "-m", "ponderank.cli.main", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False, **options)


def test_rank1_on_a_checkpoint_with_a_budget_and_a_deadline(world):
    done = ponderank(
        "rerank", "who wrote it", world / "docs.jsonl", "--recipe", "rank1", "--engine", "transformers", "--model", world / "lm",
        "--think-tokens", 16, "--deadline", 30,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert sorted(row["id"] for row in rows) == ["d0", "d1", "d2", "d3"]
    assert all(row["verdict"] in ("true", "false") for row in rows)


def test_explain_shows_the_reasoning_in_a_table(world):
    done = ponderank(
        "rerank",
        "who",
        world / "docs.jsonl",
        "--think",
        "--model",
        world / "lm",
        "--think-tokens",
        12,
        "--explain",
        "--format",
        "table",
    )
    assert done.returncode == 0, done.stderr
    assert "1. d" in done.stdout
    assert "incomplete" in done.stderr + done.stdout


def test_watch_shows_the_thoughts_on_stderr_only(world):
    done = ponderank(
        "rerank", "who", world / "docs.jsonl", "--think", "--watch", "--model", world / "lm", "--think-tokens", 12
    )
    assert "── d" in done.stderr
    assert all(json.loads(line) for line in done.stdout.splitlines())


def test_without_a_thought_nothing_is_written(world):
    done = ponderank("rerank", "who", world / "docs.jsonl", "--recipe", "rank1", "--no-think", "--model", world / "lm")
    assert done.returncode == 0
    assert all("reasoning" not in json.loads(line) for line in done.stdout.splitlines())


def test_a_dry_run_says_how_much_it_would_write_at_most(world):
    done = ponderank(
        "run", "--collection", world / "beir", "--first-stage", "bm25", "-k", 4, "--recipe", "rank1", "--model", world / "lm",
        "--think-tokens", 10, "--out", world / "dry", "--dry-run",
    )  # fmt: skip
    counted = json.loads(done.stdout)
    assert counted["output_tokens"] == 10 * counted["calls"] > 0
    assert not (world / "dry").exists()


def test_a_run_keeps_what_was_thought_and_goes_on_after_a_kill(world):
    words = [
        "run", "--collection", world / "beir", "--first-stage", "bm25", "-k", 4, "--recipe", "rank1", "--model", world / "lm",
        "--think-tokens", 200, "--out", world / "out", "--resume",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "ponderank.cli.main", *map(str, words)], stderr=subprocess.DEVNULL
    )
    cache = world / "out" / "cache.sqlite-wal"
    until = time.monotonic() + 60
    while (
        time.monotonic() < until and process.poll() is None and not (cache.exists() and cache.stat().st_size > 20_000)
    ):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = ponderank(*words)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (world / "out" / "trace.jsonl").read_text().splitlines()]
    said = [judged for line in lines for doc in line["docs"] for judged in doc["judgements"]]
    assert all(judged["prompt"].endswith("<think>") and judged["verdict"] for judged in said)
    times = [json.loads(line) for line in (world / "out" / "timing.jsonl").read_text().splitlines()]
    assert [line["query"] for line in times] == [line["query"] for line in lines]
    first = (world / "out" / "trace.jsonl").read_bytes()
    again = ponderank(*words)
    assert again.returncode == 0
    assert (world / "out" / "trace.jsonl").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--recipe", "default", "--think-tokens", "5"), "does not think"),
        (("--recipe", "rank1"), "no model of its own"),
        (("--recipe", "rank1-7b"), "hf download"),
        (("--recipe", "rank1", "--engine", "tranformers", "--model", "x"), "transformers"),
        (("--recipe", "rank1", "--engine", "onnx", "--model", "x"), "engines that do"),
    ],
)
def test_what_does_not_fit_is_one_line(world, words, message):
    done = ponderank("rerank", "who", world / "docs.jsonl", *words)
    assert done.returncode in (2, 4)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_recipe_says_what_it_needs():
    done = ponderank("recipes", "rank1-7b", "--format", "table")
    assert "15.2 GB" in done.stdout
    assert "--engine http://127.0.0.1:8000/v1" in done.stdout
    assert json.loads(ponderank("recipes", "rank1-7b").stdout)["needs"]["parameters_b"] == 7.62
