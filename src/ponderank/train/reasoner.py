"""Fine-tune a language model to think and then to judge: rows of prompts and thoughts, TRL's trainer, our own measure.

``OUT`` becomes a checkpoint that ``Reranker("rank1", model=OUT)`` loads: adapters merged, tokens added. ``OUT/training`` has the
rest: the configuration with the fingerprints of what went in (``training.json``), the rows as ids, checkpoints, the log
(``log.jsonl``) and its curve (``loss.svg``, where matplotlib is installed). The same command again goes on from the last
checkpoint; a finished one says so.

Several GPUs: the same command under accelerate, one process a GPU. A step has ``effective_batch`` rows however many there are;
the first process alone writes and judges.

    accelerate launch --multi_gpu --num_processes 4 -m ponderank.cli.main \\
        train reasoner --preset rank1-7b --rows rows/ --out model/
    accelerate launch --use_deepspeed --zero_stage 3 --num_processes 8 -m ponderank.cli.main \\
        train reasoner --preset rank1-32b --rows rows/ --out model/      # weights divided among the GPUs

or with ``--config_file``, a file that ``accelerate config`` made. A base on the Hub should be in its cache first. One process and
two on CPUs end with the same weights (a test); GPUs and ZeRO-3 have not been run.

Source: Rank1 (arXiv 2502.18418), ``train_configs`` of its repository, run there with LLaMA-Factory: see ``reasoner_config``.
Differs: the end-of-text token follows the verdict, which LLaMA-Factory's template ``empty`` leaves out, so that the model also ends
where nobody gives it stop strings (``end_token=false`` is as there; scores are read before it). Rows over the cutoff are left out and
counted; there, prompt or completion is cut, which teaches thoughts without a verdict or prompts that nobody will ask. The
best checkpoint by our measure is taken where there is a dev set; there, the last. A tokenizer's own beginning-of-text token stands
before the prompt, as in serving; that template leaves it out (Qwen2.5 has none). Marks: see ``reasoner_start``.
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
from ponderank.train.reasoner_config import Reasoner


def train(config: Reasoner, rows: str | Path, out: str | Path, *, fresh: bool = False) -> Path:
    """Fine-tune as ``config`` says on ``rows`` (a file, or a folder with ``train.jsonl``); returns ``out``.

    Goes on from the last checkpoint in ``out`` unless ``fresh``.

    Raises:
        MissingExtra: the extra [train] is not installed.
        RecipeError: the machine has too little memory for it.
        DataError: unusable rows or base, or an ``out`` that something else began.
    """
    installed("training a reasoner")
    config.accumulation(processes())
    file = _file(Path(rows))

    def write(place: Path) -> dict[str, int]:
        from ponderank.train.reasoner_start import begin, write_rows

        begin(config, place)
        return write_rows(config, file, place)

    def steps(counts: Mapping[str, int]) -> int:
        kept = counts["rows"] - counts["too_long"]
        return config.steps or math.ceil(config.epochs * math.ceil(kept / config.effective_batch))

    files = {"rows": manifests.file_hash(file), **folder.sources(config.base, config.dev)}
    course = Course(
        learner=config, about=config.to_dict(), files=files, rows=write, steps=steps,
        arguments=lambda count, place: _arguments(config, count, place),
        trainer=lambda many, args, place: _trainer(config, many, args, place),
    )  # fmt: skip
    return follow(course, Path(out), fresh=fresh)


def _file(rows: Path) -> Path:
    path = rows / "train.jsonl" if rows.is_dir() else rows
    if not path.is_file():
        raise DataError(
            "no rows here: expected a JSONL file of prompts and completions, or a folder with train.jsonl", path=rows
        )
    return path


def _arguments(config: Reasoner, steps: int, place: Path) -> Any:
    from trl import SFTConfig

    from ponderank.train.reasoner_start import half, on_cpus

    judged = bool(config.dev)
    return SFTConfig(
        output_dir=str(place / "checkpoints"), max_steps=steps, per_device_train_batch_size=config.batch,
        gradient_accumulation_steps=config.accumulation(processes()),
        learning_rate=config.learning_rate, lr_scheduler_type="cosine", warmup_steps=math.ceil(config.warmup * steps),
        weight_decay=0.0, seed=config.seed, data_seed=config.seed, bf16=half(), fp16=False, use_cpu=on_cpus(),
        completion_only_loss=True, gradient_checkpointing=config.gradient_checkpointing,
        packing=False, max_length=None, save_steps=config.save_every, save_total_limit=2,
        eval_strategy="steps" if judged else "no", eval_steps=config.save_every, logging_steps=min(10, config.save_every),
        metric_for_best_model="eval_measure" if judged else None, greater_is_better=True if judged else None,
        report_to="none", disable_tqdm=not sys.stderr.isatty(), dataloader_pin_memory=False, ddp_timeout=4 * 7 * 24 * 3600,
    )  # fmt: skip


def _trainer(config: Reasoner, many: Any, args: Any, place: Path) -> Any:
    from transformers import PreTrainedTokenizerFast
    from trl import SFTTrainer

    from ponderank.train.reasoner_watch import JudgedTrainer, Written, watching

    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(place / "tokenizer"))
    rest = {"model": learner(config, place), "args": args, "train_dataset": many, "processing_class": tokenizer}
    if not config.dev:
        return SFTTrainer(**rest, callbacks=[Written(place)])
    return JudgedTrainer(**watching(config, place, many), **rest)
