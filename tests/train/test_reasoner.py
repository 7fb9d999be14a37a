import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_lm
from ponderank import DataError, Doc, Judgement, MissingExtra, Query, RecipeError, Reranker
from ponderank.formats.rank1 import Rank1
from ponderank.recipes import RECIPES
from ponderank.train.reasoner_config import PRESETS, Reasoner, preset
from ponderank.types import text_of

THINKING = Path(__file__).parents[1] / "reasoner" / "thinking"


def row(number, *, think=True, text="it", thought=None):
    """A row whose passage is relevant where its number is even."""
    even = number % 2 == 0
    judged = Judgement(
        (1.0 if even else -1.0,), reasoning=f" it is {'a' if even else 'no'}. " if thought is None else thought
    )
    word = "wrote" if even else "nobody"
    prompt, completion = Rank1(think=think).example(Query("q", "who"), [Doc("d", f"{word} {text} {number}")], judged)
    return {"prompt": prompt, "completion": completion}


def write_rows(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    return folder


def unmarked(folder, *, tied=False, spare=True):
    """A tiny model whose tokenizer has no marks; its tables have two unused rows, or none."""
    import torch
    import transformers

    tiny_lm.model(folder)
    described = json.loads((folder / "tokenizer.json").read_text())
    described["added_tokens"] = [token for token in described["added_tokens"] if "think" not in token["content"]]
    (folder / "tokenizer.json").write_text(json.dumps(described))
    config = transformers.AutoConfig.from_pretrained(folder)
    config.tie_word_embeddings, config.vocab_size = tied, config.vocab_size - (0 if spare else 2)
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def settings(base, **others):
    small = {
        "batch": 2,
        "effective_batch": 4,
        "steps": 4,
        "save_every": 2,
        "rank": 4,
        "alpha": 8,
        "learning_rate": 1e-2,
    }
    return Reasoner(str(base), threads=1, **{**small, **others})


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def steps_logged(out, key="loss"):
    return [
        one["step"] for one in map(json.loads, (out / "training" / "log.jsonl").read_text().splitlines()) if key in one
    ]


def test_every_published_size_has_a_preset_of_128_rows_a_step():
    sizes = {name for name in RECIPES if name.startswith("rank1-") and not name.endswith("-awq")}
    sizes -= {"rank1-direct", "rank1-adaptive"}
    assert sizes == set(PRESETS) - {"laptop"}
    for name in sizes:
        one = PRESETS[name]
        assert (one.rank, one.alpha, one.learning_rate, one.warmup, one.cutoff) == (32, 64, 1e-4, 0.05, 2500)
        assert one.batch * one.accumulation(4) * 4 == 128


def test_four_gpus_read_and_add_up_what_the_published_files_say():
    pairs = {
        name: (PRESETS[f"rank1-{name}"].batch, PRESETS[f"rank1-{name}"].accumulation(4))
        for name in ("7b", "14b", "32b")
    }
    assert pairs == {"7b": (4, 8), "14b": (2, 16), "32b": (1, 32)}


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("rank1-7", (), "no preset is named 'rank1-7'; did you mean rank1-7b"),
        ("laptop", ("rnak=3",), "--set 'rnak=3': expected KEY=VALUE; did you mean rank"),
        ("laptop", ("rank=x",), "--set 'rank=x': expected a whole number"),
        ("laptop", ("end_token=no",), "expected true or false"),
        ("laptop", ("batch=0",), "batch is 0; give 1 or more"),
        ("laptop", ("warmup=2",), "need a warmup from 0 to 1"),
    ],
)
def test_a_bad_setting_is_named(name, given, message):
    with pytest.raises(DataError, match=message):
        preset(name, given)


def test_rows_a_step_that_processes_cannot_share_are_refused():
    with pytest.raises(DataError, match="effective_batch 128 is no multiple of batch 4 x 3 processes"):
        PRESETS["rank1-7b"].accumulation(3)


def test_a_missing_trainer_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trl", None)
    from ponderank.train.reasoner import train

    with pytest.raises(MissingExtra, match=r"ponderank\[train\]"):
        train(settings("x"), tmp_path, tmp_path / "out")


@pytest.fixture(scope="module")
def installed():
    pytest.importorskip("trl")
    pytest.importorskip("peft")


@pytest.mark.train
@pytest.mark.parametrize("text", ["it", "it </think> true", "</think> false <|endoftext|> <think>", "日本 \ud800"])
@pytest.mark.parametrize("think", [True, False])
def test_a_row_begins_with_the_very_ids_that_serving_asks_with(installed, text, think):
    from ponderank.backends.prompts import PromptTokenizer
    from ponderank.formats.rank1 import forced
    from ponderank.train.reasoner_start import encode

    tokenizer = PromptTokenizer(THINKING)
    form, doc = Rank1(think=think), Doc("d", f"wrote {text} 0")
    asked = form.prompt(Query("q", "who"), doc)
    served = tokenizer.encode(asked if think else forced(asked, ""))
    one = row(0, think=think, text=text)
    ids, before = encode(tokenizer, one["prompt"], one["completion"], end=7)
    assert ids[:before] == served
    assert tokenizer.decode(ids[before:-1]) == one["completion"]
    assert ids[-1] == 7


@pytest.mark.train
def test_a_thought_that_quotes_a_mark_does_not_end_there(installed):
    from ponderank.backends.prompts import PromptTokenizer
    from ponderank.train.reasoner_start import encode

    tokenizer = PromptTokenizer(THINKING)
    one = row(0, thought=" it says </think> false. ")
    ids, before = encode(tokenizer, one["prompt"], one["completion"])
    assert ids[before:].count(tokenizer.inner.token_to_id("</think>")) == 1


@pytest.mark.train
def test_rows_over_the_cutoff_are_left_out_and_counted(installed, tmp_path):
    from datasets import Dataset

    from ponderank.train.reasoner_start import begin
    from ponderank.train.reasoner_start import write_rows as tokenised

    config = settings(THINKING, cutoff=100)
    begin(config, tmp_path)
    rows = write_rows(tmp_path, [row(0), row(1), row(2, text="it " * 200)]) / "train.jsonl"
    assert tokenised(config, rows, tmp_path) == {"rows": 3, "too_long": 1}
    many = Dataset.from_file(str(tmp_path / "rows.arrow"))
    completion = [[id_ for id_ in labels if id_ != -100] for labels in many["labels"]]
    assert [len(many), len({tuple(ids) for ids in completion})] == [2, 2]
    assert all(
        ids[-len(said) :] == said and len(said) < len(ids)
        for ids, said in zip(many["input_ids"], completion, strict=True)
    )
    with pytest.raises(DataError, match=r"train\.jsonl: none of 3 rows has 5 tokens or fewer"):
        tokenised(replace(config, cutoff=5), rows, tmp_path)


@pytest.mark.train
def test_marks_that_the_tokenizer_has_are_not_added_again(installed, tmp_path):
    from ponderank.train.reasoner_start import begin

    assert begin(settings(THINKING), tmp_path) == str(THINKING)
    made, given = (json.loads((f / "tokenizer.json").read_text()) for f in (tmp_path / "tokenizer", THINKING))
    assert made == given


@pytest.mark.train
@pytest.mark.parametrize(("tied", "spare"), [(False, True), (True, False)], ids=["rows to spare", "none, tied"])
def test_a_new_mark_begins_as_the_mean_of_its_pieces_and_no_row_is_taken_away(installed, tmp_path, tied, spare):
    from ponderank.backends.prompts import PromptTokenizer
    from ponderank.train.reasoner_start import begin

    base = unmarked(tmp_path / "base", tied=tied, spare=spare)
    start = Path(begin(settings(base), tmp_path))
    old, new = PromptTokenizer(base).inner, PromptTokenizer(start).inner
    before, after = weights(base)["model.embed_tokens.weight"], weights(start)["model.embed_tokens.weight"]
    (id_,) = new.encode("</think>").ids
    assert after.shape[0] == before.shape[0] + (0 if spare else 2)
    assert bool((after[id_] - before[old.encode("</think>").ids].mean(0)).abs().max() < 1e-6)
    assert bool((after[: id_ - 1] == before[: id_ - 1]).all())


@pytest.mark.train
def test_what_the_machine_has_no_room_for_is_refused_before_anything_is_loaded(installed, tmp_path):
    import transformers

    from ponderank.train.reasoner import train

    base = tmp_path / "base"
    shutil.copytree(THINKING, base)
    (base / "model.safetensors").unlink()
    huge = {"hidden_size": 32768, "intermediate_size": 65536, "num_hidden_layers": 128, "num_attention_heads": 64}
    transformers.Qwen2Config(**huge).save_pretrained(base)
    with pytest.raises(
        RecipeError, match=r"needs about [\d,]+ GB a process, there are [\d,]+ GB; take a smaller --base"
    ):
        train(settings(base), write_rows(tmp_path, [row(0)]), tmp_path / "out")


@pytest.mark.train
def test_the_estimate_grows_with_what_is_learned_and_read(installed):
    from ponderank.train.reasoner_start import check_room

    adapters = check_room(settings(THINKING), available_gb=100)
    assert adapters < check_room(settings(THINKING, full=True), available_gb=100)
    assert adapters < check_room(settings(THINKING, batch=4), available_gb=100)


@pytest.fixture(scope="module")
def trained(installed, tmp_path_factory):
    """Adapters and new marks on a tied base, trained for four steps: its settings, its rows, what came out."""
    from ponderank.train.reasoner import train

    folder = tmp_path_factory.mktemp("trained")
    config = settings(unmarked(folder / "base", tied=True, spare=False))
    rows = write_rows(folder / "rows", [row(number) for number in range(16)])
    return config, rows, train(config, rows, folder / "out")


@pytest.mark.train
def test_the_merged_model_computes_what_the_base_with_its_adapters_does(trained):
    import torch
    import transformers
    from peft import PeftModel

    _, _, out = trained
    start, merged = (transformers.AutoModelForCausalLM.from_pretrained(f) for f in (out / "training" / "start", out))
    apart = PeftModel.from_pretrained(start, out / "training" / "checkpoints" / "checkpoint-4")
    ids = torch.arange(100, 130)[None]
    assert (apart(input_ids=ids).logits - merged(input_ids=ids).logits).abs().max() < 1e-4


@pytest.mark.train
def test_the_rows_of_new_marks_are_learned_and_exported(trained):
    from ponderank.backends.prompts import PromptTokenizer

    _, _, out = trained
    (id_,) = PromptTokenizer(out).inner.encode("</think>").ids
    name = "model.embed_tokens.weight"
    assert bool((weights(out)[name][id_] != weights(out / "training" / "start")[name][id_]).all())


@pytest.mark.train
def test_a_reranker_loads_what_was_trained_and_asks_in_whole_marks(trained):
    _, _, out = trained
    with Reranker("rank1", model=out, think_tokens=4) as reranker:
        ranking = reranker.rank("who", ["wrote it", "nobody"])
        ids = reranker.backend.tokenizer.encode(Rank1().prompt(Query("q", "who"), Doc("d", "it")))
    assert all(abs(score) < 100 for score in ranking.scores)
    assert reranker.backend.tokenizer.decode(ids[-1:]) == "<think>"
    assert text_of(Rank1().prompt(Query("q", "who"), Doc("d", "it"))) == reranker.backend.tokenizer.decode(ids)


@pytest.mark.train
@pytest.mark.parametrize("last", [2, 4], ids=["after step 2", "before the export"])
def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(trained, tmp_path, last):
    from ponderank.train.reasoner import train

    config, rows, out = trained
    shutil.copytree(out, tmp_path / "cut")
    (tmp_path / "cut" / "config.json").unlink()
    (tmp_path / "cut" / "model.safetensors").unlink()
    if last == 2:
        shutil.rmtree(tmp_path / "cut" / "training" / "checkpoints" / "checkpoint-4")
        half = tmp_path / "cut" / "training" / "checkpoints" / "checkpoint-3"  # killed while it was written
        half.mkdir()
        (half / "trainer_state.json").write_text('{"global_step": 3, ')
    again, whole = weights(train(config, rows, tmp_path / "cut")), weights(out)
    assert all(bool((whole[name] == again[name]).all()) for name in whole)
    assert steps_logged(tmp_path / "cut") == steps_logged(out) == [2, 4]


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.skipif("PONDERANK_SLOW_TESTS" not in os.environ, reason="half a minute; set PONDERANK_SLOW_TESTS")
def test_two_processes_end_with_the_weights_of_one(trained, tmp_path):
    config, rows, out = trained
    script = tmp_path / "both.py"
    script.write_text(
        "from ponderank.train.reasoner import train\nfrom ponderank.train.reasoner_config import Reasoner\n"
        f"train(Reasoner(**{config.to_dict()!r}), {str(rows)!r}, {str(tmp_path / 'out')!r})\n"
    )
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(launched, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = weights(out), weights(tmp_path / "out")
    assert all(bool((one[name] - two[name]).abs().max() < 1e-5) for name in one)


@pytest.mark.train
def test_another_training_is_refused_in_the_same_folder(trained, tmp_path):
    from ponderank.train.reasoner import train

    config, rows, out = trained
    with pytest.raises(
        DataError, match=r"begun with another training \(config.rank: 4 there, 8 now\); give another --out, or --fresh"
    ):
        train(replace(config, rank=8), rows, out)
    with pytest.raises(DataError, match=r"files\.rows"):
        train(config, write_rows(tmp_path, [row(0)]), out)


@pytest.mark.train
def test_a_finished_training_is_left_as_it_is(trained):
    from ponderank.train.reasoner import train

    config, rows, out = trained
    before = (out / "model.safetensors").stat().st_mtime_ns
    assert train(config, rows, out) == out
    assert (out / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.train
def test_a_model_from_elsewhere_is_not_trained_over(installed, tmp_path):
    from ponderank.train.reasoner import train

    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match="holds a model that did not come from here"):
        train(settings(THINKING), write_rows(tmp_path / "rows", [row(0)]), tmp_path, fresh=True)
    assert (tmp_path / "config.json").read_text() == "{}"


@pytest.mark.train
def test_the_command_learns_all_weights_until_the_verdicts_are_right(installed, tmp_path):
    from typer.testing import CliRunner

    from ponderank.cli.main import build

    pytest.importorskip("matplotlib")
    rows = write_rows(tmp_path / "rows", [row(number, think=False) for number in range(32)])
    app = build(["train"])
    chosen = {"learning_rate": 3e-3, "batch": 8, "effective_batch": 8, "steps": 24, "save_every": 24, "threads": 1}
    given = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
    out = tmp_path / "out"
    result = CliRunner().invoke(
        app, ["train", "reasoner", "--base", str(THINKING), "--rows", str(rows), "--out", str(out), "--full", *given]
    )
    assert result.exit_code == 0, result.output
    assert (out / "training" / "loss.svg").read_text().startswith("<?xml")
    with Reranker("rank1-direct", model=out) as reranker:
        ranking = reranker.rank("who", ["nobody it 41", "wrote it 40"])
    scores = {doc.text: score for doc, score in zip(ranking.docs, ranking.scores, strict=True)}
    assert scores["wrote it 40"] > 0 > scores["nobody it 41"]
    assert weights(out)["model.embed_tokens.weight"].dtype == weights(THINKING)["model.embed_tokens.weight"].dtype


@pytest.fixture
def collection(tmp_path):
    """Two queries, each with a relevant passage that is second of three in the first stage."""
    return write_collection(tmp_path / "few", {"q0": ["b", "a", "c"], "q1": ["c", "b", "a"]}, {"q0": "a", "q1": "b"})


def write_collection(folder, run, relevant):
    (folder / "qrels").mkdir(parents=True)
    names = sorted({name for names in run.values() for name in names})
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"_id": n, "text": f"it is {n}"}) + "\n" for n in names))
    (folder / "queries.jsonl").write_text("".join(json.dumps({"_id": q, "text": f"who {q}"}) + "\n" for q in run))
    judged = "".join(f"{q}\t{doc}\t1\n" for q, doc in relevant.items())
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    lines = (f"{q} Q0 {n} {i} {-i} x\n" for q, found in run.items() for i, n in enumerate(found))
    (folder / "first.trec").write_text("".join(lines))
    return folder


@pytest.mark.train
def test_a_dev_set_is_measured_as_our_evaluator_measures_the_exported_model(installed, tmp_path, collection):
    from ponderank.data.beir import Collection
    from ponderank.metrics.ranked import evaluate
    from ponderank.retrieval.runs import candidates
    from ponderank.train.reasoner import train

    config = settings(THINKING, steps=4, dev=(str(collection),), dev_tokens=4, learning_rate=5e-2)
    out = train(config, write_rows(tmp_path / "rows", [row(number) for number in range(16)]), tmp_path / "out")
    logged = [
        one
        for one in map(json.loads, (out / "training" / "log.jsonl").read_text().splitlines())
        if "eval_measure" in one
    ]
    opened = Collection.open(collection)
    with Reranker("rank1", model=out, think_tokens=4) as reranker:
        many = candidates(opened, collection / "first.trec", opened.judged_queries("dev"), 20)
        run = {r.query.id: [(d.id, -float(i)) for i, d in enumerate(r.docs)] for r in reranker.rank_many(many)}
    value = evaluate(opened.qrels("dev"), {"x": run}, ["nDCG@10"])["x"]["nDCG@10"]
    assert [one["step"] for one in logged] == [2, 4]
    assert max(one["eval_measure"] for one in logged) == pytest.approx(
        value
    )  # the best checkpoint is what was exported
    assert logged[0]["eval_few nDCG@10"] == logged[0]["eval_measure"]


@pytest.mark.train
def test_training_stops_where_the_measure_no_longer_grows_and_says_the_same_again(installed, tmp_path, collection):
    from ponderank.train.reasoner import train

    config = settings(
        THINKING, steps=8, save_every=1, patience=2, dev=(str(collection),), dev_tokens=2, learning_rate=1e-9
    )
    rows = write_rows(tmp_path / "rows", [row(number) for number in range(8)])
    out = train(config, rows, tmp_path / "out")
    assert steps_logged(out, "eval_measure") == [1, 2, 3]  # nothing was learned: the first is the best
    before = weights(out)
    (out / "config.json").unlink()  # killed after it stopped, before the export
    again = weights(train(config, rows, out))
    assert steps_logged(out, "eval_measure") == [1, 2, 3]
    assert all(bool((before[name] == again[name]).all()) for name in before)


@pytest.mark.train
def test_two_passages_asked_about_twice_are_measured_in_pairs(installed, tmp_path):
    from ponderank.train.dev_sets import paired
    from ponderank.train.reasoner_watch import Watch

    folder = write_collection(
        tmp_path / "pairs", {"q0": ["a", "b"], "q1": ["b", "a"], "q2": ["c", "d"], "q3": ["d", "c"]},
        {"q0": "a", "q1": "b", "q2": "c", "q3": "d"},
    )  # fmt: skip
    watch = Watch(settings(THINKING, dev=(str(folder),), dev_tokens=4))
    assert paired(watch.sets[0].many)
    found = watch(THINKING)
    assert found["eval_measure"] == found["eval_pairs paired accuracy"]
    assert found["eval_measure"] in (0.0, 0.5, 1.0)


@pytest.mark.train
def test_a_broken_dev_set_is_named_before_training(installed, tmp_path, collection):
    from ponderank.train.reasoner import train

    (collection / "qrels" / "dev.tsv").rename(collection / "qrels" / "a.tsv")
    (collection / "qrels" / "b.tsv").write_text("query-id\tcorpus-id\tscore\n")
    with pytest.raises(DataError, match="expected a split named dev or test, or only one; this collection has a, b"):
        train(settings(THINKING, dev=(str(collection),)), write_rows(tmp_path / "rows", [row(0)]), tmp_path / "out")
