import json
from dataclasses import replace
from pathlib import Path

import pytest

from ponderank.data.trec import read_run, write_run
from ponderank.errors import DataError
from ponderank.report.sources import Source, read_sources, tasks, with_first_stages
from report_world import letters, write_collection, write_folder


def names(task):
    return [source.name for source in with_first_stages(task.sources)]


def test_the_first_stage_that_folders_share_is_a_run_once(folders):
    (task,) = tasks(read_sources(folders))
    found = with_first_stages(task.sources)
    assert [source.name for source in found] == ["BM25", "good", "odd"]
    assert [doc for doc, _ in found[0].run["q0"]] == [f"q0{letter}" for letter in "abcdefghijkl"]
    assert found[0].derived
    assert found[0].trace is None


def test_a_given_run_that_is_the_first_stage_stands_for_it(folders, tmp_path):
    write_run(
        {f"q{n}": [f"q{n}{letter}" for letter in "abcdefghijkl"] + [f"x{n}"] for n in range(6)}, tmp_path / "bm.trec"
    )
    (task,) = tasks(read_sources([tmp_path / "bm.trec", *folders]))
    assert names(task) == ["bm", "good", "odd"]


def test_of_first_stages_of_other_lengths_the_longest_stands(folders, collection, tmp_path):
    short = write_folder(tmp_path / "short", collection, {n: "bac" for n in range(6)}, first="abc")
    for order in ((short, *folders), (*folders, short)):
        (task,) = tasks(read_sources(order))
        first = with_first_stages(task.sources)[0]
        assert (first.name, len(first.run["q0"])) == ("BM25", 12)


def test_two_first_stages_have_two_names(folders, collection, tmp_path):
    other = write_folder(tmp_path / "other", collection, letters({}), first="bacdefghijkl")
    (task,) = tasks(read_sources([*folders, other]))
    assert names(task) == ["BM25 of good", "BM25 of other", "good", "odd", "other"]


def test_runs_with_one_name_are_called_by_their_paths(folders, collection, tmp_path):
    twin = write_folder(tmp_path / "twin" / "good", collection, letters({}))
    (task,) = tasks(read_sources([folders[0], twin]))
    assert [source.name for source in task.sources] == [str(folders[0]), str(twin)]


def test_limited_runs_leave_the_other_queries_out_for_all_and_say_so(folders, collection, tmp_path):
    limited = write_folder(tmp_path / "limited", collection, letters({}, queries=2), limit=2)
    (task,) = tasks(read_sources([folders[0], limited]))
    assert list(task.qrels) == ["q0", "q1"]
    assert "4 of 6 judged queries are left out for every run" in task.notes[0]


def test_folders_of_two_collections_are_two_tasks_and_a_bare_run_beside_them_is_refused(folders, tmp_path):
    other = write_collection(tmp_path / "others", name="p")
    second = write_folder(tmp_path / "second", other, letters({}), name="p")
    assert [task.name for task in tasks(read_sources([*folders, second]))] == ["things", "others"]
    write_run({"q0": ["q0a"]}, tmp_path / "bare.trec")
    with pytest.raises(DataError, match=r"bare\.trec has no manifest; make a report for each collection"):
        tasks(read_sources([*folders, second, tmp_path / "bare.trec"]))


def test_a_collection_that_is_gone_is_asked_for(folders, tmp_path):
    (tmp_path / "things").rename(tmp_path / "moved")
    with pytest.raises(DataError, match="--collection"):
        tasks(read_sources(folders))
    (task,) = tasks(read_sources(folders), collection=str(tmp_path / "moved"))
    assert task.collection is not None
    (task,) = tasks(read_sources(folders), qrels=tmp_path / "moved" / "qrels" / "test.tsv")
    assert "texts of queries and passages are not shown" in task.notes[0]


def test_judgements_that_changed_since_are_noted(folders, collection):
    with (collection / "qrels" / "test.tsv").open("a") as file:
        file.write("q0\tq0b\t2\n")
    (task,) = tasks(read_sources(folders))
    assert "not those that the runs' own metrics.json was made with" in task.notes[0]


def test_a_bare_run_needs_judgements(folders, collection, tmp_path):
    bare = folders[0] / "run.trec"
    with pytest.raises(DataError, match="give --qrels"):
        tasks(read_sources([bare]))
    (task,) = tasks(read_sources([bare]), qrels=collection / "qrels" / "test.tsv")
    assert task.sources[0].run == read_run(bare)
    (task,) = tasks(read_sources([bare]), collection=str(collection))
    assert (task.name, task.split, task.notes) == ("things", "test", ())


def test_a_trace_of_another_shape_is_named_with_its_line(folders):
    trace = folders[0] / "trace.jsonl"
    lines = trace.read_text().splitlines()
    trace.write_text("\n".join([lines[0], json.dumps({"query": "q1"})]) + "\n")
    with pytest.raises(DataError, match=r"trace\.jsonl:2: expected a line of ponderank's trace"):
        read_sources(folders)


def test_scores_of_a_first_stage_that_do_not_give_its_order_are_not_used(folders):
    trace = folders[0] / "trace.jsonl"
    rows = [json.loads(line) for line in trace.read_text().splitlines()]
    for doc in rows[0]["docs"]:
        doc["first_score"] = float(doc["first_rank"])  # rising: no order of scores
    trace.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (source,) = read_sources(folders[:1])
    assert source.first["q0"][0] == ("q0a", 12.0)


def test_sources_of_one_name_are_told_apart_by_path():
    alike = Source("a", Path("x/a"), {})
    assert replace(alike, name="b").limit is None
