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

import importlib
import json
import math
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.errors import DataError, MissingExtra
from ponderank.train.reasoner_config import Reasoner


def train(config: Reasoner, rows: str | Path, out: str | Path, *, fresh: bool = False) -> Path:
    """Fine-tune as ``config`` says on ``rows`` (a file, or a folder with ``train.jsonl``); returns ``out``.

    Goes on from the last checkpoint in ``out`` unless ``fresh``.

    Raises:
        MissingExtra: the extra [train] is not installed.
        RecipeError: the machine has too little memory for it.
        DataError: unusable rows or base, or an ``out`` that something else began.
    """
    try:
        for name in ("trl", "peft", "accelerate", "datasets"):
            importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra("train", "training a reasoner") from error
    import accelerate
    import datasets

    out = Path(out)
    place = out / "training"
    if config.threads:
        import torch

        torch.set_num_threads(config.threads)
    from ponderank.train.reasoner_start import on_cpus

    config.accumulation(int(os.environ.get("WORLD_SIZE", "1")))
    state = accelerate.PartialState(
        cpu=on_cpus(), timeout=timedelta(weeks=4)
    )  # others wait while the first one prepares and judges
    if state.is_main_process:
        _prepare(config, _file(Path(rows)), out, fresh=fresh)
    state.wait_for_everyone()
    if _finished(out):
        return out
    many = datasets.Dataset.from_file(str(place / "rows.arrow"))
    steps = config.steps or math.ceil(config.epochs * math.ceil(len(many) / config.effective_batch))
    ended, args = _run(config, many, steps, place)
    state.wait_for_everyone()
    if state.is_main_process:
        from ponderank.train.reasoner_watch import alone

        with alone(args):
            chosen = _chosen(config, ended, place)
            export(config, _start(config, place), chosen, place / "export.tmp", place / "tokenizer")
        _publish(place / "export.tmp", out)
    state.wait_for_everyone()
    return out


def export(config: Reasoner, start: str, checkpoint: Path, out: Path, tokenizer: Path) -> None:
    """Write a checkpoint as a model of its own: adapters merged, in the base's number format, with the tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind = AutoConfig.from_pretrained(start).dtype or torch.float32
    source = str(checkpoint) if config.full else start
    model = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    if not config.full:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(checkpoint)).merge_and_unload()
    shutil.rmtree(out, ignore_errors=True)
    model.to(kind).save_pretrained(out)
    for path in tokenizer.iterdir():
        shutil.copyfile(path, out / path.name)


def _file(rows: Path) -> Path:
    path = rows / "train.jsonl" if rows.is_dir() else rows
    if not path.is_file():
        raise DataError(
            "no rows here: expected a JSONL file of prompts and completions, or a folder with train.jsonl", path=rows
        )
    return path


def _start(config: Reasoner, place: Path) -> str:
    return str(place / "start") if (place / "start").is_dir() else config.base


def _finished(out: Path) -> bool:
    return (out / "config.json").is_file()


def _prepare(config: Reasoner, rows: Path, out: Path, *, fresh: bool) -> None:
    """All that is done once, before a model is loaded: the claim, the check for room, the base, the rows' ids, the dev sets."""
    place = out / "training"
    if _finished(out) and not (place / "training.json").is_file():
        raise DataError("this folder holds a model that did not come from here; give another --out", path=out)
    if fresh:
        _forget(out)
    from ponderank.train.reasoner_start import begin, check_room, write_rows

    _claim(config, rows, place)
    if _finished(out):
        return
    check_room(config)
    if config.dev:
        from ponderank.train.reasoner_watch import Watch

        Watch(config)  # a broken dev set is said now, not at the first checkpoint
    begin(config, place)
    if not (place / "rows.json").is_file():
        manifests.write_whole(place / "rows.json", manifests.dumped(write_rows(config, rows, place)))


def _claim(config: Reasoner, rows: Path, place: Path) -> None:
    """Write ``training.json``, or refuse a folder that another configuration, base or file of rows began."""
    files = {"rows": manifests.file_hash(rows)}
    if Path(config.base).is_dir():
        from ponderank.backends.weights import fingerprint, weights

        base = Path(config.base)
        files["base"] = fingerprint([*(weights(base) if _has_weights(base) else []), base / "config.json"], {})
    for folder in config.dev:
        for path in sorted(Path(folder).rglob("*.*")):
            if path.suffix in (".jsonl", ".tsv", ".trec", ".gz"):
                files[f"{Path(folder).name}/{path.relative_to(folder)}"] = manifests.file_hash(path)
    about = json.loads(json.dumps({"config": config.to_dict(), "files": files, "versions": _versions()}))
    path = place / "training.json"
    before = manifests.read(path)
    if before is None:
        place.mkdir(parents=True, exist_ok=True)
        manifests.write_whole(path, manifests.dumped(about))
        return
    changed = list(manifests.differences(before, about))
    if changed:
        raise DataError(
            f"this folder was begun with another training ({changed[0]}); give another --out, or --fresh", path=path
        )


def _has_weights(base: Path) -> bool:
    return any(base.glob("*.safetensors")) or any(base.glob("pytorch_model*.bin"))


def _versions() -> dict[str, str]:
    import peft
    import trl

    return {**manifests.versions(), "trl": trl.__version__, "peft": peft.__version__}


def _forget(out: Path) -> None:
    """Remove what an earlier training left in ``out``, and nothing else."""
    if (out / "training" / "training.json").is_file():
        for path in (out / "config.json", *out.glob("model*.safetensors*")):
            path.unlink(missing_ok=True)
        shutil.rmtree(out / "training")


def _publish(made: Path, out: Path) -> None:
    """Move an export's files into ``out``; ``config.json`` last, which says that all are there."""
    for path in sorted(made.iterdir(), key=lambda path: path.name == "config.json"):
        path.replace(out / path.name)
    made.rmdir()


def _run(config: Reasoner, many: Any, steps: int, place: Path) -> tuple[Any, Any]:
    """Train, or go on; returns the trainer's state at the end, and its arguments."""
    from transformers import TrainerState

    args = _arguments(config, steps, place)
    found = _checkpoints(place)
    if found:
        state = TrainerState.load_from_json(str(found[-1] / "trainer_state.json"))
        if state.global_step >= steps or _gave_up(config, state):  # only the finish was missing
            return state, args
    trainer = _trainer(config, many, args, place)
    trainer.train(resume_from_checkpoint=str(found[-1]) if found else None)
    if args.process_index == 0:
        from ponderank.train.reasoner_watch import write_log

        write_log(trainer.state.log_history, place)
    return trainer.state, args


def _gave_up(config: Reasoner, state: Any) -> bool:
    from ponderank.train.reasoner_watch import exhausted

    return bool(config.dev) and exhausted(state.log_history, config.patience)


def _chosen(config: Reasoner, state: Any, place: Path) -> Path:
    """The best checkpoint where there is a dev set, or the last; by name, for the folder may have moved since."""
    best = place / "checkpoints" / Path(state.best_model_checkpoint or "none").name
    return best if config.dev and best.is_dir() else _checkpoints(place)[-1]


def _checkpoints(place: Path) -> list[Path]:
    """Those that were written to their end, in the order of their steps."""
    states = place.glob("checkpoints/checkpoint-*/trainer_state.json")
    whole = [path.parent for path in states if _is_json(path)]
    return sorted(whole, key=lambda path: int(path.name.rpartition("-")[2]))


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text("utf-8"))
    except ValueError:
        return False
    return True


def _arguments(config: Reasoner, steps: int, place: Path) -> Any:
    from trl import SFTConfig

    from ponderank.train.reasoner_start import half, on_cpus

    judged = bool(config.dev)
    return SFTConfig(
        output_dir=str(place / "checkpoints"), max_steps=steps, per_device_train_batch_size=config.batch,
        gradient_accumulation_steps=config.accumulation(int(os.environ.get("WORLD_SIZE", "1"))),
        learning_rate=config.learning_rate, lr_scheduler_type="cosine", warmup_steps=math.ceil(config.warmup * steps),
        weight_decay=0.0, seed=config.seed, data_seed=config.seed, bf16=half(), fp16=False, use_cpu=on_cpus(),
        completion_only_loss=True, packing=False, max_length=None, save_steps=config.save_every, save_total_limit=2,
        eval_strategy="steps" if judged else "no", eval_steps=config.save_every, logging_steps=min(10, config.save_every),
        metric_for_best_model="eval_measure" if judged else None, greater_is_better=True if judged else None,
        report_to="none", disable_tqdm=None, dataloader_pin_memory=False, ddp_timeout=4 * 7 * 24 * 3600,
    )  # fmt: skip


def _trainer(config: Reasoner, many: Any, args: Any, place: Path) -> Any:
    from transformers import PreTrainedTokenizerFast
    from trl import SFTTrainer

    from ponderank.train.reasoner_watch import JudgedTrainer, Patience, Watch, Written

    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(place / "tokenizer"))
    rest = {"model": _model(config, place), "args": args, "train_dataset": many, "processing_class": tokenizer}
    if not config.dev:
        return SFTTrainer(**rest, callbacks=[Written(place)])

    def made(checkpoint: Path, out: Path) -> None:
        export(config, _start(config, place), checkpoint, out, place / "tokenizer")

    row = many.select(range(1))  # the trainer asks for some; the judge has its own
    watching = [Written(place), Patience(config.patience)]
    return JudgedTrainer(export=made, judge=Watch(config), place=place, eval_dataset=row, callbacks=watching, **rest)


def _model(config: Reasoner, place: Path) -> Any:
    """The base with its adapters; whatever learns is held in float32."""
    import torch
    from transformers import AutoModelForCausalLM, set_seed

    from ponderank.train.reasoner_start import half

    set_seed(config.seed)
    kind = torch.bfloat16 if half() and not config.full else torch.float32
    model = AutoModelForCausalLM.from_pretrained(_start(config, place), dtype=kind)
    if not config.full:
        from peft import LoraConfig, get_peft_model

        grown = (place / "start").is_dir()
        tied = bool(model.config.get_text_config().tie_word_embeddings)
        model = get_peft_model(model, LoraConfig(
            task_type="CAUSAL_LM", r=config.rank, lora_alpha=config.alpha, lora_dropout=0.0, target_modules="all-linear",
            modules_to_save=(_tables(model) if grown else None), ensure_weight_tying=grown and tied,
        ))  # fmt: skip
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
    return model


def _tables(model: Any) -> list[str]:
    """The names of the embeddings and, where it is another table, of the output layer."""
    tied = bool(model.config.get_text_config().tie_word_embeddings)
    wanted = [model.get_input_embeddings(), *([] if tied else [model.get_output_embeddings()])]
    return [name.rpartition(".")[2] for name, module in model.named_modules() if any(module is one for one in wanted)]
