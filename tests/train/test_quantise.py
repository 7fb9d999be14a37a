"""Which target fits which model, what comes out, and what a report says of it."""

import json
import math
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("onnx_ir")
pytest.importorskip("gguf")

from ponderank import DataError, MissingExtra, Reranker
from ponderank.formats.rank1 import HEAD
from ponderank.train.quantise import TARGETS, is_done, prepare, quantise
from ponderank.train.quantise_report import Measured, agreement, compare, measure, size_of, write
from ponderank.train.quantise_sets import PROBE, Depth, JudgedSet, Subject, choose, own_rows, pair_of, read_rows

THINKING = Path(__file__).parents[1] / "reasoner" / "thinking"
DIALS = THINKING.parent / "dials"
PAIRS = [
    ("what is the cat", text) for text in ("the cat is the dog", "dog", "what cat is the dog the cat", "is is a b c")
]


@pytest.fixture(scope="module")
def scorer(tiny_bert, tmp_path_factory):
    """A random cross-encoder, wide enough that its table is quantised too."""
    import transformers

    folder = tmp_path_factory.mktemp("scorer") / "m"
    shutil.copytree(tiny_bert(), folder)
    config = transformers.BertConfig.from_pretrained(folder, hidden_size=64, intermediate_size=128)
    import torch

    torch.manual_seed(5)
    model = transformers.BertForSequenceClassification(config)
    for name, parameter in model.named_parameters():
        if "LayerNorm" not in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def graphs(scorer, tmp_path_factory):
    """Its graphs in float32."""
    from ponderank.train.export import export_onnx

    return export_onnx(scorer, tmp_path_factory.mktemp("graphs") / "m").parent


def scores(folder):
    with Reranker("minilm-l6", model=folder, threads=1) as reranker:
        return [reranker.rank(query, [text]).scores[0] for query, text in PAIRS]


def operations(folder):
    import onnx

    return [node.op_type for node in onnx.load(str(folder / "model.onnx")).graph.node]


@pytest.mark.parametrize("target", ["int8-onnx", "int4-onnx"])
@pytest.mark.parametrize("given", ["scorer", "graphs"])
def test_a_cross_encoder_in_fewer_bits_scores_nearly_the_same(request, tmp_path, target, given):
    model = request.getfixturevalue(given)
    job = prepare(model, target, tmp_path / "out")
    made = quantise(job)
    exact, found = scores(model), scores(job.out)
    near = 0.1 if target == "int8-onnx" else 0.5  # of the scores' spread; random weights have no bits to spare
    assert found == pytest.approx(exact, abs=near * (max(exact) - min(exact)))
    assert found != exact
    kinds = operations(job.out)
    assert ("MatMulNBits" in kinds) is (target == "int4-onnx")
    assert ("MatMulInteger" in kinds) is (target == "int8-onnx")
    assert made["products"]["quantised"] >= 10
    assert made["target"] == target


def test_four_bits_have_a_scale_for_each_block_of_a_row(graphs, tmp_path):
    import numpy as np
    import onnx
    from onnx import numpy_helper

    job = prepare(graphs, "int4-onnx", tmp_path / "out")
    quantise(job)
    graph = onnx.load(str(job.out / "model.onnx")).graph
    held = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    node = next(node for node in graph.node if node.op_type == "MatMulNBits")
    attributes = {one.name: one.i for one in node.attribute}
    assert (attributes["bits"], attributes["block_size"]) == (4, 32)
    packed, scale, zero = (held[name] for name in node.input[1:4])
    low_high = np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:2], -1).astype(float)  # [N, blocks, 32]
    zeros = np.stack([zero & 15, zero >> 4], -1).reshape(zero.shape[0], -1)[:, : packed.shape[1]]
    rebuilt = ((low_high - zeros[..., None]) * scale.reshape(packed.shape[0], -1, 1)).reshape(packed.shape[0], -1)
    before = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(graphs / "model.onnx")).graph.initializer}
    name = node.input[1].removesuffix("_Q4")
    step = scale.max()
    assert np.abs(rebuilt.T[: before[name].shape[0]] - before[name]).max() <= step


def test_graphs_that_are_quantised_already_are_refused(graphs, tmp_path):
    job = prepare(graphs, "int8-onnx", tmp_path / "once")
    quantise(job)
    with pytest.raises(DataError, match="quantised already"):
        quantise(prepare(job.out, "int4-onnx", tmp_path / "twice"))
    assert [path.name for path in tmp_path.iterdir()] == ["once"]


def test_the_embedded_model_which_is_int8_already_is_refused(tmp_path):
    from ponderank.models import default_folder

    with pytest.raises(DataError, match="quantised already"):
        quantise(prepare(default_folder(), "int4-onnx", tmp_path / "out"))


@pytest.fixture(scope="module")
def split(tiny_bert, tmp_path_factory):
    """A split cross-encoder of random weights, as a checkpoint."""
    import transformers

    from ponderank.models.split_bert import SplitBertForSequenceClassification

    bi, folder = (tmp_path_factory.mktemp(name) for name in ("bi", "split"))
    transformers.BertModel.from_pretrained(tiny_bert(), add_pooling_layer=False).save_pretrained(bi)
    transformers.AutoTokenizer.from_pretrained(tiny_bert()).save_pretrained(bi)
    model, tokenizer = SplitBertForSequenceClassification.from_bi_encoder(bi, join_layer=1, exits=(0, 1, 2))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("target", ["int8-onnx", "int4-onnx"])
def test_a_split_cross_encoder_has_all_its_graphs_in_fewer_bits_and_its_weights_once(split, tmp_path, target):
    import onnx

    job = prepare(split, target, tmp_path / "out")
    quantise(job)
    names = {path.name for path in job.out.iterdir()}
    assert {"graphs.json", "query.onnx", "full.onnx", "exit0.onnx", "weights.bin", "tokenizer.json"} <= names
    wanted = "MatMulInteger" if target == "int8-onnx" else "MatMulNBits"
    for name in ("query.onnx", "full.onnx"):
        graph = onnx.load(str(job.out / name), load_external_data=False).graph
        assert wanted in {node.op_type for node in graph.node}
    exact, found = scores(split), scores(job.out)
    assert found != exact
    assert found == pytest.approx(exact, abs=0.35 * (max(exact) - min(exact)))


@pytest.mark.parametrize(
    ("make", "target", "message"),
    [
        (
            "writer",
            "int8-onnx",
            r"this is a language model, and int8-onnx is for a cross-encoder; --to takes awq-int4, .*gguf-q8",
        ),
        (
            "scorer",
            "gguf-q4",
            "this is a cross-encoder, and gguf-q4 is for a language model; --to takes int8-onnx, int4-onnx here",
        ),
        ("scorer", "awq-int4", "for a language model"),
        ("writer", "gguf-q5", "no target is named 'gguf-q5'; did you mean"),
        ("nothing", "gguf-q4", "no such folder; give a checkpoint's folder"),
        ("empty", "gguf-q4", "no model here: expected config.json"),
        ("file", "gguf-q4", "this is a GGUF file; give a checkpoint's folder"),
        ("quantised", "gguf-q4", "quantised already; give the checkpoint"),
        ("t5", "gguf-q4", "T5ForConditionalGeneration is neither"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_what_would(tmp_path, scorer, make, target, message):
    places = {
        "writer": THINKING,
        "scorer": scorer,
        "nothing": tmp_path / "none",
        "empty": tmp_path,
        "file": tmp_path / "m.gguf",
    }
    folder = places.get(make, tmp_path / "m")
    if make in ("quantised", "t5"):
        shutil.copytree(THINKING, folder)
        more = (
            {"quantization_config": {"bits": 4}}
            if make == "quantised"
            else {"architectures": ["T5ForConditionalGeneration"]}
        )
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | more))
    with pytest.raises(DataError, match=message):
        prepare(folder, target, tmp_path / "out")


def test_awq_without_its_compressor_names_the_extra(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "llmcompressor", None)
    with pytest.raises(MissingExtra, match=r"ponderank\[llmcompressor\]"):
        prepare(THINKING, "awq-int4", tmp_path / "out")


def test_the_result_stands_beside_the_model_and_is_named_after_it(tmp_path, scorer):
    shutil.copytree(THINKING, tmp_path / "m")
    shutil.copytree(scorer, tmp_path / "c")
    found = {prepare(tmp_path / "m", name).out.name for name in ("gguf-q8", "gguf-f16", "gguf-q4_0")}
    assert found == {"m-Q8_0.gguf", "m-F16.gguf", "m-Q4_0.gguf"}
    assert prepare(tmp_path / "c", "int8-onnx").out == tmp_path.resolve() / "c-int8-onnx"


def test_the_same_again_does_nothing_and_something_else_is_not_overwritten(tmp_path):
    out = tmp_path / "m.gguf"
    first = prepare(THINKING, "gguf-q8", out)
    made = quantise(first)
    before = out.stat().st_mtime_ns
    assert is_done(first)
    assert quantise(prepare(THINKING, "gguf-q8", out)) == made
    assert out.stat().st_mtime_ns == before
    with pytest.raises(
        DataError, match="holds gguf-q8 of another model or made otherwise; give another --out, or --fresh"
    ):
        prepare(THINKING, "gguf-q4_0", out)
    job = prepare(THINKING, "gguf-q4_0", out, fresh=True)
    assert quantise(job, fresh=True)["scheme"] == "Q4_0"
    (tmp_path / "notes.gguf").write_text("mine")
    with pytest.raises(DataError, match=r"was not made here; give another --out$"):
        prepare(THINKING, "gguf-q8", tmp_path / "notes.gguf", fresh=True)


def test_what_fails_or_was_killed_leaves_nothing_that_looks_whole(tmp_path, scorer):
    shutil.copytree(THINKING, tmp_path / "m")
    tokenizer = tmp_path / "m" / "tokenizer.json"
    whole = tokenizer.read_text()
    tokenizer.write_text(json.dumps(json.loads(whole) | {"normalizer": {"type": "Lowercase"}}))
    job = prepare(tmp_path / "m", "gguf-q8")
    with pytest.raises(DataError, match="normalise"):
        quantise(job)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    half = tmp_path / "c.partial.d"
    half.mkdir()
    (half / "model.onnx").write_text("half")
    job = prepare(scorer, "int8-onnx", tmp_path / "c")
    quantise(job)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "m"]
    assert is_done(job)


def test_every_target_says_which_engine_runs_it():
    from ponderank.engines import ENGINES

    assert {one.engine for one in TARGETS.values()} <= set(ENGINES)


# -- what is measured on ------------------------------------------------------------------------------------------------


def test_without_anything_else_a_probe_is_measured_on_and_named_as_one():
    subject = choose(THINKING, writes=True)
    assert subject.sets[0].pairs == 4 * len(PROBE) == 40
    assert "agreement, not quality" in subject.words


def test_a_collection_given_comes_first_then_rows_then_what_training_recorded(tmp_path):
    model = tmp_path / "model"
    (model / "training").mkdir(parents=True)
    recorded = {"config": {"dev": [str(DIALS), str(tmp_path / "gone")]}}
    (model / "training" / "training.json").write_text(json.dumps(recorded))
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        json.dumps({"prompt": f"{HEAD}who\nPassage: me\n<think>", "completion": " it is. </think> true"}) + "\n"
    )
    depth = Depth(queries=3, docs=2)
    assert choose(model, dev=(str(DIALS),), rows=rows, writes=True, depth=depth).words == "the collections dials"
    assert choose(model, rows=rows, writes=True).recipe == "rank1"
    found = choose(model, writes=True, depth=depth)
    assert found.words == "the dev sets of its own training, dials"
    assert [len(one.docs) for one in found.sets[0].many] == [2, 2, 2]


def test_a_prompt_put_together_again_is_the_same_prompt():
    from ponderank.formats.rank1 import Rank1
    from ponderank.types import Doc, Query, text_of

    for text in ("me", "a\nPassage: b", "x\n<think>\n\n</think>"):
        prompt = text_of(Rank1().prompt(Query("q", "who\nPassage: what"), Doc("d", text)))
        query, passage, direct = pair_of(prompt)
        assert text_of(Rank1().prompt(Query("q", query), Doc("d", passage))) == prompt
        assert not direct
    assert pair_of("Is it?\n<think>") is None


def test_rows_that_no_recipe_asks_are_refused(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "Is it?", "completion": "yes"}) + "\n")
    with pytest.raises(DataError, match="rows that the recipe rank1 does not ask"):
        choose(THINKING, rows=rows, writes=True)


def test_a_reasoners_own_rows_come_back_as_they_went_in(tmp_path):
    pytest.importorskip("datasets")
    from ponderank.train.reasoner_config import Reasoner
    from ponderank.train.reasoner_start import write_rows

    model = tmp_path / "model"
    shutil.copytree(THINKING, model)
    shutil.copytree(THINKING, model / "training" / "tokenizer")
    given = [
        (f"{HEAD}who\nPassage: dial {i}\n<think>", f" it is {i}. </think> {word}")
        for i, word in enumerate(("true", "false"))
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"prompt": p, "completion": c}) + "\n" for p, c in given))
    write_rows(Reasoner(str(THINKING)), file, model / "training")
    path = own_rows(model, writes=True)
    assert read_rows(path, model) == given == read_rows(file, model)
    assert len(choose(model, writes=True).sets[0].many) == 2


# -- the report ----------------------------------------------------------------------------------------------------------


def measured(scores, probs=None, **others):
    keys = [("s", "q", str(i)) for i in range(len(scores))]
    given = {"name": "m", "engine": "onnx", "size": 1, "values": {}, "flaws": {}, "seconds": 1.0}
    probs = dict(zip(keys, probs or (), strict=False))
    return Measured(**{**given, **others}, scores=dict(zip(keys, scores, strict=True)), probs=probs)


def test_agreement_counts_changed_verdicts_and_compares_what_both_could_score():
    before, after = (
        measured([0.0, 1.0, 2.0, 9.0], [0.2, 0.6, 0.7, 0.9]),
        measured([0.0, 3.0, 2.0, math.nan], [0.1, 0.7, 0.4, 0.9]),
    )
    found = agreement(before, after)
    assert (found.pairs, found.verdicts_changed, found.largest) == (3, 0.25, 2.0)
    assert found.spearman == pytest.approx(0.5)
    assert found.mean == pytest.approx(2 / 3)


def test_tied_scores_share_their_rank():
    from scipy.stats import spearmanr

    old, new = [1.0, 1.0, 2.0, 0.0, 5.0], [3.0, 1.0, 1.0, 0.0, 1.0]
    assert agreement(measured(old), measured(new)).spearman == pytest.approx(spearmanr(old, new).statistic)


def test_a_report_has_both_models_on_the_same_pairs(tmp_path, scorer):
    job = prepare(scorer, "int4-onnx", tmp_path / "out")
    made = quantise(job)
    qrels = {"probe 0": {"probe 0.0": 1}}
    subject = choose(scorer, writes=False)
    (probe,) = subject.sets
    subject = Subject((JudgedSet("probe", probe.many[:1], qrels),), "a test")
    before, after = (measure(path, subject, "minilm-l6", threads=1) for path in (scorer, job.out))
    report = compare(before, after, subject, "minilm-l6", made)
    path = write(report, job.out)
    text, numbers = path.read_text(), json.loads((job.out / "report.json").read_text())
    assert (before.engine, after.engine) == ("transformers", "onnx")
    assert set(before.scores) == set(after.scores)
    assert len(before.scores) == 4
    assert numbers["after"]["bytes"] == size_of(job.out) == (job.out / "model.onnx").stat().st_size < size_of(scorer)
    assert set(numbers["before"]["values"]) == {"probe nDCG@10"}
    assert "| m (transformers) |" in text
    assert "Measured on a test." in text
    assert (job.out / "report.svg").is_file() is ("report.svg" in text)


def test_the_command_makes_measures_and_prints_the_next_command(tmp_path, scorer, capsys):
    from ponderank.cli.quantise import quantise as command

    shutil.copytree(scorer, tmp_path / "c")
    command(tmp_path / "c", to="int8-onnx", report=True, threads=1)
    told = capsys.readouterr()
    out = tmp_path.resolve() / "c-int8-onnx"
    assert told.out.splitlines()[-1] == f"ponderank rerank --recipe minilm-l6 --model {out}"
    assert "agreement, not quality" in told.out
    assert "Spearman" in told.out
    command(tmp_path / "c", to="int8-onnx")
    assert "is made already" in capsys.readouterr().err


def test_a_report_on_a_gguf_file_without_llama_cpp_is_refused_before_the_work(tmp_path, monkeypatch):
    import sys

    from ponderank.cli.quantise import quantise as command

    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    shutil.copytree(THINKING, tmp_path / "m")
    with pytest.raises(MissingExtra, match=r"ponderank\[llamacpp\]"):
        command(tmp_path / "m", to="gguf-q8", report=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
