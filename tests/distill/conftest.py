import json

import pytest

from ponderank.backends.adapters import Batched
from ponderank.distill.pairs import Pair
from ponderank.distill.shards import Collected
from ponderank.formats.teacher import Trace
from ponderank.types import Doc, Generate, Query, Reply, Usage


@pytest.fixture
def collection(tmp_path):
    """Twenty queries in train and five in dev, each about one of 25 passages; the last dev query is also asked in train."""
    folder = tmp_path / "things"
    (folder / "qrels").mkdir(parents=True)
    docs = [
        {"_id": f"d{i}", "text": f"thing {i} is made of stuff{i} and stuff{i + 1}, says a note of thing {i}"}
        for i in range(25)
    ]
    queries = [{"_id": f"q{i}", "text": f"what is thing {i} made of, stuff{i}?"} for i in range(25)]
    queries[0]["text"] = queries[24]["text"].upper()
    (folder / "corpus.jsonl").write_text("".join(json.dumps(d) + "\n" for d in docs))
    (folder / "queries.jsonl").write_text("".join(json.dumps(q) + "\n" for q in queries))
    for split, numbers in (("train", range(20)), ("dev", range(20, 25))):
        rows = "".join(f"q{i}\td{i}\t1\n" for i in numbers)
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    return folder


def pair(number=0, part="positives", label=1, text=None):
    return Pair(Query(f"q{number}", f"question {number}"), Doc(f"d{number}", text or f"passage {number}"), part, label)


def row(number=0, part="positives", label=1, verdict=True, sample=0, thought="it is as it is, so it is", finish="stop"):
    return Collected(pair(number, part, label), sample, Trace(thought, verdict), finish)


def teacher(asked=None, size=4, answer="<think>because {n}</think>true", fail_at=None):
    """A teacher that answers from the number in the question; notes what it was asked, dies at a call."""
    from ponderank.errors import BackendError

    log = [] if asked is None else asked

    def fn(calls):
        replies = []
        for call in calls:
            text = "".join(part.text for part in call.prompt)
            if fail_at is not None and len(log) >= fail_at:
                raise BackendError("gone", retryable=True)
            log.append(text)
            number = text.partition("question ")[2].partition("\n")[0]
            replies.append(Reply(answer.format(n=number), "stop", usage=Usage(1, 20, 0, 7, 0.1)))
        return replies

    return Batched(fn, size, can=frozenset({Generate}), fingerprint="teacher")
