import json

import hub_world as world
import pytest

from ponderank import DataError, Query
from ponderank.data.beir import Collection
from ponderank.data.collections import BEIR, SCHEMES, listed, open_collection
from ponderank.data.facts import Facts, read_facts
from ponderank.data.laid_out import Parts, lay_out
from ponderank.formats.rank1_prompts import query_template
from ponderank.metrics.ranked import parse
from ponderank.retrieval.bm25 import BM25Index
from ponderank.types import Doc


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """Collections are laid out below the test's own folder, and nothing is asked of the network."""
    monkeypatch.setenv("PONDERANK_COLLECTIONS", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Makes the folder of a data set; its rows go through `datasets` itself."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return lambda make, *more: make(tmp_path / "source" / make.__name__, *more)


@pytest.fixture
def beir(tmp_path):
    folder = tmp_path / "scifact"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "q1", "text": "cat cat"}\n{"_id": "b", "text": "a cat"}\n')
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "cat"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tb\t1\n")
    return folder


def test_a_folder_in_beir_layout_opens_where_it_is(beir):
    opened = open_collection(beir)
    assert (opened.folder, opened.facts) == (beir, Facts(name="scifact"))


def test_a_named_beir_folder_has_the_facts_of_its_name(beir):
    for name in (f"beir:scifact@{beir}", f"beir:{beir}"):
        opened = open_collection(name)
        assert (opened.folder, opened.facts.prompt, opened.facts.drop_self) == (beir, "SciFact", False)
    assert open_collection(f"beir:arguana@{beir}").facts.drop_self


def test_a_beir_folder_stands_in_for_any_source(beir):
    opened = open_collection(f"xquad:de@{beir}")
    assert opened.folder == beir
    assert opened.facts.measures == ("nDCG@10", "RR@10")


def test_bright_has_its_gold_its_excluded_ids_and_its_prompt(hub):
    opened = open_collection(f"bright:biology@{hub(world.bright)}")
    assert opened.qrels("test") == {"0": {"d1": 1}, "1": {"d2": 1}}
    assert opened.facts.excluded == {"0": ("d3",)}
    assert opened.facts.prompt == "BrightRetrieval_biology"
    assert list(opened.docs) == ["d1", "d2", "d3"]


def test_excluded_ids_are_no_candidates_and_give_their_place_to_others(hub):
    opened = open_collection(f"bright:biology@{hub(world.bright)}")
    index = BM25Index.build(opened.corpus())
    query = opened.queries["0"]
    assert [doc.id for doc in index.search([query], 1)[0].docs] == ["d3"]
    assert [doc.id for doc in index.search([query], 1, excluded=opened.facts.excluded)[0].docs] == ["d1"]


def test_a_run_file_cannot_bring_excluded_ids_back(hub, tmp_path):
    from ponderank.retrieval.runs import candidates

    opened = open_collection(f"bright:biology@{hub(world.bright)}")
    (tmp_path / "r.trec").write_text("0 Q0 d3 1 3 t\n0 Q0 d2 2 2 t\n0 Q0 d1 3 1 t\n")
    (found,) = candidates(opened, tmp_path / "r.trec", [opened.queries["0"]], 2)
    assert [doc.id for doc in found.docs] == ["d2", "d1"]


def test_brights_long_documents_have_their_own_gold(hub):
    opened = open_collection(f"bright:biology/long@{hub(world.bright)}")
    assert opened.qrels("test") == {"0": {"L1": 1}, "1": {"L2": 1}}
    assert opened.facts.measures[0] == "R@1"


def test_brights_reasoning_queries_take_the_place_of_the_users(hub):
    opened = open_collection(f"bright:biology/gpt4_reason@{hub(world.bright)}")
    assert opened.queries["0"].text == "Let us think. why do leaves fall?"


def test_nevir_is_pairs_whose_candidates_are_given(hub):
    opened = open_collection(f"nevir:test@{hub(world.nevir)}")
    assert opened.qrels("test")["0-0_q1"] == {"0-0_doc1": 1, "0-0_doc2": 0}
    assert opened.qrels("test")["0-0_q2"] == {"0-0_doc1": 0, "0-0_doc2": 1}
    assert opened.facts.pairs
    assert opened.facts.given
    assert (opened.folder / "first.trec").read_text().count("0-0_q2 Q0") == 2


def test_condaqa_pairs_a_yes_passage_with_a_no_passage(tmp_path):
    opened = open_collection(f"condaqa:{world.condaqa(tmp_path / 'condaqa')}")
    assert {name: query.text for name, query in opened.queries.items()} == {
        "4-q10_q1": "Do they stay? Answer: yes", "4-q10_q2": "Do they stay? Answer: no",
    }  # fmt: skip
    assert opened.qrels("dev")["4-q10_q2"] == {"4-0": 0, "4-3": 1}


def test_followir_has_instructions_candidates_and_what_changed(hub):
    opened = open_collection(f"followir:core17@{hub(world.followir)}")
    assert opened.queries["7-changed"] == Query("7-changed", "art", "not art")
    assert opened.facts.changed == {"7": ("a",)}
    assert opened.facts.given
    assert opened.docs["a"].full_text == "T about art"


def test_mfollowirs_languages_stand_behind_the_part(hub):
    folder = hub(world.by_language, "{part}-{language}", "zho", "test")
    for name in ("zho", "eng-zho"):
        assert open_collection(f"mfollowir:{name}@{folder}").qrels("test") == {"q1": {"a": 1}}


def test_miracls_languages_stand_before_the_part(hub):
    opened = open_collection(f"miracl:sw@{hub(world.by_language, '{language}-{part}', 'sw', 'dev')}")
    assert opened.qrels("dev") == {"q1": {"a": 1}}
    assert opened.docs["a"].title == "Paka"


def test_xquad_asks_for_the_paragraph_and_equal_paragraphs_are_one(hub):
    opened = open_collection(f"xquad:de@{hub(world.xquad)}")
    assert len(opened.docs) == 2
    assert opened.qrels("validation")["q3"] == {"p1": 1}


def test_what_was_laid_out_is_opened_again_without_its_source_library(hub, monkeypatch):
    import sys

    folder = hub(world.nevir)
    first = open_collection(f"nevir:test@{folder}")
    monkeypatch.setitem(sys.modules, "datasets", None)
    again = open_collection(f"nevir:test@{folder}")
    assert (again.folder, again.facts) == (first.folder, first.facts)


def test_a_changed_source_is_another_collection(tmp_path):
    folder = world.condaqa(tmp_path / "condaqa")
    before = open_collection(f"condaqa:{folder}").folder
    with (folder / "dev.jsonl").open("a") as file:
        file.write(json.dumps(world.condaqa_row(PassageID=5)) + "\n")
        file.write(json.dumps(world.condaqa_row(PassageID=5, PassageEditID=3, label="NO", sentence1="other")) + "\n")
    after = open_collection(f"condaqa:{folder}")
    assert after.folder != before
    assert len(after.queries) == 4


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "0", "query": "x", "gold_ids": ["d1"], "excluded_ids": "N/A"}, r"bright:2: no list 'excluded_ids'"),
        (
            {"id": "0", "gold_ids": ["d1"], "excluded_ids": []},
            r"bright:2: no 'query' with text in this row of .*'examples'",
        ),
        (
            {"id": "2", "query": "x", "gold_ids": ["d1"], "excluded_ids": ["d1"]},
            r"bright:2: query '2': 'd1' is both gold and",
        ),
    ],
)
def test_a_bad_row_is_named_with_its_source_and_line(hub, row, message):
    folder = hub(world.bright)
    good = {"id": "1", "query": "y", "gold_ids": ["d1"], "gold_ids_long": [], "excluded_ids": ["N/A"]}
    if isinstance(row["excluded_ids"], str):
        good["excluded_ids"] = "N/A"
        message = message.replace(":2", ":1")
    rows = [good, {"gold_ids_long": [], **row}]
    (folder / "examples" / "biology.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    with pytest.raises(DataError, match=message):
        open_collection(f"bright:biology@{folder}")


def test_a_file_that_is_no_json_is_one_error_with_the_folder(hub):
    folder = hub(world.nevir)
    (folder / "default" / "test.jsonl").write_text('{"id": \n')
    with pytest.raises(DataError, match=r"nevir: datasets cannot load"):
        open_collection(f"nevir:test@{folder}")


def test_a_folder_that_lacks_a_configuration_lists_those_there_are(hub):
    with pytest.raises(DataError, match=r"no configuration 'examples'; known: default"):
        open_collection(f"bright:biology@{hub(world.nevir)}")


def test_a_bad_condaqa_line_is_named(tmp_path):
    folder = world.condaqa(tmp_path / "condaqa")
    with (folder / "dev.jsonl").open("a") as file:
        file.write('{"PassageID": 1, "QuestionID": "q"}\n')
    with pytest.raises(DataError, match=r"dev\.jsonl:5: no field 'PassageEditID' with text"):
        open_collection(f"condaqa:{folder}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("brihgt:biology", "no collections 'brihgt'; did you mean bright?"),
        ("bright:biologie", "BRIGHT has no task 'biologie'; did you mean biology?"),
        ("bright:biology/longer", "ends in 'longer'; give long"),
        ("bright:", "no name after bright:; write bright:biology"),
        ("miracl:xx", "MIRACL has no language 'xx'"),
        ("mfollowir:deu", "mFollowIR has no 'deu'"),
        ("beir:sifact", "no BEIR collection 'sifact'; did you mean scifact"),
        ("nevir:test@/nowhere", "/nowhere: no such folder; nevir:test@FOLDER expects a local copy"),
        ("condaqa:/nowhere", "/nowhere: no such folder; write condaqa:FOLDER"),
        ("nowhere/at/all", "no such collection folder"),
    ],
)
def test_a_wrong_name_says_what_is_allowed(name, message):
    with pytest.raises(DataError, match=message):
        open_collection(name)


def test_a_source_without_its_library_names_the_extra(monkeypatch):
    import sys

    from ponderank import MissingExtra

    for library in ("datasets", "ir_datasets", "mteb"):
        monkeypatch.setitem(sys.modules, library, None)
    for name, extra in (("nevir:test", "collections"), ("ir_datasets:vaswani", "collections"), ("mteb:NevIR", "mteb")):
        with pytest.raises(MissingExtra, match=rf"pip install 'ponderank\[{extra}\]'"):
            open_collection(name)


def test_nothing_is_left_behind_where_a_source_is_broken(tmp_path):
    parts = Parts([Doc("a", "x"), Doc("a", "y")], [Query("q", "x")], {"test": {"q": {"a": 1}}}, Facts("broken"))
    with pytest.raises(DataError, match="corpus has the id 'a' twice"):
        lay_out(parts, tmp_path / "home" / "x")
    assert list((tmp_path / "home").iterdir()) == []


def test_a_judged_query_that_is_not_there_stops_the_laying_out(tmp_path):
    parts = Parts([Doc("a", "x")], [Query("q", "x")], {"test": {"r": {"a": 1}}}, Facts("broken"))
    with pytest.raises(DataError, match=r"not in queries\.jsonl, the first is 'r'"):
        lay_out(parts, tmp_path / "x")


def test_facts_survive_writing_and_reading(tmp_path):
    facts = Facts("n", "a", "l", "dev", ("AP",), 2, True, True, "SciFact", True, {"q": ("d",)}, {"1": ("a", "b")})
    (tmp_path / "collection.json").write_text(facts.to_json())
    assert read_facts(tmp_path) == facts


@pytest.mark.parametrize("text", ["{", "[]", '{"unknown": 1}', '{"relevant": "2"}'])
def test_bad_facts_name_their_file(tmp_path, text):
    (tmp_path / "collection.json").write_text(text)
    with pytest.raises(DataError, match=r"collection\.json: "):
        read_facts(tmp_path)


def test_every_measure_and_prompt_that_a_collection_names_exists():
    pytest.importorskip("ir_measures")
    named = {f"{scheme}:{name}" for scheme, one in SCHEMES.items() for name in one.names}
    named |= {"bright:pony/long", "ir_datasets:msmarco-passage/trec-dl-2019/judged", "ir_datasets:msmarco-passage/dev"}
    for name in sorted(named):
        facts = SCHEMES[name.partition(":")[0]].facts(name.partition(":")[2])
        assert parse(facts.measures)
        query_template(facts.prompt)
    assert len(named) > len(BEIR)


def test_deep_learning_tracks_count_from_grade_two():
    (dl,) = listed("ir_datasets:msmarco-passage/trec-dl-2020/judged")
    assert (dl["relevant"], dl["measures"]) == (2, ["nDCG@10", "AP(rel=2)", "RR(rel=2)", "R(rel=2)@100"])


def test_ir_datasets_loads_by_its_own_code(tmp_path):
    irds = pytest.importorskip("ir_datasets")
    from ir_datasets.formats import TrecQrels, TsvDocs, TsvQueries
    from ir_datasets.util import PackageDataFile

    class Local(PackageDataFile):
        def __init__(self, path):
            self._path = path

        def path(self, force=True):
            return str(self._path)

        def stream(self):
            return self._path.open("rb")

    files = {"docs.tsv": "d1\tcats purr\nd2\tdogs bark\n", "queries.tsv": "q1\twho purrs?\n", "qrels": "q1 0 d1 2\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    parts = [
        TsvDocs(Local(tmp_path / "docs.tsv"), namespace="tiny", lang="en"),
        TsvQueries(Local(tmp_path / "queries.tsv"), namespace="tiny", lang="en"),
        TrecQrels(Local(tmp_path / "qrels"), {2: "relevant"}),
    ]
    if "tiny/train" not in irds.registry:
        irds.registry.register("tiny/train", irds.Dataset(*parts))
    opened = open_collection("ir_datasets:tiny/train")
    assert opened.qrels("train") == {"q1": {"d1": 2}}
    assert [doc.text for doc in opened.corpus()] == ["cats purr", "dogs bark"]
    assert opened.queries["q1"].text == "who purrs?"


def test_an_unknown_id_of_ir_datasets_says_which_are_near():
    pytest.importorskip("ir_datasets")
    with pytest.raises(DataError, match="ir_datasets has no 'vaswanni'; did you mean vaswani"):
        open_collection("ir_datasets:vaswanni")


def test_a_collection_stays_equal_to_itself(beir):
    assert Collection.open(beir) == Collection.open(beir)


@pytest.fixture
def oracle():
    """A model that knows CondaQA's edit: it prefers "rarely" for yes and "often" for no."""
    from ponderank.backends.adapters import Batched
    from ponderank.types import Reply

    def scores(calls):
        wanted = [("yes" in call.query) == ("rarely" in call.text) for call in calls]
        return [Reply(scores=(float(one),)) for one in wanted]

    return Batched(scores, 8)


def test_a_run_takes_what_the_collection_gives_and_measures_what_it_asks_for(tmp_path, oracle):
    from ponderank.run import Experiment, perform

    folder = world.condaqa(tmp_path / "condaqa")
    (folder / "test.jsonl").write_text((folder / "dev.jsonl").read_text().replace('"PassageID": 4', '"PassageID": 9'))
    outcome = perform(Experiment(f"condaqa:{folder}", split="dev"), tmp_path / "out", backend=oracle)
    assert (outcome.queries, outcome.first_stage) == (2, "first.trec")
    assert outcome.metrics["reranked"] == {"PairedAccuracy": 1.0}


def test_given_candidates_cannot_be_asked_of_a_collection_that_has_none(beir, tmp_path):
    from ponderank.run import Experiment, perform

    with pytest.raises(DataError, match="this collection gives no candidates; use --first-stage bm25, or --run FILE"):
        perform(Experiment(beir, first_stage="given"), tmp_path / "out")


def test_a_query_is_no_candidate_of_itself_where_the_collection_says_so(beir, tmp_path, oracle):
    from ponderank.run import Experiment, perform

    for name, found in ((f"beir:arguana@{beir}", ["b"]), (str(beir), ["q1", "b"])):
        perform(Experiment(name), tmp_path / found[0], backend=oracle)
        lines = (tmp_path / found[0] / "run.trec").read_text().splitlines()
        assert sorted(line.split()[2] for line in lines) == sorted(found)
