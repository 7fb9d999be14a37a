import json
import subprocess
import sys
import threading

import pytest

from ponderank import Candidates, DataError, Doc, Query, Ranking, Recipe, RecipeError, Reranker, Usage
from ponderank.backends.adapters import Batched
from ponderank.backends.testing import Oracle
from ponderank.errors import BackendError
from ponderank.formats.classify import CrossEncoder
from ponderank.recipes import KINDS, RECIPES, find
from ponderank.strategies.layered import LayeredExit
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Reply

ALONE = Recipe("alone", "none", CrossEncoder(), Pointwise())


def by_length():
    return Oracle(lambda query, text: float(len(text)))


def test_texts_mappings_and_docs_are_taken():
    docs = ["a", {"_id": "m", "text": "bbb", "title": "T", "year": 1999}, Doc("d", "cc")]
    with Reranker(ALONE, backend=by_length()) as reranker:
        ranking = reranker.rank({"id": "q7", "text": "q"}, docs)
    assert [doc.id for doc in ranking.docs] == ["m", "d", "0"]
    assert ranking.query == Query("q7", "q")
    assert ranking.docs[0].metadata == {"year": 1999}


def test_a_mapping_without_text_says_what_it_has():
    with pytest.raises(DataError, match=r"document 1 is text, a mapping with 'text', or a Doc; got dict with 'body'"):
        Reranker(ALONE, backend=by_length()).rank("q", ["x", {"body": "y"}])


def test_top_k_cuts_and_keeps_the_whole_cost():
    with Reranker(ALONE, backend=by_length()) as reranker:
        ranking = reranker.rank("q", ["a", "bb", "ccc"], top_k=1)
    assert [doc.text for doc in ranking.docs] == ["ccc"]
    assert ranking.usage.calls == 3


def test_many_threads_share_one_reranker():
    with Reranker(ALONE, backend=by_length()) as reranker:
        futures = [reranker.submit("q", ["x" * i, "y" * (i + 1)]) for i in range(50)]
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(reranker.rank("q", ["a", "bb"]).order)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        assert [future.result(timeout=20).docs[0].text for future in futures] == ["y" * (i + 1) for i in range(50)]
        for thread in threads:
            thread.join()
    assert results == [(1, 0)] * 8


def test_ranking_inside_a_loop_over_rankings_works():
    with Reranker(ALONE, backend=by_length()) as reranker:
        queries = [reranker.rank(f"q{i}", ["a", "bb"]).candidates() for i in range(5)]
        for ranking in reranker.rank_many(queries):
            assert reranker.rank("inner", ["a", "bb"]).order == (1, 0)
            assert len(ranking) == 2


def test_an_answer_that_fails_fails_its_future_and_not_the_next():
    def relevance(query, text):
        if text == "bad":
            raise BackendError("broken")
        return 1.0

    with Reranker(ALONE, backend=Oracle(relevance, seed=1)) as reranker:
        with pytest.raises(BackendError, match="broken"):
            reranker.submit("q", ["bad"]).result(timeout=20)
        assert len(reranker.submit("q", ["good"]).result(timeout=20)) == 1


def test_a_second_close_does_nothing():
    reranker = Reranker(ALONE, backend=by_length())
    reranker.close()
    reranker.close()


def test_explain_marks_the_sentence_that_answers(embedded):
    text = "Many people visit Paris. The tower was finished in 1889. Tickets are sold online."
    ranking = embedded.rank("When was the tower finished?", [text, "Bread is made of flour."], explain=True)
    best = ranking.rows()[0]["evidence"][0]
    assert ranking.docs[0].text[best["start"] : best["end"]] == "The tower was finished in 1889."


def test_an_unknown_recipe_has_the_nearest_names():
    with pytest.raises(RecipeError, match=r"no recipe is named 'defualt'; did you mean default"):
        find("defualt")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_survives_to_dict_and_back(name):
    recipe = RECIPES[name]
    assert Recipe.from_dict(recipe.to_dict(), KINDS) == recipe


def test_a_hub_id_without_a_folder_says_how_to_fetch_it():
    with pytest.raises(BackendError, match="hf download castorini/monobert-large-msmarco"):
        Reranker("monobert-large")


def test_importing_and_ranking_needs_no_torch():
    code = (
        "import sys; from ponderank import Reranker; print(Reranker().rank('q', ['a', 'b']).order);"
        "bad = {'torch', 'transformers', 'sentence_transformers', 'scipy'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_first_stage_scores_count_where_they_are_known():
    from dataclasses import replace

    recipe = Recipe("r", "none", CrossEncoder(), Pointwise(prior_weight=100.0))
    with Reranker(recipe, backend=by_length()) as reranker:
        ranking = reranker.rank("q", ["aaa", "b"])
        assert ranking.order == (0, 1)
        with_scores = replace(ranking.candidates(), scores=(0.0, 5.0))
        (again,) = reranker.rank_many([with_scores])
    assert again.order == (1, 0)


def test_a_mapping_lists_evidence_with_offsets_into_the_text(embedded):
    ranking = embedded.rank("sky colour", ["Grass is green. The sky is blue."], explain=True)
    (row,) = ranking.rows()
    assert all(0 <= span["start"] < span["end"] <= len(row["text"]) for span in row["evidence"])


def test_the_notebook_table_escapes_documents(embedded):
    assert "<script>" not in embedded.rank("q", ["<script>alert(1)</script>"])._repr_html_()


@pytest.mark.parametrize("docs", ["one text", {"text": "a"}, Doc("d", "a"), b"bytes"])
def test_a_single_text_in_place_of_a_list_is_refused(docs):
    with pytest.raises(DataError, match=r"docs is a single \w+; give a list"):
        Reranker(ALONE, backend=by_length()).rank("q", docs)


def test_documents_may_come_from_an_iterator():
    with Reranker(ALONE, backend=by_length()) as reranker:
        assert reranker.rank("q", (text for text in ("a", "bb"))).order == (1, 0)


def test_a_closed_reranker_says_so():
    reranker = Reranker(ALONE, backend=by_length())
    reranker.close()
    for ask in (lambda: reranker.rank("q", ["a"]), lambda: reranker.submit("q", ["a"])):
        with pytest.raises(BackendError, match="closed; make another"):
            ask()


def test_leaving_the_loop_drops_what_was_asked():
    """What nobody waits for is not worked off before the next ranking."""
    seen = []

    def answers(calls):
        seen.extend(call.query for call in calls)
        return [Reply(scores=(0.0,)) for _ in calls]

    with Reranker(ALONE, backend=Batched(answers, size=1)) as reranker:
        many = [reranker.rank(f"q{i}", ["a"]).candidates() for i in range(50)]
        seen.clear()
        for _ in reranker.rank_many(many):
            break
        reranker.rank("next", ["a"])
    assert seen == ["q0", "next"]


def test_a_dry_run_counts_the_calls_and_tokens_of_the_real_run(embedded):
    long = "The sky is blue on most days. " * 80
    many = [Candidates(Query(name, f"what about {name}?"), (Doc("a", "short"), Doc("b", long))) for name in ("x", "y")]
    counted = embedded.dry_run(many)
    spent = sum((ranking.usage for ranking in embedded.rank_many(many)), Usage())
    assert (counted.calls, counted.prompt_tokens) == (spent.calls, spent.prompt_tokens)
    assert counted.calls > 4


def test_evidence_of_documents_never_judged_alone_gets_a_step_of_its_own():
    judged_together = Ranking(Query("q", "q"), (Doc("1", "Aa."), Doc("0", "B.")), (2.0, 1.0), order=(1, 0))
    with Reranker(ALONE, backend=by_length()) as reranker:
        rows = reranker.explain(judged_together, 1).rows()
    assert rows[0]["evidence"] == [{"start": 0, "end": 3, "score": 3.0}]
    assert "evidence" not in rows[1]


def test_json_has_no_word_that_is_not_json():
    ranking = Ranking(Query("q", "q"), (Doc("0", "a\ud800\u2028"),), (float("nan"),), (None,), (0,))
    (line,) = ranking.to_jsonl().encode("utf-8").decode().split("\n")[:-1]
    assert json.loads(line, parse_constant=pytest.fail) == {
        "rank": 1, "id": "0", "score": None, "prob": None, "text": "a\ud800\u2028"
    }  # fmt: skip
    assert json.dumps(ranking.to_dict(), allow_nan=False)


def test_tables_can_be_written_to_any_file():
    ranking = Ranking(Query("q", "q\udfff"), (Doc("\ud800", "a\ud800 b"),), (1.0,), (0.5,), (0,))
    assert "a\ufffd b" in str(ranking).encode("utf-8").decode()
    assert "a\ufffd b" in ranking._repr_html_().encode("utf-8").decode()


def test_the_level_of_the_last_judgement_is_shown_unless_it_was_the_full_one():
    recipe = Recipe("r", "none", CrossEncoder(), LayeredExit(1, ((1, 0.0),)))
    with Reranker(recipe, backend=by_length()) as reranker:
        rows = reranker.rank("q", ["a", "bb"]).rows()
    assert [row.get("level") for row in rows] == [None, 1]
