"""What a reasoner's training watches: our own measure of the merged weights, and when to stop for want of a better one."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_utils import EvalLoopOutput
from trl import SFTTrainer

from ponderank import manifest as manifests
from ponderank.train.dev_sets import opened
from ponderank.train.folder import started
from ponderank.train.learner import export
from ponderank.train.reasoner_config import Reasoner

MEASURE = "eval_measure"


class Watch:
    """Judges a model's folder by reranking the ``dev`` collections with our own ``Reranker``.

    Candidates are those of ``first.trec`` in the collection, or BM25's. A collection with two candidates a query, each two of
    them asked about by two queries, is NevIR's shape: its measure is the share of pairs with both queries right. Others are
    measured by nDCG@10.

    Raises:
        DataError: a folder without a split to judge, or without a judged query.
    """

    def __init__(self, config: Reasoner) -> None:
        self.config = config
        self.sets = [opened(folder, config.dev_queries, config.dev_depth) for folder in config.dev]

    def __call__(self, folder: Path) -> dict[str, float]:
        """``{"eval_measure": the mean of the sets', "eval_SET MEASURE": its own, …, "eval_flaws": all judgements' flaws}``."""
        from ponderank.reranker import Reranker

        results: dict[str, float] = {}
        values, flaws = [], 0
        with Reranker(self.config.dev_recipe, model=folder, think_tokens=self.config.dev_tokens) as reranker:
            for one in self.sets:
                rankings = list(reranker.rank_many(one.many))
                flaws += sum(sum(ranking.flaws().values()) for ranking in rankings)
                found = one.measured(rankings)
                if found:
                    values.append(found[1])
                    results[f"eval_{one.name} {found[0]}"] = found[1]
        return {MEASURE: sum(values) / len(values), **results, "eval_flaws": float(flaws)}


class Judged:
    """A trainer of TRL's, evaluated by ``judge`` on what ``export`` makes of the weights of now; the main process judges for all.

    Stands before the trainer among a class's bases.
    """

    def __init__(
        self, *, export: Callable[[Path, Path], None], judge: Callable[[Path], Mapping[str, float]], place: Path, **rest: Any
    ) -> None:  # fmt: skip
        super().__init__(**rest)
        self._export, self._judge, self._place = export, judge, place / "judged"

    def evaluation_loop(self: Any, *_: Any, **__: Any) -> EvalLoopOutput:
        """Judge; the loop over rows is not run."""
        import torch
        from accelerate.utils import broadcast_object_list

        found: list[Any] = [None]
        self.model.eval()  # training goes on from here by itself; the trainer's log asks which of the two it is in
        self.save_model(str(self._place / "checkpoint"), _internal_call=True)
        if self.args.process_index == 0:
            torch.cuda.empty_cache()
            with alone(self.args):
                self._export(self._place / "checkpoint", self._place / "model")
                found[0] = dict(self._judge(self._place / "model"))
            shutil.rmtree(self._place)
            torch.cuda.empty_cache()
        if self.args.world_size > 1:
            broadcast_object_list(found)
        return EvalLoopOutput(predictions=(), label_ids=None, metrics=found[0], num_samples=0)


class JudgedTrainer(Judged, SFTTrainer):  # type: ignore[misc]
    """Supervised fine-tuning, judged."""


def watching(config: Reasoner, place: Path, many: Any) -> dict[str, Any]:
    """What a judged trainer is given beside its own: the judge, how weights become a model, callbacks."""

    def made(checkpoint: Path, out: Path) -> None:
        export(config, started(config.base, place), checkpoint, out, place / "tokenizer")

    row = many.select(range(1))  # the trainer asks for some; the judge has its own
    callbacks = [Written(place), Patience(config.patience)]
    return {"export": made, "judge": Watch(config), "place": place, "eval_dataset": row, "callbacks": callbacks}


class Patience(TrainerCallback):  # type: ignore[misc]
    """Stops when the last ``patience`` judgements were no better than one before them; it has no state but the log's."""

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for the end of training where it has lasted long enough."""
        if exhausted(state.log_history, self.patience):
            control.should_training_stop = True


def exhausted(log: Sequence[Mapping[str, Any]], patience: int) -> bool:
    """Whether the last ``patience`` judgements in a log were no better than the best before them.

    >>> exhausted([{"eval_measure": v} for v in (0.5, 0.6, 0.6, 0.4)], 2)
    True
    """
    values = [row[MEASURE] for row in log if MEASURE in row]
    return len(values) > patience and max(values[-patience:]) <= max(values[:-patience])


class Told(TrainerCallback):  # type: ignore[misc]
    """A line on stderr for every log, where nobody watches a bar: in a file, in a pipe."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Say how far it is, in the main process alone."""
        if state.is_world_process_zero and (line := told(logs or {})):
            print(f"step {state.global_step:,} of {state.max_steps:,}: {line}", file=sys.stderr, flush=True)


def told(logs: Mapping[str, Any]) -> str:
    """What a log says, in short; empty where it says nothing of these.

    >>> told({"loss": 0.25, "grad_norm": 1.0, "eval_measure": 0.5})
    'loss 0.25, dev measure 0.5'
    """
    names = {"loss": "loss", "reward": "reward", "flaws": "flawed", "kl": "KL", MEASURE: "dev measure"}
    return ", ".join(f"{name} {float(logs[key]):.4g}" for key, name in names.items() if key in logs)


class Written(TrainerCallback):  # type: ignore[misc]
    """Writes the log with every checkpoint, in the main process alone."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write what was logged so far."""
        if state.is_world_process_zero:
            write_log(state.log_history, self.place)


def write_log(log: Sequence[Mapping[str, Any]], place: Path) -> None:
    """Write the log as ``log.jsonl`` and, where matplotlib is installed, as ``loss.svg``, or ``rewards.svg`` if it has rewards.

    A judgement of the base, in ``before.json``, is its first line.
    """
    before = manifests.read(place / "before.json")
    rows = [*([before] if before else []), *log]
    manifests.write_whole(place / "log.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    if any("reward" in row for row in rows):
        curves(Figure(figsize=(7, 7), layout="tight"), rows).savefig(place / "rewards.svg", metadata={"Date": None})
        return
    figure = Figure(figsize=(7, 3.5), layout="tight")
    axes = figure.subplots()
    for axis, key, colour in ((axes, "loss", "tab:blue"), (axes.twinx(), "eval_measure", "tab:orange")):
        points = [(row["step"], row[key]) for row in rows if key in row]
        if points:
            axis.plot(*zip(*points, strict=True), color=colour, marker="." if len(points) < 40 else "")
        axis.set_ylabel(key.replace("eval_", "dev "), color=colour)
        axis.set_visible(key == "loss" or bool(points))
    axes.set_xlabel("step")
    figure.savefig(place / "loss.svg", metadata={"Date": None})


def curves(figure: Any, log: Sequence[Mapping[str, Any]]) -> Any:
    """Draw reinforcement: mean reward and dev measure, flaws and rollouts that were cut off, tokens a rollout, KL."""
    rows = (
        (("reward", "reward", "tab:blue"), ("eval_measure", "dev measure", "tab:orange")),
        (("flaws", "flawed", "tab:red"), ("completions/clipped_ratio", "cut off", "tab:purple")),
        (("completions/mean_length", "tokens", "tab:green"), ("kl", "KL", "tab:brown")),
    )
    for axes, pair in zip(figure.subplots(len(rows), 1, sharex=True), rows, strict=True):
        for axis, (key, name, colour) in zip((axes, axes.twinx()), pair, strict=True):
            points = [(row["step"], row[key]) for row in log if key in row]
            if points:
                axis.plot(*zip(*points, strict=True), color=colour, marker="." if len(points) < 40 else "")
            axis.set_ylabel(name, color=colour)
            axis.set_visible(bool(points))
    axes.set_xlabel("step")
    return figure


@contextmanager
def alone(args: Any) -> Iterator[None]:
    """Load models on this process alone, also under DeepSpeed's ZeRO-3, which would wait for the others to take part."""
    whole = getattr(args, "hf_deepspeed_config", None)
    if whole is None:
        yield
        return
    from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config

    unset_hf_deepspeed_config()
    try:
        yield
    finally:
        set_hf_deepspeed_config(whole)
