import json

import pytest

from ponderank.distill.imports import read_tfrank
from ponderank.errors import DataError

FORM = "\n\nBefore giving the final reply to the user, let me summarize once more. It should be: yes."


def row(user, assistant):
    return (
        json.dumps({"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]})
        + "\n"
    )


def read(tmp_path, *rows):
    (tmp_path / "rows.jsonl").write_text("".join(rows))
    return list(read_tfrank(tmp_path / "rows.jsonl"))


@pytest.mark.parametrize(("answer", "verdict"), [("yes", True), ("no", False), ("yes(3)", True), ("no(1)", False)])
def test_query_passage_thought_and_verdict_are_taken_over(answer, verdict, tmp_path):
    user = "<Instruct>: judge\n\n\n<Query>: what is it\n\n\n<Document>: It is\n\nso. /think"
    (found,) = read(tmp_path, row(user, f"<think>\nIt says so.{FORM}\n</think>\n\n{answer}"))
    assert (found.pair.query.text, found.pair.doc.text) == ("what is it", "It is\n\nso.")
    assert found.trace.thought == "It says so."
    assert found.trace.verdict is verdict
    assert found.pair.label == int(verdict)


@pytest.mark.parametrize(
    ("user", "assistant"),
    [("<Query>: a\n\n<Documents>:\n[1] b\n[2] c", "<think>x</think>\n\n[1] > [2]"),
     ("<Query>: a\n\n<Document>: b", "yes"), ("a", "<think>x</think> yes"), ("<Query>: a\n\n<Document>: b", "<think>x</think> maybe")],
)  # fmt: skip
def test_rows_of_another_kind_are_left_out(user, assistant, tmp_path):
    assert read(tmp_path, row(user, assistant)) == [None]


def test_a_row_without_messages_is_named(tmp_path):
    with pytest.raises(DataError, match=r"rows\.jsonl:1.*messages"):
        read(tmp_path, '{"text": "x"}\n')
