"""Train a cross-encoder: our pairs, sentence-transformers' trainer and losses, our evaluation.

The folder that comes out holds the model (``model/``), the resolved configuration with the fingerprints of its data
(``training.json``), the pairs (``pairs.jsonl``), checkpoints, and the trainer's log (``log.jsonl``). The same command
again goes on from the last checkpoint; a finished one says so.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

from ponderank.data.lines import written
from ponderank.errors import DataError, MissingExtra
from ponderank.recipe import nearest
from ponderank.train.columns import CONTRAST_LOSSES, LIST_LOSSES, LOSSES, OUR_LOSSES, dataset
from ponderank.train.config import Config, config_of, resolve
from ponderank.train.pairs import Group, build


def train(config: Config, out: str | Path, *, fresh: bool = False) -> Path:
    """Train as ``config`` says; returns the model's folder, ``out/model``.

    Goes on from the last checkpoint in ``out`` unless ``fresh``.

    Raises:
        MissingExtra: the extra [train] is not installed.
        DataError: unusable data, an unknown loss, an ``out`` that another configuration began, or, with ``fresh``, one
            that holds something else than a training.
    """
    try:
        import sentence_transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtra("train", "training") from error
    out = Path(out)
    if config.training.loss not in LOSSES:
        raise DataError(f"no loss {config.training.loss!r}; {nearest(config.training.loss, LOSSES)}")
    if fresh:
        _clear(out)
    out.mkdir(parents=True, exist_ok=True)
    _claim(config, out)
    if (out / "model" / "config.json").is_file():
        return out / "model"
    groups = build(config, out / "pairs.jsonl")
    if not groups:
        raise DataError("no training pairs: no judged query has a positive and enough BM25 negatives")
    model = _start(config, groups, out)
    if not config.training.steps:  # what the start knows is all there shall be
        _save(model, config, out)
        return out / "model"
    trainer = _trainer(model, config, groups, out)
    checkpoints = sorted(out.glob("checkpoints/checkpoint-*"), key=_step)
    if checkpoints and _step(checkpoints[-1]) >= config.training.steps:  # only the finish was missing
        from transformers import TrainerState

        trainer.state = TrainerState.load_from_json(str(checkpoints[-1] / "trainer_state.json"))
    else:
        trainer.train(resume_from_checkpoint=str(checkpoints[-1]) if checkpoints else None)
    with written(out / "log.jsonl") as file:
        file.writelines(json.dumps(row) + "\n" for row in trainer.state.log_history)
    _finish(model, trainer, config, out)
    return out / "model"


def _clear(out: Path) -> None:
    """Empty a folder that holds a training; another folder is nobody's to delete."""
    if out.is_dir() and any(out.iterdir()) and not (out / "training.json").is_file():
        raise DataError("this folder holds no training, so --fresh does not delete it; give another --out", path=out)
    shutil.rmtree(out, ignore_errors=True)


def _claim(config: Config, out: Path) -> None:
    """Write ``training.json``, or refuse a folder that another configuration began."""
    import sentence_transformers
    import torch
    import transformers

    files = {}
    for folder in (*(data.folder for data in config.data), *(dev.folder for dev in config.dev)):
        for path in sorted(resolve(folder).rglob("*.*")):
            if path.suffix in (".jsonl", ".tsv", ".gz"):
                files[f"{Path(folder).name}/{path.relative_to(resolve(folder))}"] = _sha256(path)
    about = {
        "config": config.to_dict(),
        "files": files,
        "versions": {m.__name__: m.__version__ for m in (sentence_transformers, transformers, torch)},
    }
    path = out / "training.json"
    about = json.loads(json.dumps(about))
    if path.is_file():
        before = json.loads(path.read_text("utf-8"))
        if (
            config_of(before.get("config", {}), path) == config
        ):  # settings that are newer than the folder have their defaults
            before["config"] = about["config"]
        changed = [key for key in ("config", "files") if before.get(key) != about[key]]
        if changed:
            raise DataError(
                f"this folder was begun with another {' and other '.join(changed)}; give another --out, or --fresh",
                path=path,
            )
        return
    with written(path) as file:
        json.dump(about, file, indent=1)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _start(config: Config, groups: list[Group], out: Path) -> Any:
    """The untrained cross-encoder, with its lower layers frozen if asked."""
    import torch
    from sentence_transformers import CrossEncoder

    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    torch.manual_seed(config.training.seed)
    spec, folder = config.model, resolve(config.model.start)
    if spec.architecture == "split-bert":
        from ponderank.models.split_bert import register

        register()
        start = out / "start"
        if not start.is_dir():
            _begin_split(config, groups, folder, start)
        folder = start
    encoder = CrossEncoder(
        str(folder), num_labels=spec.labels, max_length=spec.max_length, activation_fn=torch.nn.Identity()
    )
    for name, parameter in encoder.named_parameters():
        if ".early" in name or ".sketch." in name or _layer(name) < spec.freeze_below:
            parameter.requires_grad_(False)
    if spec.keep_frozen:
        from ponderank.train.frozen import FrozenStates

        inner = _inner(encoder)
        inner.joinable = FrozenStates(inner)
    return encoder


def _begin_split(config: Config, groups: list[Group], folder: Path, start: Path) -> None:
    """Make the split model of the bi-encoder in ``folder``, its sketch taught, in ``start``."""
    from ponderank.models.split_bert import SplitBertForSequenceClassification

    spec = config.model
    model, tokenizer = SplitBertForSequenceClassification.from_bi_encoder(
        folder,
        join_layer=spec.join_layer,
        exits=spec.exits,
        scale=spec.scale,
        sketch=spec.sketch,
        late_interaction=spec.late_interaction,
    )
    if model.sketch is not None:
        from ponderank.train import sketch

        seed, steps = config.training.seed, config.training.sketch_steps
        sketch.fit(model, tokenizer, groups, config.teacher, steps=steps, seed=seed)
        if spec.sketch_share:
            model.sketch.share.data.fill_(spec.sketch_share)
    made = start.with_suffix(".tmp")
    shutil.rmtree(made, ignore_errors=True)
    model.save_pretrained(made)
    tokenizer.save_pretrained(made)
    made.rename(start)


def _inner(encoder: Any) -> Any:
    """The transformers model inside sentence-transformers' CrossEncoder."""
    return encoder.transformers_model if hasattr(encoder, "transformers_model") else encoder.model


def _layer(name: str) -> int:
    """The layer that a parameter belongs to: -1 the embeddings, a large number the head."""
    parts = name.split(".")
    if "embeddings" in parts:
        return -1
    return int(parts[parts.index("layer") + 1]) if "layer" in parts else 1_000_000


def _trainer(model: Any, config: Config, groups: list[Group], out: Path) -> Any:
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments, losses
    from transformers import EarlyStoppingCallback

    spec = config.training
    random.Random(spec.seed).shuffle(groups)
    from ponderank.train.watch import Watch

    drawn: dict[str, Any] = {}
    if config.curriculum.on:
        from ponderank.train.draws import drawn_dataset, in_order

        rows, batch = drawn_dataset(groups, config)
        drawn["batch_sampler"] = in_order
    else:
        single = spec.loss in (*LIST_LOSSES, *CONTRAST_LOSSES, *OUR_LOSSES)
        rows, batch = dataset(groups, config), spec.batch_queries * (1 if single else len(groups[0].docs))

    watched = Watch(config.dev) if config.dev else None
    head = r"classifier|exits|gates|pooler"
    args = CrossEncoderTrainingArguments(
        output_dir=str(out / "checkpoints"), max_steps=spec.steps, per_device_train_batch_size=batch,
        learning_rate=spec.learning_rate, learning_rate_mapping={head: spec.head_learning_rate}, warmup_steps=int(spec.warmup * spec.steps),
        weight_decay=spec.weight_decay, seed=spec.seed, data_seed=spec.seed, save_steps=spec.save_every,
        logging_steps=min(50, spec.save_every),
        eval_strategy="steps" if watched else "no", eval_steps=spec.evaluate_every, save_total_limit=max(2, spec.average + 1),
        metric_for_best_model="eval_nDCG@10" if watched else None, greater_is_better=True, report_to="none",
        disable_tqdm=None, dataloader_pin_memory=False, **drawn,
    )  # fmt: skip
    if spec.loss in OUR_LOSSES:
        from ponderank.train.list_loss import ListLoss

        loss = ListLoss(model, spec.loss, **spec.loss_options)
    else:
        loss = getattr(losses, spec.loss)(model, **spec.loss_options)
    callbacks = [EarlyStoppingCallback(spec.patience)] if watched else []
    return CrossEncoderTrainer(
        model=model, args=args, train_dataset=rows, loss=loss, evaluator=watched, callbacks=callbacks
    )


def _finish(model: Any, trainer: Any, config: Config, out: Path) -> None:
    """Average the last checkpoints, mix the start back in, save ``model``."""
    import torch

    spec = config.training
    checkpoints = sorted(out.glob("checkpoints/checkpoint-*"), key=_step)
    best = Path(trainer.state.best_model_checkpoint or "none").name
    chosen = checkpoints[-spec.average :]
    if spec.average == 1:
        chosen = [path for path in checkpoints if path.name == best] or checkpoints[-1:]
    inner = _inner(model)
    if chosen:
        states = [_weights(path) for path in chosen]
        mean = {key: torch.stack([s[key].float() for s in states]).mean(0) for key in states[0]}
        inner.load_state_dict(mean, strict=False)
    if spec.keep_start:
        start = _weights(out / "start" if config.model.architecture == "split-bert" else resolve(config.model.start))
        now = inner.state_dict()
        mixed = {
            k: (1 - spec.keep_start) * v + spec.keep_start * start[k]
            for k, v in now.items()
            if k in start and v.is_floating_point()
        }
        inner.load_state_dict(mixed, strict=False)
    _save(model, config, out)


def _save(model: Any, config: Config, out: Path) -> None:
    inner = _inner(model)
    made = out / "model.tmp"
    shutil.rmtree(made, ignore_errors=True)
    inner.save_pretrained(made)
    tokenizer = model.tokenizer
    tokenizer.model_max_length = _longest(config, out)  # training was short; reading need not be
    tokenizer.save_pretrained(made)
    shutil.rmtree(out / "model", ignore_errors=True)
    made.rename(out / "model")


def _longest(config: Config, out: Path) -> int:
    from transformers import AutoConfig

    start = out / "start" if config.model.architecture == "split-bert" else resolve(config.model.start)
    return int(AutoConfig.from_pretrained(str(start)).max_position_embeddings)


def _weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(str(folder / "model.safetensors"))  # type: ignore[no-any-return]


def _step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])
