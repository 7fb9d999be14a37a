"""Cascades, comparing recipes and what an engine runs, from the command line and against a server on loopback."""

import json

import pytest

pytest.importorskip("aiohttp")

from stub_server import Habits, Stub

DOCS = [
    "nothing of it",
    "good words on who wrote it",
    "bad words",
    "good good words, who wrote it",
    "who wrote it: bad",
]


@pytest.fixture(scope="module")
def server():
    stub = Stub(Habits()).start()
    yield stub
    stub.stop()


@pytest.fixture
def docs(tmp_path):
    path = tmp_path / "docs.jsonl"
    path.write_text("".join(json.dumps({"id": f"d{i}", "text": text}) + "\n" for i, text in enumerate(DOCS)))
    return path


def rows(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_cascade_hands_the_best_of_the_embedded_model_to_a_thinking_one(ponderank, server, docs):
    before = len(server.posts())
    words = ("--cascade", "default:3,rank1:2", "--engine", server.url, "--model", "rank1")
    found = rows(ponderank("rerank", "who wrote it", docs, *words))
    assert [row["id"] for row in found] == ["d3", "d1"]
    assert all(row["judge"] == 1 and row["verdict"] == "true" for row in found)
    assert len(server.posts()) - before == 3, "three were admitted, each asked once"


def test_a_cascades_dry_run_counts_all_stages_and_asks_nothing(ponderank, server, docs):
    before = len(server.posts())
    words = ("--cascade", "default:3,rank1:2", "--engine", server.url, "--model", "rank1", "--dry-run")
    (cost,) = rows(ponderank("rerank", "who wrote it", docs, *words))
    assert cost["calls"] == len(DOCS) + 3
    assert len(server.posts()) == before


def test_a_comparing_recipe_says_what_it_would_cost(ponderank, server, docs):
    words = ("--recipe", "prp-sliding", "--engine", server.url, "--model", "rank1", "--dry-run")
    (cost,) = rows(ponderank("rerank", "who wrote it", docs, *words))
    pairs = len(DOCS) * (len(DOCS) - 1) // 2
    assert 2 * (len(DOCS) - 1) <= cost["calls"] <= 2 * pairs


def test_recipes_are_told_for_a_server(ponderank, server):
    found = {row["name"]: row for row in rows(ponderank("recipes", "--engine", server.url, "--model", "rank1"))}
    assert found["rank1"]["runs"]
    assert found["setwise-heapsort"]["runs"]
    assert not found["monobert-base"]["runs"]
    assert "Classify" in found["monobert-base"]["why"]


def test_recipes_can_be_searched(ponderank):
    found = [row["name"] for row in rows(ponderank("recipes", "--find", "setwise"))]
    assert "setwise-heapsort" in found
    assert "default" not in found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cascade", "default"), "two or more"),
        (("--cascade", "default,rank1:5"), "does not say how many go on"),
        (("--cascade", "default:5,rank1:9"), "cannot keep more than it is given"),
        (("--cascade", "default:x,rank1:5"), "whole number"),
        (("--cascade", "defualt:5,rank1:5"), "did you mean default"),
        (("--cascade", "default:5,:5"), "cannot read stage"),
        (("--cascade", "default:5,rank1:2", "--recipe", "default"), "not both"),
        (("--cascade", "default:5,rank1:2"), "no model of its own"),
    ],
)
def test_a_cascade_that_cannot_be_is_one_clear_error(ponderank, docs, words, said):
    done = ponderank("rerank", "who wrote it", docs, *words)
    assert done.returncode not in (0, 1)
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_filter_that_finds_nothing_says_so(ponderank):
    done = ponderank("recipes", "--find", "no such thing")
    assert done.returncode == 2
    assert "no recipe has" in done.stderr


def test_a_recipe_is_explained_with_what_it_costs(ponderank):
    said = ponderank("recipes", "setwise-heapsort", "--format", "table").stdout
    assert "about" in said
    assert "judgements" in said
    assert "9 judgements in 9 rounds for 100 candidates" in ponderank("recipes", "window", "--format", "table").stdout
