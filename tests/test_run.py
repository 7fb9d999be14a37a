import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise

import pytest

from ponderank.backends.adapters import Batched
from ponderank.errors import DataError
from ponderank.manifest import differences
from ponderank.run import Experiment, perform
from ponderank.types import Reply, Usage

QUERIES, DOCS = 30, 5
FINAL = ("run.trec", "trace.jsonl", "metrics.json", "manifest.json")
SLOW = """
import sys, time
from ponderank.backends.adapters import Threaded
from ponderank.run import Experiment, perform
from ponderank.types import Reply, Usage
folder, out, log = sys.argv[1:]
def answer(call):
    time.sleep(0.01)
    with open(log, "a") as file:
        file.write(f"{call.query}|{call.text}\\n")
    usage = Usage(calls=1, prompt_tokens=len(call.text.split()), seconds=0.01)
    return Reply(scores=(float(sum(map(ord, call.query + call.text)) % 101),), usage=usage)
perform(Experiment(folder, run_file=folder + "/first.trec", recipe="default-alone"), out, backend=Threaded(answer, 2))
"""


@pytest.fixture
def collection(tmp_path):
    folder = tmp_path / "collection"
    (folder / "qrels").mkdir(parents=True)
    queries = [f"q{n}" for n in range(QUERIES)]
    docs = [f"d{n}" for n in range(DOCS)]
    (folder / "queries.jsonl").write_text("".join(json.dumps({"_id": q, "text": f"ask {q}"}) + "\n" for q in queries))
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"_id": d, "text": f"tell {d}"}) + "\n" for d in docs))
    (folder / "qrels" / "dev.tsv").write_text("".join(f"{q}\td3\t1\n" for q in queries))
    lines = [f"{q} Q0 {d} {n + 1} {9 - n} t\n" for q in queries for n, d in enumerate(docs)]
    (folder / "first.trec").write_text("".join(lines))
    return folder


def flat_backend(asked=None):
    """Every document scores the same, so the first stage's order stays."""

    def answer(calls):
        if asked is not None:
            asked.extend(calls)
        return [Reply(scores=(0.0,), usage=Usage(calls=1, prompt_tokens=3)) for _ in calls]

    return Batched(answer, 8)


def experiment(collection, **changes):
    return Experiment(collection, run_file=collection / "first.trec", recipe="default-alone", **changes)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_after_a_kill_nothing_kept_is_asked_again_and_the_files_are_those_of_an_undisturbed_run(collection, tmp_path):
    def start(out, log):
        return subprocess.Popen([sys.executable, "-c", SLOW, collection, out, log])

    out, log = tmp_path / "out", tmp_path / "log"
    process = start(out, log)
    deadline = time.monotonic() + 60
    while (
        time.monotonic() < deadline
        and process.poll() is None
        and not (log.exists() and log.read_text().count("\n") >= 80)
    ):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    answered = log.read_text().count("\n")
    assert answered < QUERIES * DOCS
    assert start(out, log).wait(60) == 0
    assert start(tmp_path / "undisturbed", tmp_path / "other").wait(60) == 0
    for name in FINAL:
        assert (out / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name
    asked = Counter(log.read_text().splitlines())
    assert len(asked) == QUERIES * DOCS
    assert sum(asked.values()) - len(asked) <= 40  # replies that the kill met before they were written


def test_a_finished_folder_is_gone_through_without_asking(collection, tmp_path):
    perform(experiment(collection), tmp_path / "out", backend=flat_backend())
    asked = []
    perform(experiment(collection), tmp_path / "out", backend=flat_backend(asked))
    assert asked == []


def test_scores_in_the_run_strictly_decrease_and_raw_ones_stay_in_the_trace(collection, tmp_path):
    perform(experiment(collection), tmp_path / "out", backend=flat_backend())
    written = [float(line.split()[4]) for line in (tmp_path / "out" / "run.trec").read_text().splitlines()[:DOCS]]
    assert all(a > b for a, b in pairwise(written))
    assert {doc["score"] for doc in lines(tmp_path / "out" / "trace.jsonl")[0]["docs"]} == {0.0}


def test_the_only_split_is_taken_when_none_is_named(collection, tmp_path):
    outcome = perform(experiment(collection, limit=2), tmp_path / "out", backend=flat_backend())
    assert outcome.metrics["queries"] == 2
    assert outcome.metrics["reranked"]["RR@10"] == 0.25


def test_several_splits_without_test_want_a_choice(collection, tmp_path):
    (collection / "qrels" / "train.tsv").write_text("q1\td1\t1\n")
    with pytest.raises(DataError, match="dev, train; choose one"):
        perform(experiment(collection), tmp_path / "out", backend=flat_backend())


def test_a_run_of_another_split_is_refused(collection, tmp_path):
    (collection / "qrels" / "test.tsv").write_text("other\td1\t1\n")
    with pytest.raises(DataError, match="none of its 30 queries is judged in split 'test'"):
        perform(experiment(collection), tmp_path / "out", backend=flat_backend())


def test_without_judgements_all_queries_are_ranked_and_nothing_is_measured(collection, tmp_path):
    (collection / "qrels" / "dev.tsv").unlink()
    outcome = perform(experiment(collection), tmp_path / "out", backend=flat_backend())
    assert (outcome.queries, outcome.metrics) == (QUERIES, None)
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_a_document_with_its_querys_id_is_dropped_before_the_best_k_are_taken(collection, tmp_path):
    with (collection / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "q0", "text": "myself"}\n')
    (collection / "first.trec").write_text("q0 Q0 q0 1 9 t\nq0 Q0 d0 2 8 t\nq0 Q0 d1 3 7 t\n")
    perform(experiment(collection, k=2, drop_self=True), tmp_path / "out", backend=flat_backend())
    assert [doc["id"] for doc in lines(tmp_path / "out" / "trace.jsonl")[0]["docs"]] == ["d0", "d1"]


def test_judged_queries_that_a_run_lacks_count_0_and_are_told(collection, tmp_path):
    (collection / "first.trec").write_text("q0 Q0 d3 1 9 t\n")
    metrics = perform(experiment(collection), tmp_path / "out", backend=flat_backend()).metrics
    assert metrics["queries_without_results"] == QUERIES - 1
    assert metrics["reranked"]["RR@10"] == pytest.approx(1 / QUERIES)


def test_an_id_with_white_space_is_refused(collection, tmp_path):
    (collection / "queries.jsonl").write_text('{"_id": "q 0", "text": "ask"}\n')
    (collection / "qrels" / "dev.tsv").write_text("q 0\td3\t1\n")
    with pytest.raises(DataError, match="white space"):
        perform(Experiment(collection, recipe="default-alone"), tmp_path / "out", backend=flat_backend())


def test_an_interrupt_says_how_much_is_finished(collection, tmp_path):
    def stop(calls):
        if any("q20" in call.query for call in calls):
            raise KeyboardInterrupt
        return [Reply(scores=(0.0,), usage=Usage(calls=1)) for _ in calls]

    with pytest.raises(KeyboardInterrupt, match="of 30 queries are finished"):
        perform(experiment(collection), tmp_path / "out", backend=Batched(stop, 1))
    done = lines(tmp_path / "out" / "trace.partial.jsonl")
    assert [line["query"] for line in done] == [f"q{n}" for n in range(len(done))]
    assert done


def test_a_manifest_that_is_none_is_refused(collection, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json: not a manifest"):
        perform(experiment(collection), tmp_path / "out", backend=flat_backend())


def test_another_first_stage_in_the_same_folder_is_refused(collection, tmp_path):
    perform(experiment(collection), tmp_path / "out", backend=flat_backend())
    (collection / "first.trec").write_text("q0 Q0 d3 1 9 t\n")
    with pytest.raises(DataError, match=r"first_stage\.sha256"):
        perform(experiment(collection), tmp_path / "out", backend=flat_backend())


def test_a_run_goes_on_after_an_upgrade_and_says_so(collection, tmp_path, monkeypatch):
    out = tmp_path / "out"
    perform(experiment(collection), out, backend=flat_backend())
    monkeypatch.setattr("ponderank.manifest.versions", lambda: {"ponderank": "9"})
    for _ in range(2):
        perform(experiment(collection), out, backend=flat_backend())
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["versions"]["ponderank"] != "9"
    assert manifest["continued_with"] == [{"ponderank": "9"}]


def test_where_a_file_lay_is_not_a_difference():
    assert (
        list(differences({"collection": {"path": "a", "corpus": "x"}}, {"collection": {"path": "b", "corpus": "x"}}))
        == []
    )
