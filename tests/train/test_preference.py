import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ponderank import DataError, Doc, Query, RecipeError, Reranker
from ponderank.backends.prompts import PromptTokenizer
from ponderank.distill.pairs import Pair, write_pairs
from ponderank.distill.prefer import (
    Thoughts,
    of_student,
    of_traces,
    read_lists,
    read_preferences,
    write_preferences,
)
from ponderank.distill.shards import Collected
from ponderank.formats.rank1 import Rank1
from ponderank.formats.teacher import Trace
from ponderank.train.preference_config import PRESETS, Preference, preset
from ponderank.types import Generate, Reply, text_of

THINKING = Path(__file__).parents[1] / "reasoner" / "thinking"
PAIR = Pair(Query("q", "who wrote"), Doc("d", "it </think> true"), "positives", 1)


def settings(**others):
    small = {
        "full": True,
        "steps": 6,
        "save_every": 3,
        "batch": 4,
        "effective_batch": 4,
        "learning_rate": 1e-4,
        "threads": 1,
    }
    return Preference(str(THINKING), **{**small, **others})


def write_rows(folder, count=8):
    """Rows in which yes is preferred to no."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        pair = Pair(Query("q", f"who {number}"), Doc("d", "it </think> false"), "x", 1)
        said = ((" it is. </think> true", True), (" it </think> false", False), (" no. </think> false", False))
        prompt = text_of(Rank1().prompt(pair.query, pair.doc))
        rows.append(Thoughts(pair, prompt, said).row(random.Random(number)))
    (folder / "pairs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    return folder / "pairs.jsonl"


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def logged(out, key):
    rows = map(json.loads, (out / "training" / "log.jsonl").read_text().splitlines())
    return [(row["step"], row[key]) for row in rows if key in row]


# making them


class Student:
    """Answers each call with the next text, as a backend that stops at verdicts does."""

    can = frozenset({Generate})

    def __init__(self, texts):
        self.texts, self.asked, self.told = list(texts), [], 0

    def add(self, call):
        self.asked.append(call)
        return len(self.asked) - 1

    def step(self):
        ready = [
            (at, self._reply(self.texts[at])) for at in range(len(self.asked)) if at not in getattr(self, "done", ())
        ]
        self.done = range(len(self.asked))
        return ready[::-1]

    def _reply(self, text):
        thought, end, verdict = text.partition("</think>")
        return Reply(thought, "stop" if end else "length", stop=end + verdict)


def test_a_students_thoughts_are_asked_for_as_the_recipe_does_and_judged_by_the_label():
    student = Student([" a</think> true", " b</think> false", " c", " d</think> true"])
    (one,) = of_student([PAIR], student, Rank1(max_tokens=9), samples=4, temperature=0.7, seed=5)
    assert one.prompt == text_of(Rank1().prompt(PAIR.query, PAIR.doc))
    assert one.completions == ((" a</think> true", True), (" b</think> false", False), (" d</think> true", True))
    assert [(call.temperature, call.seed, call.max_tokens) for call in student.asked] == [
        (0.7, 5 + i, 9) for i in range(4)
    ]
    assert text_of(student.asked[0].prompt) == one.prompt


def test_no_pair_is_lost_between_those_that_are_asked_about_together():
    pairs = [replace(PAIR, query=Query(str(number), f"who {number}")) for number in range(100)]
    found = list(of_student(pairs, Student([" a</think> true"] * 200), Rank1(), samples=2, temperature=1.0))
    assert [one.pair for one in found] == pairs


def test_pairs_whose_thoughts_agree_give_no_preference_and_are_counted(tmp_path):
    many = [
        Thoughts(PAIR, "p", ((" a", True), (" b", False))),
        Thoughts(PAIR, "p", ((" a", True),)),
        Thoughts(PAIR, "p", ((" b", False), (" c", False))),
        Thoughts(PAIR, "p", ()),
    ]
    counts = write_preferences(many, tmp_path / "out.jsonl")
    assert counts == {"rows": 1, "all right": 1, "all wrong": 1, "no verdict": 1}
    assert list(read_preferences(tmp_path / "out.jsonl")) == [("p", " a", " b")]
    assert list(read_lists(tmp_path / "out.jsonl")) == [("p", [" a", " b"], [1.0, 0.0])]


def test_traces_with_several_samples_are_compared_by_their_label():
    def trace(sample, verdict, finish="stop"):
        return Collected(PAIR, sample, Trace(f"thought {sample}", verdict), finish)

    (one,) = of_traces([trace(0, True), trace(1, False), trace(2, True, "length"), trace(3, None)])
    assert one.completions == (("\nthought 0\n</think> true", True), ("\nthought 1\n</think> false", False))


def test_a_recipe_that_does_not_think_has_no_thoughts_to_compare():
    with pytest.raises(RecipeError, match="preferences are between thoughts in Rank1's form"):
        list(of_student([PAIR], Student([]), Rank1(think=False), samples=2, temperature=1.0))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "p", "chosen": "a", "rejected": "a"}, r"x\.jsonl:1: chosen and rejected are the same"),
        ({"prompt": "p", "chosen": "a"}, "rejected"),
    ],
)
def test_a_pair_that_is_none_is_refused(tmp_path, row, message):
    (tmp_path / "x.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message):
        list(read_preferences(tmp_path / "x.jsonl"))


@pytest.mark.parametrize("grades", [[1], [0, 0], [1, "x"], [1, -1], None])
def test_a_list_without_fitting_grades_is_refused(tmp_path, grades):
    (tmp_path / "x.jsonl").write_text(json.dumps({"prompt": "p", "completions": ["a", "b"], "grades": grades}) + "\n")
    with pytest.raises(DataError, match=r"expected completions .* and grades"):
        list(read_lists(tmp_path / "x.jsonl"))


@pytest.mark.train
def test_the_command_asks_the_student_and_writes_what_training_reads(tmp_path):
    from typer.testing import CliRunner

    from ponderank.cli.main import build

    pytest.importorskip("torch")
    write_pairs([PAIR], tmp_path / "pairs.jsonl")
    command = ["distill", "preferences", str(tmp_path / "pairs.jsonl"), "--out", str(tmp_path / "out.jsonl")]
    result = CliRunner().invoke(
        build(["distill"]), [*command, "--student", str(THINKING), "--samples", "2", "--think-tokens", "4"]
    )
    assert result.exit_code == 0, result.output
    assert "0 preferences" in result.output
    refused = CliRunner().invoke(build(["distill"]), command)
    assert refused.exit_code == 2
    assert "--student" in refused.output


# settings


def test_published_sizes_are_what_the_paper_says():
    one = PRESETS["irpo"]
    assert (one.beta, one.learning_rate, one.effective_batch, one.epochs, one.cutoff) == (1.0, 1e-5, 256, 3.0, 2048)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("loss=rpo",), "no loss is named 'rpo'; did you mean"),
        (("beta=0",), "need one above 0"),
        (("loss=irpo", "sft=1"), "irpo is a loss of lists"),
        (("smoothing=.1",), "the loss dpo has no smoothing; take robust"),
        (("batch=0",), "batch is 0; give 1 or more"),
    ],
)
def test_a_bad_setting_is_named(given, message):
    with pytest.raises(DataError, match=message):
        preset("laptop", given)


# training


@pytest.fixture(scope="module")
def installed():
    pytest.importorskip("trl")
    pytest.importorskip("peft")


@pytest.fixture(scope="module")
def trained(installed, tmp_path_factory):
    """What came of six steps of DPO with the chosen completion's own loss: settings, rows, folder."""
    from ponderank.train.preference import train

    folder = tmp_path_factory.mktemp("dpo")
    config, rows = settings(sft=0.5), write_rows(folder)
    return config, rows, train(config, rows, folder / "out")


@pytest.mark.train
def test_rows_begin_with_the_ids_that_serving_asks_with_and_end_with_the_end_token(trained):
    from datasets import Dataset

    _, rows, out = trained
    tokenizer = PromptTokenizer(THINKING)
    found = Dataset.from_file(str(out / "training" / "rows.arrow"))[0]
    asked = tokenizer.encode(Rank1().prompt(Query("q", "who 0"), Doc("d", "it </think> false")))
    assert found["prompt_ids"] == asked
    _, chosen, rejected = next(read_preferences(rows))
    for name, text in (("chosen_ids", chosen), ("rejected_ids", rejected)):
        assert tokenizer.decode(found[name]) == text + "<|endoftext|>"


@pytest.mark.train
def test_chosen_thoughts_become_likelier_than_rejected_ones(trained):
    _, _, out = trained
    margins = dict(logged(out, "rewards/margins"))
    assert margins[6] > margins[3] > 0
    assert dict(logged(out, "rewards/accuracies"))[6] == 1.0


@pytest.mark.train
def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(trained, tmp_path):
    from ponderank.train.preference import train

    config, rows, out = trained
    shutil.copytree(out, tmp_path / "cut")
    (tmp_path / "cut" / "config.json").unlink()
    shutil.rmtree(tmp_path / "cut" / "training" / "checkpoints" / "checkpoint-6")
    again, whole = weights(train(config, rows, tmp_path / "cut")), weights(out)
    assert all(bool((whole[name] == again[name]).all()) for name in whole)


@pytest.mark.train
def test_another_loss_is_refused_in_the_same_folder(trained):
    from ponderank.train.preference import train

    config, rows, out = trained
    with pytest.raises(DataError, match=r"begun with another training \(config.loss: dpo there, ipo now\)"):
        train(replace(config, loss="ipo"), rows, out)


@pytest.mark.train
def test_a_list_is_learned_from_by_the_published_loss(installed, tmp_path):
    import torch

    from ponderank.train.losses_text import irpo
    from ponderank.train.preference import train

    config = settings(loss="irpo", beta=1.0, steps=3, save_every=1, learning_rate=1e-3)
    out = train(config, write_rows(tmp_path), tmp_path / "out")
    losses = [value for _, value in logged(out, "loss")]
    at_first = irpo(torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]])).item()
    assert losses[0] == pytest.approx(at_first, abs=1e-4)  # the model is its own reference
    assert losses[2] < losses[0] / 2
    assert dict(logged(out, "rewards/accuracies"))[3] == 1.0


@pytest.mark.train
def test_the_command_learns_adapters_from_lists_and_measures_before_and_after(installed, tmp_path):
    from typer.testing import CliRunner

    from ponderank.cli.main import build

    (tmp_path / "dev" / "qrels").mkdir(parents=True)
    (tmp_path / "dev" / "corpus.jsonl").write_text('{"_id": "a", "text": "it"}\n{"_id": "b", "text": "is"}\n')
    (tmp_path / "dev" / "queries.jsonl").write_text('{"_id": "q", "text": "who"}\n')
    (tmp_path / "dev" / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    (tmp_path / "dev" / "first.trec").write_text("q Q0 b 1 2 x\nq Q0 a 2 1 x\n")
    chosen = {"steps": 1, "save_every": 1, "batch": 4, "effective_batch": 4, "dev_tokens": 4, "threads": 1}
    given = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
    command = [
        "train",
        "preference",
        "--model",
        str(THINKING),
        "--pairs",
        str(write_rows(tmp_path / "rows")),
        "--loss",
        "irpo",
    ]
    command += ["--dev", str(tmp_path / "dev"), "--out", str(tmp_path / "out"), *given]
    result = CliRunner().invoke(build(["train"]), command)
    assert result.exit_code == 0, result.output
    assert [step for step, _ in logged(tmp_path / "out", "eval_measure")] == [0, 1]
    with Reranker("rank1", model=tmp_path / "out", think_tokens=4) as reranker:
        assert len(reranker.rank("who", ["it", "is"]).docs) == 2
