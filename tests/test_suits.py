"""What an engine can run, told without ranking anything."""

import importlib
import json

import pytest

from ponderank import DataError, RecipeError
from ponderank.errors import BackendError
from ponderank.recipes import RECIPES, find
from ponderank.recipes.needs import EVERY, HERE, Needs
from ponderank.suits import ANSWERS, LANGUAGE, Offer, offered, suits
from ponderank.types import Choose, Generate

HTTP = Offer("http", "m", {"language": LANGUAGE})


def stub(**habits):
    pytest.importorskip("aiohttp")
    from stub_server import Habits, Stub

    return Stub(Habits(**habits)).start()


@pytest.mark.parametrize(
    ("key", "home"),
    [
        (("onnx", "classifier"), "onnx:OnnxClassifier"),
        (("transformers", "classifier"), "transformers:TorchClassifier"),
        (("transformers", "language"), "transformers_lm:TorchGenerator"),
        (("transformers", "encoder-decoder"), "transformers_t5:TorchSeq2Seq"),
        (("transformers", "embedder"), "transformers_embedding:TorchEmbedder"),
        (("transformers", "attention"), "transformers_attention:TorchAttention"),
        (("llamacpp", "language"), "llamacpp:GgufModel"),
        (("vllm", "language"), "vllm:VllmModel"),
        (("http", "language"), "http:HttpModel"),
    ],
)
def test_the_table_says_what_the_backend_says(key, home):
    module, name = home.split(":")
    if key[0] == "transformers":
        pytest.importorskip("torch")
    backend = getattr(importlib.import_module(f"ponderank.backends.{module}"), name)
    assert backend.can == ANSWERS[key]


def test_a_cross_encoder_does_not_run_on_a_server_and_the_reason_names_engines_that_do():
    found = suits(find("monobert-large"), HTTP)
    assert not found.runs
    assert "onnx, transformers" in found.why


def test_the_embedded_model_runs_beside_any_engine():
    assert suits(find("default"), HTTP).runs


def test_a_recipe_without_a_model_runs_on_any_language_model():
    assert suits(find("rank1"), HTTP) == suits(find("verdict"), HTTP)
    assert suits(find("rank1"), HTTP).runs


def test_a_recipe_made_for_another_model_says_so():
    assert suits(find("rank1-7b"), HTTP).why == "made for jhu-clsp/rank1-7b"
    assert suits(find("rank1-7b"), Offer("http", "rank1-7b", {"language": LANGUAGE})).why == ""


def test_an_encoder_decoders_recipe_needs_the_engine_that_its_model_needs():
    assert suits(find("monot5-base"), HTTP, Needs(0.22, HERE)).why == "needs transformers"
    assert suits(find("rank1-7b"), HTTP, Needs(7.6, EVERY)).runs


def test_every_recipe_gets_a_verdict_on_every_engine():
    for engine in ("onnx", "transformers", "llamacpp", "vllm"):
        for recipe in RECIPES.values():
            found = suits(recipe, offered(engine))
            assert found.runs or found.why


def test_the_engines_name_is_checked():
    with pytest.raises(RecipeError, match="did you mean onnx"):
        offered("onx")


def test_a_folders_architecture_decides(tmp_path):
    def written(**config):
        (tmp_path / "config.json").write_text(json.dumps(config))
        return set(offered("transformers", str(tmp_path)).calls)

    assert written(is_encoder_decoder=True) == {"encoder-decoder"}
    assert written(architectures=["Qwen2ForCausalLM"]) == {"language", "attention", "embedder"}
    assert written(architectures=["BertForSequenceClassification"]) == {"classifier"}


def test_a_folder_without_a_model_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"config\.json"):
        offered("transformers", str(tmp_path))


def test_a_server_is_asked_what_it_answers():
    server = stub()
    try:
        offer = offered(server.url, "rank1")
        assert offer.calls == {"language": LANGUAGE}
        assert suits(find("rank1"), offer).runs
        assert not suits(find("monobert-base"), offer).runs
    finally:
        server.stop()


def test_a_server_without_log_probabilities_answers_by_votes_and_it_is_said():
    server = stub(form="none", echoes=False)
    try:
        offer = offered(server.url, "rank1")
        assert offer.calls["language"] >= {Generate}
        if Choose in offer.calls["language"]:
            assert "scores by" in suits(find("verdict-direct"), offer).why
        else:
            assert "does not answer Choose" in suits(find("verdict-direct"), offer).why
    finally:
        server.stop()


def test_a_server_that_is_not_there_is_one_clear_error():
    pytest.importorskip("aiohttp")
    with pytest.raises(BackendError, match=r"127\.0\.0\.1"):
        offered("http://127.0.0.1:9/v1", "m")
