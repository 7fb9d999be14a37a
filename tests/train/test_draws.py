import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ponderank import DataError
from ponderank.train import config as configs
from ponderank.train import curriculum
from ponderank.train.columns import LOSSES, rows, usable
from ponderank.train.config import Config, Curriculum, Data, Model, Negatives, Teacher, Training
from ponderank.train.draws import Draws, easiness
from ponderank.train.pairs import Group, choose, heights


def group(number=0, first_stage=(1.0, 0.5, 0.25), judged=True, teacher=()):
    docs = tuple(f"text {number}.{i}" for i in range(len(first_stage)))
    labels = (1.0 if judged else 0.0, *[0.0] * (len(docs) - 1))
    return Group("x", f"query {number}", docs, labels, (0.0,) * len(docs), teacher, first_stage)


def settings(*, steps=100, batch=2, seed=0, per_query=2, loss="ListNetLoss", **curriculum):
    training = Training(loss=loss, steps=steps, batch_queries=batch, seed=seed)
    return Config(
        Model("x"), (Data("y"),), Negatives(per_query=per_query), Curriculum(**curriculum), Teacher(), training
    )


EASY, MIDDLE, HARD = group(0, (1.0, 0.0, 0.0)), group(1, (0.5, 0.5, 0.0)), group(2, (0.0, 0.9, 1.0))


def drawn(draws, steps):
    return [g.query for step in range(steps) for g in draws(step)]


def test_easy_groups_are_drawn_first_and_all_alike_in_the_end():
    draws = Draws([EASY, MIDDLE, HARD], settings(steps=4000, batch=1, kind="easy-to-hard", share=0.5))
    early = [g.query for step in range(0, 400) for g in draws(step)]
    late = [g.query for step in range(2000, 4000) for g in draws(step)]
    assert early.count("query 0") > 1.5 * early.count("query 1") > 5 * early.count("query 2")
    assert {late.count(f"query {i}") // 100 for i in range(3)} <= {6, 7}


def test_the_curriculum_turned_round_draws_the_hard_ones_first():
    draws = Draws([EASY, MIDDLE, HARD], settings(batch=1, kind="hard-to-easy", share=0))
    found = drawn(draws, 600)
    assert found.count("query 2") > found.count("query 1") > found.count("query 0") == 0


def test_groups_are_drawn_as_often_as_their_published_weights_say():
    groups = [EASY, MIDDLE, HARD]
    draws = Draws(groups, settings(steps=10, batch=1, kind="easy-to-hard", share=1.0))
    wanted = np.array([curriculum.weight(easiness(g), 4, end=10) for g in groups])
    assert draws.weights(4) == pytest.approx(wanted)
    found = [Draws(groups, settings(steps=10, batch=1, seed=s, kind="easy-to-hard", share=1.0))(4) for s in range(4000)]
    shares = [sum(g[0].query == f"query {i}" for g in found) / 4000 for i in range(3)]
    assert shares == pytest.approx(list(wanted / wanted.sum()), abs=0.03)


def test_a_share_too_small_for_a_step_still_ends():
    draws = Draws([EASY, HARD], settings(steps=10, kind="easy-to-hard", share=0.001))
    assert list(draws.weights(1)) == [1.0, 1.0]


def test_no_group_stands_twice_in_a_batch_unless_there_are_too_few():
    groups = [group(i) for i in range(5)]
    five = Draws(groups, settings(batch=5, kind="easy-to-hard"))
    assert all(len({g.query for g in five(step)}) == 5 for step in range(50))
    assert len(Draws(groups[:2], settings(batch=5, kind="easy-to-hard"))(0)) == 5


def test_the_same_seed_and_step_draw_the_same_whatever_was_drawn_before():
    groups = [group(i, (0.5, 0.9, 0.8, 0.7, 0.1)) for i in range(20)]
    config = settings(batch=4, kind="easy-to-hard", pool=4)
    first = Draws(groups, config)
    whole = [first(step) for step in range(30)]
    assert [Draws(groups, config)(step) for step in (29, 7, 0)] == [whole[29], whole[7], whole[0]]
    assert Draws(groups, settings(batch=4, seed=1, kind="easy-to-hard", pool=4))(7) != whole[7]


def test_a_pool_gives_each_step_its_negatives_with_everything_that_belongs_to_them():
    whole = replace(group(0, (0.2, 0.9, 0.8, 0.1)), bm25=(2.0, 9.0, 8.0, 1.0), teacher=(0.0, 0.9, 0.8, 0.1))
    draws = Draws([whole], settings(batch=1, per_query=2, pool=3))
    for step in range(20):
        (found,) = draws(step)
        places = [whole.docs.index(doc) for doc in found.docs]
        assert places[0] == 0
        assert len(set(places)) == 3
        assert found.labels == (1.0, 0.0, 0.0)
        for name in ("bm25", "teacher", "first_stage"):
            assert getattr(found, name) == tuple(getattr(whole, name)[i] for i in places)


def test_negatives_grow_harder_as_the_temperature_falls():
    whole = group(0, (0.5, *(i / 20 for i in range(20))))
    draws = Draws([whole], settings(steps=400, batch=1, per_query=2, pool=20, temperatures=(0.3, 0.01)))
    mean = [np.mean([draws(step)[0].first_stage[1:] for step in part]) for part in (range(100), range(300, 400))]
    assert mean[0] < mean[1] - 0.1


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_reads_its_rows_in_columns_of_one_kind(loss):
    pytest.importorskip("datasets")
    from ponderank.train.draws import drawn_dataset

    groups = [group(i, teacher=(0.5, 0.0, -0.5)) for i in range(6)]
    config = settings(steps=3, batch=2, kind="easy-to-hard", loss=loss)
    found, size = drawn_dataset(groups, config)
    assert len(found) == 3 * size
    expected = [row for g in Draws(usable(groups, config), config)(1) for row in rows(g, config)]
    got = found[size : 2 * size]
    assert [{name: got[name][i] for name in got} for i in range(size)] == expected


def test_a_loss_that_needs_a_positive_gets_judged_queries_only():
    groups = [group(0), group(1, judged=False)]
    assert usable(groups, settings(loss="BinaryCrossEntropyLoss")) == groups[:1]
    assert usable(groups, settings(loss="MSELoss")) == groups
    with pytest.raises(DataError, match="learns from judged queries"):
        usable(groups[1:], settings(loss="plackett_luce"))


def test_heights_are_those_of_the_published_difficulties():
    scores = {"a": 5.0, "b": 3.0, "c": 1.0}
    assert heights(["b", "c"], scores, "normscore") == (0.5, 0.0)
    assert heights(["missing"], scores, "reciprank") == (0.001,)
    assert heights(["missing"], scores, "normscore") == (0.0,)
    assert heights(["b", "a"], scores, "kdescore")[0] == pytest.approx(0.5)


def test_a_pool_keeps_the_best_negatives_in_order():
    ranked = [str(i) for i in range(10)]
    spec = Negatives(per_query=3)
    assert choose(ranked, {"1"}, spec, random.Random(0), pool=5) == ["1", "0", "2", "3", "4", "5"]
    assert choose(ranked[:3], {"1"}, spec, random.Random(0), pool=5) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind = 'easy'", r"c\.toml: curriculum\.kind is 'easy'.*easy-to-hard"),
        ("difficulty = 'rank'", r"curriculum\.difficulty is 'rank'"),
        ("share = 1.5", r"curriculum\.share is 1\.5"),
        ("pool = 3", r"curriculum\.pool is 3; give 0, or from negatives\.per_query \(7\)"),
        ("pool = 99", r"negatives\.depth \(60\)"),
        ("temperatures = [0.1, 0]", "two numbers above 0"),
        ("temperatures = [0.1]", "two numbers above 0"),
    ],
)
def test_a_curriculum_that_cannot_be_is_named(tmp_path, text, message):
    path = tmp_path / "c.toml"
    path.write_text(f"[model]\nstart = 'x'\n[[data]]\nfolder = 'y'\n[curriculum]\n{text}\n")
    with pytest.raises(DataError, match=message):
        configs.read(path)


@pytest.fixture
def collection(tmp_path):
    """Thirty documents of words; each query is three words of its document."""
    rng = random.Random(0)
    words = ["cat", "dog", "the", "what", "is", "zebra", "lion", "quick", "bird", "fish", "tree", "house"]
    folder = tmp_path / "animals"
    (folder / "qrels").mkdir(parents=True)
    docs = {f"d{i}": " ".join(rng.choices(words, k=12)) for i in range(30)}
    queries = {f"q{i}": " ".join(docs[f"d{i}"].split()[:3]) for i in range(20)}
    for name, texts in (("corpus", docs), ("queries", queries)):
        lines = (json.dumps({"_id": i, "text": text}) for i, text in texts.items())
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    judged = "".join(f"q{i}\td{i}\t1\n" for i in range(20))
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return folder


def write(tmp_path, start, collection, loss="ListNetLoss", steps=6):
    text = f"""
[model]
start = "{start}"
max_length = 64
[[data]]
folder = "{collection}"
[negatives]
per_query = 2
hard = 1
head = 3
depth = 20
[curriculum]
kind = "easy-to-hard"
difficulty = "kdescore"
pool = 6
[training]
loss = "{loss}"
steps = {steps}
batch_queries = 3
save_every = 2
learning_rate = 1e-3
threads = 1
"""
    path = Path(tmp_path, "c.toml")
    path.write_text(text)
    return configs.read(path)


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.mark.train
@pytest.mark.parametrize(
    "loss", ["BinaryCrossEntropyLoss", "MarginMSELoss", "MultipleNegativesRankingLoss", "plackett_luce", "LambdaLoss"]
)
def test_losses_of_every_shape_train_with_a_curriculum(tmp_path, tiny_bert, collection, loss):
    pytest.importorskip("sentence_transformers")
    from ponderank.train.cross_encoder import train

    start = tiny_bert(1)
    after = weights(train(write(tmp_path, start, collection, loss, steps=2), tmp_path / "out"))
    before = weights(start)
    assert any((after[name] != before[name]).any() for name in before)
    assert all(math.isfinite(float(after[name].sum())) for name in after)


@pytest.mark.train
def test_a_curriculum_goes_on_from_a_checkpoint_as_if_nothing_had_happened(tmp_path, tiny_bert, collection):
    pytest.importorskip("sentence_transformers")
    import shutil

    from ponderank.train.cross_encoder import train

    config = write(tmp_path, tiny_bert(1), collection)
    whole = weights(train(config, tmp_path / "whole"))
    train(config, tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "model")
    shutil.rmtree(tmp_path / "cut" / "checkpoints" / "checkpoint-6")
    again = weights(train(config, tmp_path / "cut"))
    assert all((whole[name] == again[name]).all() for name in whole)


@pytest.mark.train
def test_a_folder_begun_before_a_setting_existed_goes_on_with_its_default(tmp_path, tiny_bert, collection):
    pytest.importorskip("sentence_transformers")
    from ponderank.train.cross_encoder import train

    config = replace(write(tmp_path, tiny_bert(1), collection, steps=2), curriculum=Curriculum())
    train(config, tmp_path / "out")
    path = tmp_path / "out" / "training.json"
    about = json.loads(path.read_text())
    del about["config"]["curriculum"]
    path.write_text(json.dumps(about))
    assert train(config, tmp_path / "out") == tmp_path / "out" / "model"
    with pytest.raises(DataError, match="another config"):
        train(replace(config, curriculum=Curriculum("easy-to-hard")), tmp_path / "out")


@pytest.mark.train
def test_starting_over_deletes_no_folder_that_holds_no_training(tmp_path, tiny_bert, collection):
    pytest.importorskip("sentence_transformers")
    from ponderank.train.cross_encoder import train

    with pytest.raises(DataError, match="holds no training"):
        train(write(tmp_path, tiny_bert(1), collection, steps=2), collection, fresh=True)
    assert (collection / "corpus.jsonl").is_file()
