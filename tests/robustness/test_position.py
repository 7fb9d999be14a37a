import hashlib
import json
import random
from itertools import pairwise

import pytest
from robustness_world import (
    ALONE,
    BESTS,
    DOCS,
    LISTS,
    STAGES,
    TWOS,
    WORDS,
    Reader,
    an_order,
    as_shown,
    counter,
    suite,
    the_better,
    the_first,
    the_last,
    write_collection,
)

from ponderank.cli.robustness import _report
from ponderank.errors import DataError
from ponderank.formats.pair import PRP
from ponderank.formats.permutation import RankLLM
from ponderank.recipe import Judge, Recipe
from ponderank.recipes import RECIPES
from ponderank.robustness.laid import lay_out
from ponderank.robustness.picture import draw
from ponderank.robustness.position import comparing, groups, orders
from ponderank.robustness.report import places_table, position_table
from ponderank.robustness.suite import dry_run, perform
from ponderank.strategies.fuse import Fuse
from ponderank.strategies.pairs import AllPairs
from ponderank.strategies.window import Window

SAME = ("results.json", "robustness.md", "rankings.jsonl", "manifest.json")


class Killed(Exception):
    """Stands for a kill."""


def found(folder, tmp_path, recipe, backend, **given):
    """What the test of positions says of a recipe's only judge that compares."""
    told = perform(suite(folder, recipe, tests=("position",), **given), tmp_path / "out", backend=backend).results
    (one,) = told["position"]["judges"]
    return one


@pytest.mark.parametrize(("recipe", "says"), [(LISTS, an_order), (TWOS, the_better), (BESTS, the_better)])
def test_a_judge_that_reads_the_passages_has_no_lean(folder, tmp_path, recipe, says):
    one = found(folder, tmp_path, recipe, Reader(says))
    assert (one["earlier"], one["direction"]) == ({"mean": 0.5, "se": 0.0}, "none")
    assert (one["flipped"]["mean"], one["top_changed"]["mean"], one["unread"]) == (0.0, 0.0, 0)
    assert {place["gain"]["mean"] for place in one["places"]} == {0.0}


@pytest.mark.parametrize(("recipe", "says"), [(LISTS, as_shown), (TWOS, the_first), (BESTS, the_first)])
def test_a_judge_that_prefers_what_is_shown_first_is_found(folder, tmp_path, recipe, says):
    one = found(folder, tmp_path, recipe, Reader(says))
    assert (one["earlier"]["mean"], one["direction"], one["lean"]["mean"]) == (1.0, "early", 1.0)
    assert (one["flipped"]["mean"], one["flipped_early"]["mean"], one["top_changed"]["mean"]) == (1.0, 1.0, 1.0)
    assert [place["first"]["mean"] for place in one["places"]] == [1.0] + [0.0] * (one["width"] - 1)
    assert one["places"][0]["gain"]["mean"] > 0 > one["places"][-1]["gain"]["mean"]


def test_a_judge_that_names_the_last_is_found(folder, tmp_path):
    one = found(folder, tmp_path, BESTS, Reader(the_last))
    assert (one["earlier"]["mean"], one["direction"], one["flipped_late"]["mean"]) == (0.0, "late", 1.0)
    assert [place["first"]["mean"] for place in one["places"]] == [0.0, 0.0, 1.0]


def test_groups_are_as_wide_as_the_recipe_shows(folder, tmp_path):
    assert [(found(folder, tmp_path / recipe.name, recipe, Reader(says))[key]) for key, recipe, says in (
        ("width", LISTS, an_order), ("width", BESTS, the_better), ("width", TWOS, the_better), ("groups", TWOS, the_better),
    )] == [6, 3, 2, 10]  # fmt: skip


def test_pairs_are_all_pairs_of_five_and_their_triads_are_counted(folder, tmp_path):
    triads = found(folder, tmp_path, TWOS, Reader(the_better))["circular"]
    assert (triads["passages"], triads["both_orders"]["mean"], triads["one_order"]["mean"]) == (5, 0.0, 0.0)


def test_unreadable_answers_are_counted(folder, tmp_path):
    one = found(folder, tmp_path, TWOS, Reader(the_better, fails=lambda worth: worth[0] % 4 == 0))
    (shown,) = lay_out(suite(folder, TWOS, tests=("position",))).shown
    first = [one.docs[0].text.split() for trial in shown.trials for one in trial.many]
    unread = sum((len(words) - words.count("filler")) % 4 == 0 for words in first)
    assert 0 < unread < len(first) == one["answers"]
    assert (one["unread"], one["flaws"], one["flawed"]) == (unread, {"unparsed": unread}, unread / len(first))
    assert one["earlier"]["mean"] == 0.5  # of those whose other order was read too


def test_a_recipe_of_single_passages_has_no_such_test_and_says_so(folder, tmp_path):
    told = perform(suite(folder, ALONE, tests=("position",)), tmp_path / "out", backend=counter()).results
    assert told["position"] is None
    assert "position is left out: the recipe judges the relevance of one passage at a time" in told["notes"]
    assert "position" not in told["manifest"]["asked"]
    assert position_table(told) is places_table(told) is None


def digest(out, folder, name):
    """A file's SHA-256, short, without the path, the picture, what is new, and of the manifest only what was asked."""
    text = (out / name).read_text().replace(str(folder), "COLLECTION")
    text = text.replace("![the losses and gains](robustness.svg)\n\n", "")
    if name.endswith("json"):
        read = json.loads(text)
        assert read.pop("position", None) is None
        read = read["asked"] if "asked" in read else {key: value for key, value in read.items() if key != "manifest"}
        text = json.dumps(read, indent=1, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_files_about_a_recipe_of_single_passages_are_what_they_were(folder, tmp_path):
    wanted = suite(folder, tests=("order", "repeats", "queries", "documents", "others"))
    perform(wanted, tmp_path / "out", backend=counter())
    assert {name: digest(tmp_path / "out", folder, name) for name in SAME} == RECORDED


RECORDED = {
    "results.json": "845528e5c4846c86",
    "robustness.md": "eb26f002eaf18d79",
    "rankings.jsonl": "030b6a9108774102",
    "manifest.json": "ca5f158bd3f923d0",
}
"""By the version before there was a test of positions."""


def test_a_query_with_too_few_candidates_is_left_out(tmp_path):
    small = write_collection(tmp_path / "small", docs=4)
    one = found(small, tmp_path, LISTS, Reader(an_order))
    assert (one["width"], one["groups"], one["answers"]) == (4, 1, len(WORDS) * 4)
    lonely = write_collection(tmp_path / "lonely", docs=1)
    (lonely / "qrels" / "test.tsv").write_text("".join(f"{word}\t{word}0\t1\n" for word in WORDS))
    told = perform(suite(lonely, LISTS, tests=("position",)), tmp_path / "alone", backend=Reader(an_order)).results
    assert told["position"] is None
    assert "position is left out: most queries have fewer than two candidates" in told["notes"]


def test_a_later_stage_is_tested_by_itself(folder, tmp_path):
    first, second = counter(), Reader(as_shown)
    told = perform(suite(folder, STAGES, tests=("position",)), tmp_path / "out", backend=[first, second]).results
    (one,) = told["position"]["judges"]
    assert (one["judge"], one["width"], one["direction"]) == (1, 6, "early")
    assert len(first.asked) == len(WORDS) * DOCS


def test_each_stage_is_asked_of_its_own_model_also_in_other_tests(folder, tmp_path):
    second = Reader(an_order)
    perform(suite(folder, STAGES, tests=("order",), shuffles=0), tmp_path / "out", backend=[counter(), second])
    assert len(second.prompts) == len(WORDS) * 2  # 8 in windows of 6; the reverse gives the first stage the same order


@pytest.mark.parametrize(("recipe", "says"), [(TWOS, the_better), (LISTS, an_order)])
def test_a_killed_test_goes_on_and_ends_in_the_same_bytes(folder, tmp_path, recipe, says):
    alone, whole, rest = Reader(says), Reader(says), Reader(says)
    perform(suite(folder, recipe, tests=()), tmp_path / "alone", backend=alone)
    left = iter(range(len(alone.prompts) + 5))  # a few groups are shown before the kill

    def dying(worth):
        if next(left, None) is None:
            raise Killed
        return says(worth)

    wanted = suite(folder, recipe, tests=("position",))
    perform(wanted, tmp_path / "whole", backend=whole)
    with pytest.raises(Killed):
        perform(wanted, tmp_path / "out", backend=Reader(dying))
    perform(wanted, tmp_path / "out", backend=rest)
    for name in SAME:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert 0 < len(rest.prompts) < len(whole.prompts) - len(alone.prompts)


def test_a_second_run_asks_nothing(folder, tmp_path):
    wanted = suite(folder, BESTS, tests=("position",))
    perform(wanted, tmp_path / "out", backend=Reader(the_better))
    before = {name: (tmp_path / "out" / name).read_bytes() for name in SAME}
    again = Reader(the_better)
    perform(wanted, tmp_path / "out", backend=again)
    assert again.prompts == []
    assert {name: (tmp_path / "out" / name).read_bytes() for name in SAME} == before


def test_a_group_of_all_candidates_is_kept_beside_their_ranking(tmp_path):
    small = write_collection(tmp_path / "small", docs=9)
    recipe = Recipe("wide", "none", RankLLM(), Window(9, 3, passes=2))
    backend = Reader(an_order)
    perform(suite(small, recipe, tests=("position",)), tmp_path / "out", backend=backend)
    rows = [json.loads(line) for line in (tmp_path / "out" / "rankings.jsonl").read_text().splitlines()]
    assert [row["trial"] for row in rows if row["query"] == "alpha"] == [
        "base", *(f"judge-0/group-1/{order}" for order in ("as-is", "reversed", "shuffle-1", "shuffle-1-reversed")),
    ]  # fmt: skip
    assert [row["calls"] for row in rows if row["query"] == "alpha"] == [2, 1, 1, 1, 1]
    assert [row["shown"][0] for row in rows if row["query"] == "alpha" and "shown" in row][:2] == ["alpha0", "alpha8"]


def test_a_dry_run_counts_the_calls(folder):
    usage, without = (
        dry_run(suite(folder, LISTS, tests=tests), backend=Reader(an_order)) for tests in (("position",), ())
    )
    assert usage.calls - without.calls == len(WORDS) * 3 * 4


def test_a_recipe_that_asks_all_pairs_both_ways_pays_nothing_more(folder):
    every = Recipe("every", "none", PRP(), AllPairs())
    usage, without = (
        dry_run(suite(folder, every, tests=tests), backend=Reader(the_better)) for tests in (("position",), ())
    )
    assert usage == without


def test_a_dry_run_counts_every_judge_once(folder):
    usage = dry_run(suite(folder, STAGES, tests=("position",)), backend=[counter(), Reader(an_order)])
    # 24 scores a query, two windows of the best eight, and three groups in four orders
    assert usage.calls == len(WORDS) * (DOCS + 2 + 3 * 4)


def test_the_sample_is_what_was_asked_for(folder, tmp_path):
    one = found(folder, tmp_path, BESTS, Reader(the_better), position_queries=1, position_groups=4, position_shuffles=9)
    assert (one["queries"], one["groups"], one["answers"]) == (1, 4, 4 * 6)  # three passages have six orders


def test_another_seed_draws_other_groups(folder):
    drawn = [
        [
            one.docs
            for trial in lay_out(suite(folder, BESTS, tests=("position",), seed=seed)).shown[0].trials
            for one in trial.many
        ]
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("given", [{"position_queries": 0}, {"position_groups": 0}, {"position_shuffles": -1}])
def test_a_sample_of_nothing_is_refused(folder, given):
    with pytest.raises(DataError, match="for the test of positions"):
        lay_out(suite(folder, LISTS, **given))


def test_groups_differ_and_keep_the_first_stage_order():
    for n, width, count in ((20, 20, 5), (5, 4, 9), (30, 3, 6), (24, 10, 2)):
        drawn = groups(n, width, count, random.Random(1))
        assert len(set(drawn)) == len(drawn) <= count
        assert all(low < high for group in drawn for low, high in pairwise(group))
        assert {len(group) for group in drawn} == {width}


@pytest.mark.parametrize(("count", "passages"), [(1, 2), (2, 2), (3, 3), (10, 5), (14, 5), (1000, 7)])
def test_pairs_are_all_pairs_of_as_many_passages_as_fit(count, passages):
    drawn = groups(7, 2, count, random.Random(0))
    assert len(drawn) == passages * (passages - 1) // 2
    assert len({place for pair in drawn for place in pair}) == passages


@pytest.mark.parametrize(("width", "shuffles", "most"), [(2, 5, 1), (3, 5, 3), (4, 99, 12), (20, 5, 6), (5, 0, 1)])
def test_no_order_is_shown_twice_nor_as_anothers_reverse(width, shuffles, most):
    drawn = orders(range(width), shuffles, random.Random(0))
    assert len(drawn) == most
    assert len({*drawn, *(order[::-1] for order in drawn)}) == 2 * most


def test_recipes_that_show_passages_together_are_known():
    told = {name: comparing(recipe) for name, recipe in RECIPES.items()}
    assert told["default"] == told["rank1"] == told["default-diverse"] == []
    assert (told["rank-zephyr"], told["setwise-heapsort"], told["prp-allpair"]) == ([(0, 20)], [(0, 3)], [(0, 2)])
    assert (told["dear"], told["self-consistency"], told["jointrank"]) == ([(1, 20)], [(0, 20)], [(0, 20)])


def test_the_page_tells_each_place(folder, tmp_path):
    found(folder, tmp_path, TWOS, Reader(the_first))
    page = (tmp_path / "out" / "robustness.md").read_text()
    assert "## The place in the prompt" in page
    assert "| 2 at a time | 40 | 0 | 0.0% | 100.0% ± 0.0% | early |" in page
    assert "| 1 | 1.00 ± 0.00 | +0.50 ± 0.00 | 100.0% ± 0.0% | 0.0% |" in page
    assert "of each three of 5 passages 0.0% ± 0.0% go round by one order" in page


def test_the_command_prints_how_it_leans(folder, tmp_path, capsys):
    _report(perform(suite(folder, BESTS, tests=("position",)), tmp_path / "out", backend=Reader(the_first)))
    told = capsys.readouterr()
    assert "3 at a time" in told.out
    assert "early" in told.out


def test_several_judges_are_told_apart(folder, tmp_path):
    fused = Recipe("fused", "none", RankLLM(), Fuse((Window(4, 2), Window(6, 3))), others=(Judge("none", RankLLM()),))
    backends = [Reader(an_order), Reader(as_shown)]
    told = perform(suite(folder, fused, tests=("position",)), tmp_path / "out", backend=backends).results
    _, rows = position_table(told)
    assert [(row[0], row[5]) for row in rows] == [("4 at a time (judge 1)", "none"), ("6 at a time (judge 2)", "early")]
    assert [row[0] for row in places_table(told)[1]][3:5] == ["4 (judge 1)", "1 (judge 2)"]


def test_wide_groups_are_told_in_twenty_rows(tmp_path):
    wide = write_collection(tmp_path / "wide", docs=24)
    recipe = Recipe("wide", "none", RankLLM(widest=24), Window(24, 3))
    one = found(wide, tmp_path, recipe, Reader(as_shown))
    _, rows = places_table({"position": {"judges": [one]}})
    assert [row[0] for row in rows] == [f"{at} to {at + 1}" for at in range(1, 24, 2)]
    assert rows[0][1:] == ["1.50", "+11.00", "50.0%", "0.0%"]


def test_the_picture_has_the_places_and_is_the_same_twice(folder, tmp_path):
    pytest.importorskip("matplotlib")
    outcome = perform(suite(folder, LISTS, tests=("position",)), tmp_path / "out", backend=Reader(as_shown))
    assert outcome.drawn
    assert draw(outcome.results, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "out" / "robustness.svg").read_bytes()
