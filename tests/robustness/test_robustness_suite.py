import json

import pytest
from robustness_world import ALONE, DOCS, EAGER, WORDS, company, counter, counting, fooled, suite, write_collection

from ponderank.backends.testing import Oracle
from ponderank.errors import DataError
from ponderank.robustness.kept import Ranked
from ponderank.robustness.laid import lay_out
from ponderank.robustness.picture import draw
from ponderank.robustness.suite import dry_run, perform
from ponderank.robustness.summary import summarised

SAME = ("results.json", "robustness.md", "rankings.jsonl", "manifest.json")


def results(out):
    return json.loads((out / "results.json").read_text())


def ran(folder, tmp_path, backend, *tests, recipe=None, **given):
    """The results of a suite of these tests."""
    return perform(suite(folder, recipe, tests=tests, **given), tmp_path / "out", backend=backend).results


def test_a_judge_of_single_texts_does_not_mind_the_order(folder, tmp_path):
    told = ran(folder, tmp_path, counter(), "order")["order"]
    assert (told["mean"], told["sd"], told["worst"], told["tau"], told["changed"]) == (1.0, 0.0, 1.0, 1.0, 0.0)
    assert list(told["means"]) == ["base", "reversed", "shuffle-1", "shuffle-2", "shuffle-3"]


def test_a_judge_that_likes_the_first_pays_for_the_reverse(folder, tmp_path):
    told = ran(folder, tmp_path, counter(), "order", recipe=EAGER, shuffles=0)["order"]
    # the relevant document is first, then last and outside the ten
    assert told["means"] == {"base": 1.0, "reversed": 0.0}
    assert (told["mean"], told["sd"], told["worst"], told["query_sd"], told["tau"]) == (0.5, 0.5, 0.0, 0.5, -1.0)
    assert told["changed"] == 1.0


def test_a_steady_judge_says_the_same_again(folder, tmp_path):
    told = ran(folder, tmp_path, counter(), "repeats", repeats=3)["repeats"]
    assert list(told["means"]) == ["base", "again", "other-company-1", "alone"]
    assert (told["scores_changed"], told["largest_score_change"], told["changed"]) == (0.0, 0.0, 0.0)


def test_repeats_are_asked_past_the_kept_replies(folder, tmp_path):
    backend = counter()
    ran(folder, tmp_path, backend, "repeats", repeats=2)
    assert len(backend.asked) == 3 * len(WORDS) * DOCS


def test_a_judge_that_minds_its_company_shows(tmp_path):
    odd = write_collection(tmp_path / "odd", docs=23)
    told = ran(odd, tmp_path, company(), "repeats", repeats=3)["repeats"]
    # 2 × 23 together are even; 23 alone are odd, and everything is turned round
    assert told["means"] == {"base": 1.0, "again": 1.0, "other-company-1": 1.0, "alone": 0.0}
    assert told["changed"] == 1.0
    assert told["scores_changed"] == pytest.approx(1 / 3)
    assert told["largest_score_change"] == 46.0


def test_no_repeats_are_no_figure(folder, tmp_path):
    assert ran(folder, tmp_path, counter(), "repeats", repeats=0)["repeats"] is None


def test_a_judge_that_finds_nothing_keeps_the_first_stage_and_what_does_not_apply_has_no_figure(folder, tmp_path):
    told = ran(folder, tmp_path, counter(), "queries", variations=("swap", "no-stopwords", "spelling"))["queries"]
    swap = told["variations"]["swap"]
    # nothing matches any more, so the first stage's order stays: a tie is no loss
    assert (swap["n"], swap["not_applicable"], swap["before"], swap["mean"], swap["lost"]) == (2, 0, 1.0, 1.0, 0.0)
    assert told["variations"]["spelling"]["not_applicable"] == 2
    assert "mean" not in told["variations"]["spelling"]


def test_a_judge_that_wants_the_exact_query_loses_everything(folder, tmp_path):
    exact = {f"what is {word}" for word in WORDS}
    judge = Oracle(lambda query, text: text.split().count(query.split()[-1]) * (1.0 if query in exact else -1.0))
    told = ran(folder, tmp_path, judge, "queries", variations=("no-stopwords", "plain"))
    lost = told["queries"]["variations"]["no-stopwords"]
    assert lost["examples"] == ["alpha", "beta"]
    assert (lost["drop_rate"], lost["lost"], lost["worst_decile"], lost["low"], lost["high"]) == (
        -1.0,
        1.0,
        0.0,
        -1.0,
        -1.0,
    )
    assert told["queries"]["variations"]["plain"]["not_applicable"] == 2
    assert told["queries"]["fused"]["mean"] == 0.0
    assert told["five"][3] | {"value": -1.0, "worst": -1.0, "where": "no-stopwords"} == told["five"][3]


def test_candidates_stay_as_they_were_when_the_query_is_said_otherwise(folder, tmp_path):
    ran(folder, tmp_path, counter(), "queries")
    rows = [json.loads(line) for line in (tmp_path / "out" / "rankings.jsonl").read_text().splitlines()]
    assert {tuple(sorted(row["order"])) for row in rows if row["query"] == "beta"} == {
        tuple(sorted(f"beta{i}" for i in range(DOCS)))
    }


def test_who_believes_a_claim_of_relevance_is_fooled_everywhere(folder, tmp_path):
    told = ran(folder, tmp_path, fooled(), "documents")
    attacks = told["documents"]["attacks"]
    for place in ("start", "middle", "end"):
        claim = attacks[f"claim/{place}"]
        # the target is the last of 24 and comes to be the first; random words leave it where it is
        assert (claim["rank_gain"], claim["control_rank_gain"], claim["success"], claim["control_success"]) == (
            23.0,
            0.0,
            1.0,
            0.0,
        )
        # the relevant document falls from rank 1 to rank 2: 1 - 1 / log2(3)
        assert claim["beyond_harm"] == pytest.approx(0.36907, abs=1e-5)
        assert attacks[f"say-true/{place}"]["rank_gain"] == 0.0
    assert (told["documents"]["targets"], told["documents"]["targets_judged"]) == (2, 2)
    assert told["five"][4]["worst"] == 1.0
    assert told["five"][4]["where"].startswith("claim/")


def test_who_counts_words_is_moved_by_as_many_as_are_put_in(folder, tmp_path):
    attacks = ran(folder, tmp_path, counter(), "documents")["documents"]["attacks"]
    # the last of 24 has one word that counts; with m more it comes to lie behind the one that has 1 + m, m - 1 ranks higher
    assert attacks["query-3/end"]["rank_gain"] == 8.0
    assert attacks["query/end"]["rank_gain"] == 2.0
    assert attacks["claim/end"]["rank_gain"] == 0.0  # one: "is"


def test_an_attack_that_finds_no_passage_is_said(folder, tmp_path):
    path = tmp_path / "attacks.jsonl"
    path.write_text(json.dumps({"name": "lost", "text": "x", "query": "elsewhere"}) + "\n")
    notes = ran(folder, tmp_path, counter(), "documents", attacks=path)["notes"]
    assert "found no passage to attack: lost" in notes


def test_a_recipe_that_shows_several_documents_is_told_what_is_not_tested(folder, tmp_path):
    laid = lay_out(suite(folder, tests=()))
    base = {one.query.id: Ranked(tuple(doc.id for doc in one.docs)) for one in laid.main.many}
    for widest, count in ((1, 0), (4, 1)):
        notes = summarised(suite(folder, tests=()), laid, {("base", "base"): base}, widest=widest)["notes"]
        assert sum("position within a prompt" in note for note in notes) == count


def test_another_seed_draws_other_company(folder, tmp_path):
    ran(folder, tmp_path, counter(), "repeats")
    again = counter()
    ran(folder, tmp_path, again, "repeats", seed=1)
    assert len(again.asked) == len(WORDS) * DOCS


def test_attacks_of_ones_own_are_tried_beside_the_kit(folder, tmp_path):
    path = tmp_path / "attacks.jsonl"
    path.write_text(json.dumps({"name": "mine", "text": "relevant", "query": "beta", "doc": "beta12"}) + "\n")
    attacks = ran(folder, tmp_path, fooled(), "documents", attacks=path)["documents"]["attacks"]
    assert attacks["mine/end"]["targets"] == 1
    assert attacks["mine/end"]["rank_gain"] == 12.0
    assert "mine/start" not in attacks


def test_other_collections_are_told_as_gains_over_their_first_stage(folder, tmp_path):
    far = write_collection(tmp_path / "far", docs=24)
    told = ran(folder, tmp_path, counter(), "others", others=(far,))
    assert list(told["others"]) == [str(folder), str(far)]
    assert told["others"][str(folder)]["relative_gain"] == 0.0
    # there BM25 is the first stage
    assert told["others"][str(far)]["reranked"] == 1.0
    assert told["five"][2]["where"] == str(far)


def test_a_collection_is_not_another_than_itself(folder, tmp_path):
    with pytest.raises(DataError, match="named twice"):
        ran(folder, tmp_path, counter(), "others", others=(folder,))


class Killed(Exception):
    """Stands for a kill."""


def killed_after(calls):
    """A judge that counts, and is killed in the middle."""
    left = iter(range(calls))

    def relevance(query, text):
        if next(left, None) is None:
            raise Killed
        return counting(query, text)

    return Oracle(relevance)


@pytest.mark.parametrize("calls", [10, 60])
def test_a_killed_suite_goes_on_and_ends_in_the_same_bytes(folder, tmp_path, calls):
    wanted = suite(folder, tests=("order", "repeats"), repeats=1)
    whole = counter()
    perform(wanted, tmp_path / "whole", backend=whole)
    with pytest.raises(Killed):
        perform(wanted, tmp_path / "out", backend=killed_after(calls))
    kept = (tmp_path / "out" / "rankings.jsonl").read_bytes()
    with (tmp_path / "out" / "rankings.jsonl").open("ab") as file:
        file.write(b'{"key": "half a li')
    rest = counter()
    perform(wanted, tmp_path / "out", backend=rest)
    for name in SAME:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert (tmp_path / "out" / "rankings.jsonl").read_bytes().startswith(kept)
    assert len(rest.asked) < len(whole.asked) or not kept


def test_a_second_run_asks_nothing(folder, tmp_path):
    wanted = suite(folder, tests=("order", "queries", "repeats"), repeats=1, variations=("swap",))
    perform(wanted, tmp_path / "out", backend=counter())
    before = {name: (tmp_path / "out" / name).read_bytes() for name in SAME}
    again = counter()
    assert perform(wanted, tmp_path / "out", backend=again).calls == 0
    assert again.asked == []
    assert {name: (tmp_path / "out" / name).read_bytes() for name in SAME} == before


def test_other_tests_take_what_is_there(folder, tmp_path):
    perform(suite(folder, tests=("order",)), tmp_path / "out", backend=counter())
    second = counter()
    perform(suite(folder, tests=("queries",), variations=("swap",)), tmp_path / "out", backend=second)
    assert len(second.asked) == len(WORDS) * DOCS
    assert results(tmp_path / "out")["order"] is None


def test_another_recipe_needs_another_folder(folder, tmp_path):
    perform(suite(folder, tests=("order",)), tmp_path / "out", backend=counter())
    with pytest.raises(DataError, match=r"another suite \(recipe.*--fresh"):
        perform(suite(folder, EAGER, tests=("order",)), tmp_path / "out", backend=counter())
    told = perform(suite(folder, EAGER, tests=("order",)), tmp_path / "out", backend=counter(), fresh=True).results
    assert told["manifest"]["recipe"]["name"] == "eager"


def test_a_damaged_file_of_rankings_is_named(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rankings.jsonl").write_text('{"no": 1}\n')
    with pytest.raises(DataError, match=r"rankings\.jsonl:1: expected a ranking"):
        perform(suite(folder, tests=("order",)), tmp_path / "out", backend=counter())


@pytest.mark.parametrize("tests", [("order", "queries", "documents"), ("repeats",)])
def test_a_dry_run_counts_exactly_what_is_asked(folder, tmp_path, tests):
    variations = ("swap",) if "queries" in tests else ()
    wanted, backend = suite(folder, tests=tests, variations=variations), counter()
    usage = dry_run(wanted, backend=counter())
    perform(wanted, tmp_path / "out", backend=backend)
    assert usage.calls == len(backend.asked)


def test_progress_ends_with_all_rankings(folder, tmp_path):
    seen = []
    wanted = suite(folder, tests=("order", "queries"), variations=("swap", "spelling"))
    perform(
        wanted, tmp_path / "out", backend=counter(), on_progress=lambda told, total: seen.append((told.done, total))
    )
    assert seen[-1] == (2 * 6, 2 * 6)  # base, reversed, three shuffles, swap; spelling applies to none
    assert sorted(done for done, _ in seen) == [done for done, _ in seen]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tests": ("ordr",)}, "did you mean order"),
        ({"variations": ("x9",)}, "no query variation"),
        ({"repeats": -1}, "give 0 or more"),
        ({"measure": "PairedAccuracy"}, "single queries|pairs"),
        ({"measure": "nDGC@10"}, "no measure"),
        ({"tests": ("order",), "variations": ("swap",)}, "not asked for"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(folder, tmp_path, given, message):
    backend = counter()
    with pytest.raises(DataError, match=message):
        perform(suite(folder, **given), tmp_path / "out", backend=backend)
    assert backend.asked == []


def test_a_collection_without_judgements_is_refused(folder, tmp_path):
    (folder / "qrels" / "test.tsv").unlink()
    with pytest.raises(DataError, match="no judgements"):
        ran(folder, tmp_path, counter(), "order")


def test_the_page_begins_with_the_five_and_says_what_is_missing(folder, tmp_path):
    ran(folder, tmp_path, counter(), "order", "others")
    page = (tmp_path / "out" / "robustness.md").read_text()
    assert page.index("1 variance over queries") < page.index("5 document attacks") < page.index("## To know")
    assert "no other collection was given" in page
    assert "not asked for: repeats, queries, documents" in page


def test_the_picture_is_the_same_twice(folder, tmp_path):
    pytest.importorskip("matplotlib")
    outcome = perform(
        suite(folder, tests=("queries", "documents"), variations=("swap",)), tmp_path / "out", backend=counter()
    )
    assert outcome.drawn
    assert draw(outcome.results, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "out" / "robustness.svg").read_bytes()


def test_a_recipe_by_itself_is_named_in_the_page(folder, tmp_path):
    ran(folder, tmp_path, counter(), "order", recipe=ALONE)
    assert (tmp_path / "out" / "robustness.md").read_text().startswith("# Robustness of alone")
