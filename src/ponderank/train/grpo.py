"""Reinforcement learning of a reasoner: TRL's GRPO, our prompts, parsers and rewards, our own measure.

Each step draws ``samples`` rollouts of each of ``documents`` of ``queries``, as the recipe asks for them, id for id. The recipe's own
parser reads them, the reward compares them with the collection's judgements, and TRL turns rewards into advantages within each
prompt's rollouts. ``OUT`` is as in ``reasoner``: a checkpoint that the recipe loads, ``OUT/training`` with the rest; ``log.jsonl`` and
``rewards.svg`` have each step's mean reward, share of flawed and of cut-off rollouts, their length, the KL, and the dev measure
before (step 0), during and after. The best checkpoint by that measure is what comes out, the last without a dev set.

A rollout ends at the model's end-of-text token, which ``train reasoner`` teaches; one that goes on behind its verdict is read up to
it, as serving does, but its other tokens are learned from too. One that is cut off before its verdict is flawed and gets what its
reward gives those (``mask_cut`` leaves it out of the loss instead).

Source: GRPO (DeepSeekMath, arXiv 2402.03300), ``GRPOTrainer`` of TRL; rewards and presets name theirs.
Differs: whatever TRL does today: advantages are divided by the deviation over ``n - 1`` plus 0.0001 (``rewards.advantages``: over
``n``), the loss is ``dapo``'s, over all tokens of a step alike. A reward of a query is given all of its rollouts in one call: a
query's stay in one batch of one process. Several processes and vLLM (``vllm=true``) have not been run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.data.beir import Collection
from ponderank.errors import DataError
from ponderank.formats.graded import ERank, RetroStar
from ponderank.recipes import find
from ponderank.train import folder
from ponderank.train.course import Course, follow, installed, processes
from ponderank.train.grpo_config import Reinforce
from ponderank.train.learner import learner
from ponderank.train.rewards_named import Fit, fitting
from ponderank.train.rollouts import first_call
from ponderank.types import Doc, Query


def train(
    config: Reinforce,
    collection: str | Path,
    out: str | Path,
    *,
    split: str = "",
    teacher: str | Path | None = None,
    fresh: bool = False,
) -> Path:
    """Learn from rollouts about a collection's ``split`` (``train``, or the only one); returns ``out``.

    ``teacher``: a TREC run with a score of every document, for rewards that need one. Goes on from the last checkpoint in
    ``out`` unless ``fresh``.

    Raises:
        MissingExtra: the extra [train] is not installed.
        RecipeError: the recipe shows several documents or is not answered in words, or the machine has too little memory.
        DataError: an unusable collection, base or reward, or an ``out`` that something else began.
    """
    installed("reinforcement learning")
    fit = check(config, teacher=teacher is not None)
    form = find(config.recipe).format
    opened = Collection.open(collection)
    chosen = split or _split(opened)
    run = Path(teacher) if teacher is not None else None

    def write(place: Path) -> dict[str, int]:
        from ponderank.train.grpo_rows import write_groups
        from ponderank.train.reasoner_start import begin_as_it_is

        begin_as_it_is(config.learner(), place)
        return write_groups(config, form, opened, chosen, run, place)

    files = {"split": chosen, **({"teacher": manifests.file_hash(run)} if run else {})}
    course = Course(
        learner=config.learner(), about=config.to_dict(), before=True, rows=write, steps=lambda counts: counts["steps"],
        files={**files, **folder.sources(config.base, (str(collection), *config.dev))},
        arguments=lambda steps, place: _arguments(config, steps, place),
        trainer=lambda many, args, place: _trainer(config, fit, many, args, place),
    )  # fmt: skip
    return follow(course, Path(out), fresh=fresh)


def check(config: Reinforce, *, teacher: bool) -> Fit:
    """The reward, if it, the recipe and the sizes fit together.

    Raises:
        DataError, RecipeError: they do not; the message says why.
    """
    fit = fitting(config.reward, dict(config.constants), teacher=teacher)
    form = find(config.recipe).format
    first_call(form, Query("q", "query"), Doc("d", "document"))
    if fit.verdict and isinstance(form, ERank | RetroStar):
        raise DataError(
            f"the reward {config.reward} is of a verdict, and the recipe {config.recipe} answers with a grade; take erank, "
            "retro-star, or a recipe with verdicts such as rank1"
        )
    config.accumulation(processes())
    if config.save_every % config.updates:
        raise DataError(
            f"save_every {config.save_every} is no multiple of updates {config.updates}; a training goes on from where rollouts "
            "are drawn, change one with --set"
        )
    return fit


def _split(collection: Collection) -> str:
    splits = collection.splits
    split = "train" if "train" in splits else splits[0] if len(splits) == 1 else ""
    if not split:
        raise DataError(
            f"expected a split named train, or only one; this collection has {', '.join(splits) or 'none'}; name one with --split",
            path=collection.folder,
        )
    return split


def _arguments(config: Reinforce, steps: int, place: Path) -> Any:
    import torch
    from trl import GRPOConfig

    from ponderank.train.reasoner_start import half, on_cpus

    judged = bool(config.dev)
    batches = config.accumulation(processes())
    return GRPOConfig(
        output_dir=str(place / "checkpoints"), max_steps=steps, per_device_train_batch_size=config.batch,
        gradient_accumulation_steps=batches, steps_per_generation=batches * config.updates, num_generations=config.samples,
        per_device_eval_batch_size=config.samples, temperature=config.temperature, max_completion_length=config.tokens,
        beta=config.kl, epsilon=config.clip, loss_type=config.loss, mask_truncated_completions=config.mask_cut,
        shuffle_dataset=False, learning_rate=config.learning_rate, lr_scheduler_type="constant_with_warmup",
        warmup_steps=math.ceil(config.warmup * steps), weight_decay=0.0, seed=config.seed, data_seed=config.seed, bf16=half(),
        fp16=False, use_cpu=on_cpus(), gradient_checkpointing=torch.cuda.is_available(), use_vllm=config.vllm,
        vllm_mode="colocate", save_steps=config.save_every, save_total_limit=2, eval_strategy="steps" if judged else "no",
        eval_steps=config.save_every, logging_steps=1, metric_for_best_model="eval_measure" if judged else None,
        greater_is_better=True if judged else None, report_to="none", disable_tqdm=not sys.stderr.isatty(), dataloader_pin_memory=False,
        ddp_timeout=4 * 7 * 24 * 3600,
    )  # fmt: skip


def _trainer(config: Reinforce, fit: Fit, many: Any, args: Any, place: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    from ponderank.backends.prompts import PromptTokenizer
    from ponderank.train.grpo_trainer import FromIds, JudgedFromIds, reward_function
    from ponderank.train.reasoner_start import end_id
    from ponderank.train.reasoner_watch import Written, watching

    shared = config.learner()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(place / "tokenizer"))
    if tokenizer.eos_token is None:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end_id(shared, place))
    model = learner(shared, place)
    more = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(more if isinstance(more, list) else [] if more is None else [more])}
    function = reward_function(config, fit, find(config.recipe).format, PromptTokenizer(place / "tokenizer"), ends)
    rest: Mapping[str, Any] = {
        "model": model, "args": args, "train_dataset": many, "processing_class": tokenizer, "reward_funcs": function,
    }  # fmt: skip
    if not config.dev:
        return FromIds(**rest, callbacks=[Written(place)])
    return JudgedFromIds(**watching(shared, place, many), **rest)
