"""The whole way in miniature: sample, ask a teacher behind a server that dies on the way, select, fine-tune, rerank.

Two steps teach nothing, so the self-filter, which needs a student that knows something, is tested elsewhere.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

for needed in ("aiohttp", "fastapi", "uvicorn", "trl", "peft"):
    pytest.importorskip(needed)

pytestmark = pytest.mark.train
CHAIN = Path(__file__).parents[2] / "examples" / "chain"
FACTS = (
    "founded by Ada in the year 12{n}0",
    "ruled by king Bo the {n}th of his name",
    "burnt in the war of the {n} roses",
)
ASKED = (
    "Who founded the town of {town}?",
    "Which king ruled the old town of {town}?",
    "When was the town of {town} burnt?",
)
ANSWERS = ("Ada", "king Bo", "war of the {n} roses")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Forty towns, each with a text and three questions, whose answers are annotated; the last ten are the dev split."""
    folder = tmp_path_factory.mktemp("source") / "towns"
    (folder / "qrels").mkdir(parents=True)
    corpus, queries, qrels = [], [], {"train": [], "dev": []}
    for n in range(40):
        town = f"{'ABCDEFGH'[n % 8]}{'aeiou'[n % 5]}rington{n}"
        text = " ".join(f"The town of {town} was {fact.format(n=n)}." for fact in FACTS)
        corpus.append({"_id": f"d{n}", "title": "", "text": text})
        for i, (asked, answer) in enumerate(zip(ASKED, ANSWERS, strict=True)):
            about = {"answers": [answer.format(n=n)], "title": town}
            queries.append({"_id": f"q{n}-{i}", "text": asked.format(town=town), "metadata": about})
            qrels["train" if n < 30 else "dev"].append(f"q{n}-{i}\td{n}\t1\n")
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, judged in qrels.items():
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return folder


@pytest.fixture(scope="module")
def chain(tmp_path_factory, source):
    out = tmp_path_factory.mktemp("chain") / "out"
    small = {
        "--questions": 60, "--held-out": 6, "--pairs": 120, "--steps": 2, "--base-steps": 2, "-k": 3, "--errors": 0.3,
        "--kill-teacher": 20, "--threads": 1, "--models": "",
    }  # fmt: skip
    command = [sys.executable, str(CHAIN / "run.py"), "--source", str(source), "--out", str(out)]
    command += [str(word) for pair in small.items() for word in pair]
    environment = {**os.environ, "XDG_CACHE_HOME": str(out.parent / "cache"), "OMP_NUM_THREADS": "1"}

    def run(seconds=900):
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=seconds)

    done = run()
    assert done.returncode == 0, done.stderr[-3000:]
    return out, done.stdout, run


def test_every_pair_has_one_answer_though_the_teacher_died_on_the_way(chain):
    out, said, _ = chain
    assert "the teacher was killed with" in said
    pairs = {json.dumps([r["query"], r["text"]]) for r in map(json.loads, (out / "pairs.jsonl").open())}
    rows = [json.loads(line) for path in (out / "traces").glob("shard-*.jsonl") for line in path.open()]
    asked = [json.dumps([row["pair"]["query"], row["pair"]["text"]]) for row in rows]
    assert sorted(asked) == sorted(pairs)


def test_careless_answers_fall_and_what_is_left_says_what_its_label_implies(chain):
    out, _, _ = chain
    funnel = json.loads((out / "rows" / "first" / "funnel.json").read_text())
    fell = {step["reason"]: step["fell"] for step in funnel["funnel"]}
    assert fell["the verdict contradicts the implied label"] > 10
    rows = [json.loads(line) for line in (out / "rows" / "first" / "train.jsonl").open()]
    assert rows
    assert all(row["verdict"] == (row["part"] == "positives") for row in rows)


def test_thoughts_are_built_from_the_annotations(chain):
    out, _, _ = chain
    rows = [json.loads(line) for line in (out / "rows" / "first" / "train.jsonl").open()]
    right = [row["completion"] for row in rows if row["verdict"]]
    assert right
    assert all("It says" in text and any(a in text for a in ("Ada", "king Bo", "war of the")) for text in right)


def test_the_report_has_funnel_losses_and_measures_and_the_picture_is_drawn(chain):
    out, said, _ = chain
    report = json.loads((out / "report.json").read_text())
    assert set(report["tests"]) == {"base", "base-direct", "student"}
    assert report["tests"]["student"]["pairs"] == 18
    assert any("eval_measure" in row for row in report["logs"]["student"])
    assert (out / "report.md").read_text() in said
    assert (out / "report.svg").read_text().startswith("<?xml")


def test_the_same_command_again_does_nothing_twice(chain):
    out, _, run = chain
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.jsonl")}
    again = run()
    assert again.returncode == 0
    assert "$ ponderank" not in again.stdout
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.jsonl")} == before
