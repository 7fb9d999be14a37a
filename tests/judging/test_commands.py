"""`ponderank judge …` without a browser: the store is filled as the page would."""

import json

import pytest
from judging_world import graded
from typer.testing import CliRunner

from ponderank.cli.main import build
from ponderank.data.trec import read_qrels
from ponderank.judging.merge import read_merged
from ponderank.judging.offline import FORMAT
from ponderank.judging.opinions import beside, read_opinions
from ponderank.judging.pool import read_pool
from ponderank.judging.store import Store


def call(*words, code=0):
    result = CliRunner().invoke(build(["judge"]), ["judge", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def source(world, tmp_path):
    path = tmp_path / "pool.jsonl"
    made = call(
        "pool", "--qrels", world / "old.qrels", "--run", world / "A.trec", "--run", world / "B.trec", "--collection", world,
        "--depth", 10, "--what", "unjudged", "--out", path,
    )  # fmt: skip
    assert "24 passages of 6 queries" in made.stderr
    assert "old judgements go up to 2" in made.stderr  # and the scale to 3
    return path


@pytest.fixture
def store(source, tmp_path):
    many = read_pool(source)
    with Store(tmp_path / "judgements.db") as kept:
        kept.add_pool(many)
        kept.append(many.fingerprint, graded(many, "ada", [3, 1, 0, 2]))
        kept.append(many.fingerprint, graded(many, "ben", [3, 1, 2, None], start=10))
    return tmp_path / "judgements.db"


def test_merged_judgements_are_applied_and_change_the_evaluation(world, store, tmp_path):
    merged, new, old = tmp_path / "merged.jsonl", tmp_path / "new.qrels", world / "old.qrels"
    made = call("merge", store, "--policy", "majority", "--out", merged)
    assert "ada & ben" in made.stdout
    assert "4 items" in made.stderr
    assert "1 ties are open" in made.stderr
    assert json.loads((tmp_path / "merged.jsonl.report.json").read_text())["agreement"]["pairs"][0]["items"] == 3
    assert "3 added" in call("apply", "--qrels", old, merged, "--out", new).stderr
    assert sum(map(len, read_qrels(new).values())) == sum(map(len, read_qrels(old).values())) + 3
    rows = json.loads(
        call("compare", "--qrels", old, "--qrels", new, "--run", world / "A.trec", "--format", "json").stdout
    )
    before, after = rows
    assert after["judged"] > before["judged"]
    assert after["measures"]["nDCG@10"]["value"] != before["measures"]["nDCG@10"]["value"]
    assert "Judged@10" in call("compare", "--qrels", old, "--run", world / "A.trec").stdout


def test_what_people_disagree_on_is_a_pool_that_decides(store, tmp_path):
    call("merge", store, "--policy", "adjudicate", "--out", tmp_path / "open.jsonl")
    open_ = read_pool(tmp_path / "open.jsonl")
    assert len(open_.items) == 1
    assert {one.source for told in read_opinions(beside(tmp_path / "open.jsonl")).values() for one in told} == {
        "ada",
        "ben",
    }
    with Store(store) as kept:
        kept.add_pool(open_)
        kept.append(open_.fingerprint, graded(open_, "judge", [1], start=30))
    call("merge", store, "--out", tmp_path / "merged.jsonl")
    decided = [row for row in read_merged(tmp_path / "merged.jsonl") if row.decided == "adjudicated"]
    assert [row.grade for row in decided] == [1]


def test_a_page_for_offline_use_is_written_and_what_it_saved_is_taken_in(source, tmp_path):
    call("export", source, "--out", tmp_path / "judge.html")
    assert "<!doctype html>" in (tmp_path / "judge.html").read_text()
    many = read_pool(source)
    events = [{**one.to_dict(), "assessor": "cyd"} for one in graded(many, "cyd", [1, 2])]
    (tmp_path / "cyd.json").write_text(json.dumps({"format": FORMAT, "pool": many.fingerprint, "events": events}))
    words = ("import", tmp_path / "cyd.json", "--store", tmp_path / "j.db", "--pool", source)
    assert "2 new of 2" in call(*words).stderr
    assert "0 new of 2" in call(*words).stderr


def test_a_recipes_opinion_stands_beside_the_pool_not_in_it(world, tmp_path):
    out = tmp_path / "pool.jsonl"
    call("pool", "--run", world / "A.trec", "--collection", world, "--depth", 1, "--pre-judge", "default", "--out", out)
    many = read_pool(out)
    assert set(read_opinions(beside(out))) == set(many.by_key)
    assert "default" not in out.read_text()


def test_the_old_judgements_are_not_overwritten(world, store, tmp_path):
    merged, old = tmp_path / "merged.jsonl", world / "old.qrels"
    call("merge", store, "--out", merged)
    text = old.read_text()
    result = CliRunner().invoke(
        build(["judge"]), ["judge", "apply", "--qrels", str(old), str(merged), "--out", str(old)]
    )
    assert result.exit_code == 2
    assert "overwrite" in result.stderr
    assert old.read_text() == text
