import json

import pytest

from ponderank.data.facts import FILE
from ponderank.errors import DataError
from ponderank.train.dev_sets import opened


def collection(folder, facts=None):
    folder.mkdir()
    lines = lambda rows: "".join(json.dumps(row) + "\n" for row in rows)  # noqa: E731
    (folder / "corpus.jsonl").write_text(lines({"_id": name, "text": f"cats purr {name}"} for name in ("q", "a", "b")))
    (folder / "queries.jsonl").write_text(lines([{"_id": "q", "text": "cats purr"}]))
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    if facts:
        (folder / FILE).write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize(
    ("facts", "candidates"),
    [(None, {"q", "a", "b"}), ({"excluded": {"q": ["b"]}}, {"q", "a"}), ({"drop_self": True}, {"a", "b"})],
)
def test_what_must_not_be_a_candidate_is_none(tmp_path, facts, candidates):
    (found,) = opened(str(collection(tmp_path / "c", facts)), 10, 10).many
    assert {doc.id for doc in found.docs} == candidates


def test_an_id_is_opened_like_a_folder(tmp_path):
    made = opened(f"beir:mine@{collection(tmp_path / 'c')}", 10, 10)
    assert [one.query.id for one in made.many] == ["q"]


def test_an_unknown_scheme_is_told(tmp_path):
    with pytest.raises(DataError, match="no collections 'bear'"):
        opened("bear:scifact", 10, 10)
