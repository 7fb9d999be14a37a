"""The real command in a process of its own."""

import subprocess

import pytest
from cli_world import command, environment, write_collection, write_model


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A cross-encoder folder; every pair is quick."""
    return write_model(tmp_path_factory.mktemp("model"), work=0)


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory):
    """The same scores, with some tens of milliseconds a pair."""
    return write_model(tmp_path_factory.mktemp("slow"), work=700)


@pytest.fixture
def collection(tmp_path):
    """Twelve queries, four documents, all judged: ``d-best`` is relevant."""
    return write_collection(tmp_path / "collection", queries=12)


@pytest.fixture
def ponderank(tmp_path):
    """Run the command; returns the finished process, with text output."""

    def run(*words, stdin=None, **env):
        return subprocess.run(
            command(*words), input=stdin, capture_output=True, text=True, env=environment(tmp_path, **env), timeout=60
        )

    return run
