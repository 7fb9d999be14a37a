"""Preference learning of a reasoner: thoughts with the right verdict against others, through TRL's DPO or IRPO over lists.

Rows are what ``distill preferences`` writes: a prompt, byte for byte the recipe's, with a ``chosen`` and a ``rejected`` completion, and
all ``completions`` with their ``grades`` for ``irpo``. The reference is the model that learning begins with, after its supervised
training. ``OUT`` is as in ``reasoner``: a checkpoint that the recipe loads, ``OUT/training`` with the rest, the dev measure before
(step 0), during and after in ``log.jsonl`` and ``loss.svg``; the same command goes on.

Source: DPO (arXiv 2305.18290) and its relatives as TRL has them, with the chosen completion's own loss beside it if ``sft`` > 0, as
in iterative reasoning preference optimisation (arXiv 2404.19733; the other paper that is called IRPO). ``irpo``: in-context
ranking preference optimisation (arXiv 2504.15477), see ``losses_text``.
Differs: ``irpo`` ranks completions of one prompt by their grades, ours being whole thoughts that are right or wrong; there, the
identifiers of a list's documents. In rows of ``distill preferences`` right ones stand first, so that places hardly matter.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.errors import DataError
from ponderank.train import folder
from ponderank.train.course import Course, follow, installed, processes
from ponderank.train.learner import learner
from ponderank.train.preference_config import LOSSES, Preference


def train(config: Preference, rows: str | Path, out: str | Path, *, fresh: bool = False) -> Path:
    """Learn from the preferences in the file ``rows``; returns ``out``.

    Goes on from the last checkpoint in ``out`` unless ``fresh``.

    Raises:
        MissingExtra: the extra [train] is not installed.
        RecipeError: the machine has too little memory for it.
        DataError: unusable rows or base, or an ``out`` that something else began.
    """
    installed("preference learning")
    shared, file = config.learner(), Path(rows)
    shared.accumulation(processes())
    if not file.is_file():
        raise DataError("no such file; `ponderank distill preferences` writes one", path=file)

    def write(place: Path) -> dict[str, int]:
        from ponderank.train.reasoner_start import begin_as_it_is

        begin_as_it_is(shared, place)
        return write_rows(config, file, place)

    def steps(counts: Mapping[str, int]) -> int:
        kept = counts["rows"] - counts["too_long"]
        return config.steps or math.ceil(config.epochs * math.ceil(kept / config.effective_batch))

    course = Course(
        learner=shared, about=config.to_dict(), before=True, rows=write, steps=steps,
        files={"rows": manifests.file_hash(file), **folder.sources(config.base, config.dev)},
        arguments=lambda count, place: _arguments(config, count, place),
        trainer=lambda many, args, place: _trainer(config, many, args, place),
    )  # fmt: skip
    return follow(course, Path(out), fresh=fresh)


def write_rows(config: Preference, rows: Path, place: Path) -> dict[str, int]:
    """Tokenise the rows into ``place/rows.arrow``, as serving does; returns the counts.

    Raises:
        DataError: a row lacks something, or none is short enough.
    """
    from datasets import Features, List, Value
    from datasets.arrow_writer import ArrowWriter

    from ponderank.backends.prompts import PromptTokenizer
    from ponderank.distill.prefer import read_lists, read_preferences
    from ponderank.train.reasoner_start import encode, end_id

    tokenizer, end = PromptTokenizer(place / "tokenizer"), end_id(config.learner(), place)
    ids, lists = List(Value("int32")), config.loss == "irpo"
    of_pairs = {"prompt_ids": ids, "chosen_ids": ids, "rejected_ids": ids}
    of_lists = {"prompt_ids": ids, "answers": List(ids), "grades": List(Value("float32"))}
    pairs = ((prompt, two, ()) for prompt, *two in read_preferences(rows)) if not lists else None
    made, read, kept = place / "rows.arrow.tmp", 0, 0
    with ArrowWriter(path=str(made), features=Features(of_lists if lists else of_pairs)) as writer:
        for prompt, said, grades in pairs or read_lists(rows):
            whole = [encode(tokenizer, prompt, text, end) for text in said]
            before = min(same for _, same in whole)
            read += 1
            if max(len(row) for row, _ in whole) > config.cutoff:
                continue
            kept += 1
            asked, answers = whole[0][0][:before], [row[before:] for row, _ in whole]
            row = (
                {"answers": answers, "grades": grades}
                if lists
                else dict(zip(("chosen_ids", "rejected_ids"), answers, strict=True))
            )
            writer.write({"prompt_ids": asked, **row})
        if not kept:
            raise DataError(f"none of {read} rows has {config.cutoff} tokens or fewer; raise the cutoff", path=rows)
        writer.finalize()
    made.replace(place / "rows.arrow")
    return {"rows": read, "too_long": read - kept}


def _arguments(config: Preference, steps: int, place: Path) -> Any:
    import torch
    from trl import DPOConfig

    from ponderank.train.reasoner_start import half, on_cpus

    judged = bool(config.dev)
    kinds = [LOSSES[config.loss] or "sigmoid", *(["sft"] if config.sft else [])]
    return DPOConfig(
        output_dir=str(place / "checkpoints"), max_steps=steps, per_device_train_batch_size=config.batch,
        gradient_accumulation_steps=config.learner().accumulation(processes()), learning_rate=config.learning_rate,
        lr_scheduler_type="cosine", warmup_steps=math.ceil(config.warmup * steps), weight_decay=0.0, seed=config.seed,
        data_seed=config.seed, bf16=half(), fp16=False, use_cpu=on_cpus(), beta=config.beta, loss_type=kinds,
        loss_weights=[1.0, config.sft][: len(kinds)], label_smoothing=config.smoothing, max_length=None,
        gradient_checkpointing=torch.cuda.is_available(), save_steps=config.save_every, save_total_limit=2,
        eval_strategy="steps" if judged else "no", eval_steps=config.save_every, logging_steps=min(10, config.save_every),
        metric_for_best_model="eval_measure" if judged else None, greater_is_better=True if judged else None,
        report_to="none", disable_tqdm=not sys.stderr.isatty(), dataloader_pin_memory=False, ddp_timeout=4 * 7 * 24 * 3600,
    )  # fmt: skip


def _trainer(config: Preference, many: Any, args: Any, place: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    from ponderank.train.preference_trainer import FromIds, JudgedFromIds, JudgedLists, Lists, gathered
    from ponderank.train.reasoner_watch import Written, watching

    shared, lists = config.learner(), config.loss == "irpo"
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(place / "tokenizer"))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)  # what pads is masked
    rest = {"model": learner(shared, place), "args": args, "train_dataset": many, "processing_class": tokenizer}
    if lists:
        rest["data_collator"] = gathered(tokenizer.pad_token_id)
    if not config.dev:
        return (Lists if lists else FromIds)(**rest, callbacks=[Written(place)])
    return (JudgedLists if lists else JudgedFromIds)(**watching(shared, place, many), **rest)
