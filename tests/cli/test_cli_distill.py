"""From a collection to training rows on the command line, with a teacher behind a server."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("aiohttp")

import stub_server

PLAIN = ["--share", "positives=0.5", "--share", "negatives=0.5", "--share", "hard 1-5=0", "--share", "hard 5-10=0"]


@pytest.fixture
def collection(tmp_path):
    """Ten queries of a topic each; one passage of the topic is good, three are bad, and one judged positive is a bad one."""
    folder = tmp_path / "things"
    (folder / "qrels").mkdir(parents=True)
    docs = [
        {"_id": f"d{i}-{j}", "text": f"a {'bad' if j or i == 9 else 'good'} text on topic{i}, part {j}"}
        for i in range(10)
        for j in range(4)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": f"q{i}", "text": f"what is topic{i}"}) + "\n" for i in range(10))
    )
    (folder / "qrels" / "train.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{i}-0\t1\n" for i in range(10))
    )
    return folder


@pytest.fixture
def teacher():
    stub = stub_server.Stub(stub_server.Habits(model="r1"))
    stub.start()
    yield stub
    stub.stop()


def ponderank(tmp_path, *words, code=0):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ponderank.cli.main", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert done.returncode == code, done.stderr
    return done


def collecting(pairs, teacher, traces):
    return ["distill", "collect", pairs, "--engine", teacher.url, "--model", "r1", "--out", traces]


def test_a_teacher_behind_a_server_makes_training_rows(tmp_path, collection, teacher):
    pairs, traces, rows = tmp_path / "pairs.jsonl", tmp_path / "traces", tmp_path / "rows"
    said = ponderank(tmp_path, "distill", "sample", "--collection", collection, "--out", pairs, "--count", 20, *PLAIN)
    assert "20 pairs" in said.stderr
    asked = [*collecting(pairs, teacher, traces), "--temperature", "0"]
    counted = ponderank(tmp_path, *asked, "--dry-run", "--price", "1,2")
    assert "20 answers to ask for" in counted.stderr
    assert "at most 20,000 to write, cost 0.04" in counted.stderr
    assert not teacher.posts("/chat/completions")
    ponderank(tmp_path, *asked)
    assert len(teacher.posts("/chat/completions")) == 20
    assert "20 were there" in ponderank(tmp_path, *asked).stderr
    assert len(teacher.posts("/chat/completions")) == 20
    assert json.loads((traces / "lengths.json").read_text())["rows"] == 20
    table = ponderank(tmp_path, "distill", "select", traces, "--preset", "rank1-first-mix", "--out", rows).stdout
    assert "the verdict contradicts the implied label (positives 1)" in table
    kept = [json.loads(line) for line in (rows / "train.jsonl").read_text().splitlines()]
    assert len(kept) == 18
    assert {row["completion"] for row in kept} == {"\nso it is\n</think> true", "\nso it is\n</think> false"}
    assert all(("a good text" in row["prompt"]) == row["verdict"] for row in kept)
    said = ponderank(
        tmp_path, "distill", "select", traces, "--preset", "rank1", "--mix", "positives=1", "--out", tmp_path / "r2"
    )
    assert "no --student was given" in said.stderr
    assert "| positives | 9 |" in (rows / "README.md").read_text()


def test_a_teacher_that_is_gone_ends_in_one_line_and_keeps_what_it_said(tmp_path, collection, teacher):
    pairs, traces = tmp_path / "pairs.jsonl", tmp_path / "traces"
    ponderank(tmp_path, "distill", "sample", "--collection", collection, "--out", pairs, "--count", 20, *PLAIN)
    ponderank(
        tmp_path,
        *collecting(pairs, teacher, traces),
        "--shard",
        "0/2",
    )
    first = len(teacher.posts("/chat/completions"))
    said = ponderank(
        tmp_path,
        "distill",
        "collect",
        pairs,
        "--engine",
        "http://127.0.0.1:9/v1",
        "--model",
        "r1",
        "--out",
        traces,
        code=4,
    )
    assert said.stderr.strip().splitlines()[-1].startswith("error: no answer from")
    ponderank(tmp_path, "distill", "collect", pairs, "--engine", teacher.url, "--model", "r1", "--out", traces)
    assert 0 < first < 20
    assert len(teacher.posts("/chat/completions")) == 20


def test_batch_files_are_written_and_read_back(tmp_path, collection):
    pairs, traces, files = tmp_path / "pairs.jsonl", tmp_path / "traces", tmp_path / "files"
    ponderank(tmp_path, "distill", "sample", "--collection", collection, "--out", pairs, "--count", 4, *PLAIN)
    command = ["distill", "collect", pairs, "--model", "r1", "--out", traces, "--batch-file", files]
    assert "vllm run-batch" in ponderank(tmp_path, *command).stderr
    requests = [json.loads(line) for line in (files / "batch-0000.jsonl").read_text().splitlines()]
    body = {"choices": [{"message": {"content": "<think>hm, so it is</think>false"}, "finish_reason": "stop"}]}
    answers = [{"custom_id": one["custom_id"], "response": {"status_code": 200, "body": body}} for one in requests]
    (files / "batch-0000.output.jsonl").write_text("".join(json.dumps(one) + "\n" for one in answers))
    assert "4 answers kept (0 true, 4 false, 0 none)" in ponderank(tmp_path, *command).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", "--collection", "X", "--out", "p", "--preset", "rank2"], "rank1"),
        (["sample", "--collection", "X", "--out", "p", "--share", "positives=2"], "add up to"),
        (["collect", "none.jsonl", "--engine", "http://127.0.0.1:9/v1", "--out", "t", "--shard", "4"], "0/4"),
        (
            [
                "collect",
                "none.jsonl",
                "--engine",
                "http://127.0.0.1:9/v1",
                "--out",
                "t",
                "--samples",
                "2",
                "--temperature",
                "0",
            ],
            "temperature",
        ),
        (["collect", "none.jsonl", "--model", "nowhere", "--out", "t"], "not a folder here"),
        (["select", "nowhere", "--out", "r", "--preset", "everything"], "collect traces first"),
        (["select", "nowhere", "--out", "r"], "collect traces first"),
        (["import", "none.jsonl", "--out", "X"], "another --out"),
    ],
)
def test_bad_input_ends_in_one_clear_error(tmp_path, collection, words, said):
    places = {"X": collection} | {name: tmp_path / name for name in ("p", "t", "r", "nowhere", "none.jsonl")}
    words = [str(places.get(word, word)) for word in words]
    (collection / "teacher.json").write_text('{"teacher": "r1"}')
    done = ponderank(tmp_path, "distill", *words, code=2 if "not a folder" not in said else 4)
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_what_a_student_said_is_kept_with_the_traces_and_not_asked_again(tmp_path, collection, teacher):
    pairs, traces = tmp_path / "pairs.jsonl", tmp_path / "traces"
    ponderank(tmp_path, "distill", "sample", "--collection", collection, "--out", pairs, "--count", 20, *PLAIN)
    server = ["--engine", teacher.url]
    ponderank(tmp_path, "distill", "collect", pairs, *server, "--model", "r1", "--out", traces, "--temperature", "0")
    select = ["distill", "select", traces, *server, "--student", "r1", "--mix", "positives=1", "--mix", "negatives=1"]
    ponderank(tmp_path, *select, "--out", tmp_path / "rows")
    asked = len(teacher.posts("/completions"))
    assert asked
    ponderank(tmp_path, *select, "--no-chain", "--out", tmp_path / "verdicts")
    assert len(teacher.posts("/completions")) == asked
