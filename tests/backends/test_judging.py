"""Formats that judge one passage on real engines: small random models, nothing scripted."""

import json
import math

import pytest

from ponderank import Candidates, Doc, Engine, Query, Recipe
from ponderank.formats.graded import ERank, RetroStar, TFRank
from ponderank.formats.pair_form import PairForm
from ponderank.formats.parts import ours
from ponderank.formats.verdict import Verdict
from ponderank.formats.yes_no import BGE_GEMMA, MONOT5, MXBAI_RERANK_V2, QWEN3_RERANKER, RANKT5
from ponderank.strategies.pointwise import Pointwise

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("jinja2")

DOCS = tuple(Doc(str(i), text) for i, text in enumerate(["nobody knows", "the passage says so. true", "who wrote it"]))
LIST = Candidates(Query("q", "who wrote it"), DOCS)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    import tiny_lm
    from ponderank.backends.transformers_lm import TorchGenerator

    folder = tiny_lm.model(tmp_path_factory.mktemp("lm"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 4096}))  # for the long prompts
    return TorchGenerator(folder, device="cpu")


def rank(form, backend):
    ((_, ranking),) = Engine(Recipe("test", "none", form, Pointwise()), backend).run([LIST])
    return ranking


def logits_behind(backend, prompt):
    with torch.inference_mode():
        return backend.model(input_ids=torch.tensor([backend.tokenizer.encode(prompt)])).logits[0, -1].double()


@pytest.mark.parametrize("form", [QWEN3_RERANKER, MXBAI_RERANK_V2])
def test_log_odds_are_those_of_the_two_labels(decoder, form):
    ranking = rank(form, decoder)
    for doc, score in zip(ranking.docs, ranking.scores, strict=True):
        prompt = form.prompt(LIST.query, doc)
        yes, no = (_chance(decoder, prompt, decoder.tokenizer.label(label, "\n")) for label in form.labels)
        assert score == pytest.approx(math.log(yes) - math.log(no), abs=1e-3)
    assert not ranking.flaws()


def test_one_labels_score_is_its_logit(decoder):
    ranking = rank(BGE_GEMMA, decoder)
    for doc, score in zip(ranking.docs, ranking.scores, strict=True):
        first = decoder.tokenizer.label("Yes", "'.")[0]
        assert score == pytest.approx(float(logits_behind(decoder, BGE_GEMMA.prompt(LIST.query, doc))[first]), abs=1e-3)


@pytest.mark.parametrize("form", [ERank(max_tokens=12), Verdict(max_tokens=12)])
def test_a_model_that_only_babbles_is_still_judged_and_the_flaw_counted(decoder, form):
    ranking = rank(form, decoder)
    assert all(math.isfinite(score) for score in ranking.scores)
    assert ranking.flaws() == {"incomplete": 3}


@pytest.mark.parametrize("form", [Verdict(think=False), TFRank(), TFRank(reminder=True)])
def test_what_does_not_think_has_no_flaw(decoder, form):
    ranking = rank(form, decoder)
    assert all(math.isfinite(score) for score in ranking.scores)
    assert not ranking.flaws()


def test_samples_without_a_grade_are_counted_and_last_in_order(decoder):
    ranking = rank(RetroStar(samples=2, max_tokens=4), decoder)
    assert ranking.flaws() == {"unparsed": 3}
    assert [doc.id for doc in ranking.docs] == ["0", "1", "2"]
    assert ranking.usage.calls == 6


def test_tfrank_is_its_formula_on_the_models_own_probabilities(decoder):
    form = TFRank()
    ranking = rank(form, decoder)
    for doc, score in zip(ranking.docs, ranking.scores, strict=True):
        prompt = form.prompt(LIST.query, doc)
        words = [decoder.tokenizer.label(word, "</think>\n\n") for word in ("yes", "no")]
        chances = [_chance(decoder, prompt, ids) for ids in words]
        word = "yes" if chances[0] >= chances[1] else "no"
        grades = [
            _chance(decoder, (*prompt, ours(f"{word}(")), decoder.tokenizer.label(str(i), f"{word}(")) for i in range(5)
        ]
        mean = sum(i * chance for i, chance in enumerate(grades)) / sum(grades)
        assert score == pytest.approx((mean / 4 + chances[0] / sum(chances)) / 2, abs=1e-4)


def _chance(backend, prompt, ids):
    """The probability of some ids behind a prompt."""
    start = backend.tokenizer.encode(prompt)
    with torch.inference_mode():
        logits = backend.model(input_ids=torch.tensor([[*start, *ids]])).logits[0].double().log_softmax(-1)
    return math.exp(sum(float(logits[len(start) - 1 + i, id_]) for i, id_ in enumerate(ids)))


@pytest.mark.parametrize("form", [MONOT5, RANKT5])
def test_encoder_decoders_rank_through_the_engine(tmp_path, form):
    import tiny_t5
    from ponderank.backends.transformers_t5 import TorchSeq2Seq

    ranking = rank(form, TorchSeq2Seq(tiny_t5.model(tmp_path), device="cpu"))
    assert sorted(ranking.scores, reverse=True) == list(ranking.scores)
    assert not ranking.flaws()


def test_decoder_heads_rank_through_the_engine(tmp_path):
    import tiny_heads
    from ponderank.backends.transformers import TorchClassifier

    ranking = rank(PairForm(), TorchClassifier(tiny_heads.model(tmp_path), device="cpu"))
    assert len(set(ranking.scores)) == 3
    assert not ranking.flaws()
