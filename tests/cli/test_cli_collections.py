import json


def test_every_source_is_listed_and_nothing_is_fetched(ponderank):
    process = ponderank("collections", HF_HUB_OFFLINE="1")
    rows = [json.loads(line) for line in process.stdout.splitlines()]
    assert {
        "beir",
        "bright",
        "nevir",
        "condaqa",
        "followir",
        "mfollowir",
        "miracl",
        "xquad",
        "ir_datasets",
        "mteb",
    } == {row["name"] for row in rows}


def test_one_collection_is_explained(ponderank):
    process = ponderank("collections", "bright:pony", "--format", "table")
    assert "BrightRetrieval_pony" in process.stdout
    assert "CC BY 4.0" in process.stdout


def test_a_wrong_name_is_one_line_with_the_nearest(ponderank):
    process = ponderank("collections", "brigt")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == "error: no collections 'brigt'; did you mean bright?\n"


def test_run_and_search_take_an_id(ponderank, collection, model, tmp_path):
    named = f"beir:arguana@{collection}"
    process = ponderank("run", "--collection", named, "--model", model, "--out", tmp_path / "out")
    assert process.returncode == 0, process.stderr
    options = json.loads((tmp_path / "out" / "manifest.json").read_text())["options"]
    assert (options["drop_self"], options["measures"]) == (True, ["nDCG@10", "R@100"])
    process = ponderank("search", named, "an answer", "--top-k", 1, "--model", model)
    assert json.loads(process.stdout)["id"] == "d-best"
