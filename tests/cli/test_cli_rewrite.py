"""Rewriting training queries on the command line, with a model behind a server."""

import json
import subprocess

import pytest
from cli_world import command, environment

pytest.importorskip("aiohttp")

import stub_server


class Writer(stub_server.Stub):
    """Rewrites by the query: three good rewrites, one that copies, one unchanged, the rest unreadable."""

    def write(self, text, body, chat):
        query = text.partition("Query: ")[2].partition("\n")[0]
        said = {
            "what is topic3": "what is topic3, the answer4?",
            "what is topic4": "what is topic4",
        } | {f"what is topic{i}": f"please explain topic{i} to me" for i in range(3)}
        content = f"<query>{said[query]}</query>" if query in said else "I would not know."
        reply = super().write(text, body, chat)
        reply["choices"][0]["message"] = {"role": "assistant", "content": content}
        reply["choices"][0]["finish_reason"] = "stop"
        return reply


@pytest.fixture
def collection(tmp_path):
    """Ten queries of a topic each; eight in train, two in test."""
    folder = tmp_path / "things"
    (folder / "qrels").mkdir(parents=True)
    docs = [{"_id": f"d{i}", "text": f"A text on topic{i}: it is answer4."} for i in range(10)]
    queries = [{"_id": f"q{i}", "text": f"what is topic{i}"} for i in range(10)]
    for name, rows in (("corpus", docs), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, numbers in (("train", range(8)), ("test", range(8, 10))):
        judged = "".join(f"q{i}\td{i}\t1\n" for i in numbers)
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return folder


@pytest.fixture
def server():
    stub = Writer(stub_server.Habits(model="m"))
    stub.start()
    yield stub
    stub.stop()


def rewrite(tmp_path, collection, *words, code=0, out="new"):
    words = ["distill", "rewrite", "--collection", collection, "--out", tmp_path / out, "--model", "m", *words]
    done = subprocess.run(
        command(*words), capture_output=True, text=True, env=environment(tmp_path), timeout=100, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def test_a_dry_run_counts_and_leaves_nothing(tmp_path, collection, server):
    said = rewrite(tmp_path, collection, "--engine", server.url, "--dry-run", "--price", "1,2")
    assert "8 rewrites to ask for" in said
    assert "cost" in said
    assert not (tmp_path / "new").exists()
    assert not server.posts("/chat/completions")


def test_a_collection_to_train_on_comes_out_and_nothing_is_asked_twice(tmp_path, collection, server):
    rewrite(tmp_path, collection, "--engine", server.url, "--dry-run")
    said = rewrite(tmp_path, collection, "--engine", server.url)
    assert "8 queries: 3 kept, 1 unchanged, 1 leaked, 3 flawed" in said
    assert len(server.posts("/chat/completions")) == 8
    rows = [json.loads(line) for line in (tmp_path / "new" / "queries.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows if "metadata" in row] == [f"please explain topic{i} to me" for i in range(3)]
    assert rows[8:] == [{"_id": f"q{i}", "text": f"what is topic{i}"} for i in (8, 9)]
    found = json.loads((tmp_path / "new" / "report.json").read_text())
    assert found["reasons"] == {"flawed": {"not read": 3}, "leaked": {"number": 1}}
    before = {path: path.read_bytes() for path in (tmp_path / "new").rglob("*.json*")}
    rewrite(tmp_path, collection, "--engine", server.url)
    assert len(server.posts("/chat/completions")) == 8
    assert {path: path.read_bytes() for path in before} == before


def test_a_server_that_is_gone_keeps_what_was_said_and_writes_no_collection(tmp_path, collection, server):
    rewrite(tmp_path, collection, "--engine", "http://127.0.0.1:9/v1", code=4)
    assert not (tmp_path / "new" / "queries.jsonl").exists()
    assert "8 queries" in rewrite(tmp_path, collection, "--engine", server.url)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--split", "nope"], "no split 'nope'"),
        (["--copied", "0"], "share above 0"),
        (["--price", "much"], "READ,WRITTEN"),
    ],
)
def test_bad_input_ends_in_one_clear_error(tmp_path, collection, words, said):
    done = rewrite(tmp_path, collection, "--engine", "http://127.0.0.1:9/v1", *words, code=2)
    assert said in " ".join(done.replace("│", " ").split())
    assert "Traceback" not in done


def test_the_collection_itself_is_not_written_to(tmp_path, collection, server):
    done = rewrite(tmp_path, collection, "--engine", server.url, out="things", code=2)
    assert "give another --out" in done
    assert not server.posts("/chat/completions")
