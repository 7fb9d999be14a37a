"""What a reasoner's training watches: our own measure of the merged weights, and when to stop for want of a better one."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_utils import EvalLoopOutput
from trl import SFTTrainer

from ponderank import manifest as manifests
from ponderank.data.beir import Collection
from ponderank.errors import DataError
from ponderank.metrics.ranked import Qrels, evaluate
from ponderank.retrieval.bm25 import BM25Index
from ponderank.retrieval.runs import candidates
from ponderank.train.config import resolve
from ponderank.train.reasoner_config import Reasoner
from ponderank.types import Candidates, Ranking

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
        self.sets = [_opened(config, folder) for folder in config.dev]

    def __call__(self, folder: Path) -> dict[str, float]:
        """``{"eval_measure": the mean of the sets', "eval_SET MEASURE": its own, …, "eval_flaws": all judgements' flaws}``."""
        from ponderank.reranker import Reranker

        results: dict[str, float] = {}
        values, flaws = [], 0
        with Reranker(self.config.dev_recipe, model=folder, think_tokens=self.config.dev_tokens) as reranker:
            for name, qrels, many in self.sets:
                rankings = list(reranker.rank_many(many))
                flaws += sum(sum(ranking.flaws().values()) for ranking in rankings)
                if paired(many):
                    measure, value = "paired accuracy", paired_accuracy(qrels, rankings)
                else:
                    run = {r.query.id: [(doc.id, float(-i)) for i, doc in enumerate(r.docs)] for r in rankings}
                    measure, value = "nDCG@10", evaluate(qrels, {"run": run}, ["nDCG@10"])["run"]["nDCG@10"]
                values.append(value)
                results[f"eval_{name} {measure}"] = value
        return {MEASURE: sum(values) / len(values), **results, "eval_flaws": float(flaws)}


def paired(many: Sequence[Candidates]) -> bool:
    """Whether each query has two candidates, and each two are asked about by two queries."""
    asked: dict[frozenset[str], int] = {}
    for one in many:
        key = frozenset(doc.id for doc in one.docs)
        asked[key] = asked.get(key, 0) + 1
    return all(len(key) == 2 and times == 2 for key, times in asked.items())


def paired_accuracy(qrels: Qrels, rankings: Sequence[Ranking]) -> float:
    """The share of document pairs for which both queries have their relevant document first; chance is a quarter.

    Source: NevIR (arXiv 2305.07614), pairwise accuracy. Differs: nothing.

    >>> from ponderank.types import Doc, Query, Ranking
    >>> docs = (Doc("a", ""), Doc("b", ""))
    >>> both = [Ranking(Query(name, ""), docs, (1.0, 0.0)) for name in ("p", "q")]
    >>> paired_accuracy({"p": {"a": 1}, "q": {"b": 1}}, both)
    0.0
    """
    right: dict[frozenset[str], bool] = {}
    for one in rankings:
        key = frozenset(doc.id for doc in one.docs)
        right[key] = right.get(key, True) and qrels[one.query.id].get(one.docs[0].id, 0) > 0
    return sum(right.values()) / len(right)


class JudgedTrainer(SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, evaluated by ``judge`` on what ``export`` makes of the weights of now; the main process judges for all."""

    def __init__(
        self, *, export: Callable[[Path, Path], None], judge: Callable[[Path], Mapping[str, float]], place: Path, **rest: Any
    ) -> None:  # fmt: skip
        super().__init__(**rest)
        self._export, self._judge, self._place = export, judge, place / "judged"

    def evaluation_loop(self, *_: Any, **__: Any) -> EvalLoopOutput:
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


class Written(TrainerCallback):  # type: ignore[misc]
    """Writes the log with every checkpoint, in the main process alone."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write what was logged so far."""
        if state.is_world_process_zero:
            write_log(state.log_history, self.place)


def write_log(log: Sequence[Mapping[str, Any]], place: Path) -> None:
    """Write the log as ``log.jsonl`` and, where matplotlib is installed, as ``loss.svg``."""
    manifests.write_whole(place / "log.jsonl", "".join(json.dumps(row) + "\n" for row in log))
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(7, 3.5), layout="tight")
    axes = figure.subplots()
    for axis, key, colour in ((axes, "loss", "tab:blue"), (axes.twinx(), "eval_measure", "tab:orange")):
        points = [(row["step"], row[key]) for row in log if key in row]
        if points:
            axis.plot(*zip(*points, strict=True), color=colour, marker="." if len(points) < 40 else "")
        axis.set_ylabel(key.replace("eval_", "dev "), color=colour)
        axis.set_visible(key == "loss" or bool(points))
    axes.set_xlabel("step")
    figure.savefig(place / "loss.svg", metadata={"Date": None})


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


def _opened(config: Reasoner, folder: str) -> tuple[str, Qrels, list[Candidates]]:
    """A dev set: its name, its judgements, and the queries drawn from it with their candidates."""
    path = resolve(folder)
    collection = Collection.open(path)
    splits = collection.splits
    split = "dev" if "dev" in splits else splits[0] if len(splits) == 1 else ""
    if not split:
        raise DataError(
            f"expected a split named dev, or only one; this collection has {', '.join(splits) or 'none'}", path=path
        )
    qrels = collection.qrels(split)
    judged = [q for q in collection.judged_queries(split) if any(grade > 0 for grade in qrels[q.id].values())]
    first = next((p for p in (path / "first.trec", path / "first.trec.gz") if p.is_file()), None)
    if first is not None:
        found = list(candidates(collection, first, judged, config.dev_depth))
    else:
        found = BM25Index.build(collection.corpus()).search(judged, config.dev_depth)
    found = [one for one in found if one.docs]
    if not found:
        raise DataError(f"no query of the split {split!r} has a relevant document and candidates", path=path)
    chosen = found if paired(found) else random.Random(0).sample(found, min(config.dev_queries, len(found)))
    if paired(found):
        keys = sorted({tuple(sorted(doc.id for doc in one.docs)) for one in found})
        kept = set(random.Random(0).sample(keys, min(max(1, config.dev_queries // 2), len(keys))))
        chosen = [one for one in found if tuple(sorted(doc.id for doc in one.docs)) in kept]
    return path.name, {one.query.id: qrels[one.query.id] for one in chosen}, chosen
