import json

import pytest

from ponderank.data.trec import read_qrels, read_run
from ponderank.errors import DataError
from ponderank.evaluate import enter
from ponderank.metrics import ranked
from ponderank.metrics.compare import against
from ponderank.report import picks
from ponderank.report.gather import Wanted, gather
from ponderank.report.holes import bounds
from ponderank.report.sources import read_sources, tasks
from report_world import letters, write_collection, write_folder


def report_on(paths, **wanted):
    return gather(tasks(read_sources(paths)), Wanted(**wanted))


def test_measures_and_comparisons_are_those_of_evaluate(folders, collection):
    (section,) = report_on(folders, measures=("nDCG@10", "AP"), seed=3).sections
    qrels = read_qrels(collection / "qrels" / "test.tsv")
    values = {path.name: ranked.per_query(qrels, enter(path).run, ("nDCG@10", "AP")) for path in folders}
    assert section.baseline == "BM25"
    for name, mine in values.items():
        assert section.system(name).measures == ranked.summary(mine)
    for measure in ("nDCG@10", "AP"):
        base = section.values["BM25"][measure]
        expected = against(base, {name: mine[measure] for name, mine in values.items()}, seed=3)
        assert {name: section.system(name).compared[measure] for name in values} == expected


def test_the_baseline_is_the_first_stage_or_what_is_named(folders, tmp_path):
    assert report_on(folders).sections[0].baseline == "BM25"
    assert report_on(folders, baseline="odd").sections[0].baseline == "odd"
    assert report_on(folders, baseline=str(folders[1])).sections[0].baseline == "odd"
    with pytest.raises(DataError, match="no run is named 'nobody'; the runs are BM25, good, odd"):
        report_on(folders, baseline="nobody")


def test_cost_flaws_and_moves_stand_beside_the_measures(folders):
    good, odd = report_on(folders, price=(1.0, 10.0)).sections[0].systems[1:]
    assert good.cost == {
        "calls": 12,
        "read": 100,
        "written": 10,
        "flaws": 1,
        "seconds": 0.5,
        "cost": pytest.approx(0.0002),
    }
    assert good.flaws == {"incomplete": 6}
    assert (odd.moves.into, odd.moves.out, odd.moves.k) == (0, 0, 10)
    assert report_on(folders, depth=2).sections[0].system("good").moves.into == 5


def test_the_largest_gains_losses_and_disagreements_are_chosen(folders):
    (section,) = report_on(folders, details=1).sections
    why = {detail.query: detail.why for detail in section.details}
    assert any(line.startswith("gain of good") for line in why["q0"])
    assert any(line.startswith("loss of odd") for line in why["q2"])
    assert any(line.startswith("gain of odd") for line in why["q5"])
    assert "q4" not in why
    (section,) = report_on(folders, details=0, queries=("q4",)).sections
    assert [(detail.query, detail.why) for detail in section.details] == [("q4", ("asked for",))]
    with pytest.raises(DataError, match="'q99' is not judged"):
        report_on(folders, queries=("q99",))


def test_without_a_baseline_the_lowest_values_are_chosen(collection, folders):
    (section,) = gather(
        tasks(read_sources([folders[1] / "run.trec"]), collection=str(collection)), Wanted(details=1)
    ).sections
    assert (section.baseline, [detail.query for detail in section.details]) == (None, ["q2"])
    assert section.details[0].why[0].startswith("low: nDCG@10")


def test_more_queries_than_fit_leave_every_list_its_head(folders):
    (section,) = report_on(folders, details=0).sections
    assert picks.queries(section, 5, most=3).keys() == {"q0", "q2", "q5"}
    assert "6 of 6 queries are not shown in detail" in section.left_out[0]


def test_a_document_is_shown_with_what_each_system_said_and_the_quotation_marked(folders):
    (section,) = report_on(folders, details=1).sections
    detail = next(detail for detail in section.details if detail.query == "q0")
    best = detail.shown[0]
    assert (best.doc, best.grade) == ("q0c", 2)
    first, good, odd = best.said
    assert (first.rank, good.rank, good.first_rank, odd.rank) == (3, 1, 3, 3)
    assert (good.verdict, good.flaw, odd.reasoning) == ("true", "", "")
    passage = section.passages["q0c"]
    assert [passage.text[a:b] for a, b in good.evidence] == ["says that thing 0 is made of stuff"]
    assert next(s for s in detail.shown if s.doc == "q0a").grade == 0
    assert {line.doc: line.ranks["good"] for line in detail.lines}["q0f"] == 2


def test_long_thoughts_and_passages_are_cut_and_it_is_said(tmp_path):
    collection = write_collection(
        tmp_path / "long", text="Long is this. " * 400 + "Thing {n} is made of very old stuff."
    )
    thought = "I wonder. " * 500 + "thing 0 is made of very old stuff"
    folder = write_folder(tmp_path / "run", collection, letters({0: "c"}), thought=thought)
    (section,) = report_on([folder], details=1).sections
    said = section.details[0].shown[0].said[1]
    assert len(said.reasoning) < 2_100
    assert said.cut == len(thought) - 2_000
    passage = section.passages["q0c"]
    assert len(passage.text) == 2_000
    start, end = said.evidence[0]
    assert passage.text[start - passage.before : end - passage.before].startswith("Thing 0 is made of very old")
    assert any("passages are shortened" in line for line in section.left_out)
    assert any("without their middle" in line for line in section.left_out)


def test_bounds_are_the_two_extremes_of_what_is_unjudged():
    qrels, run = {"q": {"a": 2, "b": 0}}, {"q": [("b", 3.0), ("x", 2.0), ("a", 1.0)]}
    found = bounds(qrels, run, ["P@2", "RR@10", "nDCG@10", "Judged@2", "NumRet"], 10)
    assert found["P@2"] == (0.0, 0.5)
    assert found["RR@10"] == (pytest.approx(1 / 3), 0.5)
    assert list(found) == ["P@2", "RR@10", "nDCG@10"]
    low, high = found["nDCG@10"]
    assert low == pytest.approx(0.5)
    assert high == pytest.approx((2 / 1.5849625 + 2 / 2) / (2 + 2 / 1.5849625))


def test_bounds_look_as_deep_as_the_measure():
    qrels = {"q": {"a": 1}}
    run = {"q": [("a", 3.0), ("x", 2.0), ("y", 1.0)]}
    assert bounds(qrels, run, ["P@1"], 10) == {"P@1": (1.0, 1.0)}
    assert bounds(qrels, run, ["P@3"], 1) == {"P@3": (pytest.approx(1 / 3), 1.0)}


def test_systems_meet_over_collections_by_name_or_by_recipe(folders, tmp_path):
    other = write_collection(tmp_path / "others", name="p")
    same = write_folder(tmp_path / "b" / "good", other, letters({0: "c"}), name="p")
    overall = report_on([*folders, same]).overall
    assert overall.table["good"].keys() == {"things", "others"}
    assert overall.table["odd"].keys() == {"things"}
    renamed = write_folder(tmp_path / "others-x", other, letters({0: "c"}), name="p", recipe="x")
    mine = write_folder(tmp_path / "things-x", tmp_path / "things", letters({0: "c"}), recipe="x")
    assert report_on([mine, renamed]).overall.table.keys() == {"BM25", "others-x", "things-x"}


def test_first_stages_meet_whatever_they_are_called_and_each_collection_has_its_measure(folders, tmp_path):
    other = write_collection(tmp_path / "others", name="p")
    same = write_folder(tmp_path / "b" / "good", other, letters({0: "c"}), name="p")
    told = json.loads((same / "manifest.json").read_text())
    told |= {
        "first_stage": {"kind": "run", "path": "given.trec"},
        "options": {**told["options"], "measures": ["RR@10"]},
    }
    (same / "manifest.json").write_text(json.dumps(told))
    overall = report_on([folders[0], same]).overall
    assert overall.table.keys() == {"first stage", "good"}
    assert all(values.keys() == {"things", "others"} for values in overall.table.values())
    assert overall.measures == {"things": "nDCG@10", "others": "RR@10"}


def test_queries_that_a_run_lacks_count_nothing_and_are_named(folders):
    run = folders[0] / "run.trec"
    run.write_text("".join(line for line in run.read_text().splitlines(keepends=True) if not line.startswith("q3 ")))
    (section,) = report_on(folders).sections
    assert section.system("good").handling.missing == ("q3",)
    assert section.values["good"]["nDCG@10"]["q3"] == 0.0
    assert read_run(run).keys() == {"q0", "q1", "q2", "q4", "q5"}
