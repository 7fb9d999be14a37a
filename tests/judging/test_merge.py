import json

import pytest
from judging_world import graded, pool

from ponderank.data.trec import read_qrels, read_run
from ponderank.errors import DataError
from ponderank.judging.apply import changes, counts, provenance_path, write_patched, write_provenance
from ponderank.judging.compare import compare, judged_share
from ponderank.judging.merge import decide, disagreements, gather, merge, read_merged, write_merged
from ponderank.judging.pool import scale_of


@pytest.fixture
def many():
    return pool(4)


def gathered(many, *events, **more):
    return gather({many.fingerprint: (many, [event for some in events for event in some])}, **more)


def grades(rows):
    return {row.doc_id: row.grade for row in rows}


def three(many):
    return gathered(
        many, graded(many, "ada", [2, 0, 3]), graded(many, "ben", [2, 1, 0], start=10), graded(many, "cyd", [0, None, 1], start=20)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "ties", "expected"),
    [
        ("majority", "open", [2, None, None]),
        ("majority", "lower", [2, 0, 0]),
        ("majority", "higher", [2, 1, 3]),
        ("first", "open", [2, 0, 3]),
        ("strictest", "open", [0, 0, 0]),
        ("lenient", "open", [2, 1, 3]),
    ],
)
def test_each_policy_decides_as_it_says(many, policy, ties, expected):
    assert grades(merge(three(many), policy, ties=ties)) == dict(zip(("d0", "d1", "d2"), expected, strict=True))


def test_an_unknown_policy_is_refused():
    with pytest.raises(DataError, match="policies are majority"):
        decide([], "loudest")


def test_what_was_adjudicated_decides_over_any_policy(many):
    open_, told = disagreements(three(many), many)
    assert sorted(item.doc.id for item in open_.items) == ["d0", "d1", "d2"]
    assert {one.source for one in told} == {"ada", "ben", "cyd"}
    last = graded(open_, "judge", [1, 1, 1], start=30)
    both = {
        many.fingerprint: (many, [*graded(many, "ada", [2, 0, 3, 3]), *graded(many, "ben", [0, 1, 0, 3], start=10)]),
        open_.fingerprint: (open_, last),
    }
    rows = merge(gather(both), "majority")
    assert grades(rows) == {"d0": 1, "d1": 1, "d2": 1, "d3": 3}
    assert {row.doc_id: row.decided for row in rows} | {"d0": "adjudicated", "d3": "majority"} == {
        row.doc_id: row.decided for row in rows
    }
    assert not disagreements(gather(both), many)[0].items  # nothing is adjudicated twice


def test_pools_on_different_scales_are_not_merged(many):
    other = pool(5, scale=scale_of(["0=no", "1=yes"]))
    with pytest.raises(DataError, match="different grades"):
        gather({"a": (many, []), "b": (other, [])})


def test_merged_rows_read_as_they_were_written(many, tmp_path):
    rows = merge(three(many), "majority")
    write_merged(rows, tmp_path / "m.jsonl")
    assert read_merged(tmp_path / "m.jsonl") == rows
    assert [vote.assessor for vote in rows[0].votes] == ["ada", "ben", "cyd"]


TREC, BEIR = "q0 0 d0 1\nq1\t0\td9\t0\n", "query-id\tcorpus-id\tscore\nq0\td0\t1\nq1\td9\t0\n"


@pytest.mark.parametrize(
    ("old", "added", "changed"),
    [(TREC, "q0\t0\td2\t3\n", "q0 0 d0 2\nq1\t0\td9\t0\n"), (BEIR, "q0\td2\t3\n", BEIR.replace("d0\t1", "d0\t2"))],
)
def test_new_judgements_keep_the_old_lines_and_columns(many, tmp_path, old, added, changed):
    (tmp_path / "old").write_text(old)
    rows = merge(gathered(many, graded(many, "ada", [2, None, 3])), "majority")
    write_patched(tmp_path / "old", changes(tmp_path / "old", rows), tmp_path / "new")
    assert (tmp_path / "new").read_text() == old + added
    write_patched(tmp_path / "old", changes(tmp_path / "old", rows, overrule=True), tmp_path / "over")
    assert (tmp_path / "over").read_text() == changed + added
    assert read_qrels(tmp_path / "over")["q0"] == {"d0": 2, "d2": 3}


def test_what_was_judged_stays_unless_overruled(many, tmp_path):
    (tmp_path / "old").write_text("q0 0 d0 1\nq1 0 d1 3\n")
    rows = merge(gathered(many, graded(many, "ada", [2, 3, 3]), graded(many, "ben", [2, 3, 0])), "majority")
    done = lambda **more: [c.done for c in changes(tmp_path / "old", rows, **more)]  # noqa: E731
    assert done() == ["kept", "open", "same"]  # by query, then document: d0, d2, d1
    assert done(overrule=True) == ["overruled", "open", "same"]


def test_provenance_says_of_each_row_who_when_how_and_what_it_was(many, tmp_path):
    old, out, merged = tmp_path / "old", tmp_path / "new", tmp_path / "m.jsonl"
    old.write_text("q0 0 d0 1\n")
    rows = merge(gathered(many, graded(many, "ada", [2, 0])), "majority")
    write_merged(rows, merged)
    found = changes(old, rows, overrule=True)
    write_patched(old, found, out)
    write_provenance(found, out, qrels_path=old, merged_path=merged, overrule=True)
    head, first, second = map(json.loads, provenance_path(out).read_text().splitlines())
    assert head["provenance"]["counts"] == counts(found)
    assert (first["done"], first["was"], first["grade"], first["decided"]) == ("overruled", 1, 2, "majority")
    assert first["pool"] == many.fingerprint
    assert (second["done"], second["was"]) == ("added", None)
    assert [(vote["assessor"], vote["time"]) for vote in first["votes"]] == [("ada", "2026-01-01T00:00:00+00:00")]


def test_an_id_that_the_format_cannot_hold_is_refused(many, tmp_path):
    from dataclasses import replace

    (tmp_path / "old").write_text("q0 0 d0 1\n")
    (row,) = merge(gathered(many, graded(many, "ada", [None, None, 3])), "majority")
    spaced = changes(tmp_path / "old", [replace(row, doc_id="two words")])
    with pytest.raises(DataError, match="white space"):
        write_patched(tmp_path / "old", spaced, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_more_judgements_bring_the_bounds_together_around_the_value(world):
    run = {"A": read_run(world / "A.trec")}
    old = read_qrels(world / "old.qrels")
    new = {query: {**docs, **{f"d{query[1]}{letter}": 3 for letter in "bc"}} for query, docs in old.items()}
    before, after = compare({"old": old, "new": new}, run, ["P@5"], k=5)
    low, high = before["measures"]["P@5"]["bounds"]
    assert (low, high) == (pytest.approx(0.2), pytest.approx(0.8))  # one of five relevant, one not, three unjudged
    assert (before["judged"], after["judged"]) == (pytest.approx(0.4), pytest.approx(0.8))
    assert after["measures"]["P@5"]["bounds"] == [pytest.approx(0.6), pytest.approx(0.8)]
    assert low <= after["measures"]["P@5"]["value"] <= high


def test_a_judged_query_without_results_is_judged_to_no_part():
    assert judged_share({"q": {"a": 1}, "r": {"b": 1}}, {"q": [("a", 1.0)]}, 10) == 0.5
