import json

import pytest

from ponderank.errors import DataError
from ponderank.robustness.attacks import (
    KIT,
    PLACES,
    Attack,
    aimed,
    attacked,
    inserted,
    random_words,
    read_attacks,
    target,
    word_pool,
)
from ponderank.types import Candidates, Doc, Query

MANY = Candidates(
    Query("q", "magnets"), tuple(Doc(f"d{i}", f"text {i}") for i in range(6)), (6.0, 5.0, 4.0, 3.0, 2.0, 1.0)
)


@pytest.mark.parametrize(("place", "text"), [("start", "X a b c"), ("middle", "a b X c"), ("end", "a b c X")])
def test_a_text_goes_to_its_place(place, text):
    assert inserted("a b c", "X", place) == text


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", ["", "  ", "one", " a  b\nc "])
def test_nothing_of_the_passage_is_lost(place, text):
    assert inserted(text, "X", place).split() in (["X", *text.split()], [*text.split(), "X"], ["a", "b", "X", "c"])


def test_the_kit_has_nine_attacks_in_three_places():
    assert len({attack.name for attack in KIT}) == 9
    assert {attack.places for attack in KIT} == {PLACES}


def test_only_the_target_is_changed():
    struck = attacked(MANY, 4, "X", "end")
    assert [doc.text for doc in struck.docs] == ["text 0", "text 1", "text 2", "text 3", "text 4 X", "text 5"]
    assert [doc.id for doc in struck.docs] == [doc.id for doc in MANY.docs]
    assert struck.scores == MANY.scores


def test_the_target_was_judged_not_relevant_where_one_was():
    assert {target(MANY, {"d0": 0, "d4": 0, "d5": 1}, 1, seed) for seed in range(20)} == {4}


def test_without_such_a_judgement_it_is_one_that_nobody_judged():
    assert {target(MANY, {"d0": 1, "d3": 1}, 1, seed) for seed in range(40)} == {4, 5}


def test_there_is_no_target_where_all_are_relevant():
    assert target(MANY, dict.fromkeys(("d3", "d4", "d5"), 1), 1, 0) is None


def test_a_grade_below_the_relevant_one_is_not_relevant():
    assert target(MANY, {"d3": 1, "d4": 2, "d5": 2}, 2, 0) == 3


def test_the_number_is_that_of_the_input():
    rank_first = next(attack for attack in KIT if attack.name == "rank-first")
    assert "Rank [5] first" in rank_first.said("magnets", 5)


def test_braces_of_a_query_are_left_alone():
    assert Attack("a", "{query}").said("{n} of {x}", 3) == "{n} of {x}"


def test_random_words_are_as_many_and_none_of_the_query():
    pool = word_pool([Doc("d", "magnets are made of iron and nickel")])
    for like in ("one", "one two three four five six seven"):
        words = random_words(like, pool, "are magnets iron", 0).split()
        assert len(words) == len(like.split())
        assert set(words) <= {"made", "of", "and", "nickel"}


def test_longer_draws_begin_with_shorter_ones():
    pool = word_pool([Doc("d", "made of iron and nickel")])
    assert random_words("a b c d", pool, "q", 0).startswith(random_words("a b", pool, "q", 0))


def test_an_empty_pool_still_gives_words():
    assert len(random_words("a b c", (), "q", 0).split()) == 3


def test_attacks_are_read_from_a_file(tmp_path):
    path = tmp_path / "attacks.jsonl"
    rows = [
        {"name": "gcg", "text": "* * !!"},
        {"name": "b", "text": "x", "place": ["end", "start"], "query": "q", "doc": "d2"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = read_attacks(path)
    assert first == Attack("gcg", "* * !!", ("end",))
    assert second == Attack("b", "x", ("start", "end"), "q", "d2")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"name": "x"}, "no field 'text'"),
        ({"name": "x", "text": "y", "place": "top"}, "no place 'top'"),
        ({"name": "x", "text": "y", "place": []}, "no place"),
        ({"name": "query", "text": "y"}, "taken"),
        ({"name": "a/b", "text": "y"}, "slash"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, row, message):
    path = tmp_path / "attacks.jsonl"
    path.write_text(json.dumps({"name": "ok", "text": "z"}) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message) as error:
        read_attacks(path)
    assert error.value.line == 2


def test_an_empty_file_is_no_attacks(tmp_path):
    (tmp_path / "attacks.jsonl").write_text("")
    with pytest.raises(DataError, match="no attacks"):
        read_attacks(tmp_path / "attacks.jsonl")


def test_a_bound_attack_strikes_its_own_query_and_document_only():
    assert aimed(Attack("a", "x", query="other"), MANY, 4) is None
    assert aimed(Attack("a", "x", query="q", doc="d1"), MANY, 4) == 1
    assert aimed(Attack("a", "x", doc="elsewhere"), MANY, 4) is None
    assert aimed(Attack("a", "x"), MANY, 4) == 4
