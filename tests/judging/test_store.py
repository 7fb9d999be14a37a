import multiprocessing
import os
import signal
import sqlite3

import pytest
from judging_world import graded, pool

from ponderank.errors import DataError
from ponderank.judging.events import Event, event_of, standings
from ponderank.judging.store import Store


@pytest.fixture
def many():
    return pool(6)


@pytest.fixture
def store(tmp_path, many):
    with Store(tmp_path / "judgements.db") as opened:
        opened.add_pool(many)
        yield opened


def event(many, kind="grade", *, client="client-1", item=0, grade=2, **more):
    grade = grade if kind == "grade" else None
    return Event(client, many.items[item].key, "ada", kind, grade, **more)


def grades(store, many):
    return {one.item: one.grade for one in standings(store.events(many.fingerprint))}


def test_an_event_that_is_sent_twice_counts_once(store, many):
    assert [store.append(many.fingerprint, [event(many)]) for _ in range(2)] == [1, 0]
    assert len(store.events(many.fingerprint)) == 1


def test_a_name_that_is_known_for_another_event_is_refused(store, many):
    store.append(many.fingerprint, [event(many)])
    with pytest.raises(DataError, match="was another one"):
        store.append(many.fingerprint, [event(many, grade=3)])


def test_the_last_grade_stands_and_an_undo_brings_back_the_one_before(store, many):
    first, second = event(many), event(many, client="client-2", grade=0)
    store.append(many.fingerprint, [first, second])
    assert grades(store, many) == {first.item: 0}
    store.append(many.fingerprint, [event(many, "undo", client="client-3", undoes="client-2")])
    assert grades(store, many) == {first.item: 2}


@pytest.mark.parametrize("target", ["client-9", "ben-1234"])
def test_only_ones_own_standing_event_can_be_undone(store, many, target):
    store.append(many.fingerprint, [event(many), Event("ben-1234", many.items[0].key, "ben", "grade", 1)])
    with pytest.raises(DataError, match="could be undone"):
        store.append(many.fingerprint, [event(many, "undo", client="client-3", undoes=target)])


def test_what_was_undone_is_not_undone_again(store, many):
    undo = event(many, "undo", client="client-2", undoes="client-1")
    store.append(many.fingerprint, [event(many), undo])
    with pytest.raises(DataError, match="could be undone"):
        store.append(many.fingerprint, [event(many, "undo", client="client-3", undoes="client-1")])


def test_nothing_hidden_is_looked_at_before_grading(store, many):
    with pytest.raises(DataError, match="after grading"):
        store.append(many.fingerprint, [event(many, "reveal", client="client-2")])
    store.append(many.fingerprint, [event(many)])
    assert store.append(many.fingerprint, [event(many, "reveal", client="client-2")]) == 1


def test_a_grade_that_is_changed_after_looking_is_not_blind_and_can_be_left_out(store, many):
    events = [event(many), event(many, "reveal", client="client-2"), event(many, client="client-3", grade=0)]
    store.append(many.fingerprint, events)
    kept = store.events(many.fingerprint)
    assert [(one.grade, one.blind) for one in standings(kept)] == [(0, False)]
    assert [(one.grade, one.blind) for one in standings(kept, blind_only=True)] == [(2, True)]


def test_a_refused_event_takes_those_sent_with_it_along(store, many):
    with pytest.raises(DataError):
        store.append(many.fingerprint, [event(many), event(many, "undo", client="client-3", undoes="nothing!")])
    assert not store.events(many.fingerprint)


@pytest.mark.parametrize("change", ["UPDATE events SET grade = 3", "DELETE FROM events"])
def test_the_file_itself_refuses_to_change_what_was_judged(store, many, change):
    store.append(many.fingerprint, [event(many)])
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        sqlite3.connect(store.path).execute(change)


def test_the_store_gives_back_the_pool_it_was_given(store, many):
    assert store.pools() == {many.fingerprint: many}
    assert store.add_pool(many) is False


def _grade_and_die(path, many):
    store = Store(path)
    store.append(many.fingerprint, graded(many, "ada", [0, 1, 2, 3]))
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_was_taken_outlives_a_kill(store, many):
    child = multiprocessing.get_context("fork").Process(target=_grade_and_die, args=(store.path, many))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    with Store(store.path) as again:
        assert len(again.events(many.fingerprint)) == 4


def test_another_programs_database_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "theirs.db") as theirs:
        theirs.execute("CREATE TABLE mine (x)")
    with pytest.raises(DataError, match="another program"):
        Store(tmp_path / "theirs.db")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "x.db").write_text("hello " * 1000)
    with pytest.raises(DataError, match="not a store"):
        Store(tmp_path / "x.db")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "delete"}, {"item": "nowhere"}, {"client": "short"}, {"kind": "undo"}, {"undoes": "something"},
        {"grade": 4}, {"grade": "2"}, {"grade": None}, {"grade": True}, {"grade": 2.0},
        {"seconds": float("nan")}, {"seconds": "3"}, {"seconds": -1},
        {"note": 5}, {"note": "x" * 4001}, {"time": "yesterday"},
    ],
)  # fmt: skip
def test_an_event_that_does_not_fit_its_pool_is_refused(many, wrong):
    good = {"client": "client-1", "item": many.items[0].key, "kind": "grade", "grade": 2}
    assert event_of(good, many, assessor="ada", origin="page").grade == 2
    with pytest.raises(DataError):
        event_of({**good, **wrong}, many, assessor="ada", origin="page")


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", None])
def test_an_assessor_has_a_name_that_can_be_read(many, name):
    with pytest.raises(DataError, match="name"):
        event_of(
            {"client": "client-1", "item": many.items[0].key, "kind": "grade", "grade": 2},
            many,
            assessor=name,
            origin="page",
        )


def test_times_of_any_zone_are_compared_as_one(many):
    good = {"client": "client-1", "item": many.items[0].key, "kind": "grade", "grade": 2}
    for time in ("2026-01-31T12:00:00Z", "2026-01-31T14:00:00.000+02:00"):
        assert (
            event_of({**good, "time": time}, many, assessor="ada", origin="page").time
            == "2026-01-31T12:00:00.000+00:00"
        )


def test_half_a_character_at_the_end_of_a_note_is_no_obstacle(store, many):
    sent = {"client": "client-1", "item": many.items[0].key, "kind": "note", "note": "cut \ud83d"}
    store.append(many.fingerprint, [event_of(sent, many, assessor="ada", origin="page")])
    assert store.events(many.fingerprint)[0].note == "cut ?"
