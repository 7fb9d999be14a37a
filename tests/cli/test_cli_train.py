import subprocess

import pytest
from cli_world import command, environment


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[model]\nstart = 'nowhere'\n[training]\nloss = 'NoLoss'\n[[data]]\nfolder = 'none'\n")
    return path


def train(tmp_path, *words):
    return subprocess.run(
        command("train", "cross-encoder", *words), capture_output=True, text=True, env=environment(tmp_path), timeout=100,
        cwd=tmp_path,
    )  # fmt: skip


@pytest.mark.train
@pytest.mark.parametrize("words", [["--config"], []], ids=["as an option", "as an argument"])
def test_a_training_file_is_named_and_its_folder_printed(tmp_path, file, words):
    pytest.importorskip("sentence_transformers")
    done = train(tmp_path, *words, file)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "training in trained/mine"
    assert "no loss 'NoLoss'" in done.stderr


@pytest.mark.parametrize("words", [["mine.toml", "--config", "mine.toml"], []], ids=["twice", "never"])
def test_one_training_file_is_named(tmp_path, file, words):
    done = train(tmp_path, *words)
    assert done.returncode == 2
    assert "name the training file, once" in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.train
def test_a_folder_that_is_given_is_taken(tmp_path, file):
    pytest.importorskip("sentence_transformers")
    assert train(tmp_path, "--config", file, "--out", "there").stderr.startswith("training in there\n")
