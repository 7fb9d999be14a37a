import json

import pytest


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
