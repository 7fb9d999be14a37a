import json
import random

import pytest

from ponderank import DataError
from ponderank.train import config as configs
from ponderank.train.config import Negatives
from ponderank.train.pairs import choose, keywords, sentence

WORDS = ["cat", "dog", "the", "what", "is", "zebra", "lion", "quick", "bird", "fish", "tree", "house"]


@pytest.fixture
def collection(tmp_path):
    """Thirty documents of words; each query is three words of its document."""
    rng = random.Random(0)
    folder = tmp_path / "animals"
    (folder / "qrels").mkdir(parents=True)
    docs = {f"d{i}": " ".join(rng.choices(WORDS, k=12)) for i in range(30)}
    queries = {f"q{i}": " ".join(docs[f"d{i}"].split()[:3]) for i in range(20)}
    for name, rows in (("corpus", docs), ("queries", queries)):
        lines = (json.dumps({"_id": i, "text": text}) for i, text in rows.items())
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    judged = "".join(f"q{i}\td{i}\t1\n" for i in range(20))
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return folder


def write(tmp_path, start, collection, **training):
    settings = {
        "loss": "BinaryCrossEntropyLoss",
        "steps": 6,
        "save_every": 2,
        "evaluate_every": 2,
        "seed": 1,
        "threads": 1,
        **training,
    }
    labels = 2 if settings["loss"] == "CrossEntropyLoss" else 1
    text = f'[model]\nstart = "{start}"\nlabels = {labels}\nmax_length = 64\n[[data]]\nfolder = "{collection}"\n'
    text += "[negatives]\nper_query = 2\nhard = 1\nhead = 3\ndepth = 20\n[training]\n"
    text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    path = tmp_path / "c.toml"
    path.write_text(text)
    return configs.read(path)


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nstart = 1\n", r"c\.toml: 'model\.start' should be str, found 1"),
        ("[model]\nstrat = 'x'\n", r"unknown key 'model\.strat'; did you mean start"),
        ("[model]\n", r"the key 'model\.start' is missing"),
        ("[model\n", "malformed TOML"),
        ("data = []\n[model]\nstart = 'x'\n", "there is no .*data"),
        ("[model]\nstart = 'x'\narchitecture = 'bret'\n[[data]]\nfolder = 'y'\n", "did you mean bert"),
        ("[model]\nstart = 'x'\nsketch = 8\n[[data]]\nfolder = 'y'\n", "sketch needs split-bert and a .teacher."),
        ("[model]\nstart = 'x'\nkeep_frozen = true\n[[data]]\nfolder = 'y'\n", "keep_frozen needs split-bert"),
    ],
)
def test_a_bad_training_file_is_named(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(DataError, match=message):
        configs.read(tmp_path / "c.toml")


def test_a_setting_replaces_what_the_file_says(tmp_path):
    (tmp_path / "c.toml").write_text("[model]\nstart = 'x'\n[[data]]\nfolder = 'y'\n")
    config = configs.read(tmp_path / "c.toml", ("training.steps=7", "training.loss=ListNetLoss"))
    assert (config.training.steps, config.training.loss) == (7, "ListNetLoss")


def test_no_negative_is_judged_relevant():
    rng = random.Random(0)
    for _ in range(200):
        ranked = [str(i) for i in range(30)]
        positives = set(rng.sample(ranked, 5))
        first, *negatives = choose(ranked, positives, Negatives(per_query=6, hard=2, head=5), rng)
        assert first in positives
        assert not positives & set(negatives)
        assert len(set(negatives)) == 6


def test_too_few_negatives_make_no_group():
    assert choose(["a", "b"], {"a"}, Negatives(per_query=3), random.Random(0)) == []


@pytest.mark.parametrize("text", ["", "a", "One two.", "word " * 100, "\ud800 x"])
def test_synthetic_queries_come_from_any_text(text):
    for cut in (keywords, sentence):
        assert isinstance(cut(text, random.Random(0)), str)


@pytest.mark.parametrize(
    "loss", ["BinaryCrossEntropyLoss", "CrossEntropyLoss", "MSELoss", "MarginMSELoss", "MultipleNegativesRankingLoss",
             "CachedMultipleNegativesRankingLoss", "RankNetLoss", "LambdaLoss", "ListNetLoss", "ListMLELoss", "PListMLELoss", "ADRMSELoss",
             "softmax_cross_entropy", "plackett_luce", "margin_mse", "ranknet_soft", "kl_distillation", "weighted_ranknet"]
)  # fmt: skip
@pytest.mark.train
def test_every_loss_trains(tmp_path, tiny_bert, collection, loss):
    pytest.importorskip("sentence_transformers")
    from ponderank.train.cross_encoder import train

    start = tiny_bert(2 if loss == "CrossEntropyLoss" else 1)
    config = write(tmp_path, start, collection, loss=loss, steps=2, learning_rate=1e-3, head_learning_rate=1e-3)
    after, before = weights(train(config, tmp_path / "out")), weights(start)
    assert any((after[name] != before[name]).any() for name in before)


def test_a_configuration_may_name_every_list_loss_of_ours():
    pytest.importorskip("torch")
    from ponderank.train.columns import OUR_LOSSES
    from ponderank.train.losses import LOSSES

    assert set(OUR_LOSSES) == set(LOSSES)


@pytest.mark.train
@pytest.mark.parametrize("last", [4, None], ids=["after step 4", "before the last checkpoints were averaged"])
def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(tmp_path, tiny_bert, collection, last):
    pytest.importorskip("sentence_transformers")
    import shutil

    from ponderank.train.cross_encoder import train

    config = write(tmp_path, tiny_bert(1), collection, learning_rate=1e-3)
    whole = weights(train(config, tmp_path / "whole"))
    train(config, tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "model")
    for path in (tmp_path / "cut" / "checkpoints").glob("checkpoint-*"):
        if last and path.name != f"checkpoint-{last}":
            shutil.rmtree(path)
    again = weights(train(config, tmp_path / "cut"))
    assert all((whole[name] == again[name]).all() for name in whole)


@pytest.mark.train
def test_another_configuration_is_refused_in_the_same_folder(tmp_path, tiny_bert, collection):
    pytest.importorskip("sentence_transformers")
    from ponderank.train.cross_encoder import train

    start = tiny_bert(1)
    train(write(tmp_path, start, collection, steps=2), tmp_path / "out")
    with pytest.raises(DataError, match=r"begun with another config; give another --out, or --fresh"):
        train(write(tmp_path, start, collection, steps=4), tmp_path / "out")


@pytest.mark.train
def test_the_command_exports_what_transformers_computes(tmp_path, tiny_bert, collection):
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("onnxscript")
    from ponderank.train.cross_encoder import train
    from ponderank.train.export import export_all

    config = write(tmp_path, tiny_bert(1), collection, steps=2)
    report = export_all(train(config, tmp_path / "out"), tmp_path / "out", config)
    assert report["fp32"]["largest_difference"] < 1e-4
    assert report["int8"]["megabytes"] < report["fp32"]["megabytes"]
    assert 0 < report["int8"]["mean_difference"] < 1
    about = json.loads((tmp_path / "out" / "training.json").read_text())
    assert len(about["files"]["animals/corpus.jsonl"]) == 64
    assert about["config"]["training"]["warmup"] == 0.1


@pytest.fixture
def bi_encoder(tiny_bert, tmp_path):
    transformers = pytest.importorskip("transformers")
    source = tiny_bert(1)
    transformers.BertModel.from_pretrained(source, add_pooling_layer=False).save_pretrained(tmp_path / "bi")
    transformers.AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path / "bi")
    return tmp_path / "bi"


def split(tmp_path, bi_encoder, collection, model, training, teacher=""):
    """A split model's training file, read: lines for its [model], [training] and [teacher]."""
    (tmp_path / "c.toml").write_text(
        f'[model]\nstart = "{bi_encoder}"\narchitecture = "split-bert"\njoin_layer = 1\nexits = [1, 2]\n{model}'
        f'[[data]]\nfolder = "{collection}"\nsynthetic = 10\n[negatives]\nper_query = 2\nhard = 1\nhead = 3\ndepth = 20\n'
        f'[teacher]\nfolder = "{bi_encoder}"\n{teacher}[training]\n{training}'
    )
    return configs.read(tmp_path / "c.toml")


@pytest.mark.train
def test_no_steps_leave_the_start(tmp_path, bi_encoder, collection):
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("onnxscript")
    from ponderank.train.cross_encoder import train
    from ponderank.train.export import export_all

    model = "sketch = 8\nsketch_share = 3\nlate_interaction = 2\n"
    config = split(tmp_path, bi_encoder, collection, model, "steps = 0\nsketch_steps = 5\nthreads = 1\n")
    out = tmp_path / "out"
    after, start = weights(train(config, out)), weights(out / "start")
    assert all(bool((after[name] == values).all()) for name, values in start.items())
    assert export_all(out / "model", out, config, int8=False)["fp32"]["largest_difference"] < 1e-4


@pytest.mark.train
def test_the_teacher_adds_late_interaction_of_the_same_states(bi_encoder):
    pytest.importorskip("sentence_transformers")
    import torch
    from sentence_transformers import SentenceTransformer

    from ponderank.train.config import Teacher
    from ponderank.train.pairs import Group
    from ponderank.train.teacher import taught

    group = Group("s", "the cat", ("the dog is quick", "a zebra", "the cat"), (1.0, 0.0, 0.0), (3.0, 1.0, 0.0))
    plain, late = (
        taught([group], Teacher(folder=str(bi_encoder), bm25=0.5, late_interaction=weight))[0].teacher
        for weight in (0.0, 3.0)
    )
    encoder = SentenceTransformer(str(bi_encoder), device="cpu")
    query, *docs = encoder.encode([group.query, *group.docs], output_value="token_embeddings")
    best = [(torch.nn.functional.normalize(query) @ torch.nn.functional.normalize(d).T).amax(1) for d in docs]
    ids = [encoder.tokenizer(text)["input_ids"] for text in (group.query, *group.docs)]
    weights = torch.tensor([4 / max(1, sum(token in one for one in ids[1:])) for token in ids[0]]).log()
    added = torch.stack([3 * (b.mean() + b @ weights / weights.sum()) for b in best])
    expected = torch.tensor(plain) + added - added.mean()
    assert late == pytest.approx(expected.tolist(), abs=2e-2)  # states are kept in half precision


@pytest.mark.train
def test_a_split_model_is_taught_by_words_then_by_pairs_then_exported(tmp_path, bi_encoder, collection):
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("onnxscript")
    from ponderank.backends.onnx import OnnxClassifier
    from ponderank.train.cross_encoder import train
    from ponderank.train.export import export_all

    model = "freeze_below = 1\nkeep_frozen = true\nsketch = 8\nlate_interaction = 2\nmax_length = 64\n"
    training = 'loss = "ListNetLoss"\nsteps = 4\nsave_every = 2\nlearning_rate = 1e-3\nhead_learning_rate = 1e-2\n'
    training += "sketch_steps = 30\nthreads = 1\n"
    config = split(tmp_path, bi_encoder, collection, model, training, teacher="late_interaction = 2\n")
    out = tmp_path / "out"
    after, start = weights(train(config, out)), weights(out / "start")
    for name, values in start.items():
        frozen = "embeddings" in name or "layer.0." in name or "sketch" in name or "early" in name
        assert bool((after[name] == values).all()) == frozen or name.endswith("bias"), name
    assert start["sketch.share"] != 6.0  # where it began
    report = export_all(out / "model", out, config, int8=False)
    assert report["fp32"]["largest_difference"] < 1e-4
    assert set(report["exits"]) == {"1", "sketch"}
    assert OnnxClassifier(out / "onnx").levels == 3
