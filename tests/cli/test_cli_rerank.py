import gzip
import json
import subprocess

import pytest
from cli_world import command, environment

DOCS = ("a bad text", "a best text", "a fair text")


def rows(process):
    assert process.returncode == 0, process.stderr
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_a_pipe_gets_one_json_object_a_line_best_first(ponderank, model):
    found = rows(ponderank("rerank", "q", *DOCS, "--model", model, "--recipe", "default-alone"))
    assert [(row["rank"], row["id"], row["text"]) for row in found] == [
        (1, "1", DOCS[1]),
        (2, "2", DOCS[2]),
        (3, "0", DOCS[0]),
    ]
    assert [row["score"] for row in found] == [9.0, 3.0, -4.0]
    assert all(0 <= row["prob"] <= 1 for row in found)


def test_a_table_has_the_same_order(ponderank, model):
    process = ponderank("rerank", "q", *DOCS, "--model", model, "--format", "table")
    assert [line.split()[3] for line in process.stdout.splitlines()] == ["id", "1", "2", "0"]


@pytest.mark.parametrize("name", ["docs.jsonl", "docs.jsonl.gz"])
def test_a_jsonl_file_is_read_and_top_k_cuts(ponderank, model, tmp_path, name):
    content = "".join(json.dumps({"id": f"d{i}", "text": text}) + "\n" for i, text in enumerate(DOCS)).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found = rows(ponderank("rerank", "q", tmp_path / name, "--top-k", 2, "--format", "json", "--model", model))
    assert [row["id"] for row in found] == ["d1", "d2"]


def test_a_text_file_is_one_text_a_line(ponderank, model, tmp_path):
    (tmp_path / "docs.txt").write_text("\n".join(DOCS) + "\n\n")
    assert len(rows(ponderank("rerank", "q", tmp_path / "docs.txt", "--model", model))) == 3


@pytest.mark.parametrize("stdin", ["".join(json.dumps({"text": t}) + "\n" for t in DOCS), "\n".join(DOCS)])
def test_a_dash_is_stdin_as_json_lines_or_plain_lines(ponderank, model, stdin):
    assert rows(ponderank("rerank", "q", "-", "--model", model, stdin=stdin))[0]["text"] == DOCS[1]


def test_a_dry_run_counts_and_asks_nothing(ponderank, model):
    assert rows(ponderank("rerank", "q", *DOCS, "--model", model, "--dry-run")) == [{"calls": 3, "prompt_tokens": 12}]


def test_a_cache_file_answers_the_second_time(ponderank, model, tmp_path):
    arguments = ("rerank", "q", *DOCS, "--model", model, "--cache", tmp_path / "kept.sqlite")
    assert rows(ponderank(*arguments)) == rows(ponderank(*arguments))
    assert (tmp_path / "kept.sqlite").stat().st_size > 0


def test_explain_adds_evidence(ponderank, model):
    found = rows(ponderank("rerank", "q", "A bad thing. A best thing.", "--model", model, "--explain"))
    start, end = (found[0]["evidence"][0][name] for name in ("start", "end"))
    assert "best" in "A bad thing. A best thing."[start:end]


def test_lone_surrogates_and_control_characters_come_back_as_json(ponderank, model, tmp_path):
    (tmp_path / "docs.jsonl").write_text('{"id": "a", "text": "best \\ud800 \\u001b[2J"}\n')
    assert rows(ponderank("rerank", "q", tmp_path / "docs.jsonl", "--model", model))[0]["text"] == "best \ud800 \x1b[2J"


def test_a_table_cannot_be_made_to_move_the_cursor(ponderank, model, tmp_path):
    (tmp_path / "docs.jsonl").write_text('{"id": "a\\u001b[1A", "text": "best \\u001b[2J"}\n')
    process = ponderank("rerank", "q", tmp_path / "docs.jsonl", "--model", model, "--format", "table")
    assert process.returncode == 0
    assert "\x1b" not in process.stdout


BAD_FILES = {
    "malformed": ('{"text": "a"}\n{"text": \n', ["docs.jsonl:2", "JSON"]),
    "no-text": ('{"id": "1", "body": "a"}\n', ["docs.jsonl:1", "'text'", "'body'"]),
    "a-list": ("[1]\n", ["docs.jsonl:1", "object"]),
    "empty": ("", ["no documents"]),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_document_file_is_one_line_with_place_and_remedy(ponderank, model, tmp_path, case):
    content, words = BAD_FILES[case]
    (tmp_path / "docs.jsonl").write_text(content)
    assert_one_error(ponderank("rerank", "q", tmp_path / "docs.jsonl", "--model", model), 2, words)


def test_bytes_that_are_not_utf8_name_the_file(ponderank, tmp_path):
    (tmp_path / "docs.txt").write_bytes(b"good\n\xff\xfe bad\n")
    assert_one_error(ponderank("rerank", "q", tmp_path / "docs.txt"), 2, ["docs.txt", "UTF-8"])


def test_a_missing_file_is_not_taken_for_a_text(ponderank):
    assert_one_error(ponderank("rerank", "q", "absent.jsonl"), 2, ["absent.jsonl", "no such file"])


def test_a_file_of_another_kind_is_refused(ponderank, tmp_path):
    (tmp_path / "docs.pdf").write_text("x")
    assert_one_error(ponderank("rerank", "q", tmp_path / "docs.pdf"), 2, ["docs.pdf", ".jsonl"])


def test_an_unknown_recipe_gets_the_nearest_names(ponderank):
    assert_one_error(ponderank("rerank", "q", "a", "--recipe", "defalt"), 2, ["'defalt'", "default"])


def test_a_model_folder_without_a_tokenizer_names_the_folder_and_the_file(ponderank, model, tmp_path):
    (tmp_path / "model.onnx").write_bytes((model / "model.onnx").read_bytes())
    assert_one_error(ponderank("rerank", "q", "a", "--model", tmp_path), 2, [str(tmp_path), "tokenizer.json"])


def test_debug_adds_the_traceback(ponderank):
    process = ponderank("rerank", "q", "absent.jsonl", PONDERANK_DEBUG="1")
    assert "Traceback" in process.stderr
    assert process.returncode == 2


def test_a_reader_that_leaves_early_ends_the_command_quietly(model, tmp_path):
    (tmp_path / "docs.txt").write_text("good text\n" * 3000)
    words = command("rerank", "q", tmp_path / "docs.txt", "--model", model)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_a_terminal_gets_a_table_with_the_evidence_marked(model, tmp_path):
    pty = pytest.importorskip("pty")
    import os

    ours, theirs = pty.openpty()
    words = command("rerank", "q", "A bad thing. A best thing.", "--model", model, "--explain")
    environ = environment(tmp_path, TERM="xterm-256color", COLUMNS="100")
    with subprocess.Popen(words, stdout=theirs, stderr=subprocess.PIPE, env=environ) as process:
        shown = b""
        process.wait(60)
        os.close(theirs)
        while chunk := _read(ours):
            shown += chunk
    os.close(ours)
    assert b"rank" in shown
    assert b"\x1b[1;32mA best thing." in shown


def _read(descriptor):
    import os

    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says the end of a terminal so
        return b""


def assert_one_error(process, code, words):
    assert process.returncode == code, process.stderr
    assert process.stdout == ""
    assert process.stderr.startswith("error: ")
    assert process.stderr.count("\n") == 1
    for word in words:
        assert word in process.stderr
