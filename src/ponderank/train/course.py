"""What every training of a reasoner through TRL goes through: claim, rows, steps or the rest of them, the best, the export."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.backends.weights import unseen_bars
from ponderank.errors import MissingExtra
from ponderank.train import folder
from ponderank.train.learner import export
from ponderank.train.reasoner_config import Reasoner


@dataclass(frozen=True, slots=True)
class Course:
    """One training.

    Args:
        learner: the settings that all trainings share.
        about: all its settings, and ``files``: fingerprints of what goes in; a folder is claimed with both.
        rows: writes ``rows.arrow`` and the tokenizer into a folder; returns counts, which ``steps`` makes a number of steps of.
        arguments: of steps and a folder, TRL's; ``trainer``: of the rows, those arguments and a folder.
        before: judge the base too, before anything is learned.
    """

    learner: Reasoner
    about: Mapping[str, Any]
    files: Mapping[str, str]
    rows: Callable[[Path], Mapping[str, int]]
    steps: Callable[[Mapping[str, int]], int]
    arguments: Callable[[int, Path], Any]
    trainer: Callable[[Any, Any, Path], Any]
    before: bool = False


def installed(what: str) -> None:
    """Say which extra is missing for ``what``.

    Raises:
        MissingExtra: it is.
    """
    try:
        for name in ("trl", "peft", "accelerate", "datasets"):
            importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra("train", what) from error


def processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def follow(course: Course, out: Path, *, fresh: bool) -> Path:
    """Train, or go on from the last checkpoint in ``out`` unless ``fresh``; returns ``out``, the model in it."""
    import accelerate

    if course.learner.threads:
        import torch

        torch.set_num_threads(course.learner.threads)
    from ponderank.train.reasoner_start import on_cpus

    state = accelerate.PartialState(
        cpu=on_cpus(), timeout=timedelta(weeks=4)
    )  # others wait while the first one prepares and judges
    with unseen_bars():
        if state.is_main_process:
            _prepare(course, out, fresh=fresh)
        state.wait_for_everyone()
        if not folder.finished(out):
            _learn(course, state, out)
    return out


def _learn(course: Course, state: Any, out: Path) -> None:
    import datasets

    place = out / "training"
    many = datasets.Dataset.from_file(str(place / "rows.arrow"))
    ended, args = _run(course, many, course.steps(manifests.read(place / "rows.json") or {}), place)
    state.wait_for_everyone()
    if state.is_main_process:
        from ponderank.train.reasoner_watch import alone

        with alone(args):
            best = folder.chosen(ended, place, judged=bool(course.learner.dev))
            start = folder.started(course.learner.base, place)
            export(course.learner, start, best, place / "export.tmp", place / "tokenizer")
        folder.publish(place / "export.tmp", out)
    state.wait_for_everyone()


def _prepare(course: Course, out: Path, *, fresh: bool) -> None:
    """All that is done once, before a model is loaded: the claim, the check for room, the rows' ids, the dev sets."""
    place = out / "training"
    folder.refuse_strangers(out)
    if fresh:
        folder.forget(out)
    from ponderank.train.reasoner_start import check_room, home

    folder.claim(place, course.about, course.files)
    if folder.finished(out):
        return
    check_room(course.learner)
    judge = None
    if course.learner.dev:
        from ponderank.train.reasoner_watch import Watch

        judge = Watch(course.learner)  # a broken dev set is said now, not at the first checkpoint
    if not (place / "rows.json").is_file():
        manifests.write_whole(place / "rows.json", manifests.dumped(dict(course.rows(place))))
    if course.before and judge and not (place / "before.json").is_file():
        manifests.write_whole(place / "before.json", manifests.dumped({"step": 0, **judge(home(course.learner.base))}))


def _run(course: Course, many: Any, steps: int, place: Path) -> tuple[Any, Any]:
    """Train, or go on; returns the trainer's state at the end, and its arguments."""
    from transformers import TrainerState

    args = course.arguments(steps, place)
    found = folder.checkpoints(place)
    if found:
        state = TrainerState.load_from_json(str(found[-1] / "trainer_state.json"))
        if state.global_step >= steps or _gave_up(course.learner, state):  # only the finish was missing
            return state, args
    trainer = course.trainer(many, args, place)
    if args.disable_tqdm:
        from transformers.trainer_callback import PrinterCallback

        from ponderank.train.reasoner_watch import Told

        trainer.remove_callback(PrinterCallback)  # prints dictionaries among what the command says
        trainer.add_callback(Told())
    trainer.train(resume_from_checkpoint=str(found[-1]) if found else None)
    if args.process_index == 0:
        from ponderank.train.reasoner_watch import write_log

        write_log(trainer.state.log_history, place)
    return trainer.state, args


def _gave_up(config: Reasoner, state: Any) -> bool:
    from ponderank.train.reasoner_watch import exhausted

    return bool(config.dev) and exhausted(state.log_history, config.patience)
