import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ponderank import DataError, Doc, Query, RecipeError, Reranker
from ponderank.backends.prompts import PromptTokenizer
from ponderank.formats.graded import ERank, RetroStar, TFRank
from ponderank.formats.rank1 import Rank1
from ponderank.recipes import RECIPES
from ponderank.train.grpo_config import PRESETS, Reinforce, preset
from ponderank.train.rewards_named import FITS, Said, fitting, rewarded
from ponderank.train.rewards_rollouts import Rollout
from ponderank.train.rollouts import ask, first_call, read
from ponderank.types import Judgement

THINKING = Path(__file__).parents[1] / "reasoner" / "thinking"
QUERY, DOC = Query("q", "who"), Doc("d", "wrote it")


def settings(**others):
    """Two rollouts of four tokens of each of two documents of two queries: one thread, a second a step."""
    small = {
        "recipe": "rank1-direct", "full": True, "steps": 4, "save_every": 2, "samples": 4, "queries": 2, "documents": 2, "batch": 8,
        "tokens": 4, "learning_rate": 1e-3, "threads": 1,
    }  # fmt: skip
    return Reinforce(str(THINKING), **{**small, **others})


def write_collection(folder, relevant):
    """Two queries with passages a and b, judged ``relevant`` or not; each is a first stage's whole answer."""
    (folder / "qrels").mkdir(parents=True)
    names = [f"{q}{n}" for q in ("q0", "q1") for n in "ab"]
    (folder / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": name, "text": f"it is {name} </think> true"}) + "\n" for name in names)
    )
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": q, "text": f"who {q}"}) + "\n" for q in ("q0", "q1"))
    )
    judged = "".join(f"{name[:2]}\t{name}\t1\n" for name in names if name[2] in relevant)
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    (folder / "first.trec").write_text("".join(f"{n[:2]} Q0 {n} {i} {-i} x\n" for i, n in enumerate(names)))
    return folder


def logged(out, key):
    rows = map(json.loads, (out / "training" / "log.jsonl").read_text().splitlines())
    return [(row["step"], row[key]) for row in rows if key in row]


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


# reading rollouts


@pytest.mark.parametrize(
    "text", ["wrote it", "it </think> true", "</think> false <|endoftext|> <think>", "日本 \ud800"]
)
@pytest.mark.parametrize("form", [Rank1(), Rank1(think=False), TFRank()], ids=["rank1", "direct", "tfrank"])
def test_a_rollout_is_asked_for_with_the_very_ids_that_serving_asks_with(form, text):
    tokenizer, doc = PromptTokenizer(THINKING), Doc("d", text)
    served = next(form.judge(QUERY, [doc], tokenizer))[0].prompt
    assert ask(form, QUERY, doc, tokenizer).ids == tokenizer.encode(served)


def test_a_long_document_loses_its_end_and_not_the_template():
    tokenizer = PromptTokenizer(THINKING)
    asked = ask(Rank1(), QUERY, Doc("d", "it " * 500), tokenizer, room=60)
    assert len(asked.ids) <= 60
    assert asked.cut_tokens > 0
    assert tokenizer.decode(asked.ids).endswith("\n<think>")


@pytest.mark.parametrize(
    ("form", "opening"),
    [(Rank1(), "<think>"), (TFRank(), "<think>\n\n</think>\n\n"), (RECIPES["mxbai-rerank-base-v2"].format, "")],
)
def test_what_a_prompt_begins_an_answer_with_belongs_to_the_rollout(form, opening):
    assert ask(form, QUERY, Doc("d", "it says <think>"), PromptTokenizer(THINKING)).opening == opening


def test_a_thought_that_the_chat_template_opens_belongs_to_the_rollout(tmp_path):
    pytest.importorskip("jinja2")
    shutil.copyfile(THINKING / "tokenizer.json", tmp_path / "tokenizer.json")
    (tmp_path / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m.content }}{% endfor %}\n{{ 'assistant<think>\n' }}"
    )
    assert ask(ERank(), QUERY, DOC, PromptTokenizer(tmp_path)).opening == "<think>\n"


@pytest.mark.parametrize(
    ("form", "text", "score"),
    [
        (Rank1(), " It is.</think> true", 1.0),
        (Rank1(), " It is not.</think> false", 0.0),
        (Rank1(), " a</think> true</think> false", 1.0),
        (Rank1(think=False), " false", 0.0),
        (ERank(), "<think>It is.</think><answer>7</answer>", 7.0),
        (RetroStar(samples=3), "<think>It is.</think><score>70</score>", 70.0),
    ],
)
def test_a_rollout_is_scored_by_what_it_says_itself(form, text, score):
    assert read(form, QUERY, DOC, "", text, ended=True).scores == (score,)


@pytest.mark.parametrize("form", [Rank1(), ERank(), RetroStar()], ids=["rank1", "erank", "retro-star"])
@pytest.mark.parametrize(("ended", "flaw"), [(True, "unparsed"), (False, "incomplete")])
def test_a_verdict_that_would_have_to_be_asked_for_is_a_flaw(form, ended, flaw):
    said = read(form, QUERY, DOC, "", "<think>It is. Or is it</think> well", ended=ended)
    assert said.judgement.flaw == flaw
    assert said.scores is None


def test_a_format_of_several_documents_is_refused():
    class Wide(Rank1):
        widest = 3

    with pytest.raises(RecipeError, match="Wide shows several documents at once"):
        first_call(Wide(), QUERY, DOC)


def test_a_format_that_is_not_answered_in_words_is_refused():
    with pytest.raises(RecipeError, match="not answered in words"):
        first_call(RECIPES["default"].format, QUERY, DOC)


# rewards


def said(group, place, score, grade):
    return Said(group, place, Rollout("", Judgement((score,))), grade)


def test_every_reward_has_a_shape():
    from ponderank.train.rewards import REWARDS

    assert set(FITS) == {*REWARDS, "exact-match"}


@pytest.mark.parametrize("order", [range(8), (7, 2, 5, 0, 1, 4, 3, 6)])
def test_a_reward_of_a_query_goes_back_to_the_rollouts_it_is_of(order):
    fit = fitting("retro-star", {"unread": -1.0}, teacher=False)
    many = [said(0, 0, 80.0, 1), said(0, 0, 20.0, 1), said(0, 1, 10.0, 0), said(0, 1, 50.0, 0)]
    many += [said(1, 0, 30.0, 1), said(1, 0, 31.0, 1), said(1, 1, 10.0, 0), said(1, 1, 40.0, 0)]
    found = rewarded(fit, {"unread": -1.0, "alpha": 0.0}, [many[at] for at in order], documents=2, samples=2)
    assert [found[list(order).index(at)] for at in range(8)] == [1.0, 0.5, 1.0, 0.5, 0.5, 0.5, 1.0, 0.0]


def test_a_group_that_was_torn_apart_is_refused():
    fit = fitting("retro-star", {"unread": -1.0}, teacher=False)
    many = [said(0, 0, 80.0, 1), said(0, 0, 20.0, 1), said(0, 1, 10.0, 0)]
    with pytest.raises(DataError, match="group 0 came with 3 rollouts of 2 documents, not with 2 of each of 2"):
        rewarded(fit, {"unread": -1.0}, many, documents=2, samples=2)


@pytest.mark.parametrize(
    ("name", "constants", "message"),
    [
        ("retrostar", {}, "no reward is named 'retrostar'; did you mean retro-star"),
        (
            "rank-r1",
            {},
            "shown a set, and this training shows one document at a time; give one of exact-match, prorank",
        ),
        ("reasonrank", {}, "shown a list"),
        ("prorank", {"form": 1}, "say --constant right="),
        ("retro-star", {"unread": -1, "beta": 1}, "has no constant 'beta'; known: unread, alpha, threshold"),
        ("exact-match", {"a": 1}, "has no constant 'a'; it has none"),
        ("erank", {"above": -1, "unread": -2, "weight": 1}, "give --teacher RUN"),
    ],
)
def test_a_reward_that_does_not_fit_says_what_it_needs(name, constants, message):
    with pytest.raises(DataError, match=message):
        fitting(name, constants, teacher=False)


@pytest.mark.train
def test_a_reward_sees_the_whole_of_the_assistants_turn_and_not_the_end_token():
    pytest.importorskip("trl")
    from ponderank.train.grpo_trainer import reward_function

    tokenizer = PromptTokenizer(THINKING)
    config = settings(recipe="tfrank", reward="tfrank-pointwise", constants=(("form", "word"),))
    fit = fitting("tfrank-pointwise", {"form": "word"}, teacher=False)
    reward = reward_function(config, fit, TFRank(), tokenizer, {640})
    texts = {"query_id": "q", "query": "who", "instruction": "", "doc_id": "d", "title": "", "text": "me"}
    row = {**texts, "opening": "<think>\n\n</think>\n\n", "grade": 4.0, "teacher": None, "group": 0, "place": 0}
    ids = tokenizer.inner.encode("yes").ids
    flaws = {}
    found = reward(
        completion_ids=[[*ids, 640], ids, tokenizer.inner.encode("well").ids], log_metric=flaws.__setitem__,
        **{key: [value] * 3 for key, value in row.items()},
    )  # fmt: skip
    assert found == [1.5, 1.5, 0.5]
    assert flaws["flaws"] == 1.0  # a word alone, without TFRank's grade


# settings


def test_published_sizes_are_what_the_papers_say():
    star, rank, first, small = (PRESETS[name] for name in ("retro-star", "erank", "rank-r1", "tfrank"))
    assert (star.queries * star.documents, star.samples, star.kl, star.learning_rate) == (256, 8, 0.005, 1e-6)
    assert (rank.queries * rank.documents, rank.samples, rank.updates, rank.kl) == (1280, 5, 4, 0.001)
    assert (first.documents, first.samples, first.rank, first.alpha, first.tokens) == (20, 8, 16, 32, 2048)
    assert (small.rollouts, small.samples, small.temperature, small.tokens) == (256, 4, 0.9, 4096)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_divides_among_one_and_eight_processes(name):
    one = PRESETS[name]
    assert one.accumulation(1) * one.batch * one.updates == one.rollouts
    if one.queries % 8 == 0:
        assert one.accumulation(8) * 8 == one.accumulation(1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("samples=1",), "samples is 1; advantages compare rollouts of one prompt"),
        (("relevant=9",), "relevant is 9 of 4 documents"),
        (("kl=-1",), "none negative"),
        (("tokens=0",), "tokens is 0; give 1 or more"),
        (("samplse=4",), "did you mean samples"),
    ],
)
def test_a_bad_setting_is_named(given, message):
    with pytest.raises(DataError, match=message):
        preset("laptop", given)


def test_constants_are_numbers_truth_values_or_words():
    given = preset("tfrank", (), ("form=word", "thinks=true", "cut=2.5")).constants
    assert given == (("form", "word"), ("thinks", True), ("cut", 2.5))
    with pytest.raises(DataError, match="--constant 'unread': expected KEY=VALUE"):
        preset("laptop", (), ("unread",))


def test_processes_that_would_tear_a_query_apart_are_refused():
    with pytest.raises(DataError, match="queries 4 is no multiple of 3 processes"):
        PRESETS["laptop"].accumulation(3)
    with pytest.raises(DataError, match=r"64 rollouts .* are no multiple of 1 updates x batch 5 x 1 processes"):
        replace(PRESETS["laptop"], batch=5).accumulation(1)


@pytest.mark.train
def test_what_does_not_fit_is_said_before_anything_is_written(installed, tmp_path):
    from ponderank.train.grpo import train

    data = write_collection(tmp_path / "data", "ab")
    with pytest.raises(DataError, match="save_every 3 is no multiple of updates 2"):
        train(settings(updates=2, save_every=3), data, tmp_path / "out")
    with pytest.raises(DataError, match="exact-match is of a verdict, and the recipe erank-4b answers with a grade"):
        train(settings(recipe="erank-4b"), data, tmp_path / "out")
    with pytest.raises(DataError, match="documents in all; lower documents"):
        train(settings(documents=8), data, tmp_path / "wide")
    (tmp_path / "run").write_text("q0 Q0 q0a 1 1 x\n")
    ranked = settings(reward="erank", constants=(("above", -1), ("unread", -2), ("weight", 1)))
    with pytest.raises(DataError, match="the teacher has to score all candidates"):
        train(ranked, data, tmp_path / "erank", teacher=tmp_path / "run")
    assert not (tmp_path / "out").exists()


# training


@pytest.fixture(scope="module")
def installed():
    pytest.importorskip("trl")
    pytest.importorskip("peft")


@pytest.fixture(scope="module")
def trained(installed, tmp_path_factory):
    """A model of which every passage is relevant, after four steps of two updates: its settings, collection, folder."""
    from ponderank.train.grpo import train

    folder = tmp_path_factory.mktemp("grpo")
    data = write_collection(folder / "data", "ab")
    config = settings(relevant=2, updates=2, kl=0.01)
    return config, data, train(config, data, folder / "out")


def odds(model):
    """Mean log-odds of true."""
    texts = [f"it is {q}{n} </think> true" for q in ("q0", "q1") for n in "ab"]
    with Reranker("rank1-direct", model=model, threads=1) as reranker:
        scores = reranker.rank("who q0", texts).scores
    return sum(scores) / len(scores)


@pytest.mark.train
def test_what_is_rewarded_becomes_likelier(trained):
    _, _, out = trained
    assert odds(out) > odds(THINKING) + 1.0


@pytest.mark.train
def test_each_prompt_of_the_rows_is_what_the_recipe_asks_and_groups_lie_together(trained):
    from datasets import Dataset

    config, _, out = trained
    rows = list(Dataset.from_file(str(out / "training" / "rows.arrow")))
    tokenizer, form = PromptTokenizer(THINKING), RECIPES[config.recipe].format
    for row in rows:
        asked = next(form.judge(Query("q", row["query"]), [Doc("d", row["text"])], tokenizer))[0].prompt
        assert row["prompt"] == tokenizer.encode(asked)
    assert [(row["group"], row["place"]) for row in rows] == [(g, p) for g in range(4) for p in range(2)]
    assert {row["query_id"] for row in rows[:4]} == {"q0", "q1"}


@pytest.mark.train
def test_the_log_has_the_reward_flaws_length_and_kl(trained):
    _, _, out = trained
    assert [step for step, _ in logged(out, "reward")] == [1, 3]  # two updates of each draw
    for key in ("flaws", "completions/mean_length", "completions/clipped_ratio"):
        values = [value for _, value in logged(out, key)]
        assert values
        assert all(map(math.isfinite, values))
    assert [step for step, _ in logged(out, "kl")] == [1, 2, 3, 4]


@pytest.mark.train
def test_the_model_reads_the_very_ids_and_a_querys_rollouts_come_in_one_call(installed, tmp_path):
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast

    from ponderank.data.beir import Collection
    from ponderank.train.grpo import _arguments
    from ponderank.train.grpo_rows import write_groups
    from ponderank.train.grpo_trainer import FromIds
    from ponderank.train.learner import learner
    from ponderank.train.reasoner_start import begin_as_it_is

    config, place = settings(steps=2, updates=2, batch=4), tmp_path
    data = write_collection(tmp_path / "data", "a")
    begin_as_it_is(config.learner(), place)
    write_groups(config, RECIPES[config.recipe].format, Collection.open(data), "train", None, place)
    many = Dataset.from_file(str(place / "rows.arrow"))
    calls, read_ids = [], []

    def reward(prompts, group, place, **_):
        calls.append((prompts, list(zip(group, place, strict=True))))
        return [0.0] * len(prompts)

    model = learner(config.learner(), place)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(place / "tokenizer"))
    trainer = FromIds(
        model=model,
        args=_arguments(config, 2, place),
        train_dataset=many,
        processing_class=tokenizer,
        reward_funcs=reward,
    )

    def watch(_, args, kwargs):
        ids = kwargs.get("input_ids", args[0] if args else None)
        if not read_ids and ids is not None:
            read_ids.append(ids.clone())

    model.register_forward_pre_hook(watch, with_kwargs=True)
    trainer.train()
    ((prompts, belongs),) = calls
    assert belongs == [(g, p) for g in range(2) for p in range(2) for _ in range(4)]
    pad = tokenizer.pad_token_id
    assert [[id_ for id_ in row if id_ != pad] for row in read_ids[0].tolist()] == prompts
    assert prompts == [row for row in many["prompt"] for _ in range(4)]


@pytest.mark.train
def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(trained, tmp_path):
    from ponderank.train.grpo import train

    config, data, out = trained
    shutil.copytree(out, tmp_path / "cut")
    (tmp_path / "cut" / "config.json").unlink()
    (tmp_path / "cut" / "model.safetensors").unlink()
    shutil.rmtree(tmp_path / "cut" / "training" / "checkpoints" / "checkpoint-4")
    again, whole = weights(train(config, data, tmp_path / "cut")), weights(out)
    assert all(bool((whole[name] == again[name]).all()) for name in whole)
    assert logged(tmp_path / "cut", "reward") == logged(out, "reward")


@pytest.mark.train
def test_a_finished_training_is_left_as_it_is_and_another_is_refused(trained):
    from ponderank.train.grpo import train

    config, data, out = trained
    before = (out / "model.safetensors").stat().st_mtime_ns
    assert train(config, data, out) == out
    assert (out / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(DataError, match=r"begun with another training \(config.kl: 0.01 there, 0.5 now\)"):
        train(replace(config, kl=0.5), data, out)


@pytest.mark.train
def test_the_command_reinforces_adapters_by_a_reward_of_whole_queries_and_measures_before_and_after(
    installed, tmp_path
):
    from typer.testing import CliRunner

    from ponderank.cli.main import build

    pytest.importorskip("matplotlib")
    data = write_collection(tmp_path / "data", "a")
    chosen = {
        "recipe": "rank1-direct", "steps": 2, "save_every": 1, "samples": 4, "queries": 2, "documents": 2, "relevant": 1, "batch": 16,
        "tokens": 4, "dev_tokens": 4, "threads": 1,
    }  # fmt: skip
    given = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
    command = ["train", "grpo", "--model", str(THINKING), "--collection", str(data), "--dev", str(data), "--out"]
    command += [
        str(tmp_path / "out"),
        "--reward",
        "retro-star",
        "--constant",
        "unread=-1",
        "--constant",
        "threshold=0.2",
    ]
    result = CliRunner().invoke(build(["train"]), [*command, *given])
    assert result.exit_code == 0, result.output
    assert [step for step, _ in logged(tmp_path / "out", "eval_measure")] == [0, 1, 2]
    assert (tmp_path / "out" / "training" / "rewards.svg").read_text().startswith("<?xml")
    assert "dev measure" in result.output
    again = CliRunner().invoke(build(["train"]), [*command, *given])
    assert "is finished already; --fresh starts over" in again.output
