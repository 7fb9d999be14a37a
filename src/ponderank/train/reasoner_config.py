"""The settings of a reasoner's training, and a preset for each published size."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ponderank.errors import DataError
from ponderank.recipe import nearest

Settings = TypeVar("Settings", bound=Any)
"""A frozen dataclass of settings."""


@dataclass(frozen=True, slots=True)
class Reasoner:
    """Everything that decides what comes out, beside the rows.

    Args:
        base: a checkpoint's folder, or its name on the Hugging Face Hub.
        full: learn all weights; otherwise LoRA on all linear modules, with embeddings and output layer where tokens are new.
        rank, alpha: LoRA's.
        learning_rate: at its highest; a cosine falls from there to 0, behind a warm-up of ``warmup`` of all steps.
        batch: rows a process reads at once; ``effective_batch`` rows make a step, over all processes.
        epochs: how often the rows are seen; ``steps`` > 0 replaces it.
        cutoff: the longest row, in tokens of prompt and completion; longer ones are left out and counted.
        end_token: the completion ends with the tokenizer's end-of-text token.
        save_every: steps between checkpoints, at which the ``dev`` collections are judged too.
        patience: checkpoints without a better measure before it stops.
        dev: folders in BEIR layout; ``dev_queries`` of each, ``dev_depth`` candidates of each query, judged by ``dev_recipe``
            with thoughts of ``dev_tokens`` at most.
        gradient_checkpointing: forget activations and compute them again on the way back: less memory, a third more time.
        threads: torch's, on the CPU; 0 leaves it to torch.

    >>> PRESETS["rank1-7b"].accumulation(processes=4)
    8
    """

    base: str
    full: bool = False
    rank: int = 32
    alpha: int = 64
    learning_rate: float = 1e-4
    batch: int = 4
    effective_batch: int = 128
    epochs: float = 2.0
    steps: int = 0
    warmup: float = 0.05
    cutoff: int = 2500
    end_token: bool = True
    seed: int = 12345
    save_every: int = 250
    patience: int = 3
    dev: tuple[str, ...] = ()
    dev_recipe: str = "rank1"
    dev_queries: int = 50
    dev_depth: int = 20
    dev_tokens: int = 1024
    gradient_checkpointing: bool = True
    threads: int = 0

    def __post_init__(self) -> None:
        counts = ("rank", "alpha", "batch", "effective_batch", "cutoff", "save_every", "patience")
        for name in (*counts, "dev_queries", "dev_depth", "dev_tokens"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}; give 1 or more")
        if not 0 <= self.warmup <= 1 or self.learning_rate <= 0 or self.steps < 0 or self.epochs <= 0:
            raise DataError(
                f"warmup {self.warmup}, learning_rate {self.learning_rate}, steps {self.steps}, epochs {self.epochs}: "
                "need a warmup from 0 to 1, a learning rate and epochs above 0, and no negative steps"
            )

    def accumulation(self, processes: int) -> int:
        """Batches that a process adds up to one step.

        Raises:
            DataError: ``effective_batch`` is no multiple of ``batch`` times ``processes``.
        """
        together = self.batch * processes
        if self.effective_batch % together:
            raise DataError(
                f"effective_batch {self.effective_batch} is no multiple of batch {self.batch} x {processes} processes; "
                "change one of them with --set"
            )
        return self.effective_batch // together

    def to_dict(self) -> dict[str, Any]:
        """Every setting, defaults included."""
        return dataclasses.asdict(self)


PRESETS: Mapping[str, Reasoner] = {
    "rank1-0.5b": Reasoner("Qwen/Qwen2.5-0.5B"),
    "rank1-1.5b": Reasoner("Qwen/Qwen2.5-1.5B"),
    "rank1-3b": Reasoner("Qwen/Qwen2.5-3B"),
    "rank1-7b": Reasoner("Qwen/Qwen2.5-7B"),
    "rank1-14b": Reasoner("Qwen/Qwen2.5-14B", batch=2),
    "rank1-32b": Reasoner("Qwen/Qwen2.5-32B", batch=1),
    "rank1-llama3-8b": Reasoner("meta-llama/Meta-Llama-3-8B"),
    "rank1-mistral-24b": Reasoner("mistralai/Mistral-Small-24B-Base-2501", batch=2),
    "laptop": Reasoner("Qwen/Qwen2.5-0.5B", batch=1, effective_batch=16, cutoff=1024, save_every=50, dev_queries=20,
                       dev_depth=10, dev_tokens=384),
}  # fmt: skip
"""Source: Rank1 (arXiv 2502.18418), ``train_configs/*.yaml`` of its repository, run there with LLaMA-Factory: LoRA 32/64 on all linear
modules, 1e-4, two epochs, cosine, warm-up .05, cutoff 2500, seed 12345, a checkpoint each 250 steps; 4 x 8 rows a GPU (7B, Llama 3),
2 x 16 (14B, 24B), 1 x 32 (32B).
Differs: a step has 128 rows over however many processes there are; the files say 32 a GPU and not how many GPUs. There are no files for
0.5B to 3B; these take the 7B's. ``laptop`` is Ponderank's own: fewer rows a step, shorter rows."""


def preset(name: str, settings: Sequence[str] = (), **replaced: Any) -> Reasoner:
    """A preset with ``KEY=VALUE`` settings and other values replaced.

    Raises:
        DataError: an unknown preset or key, or a value that is not of its key's kind.

    >>> preset("laptop", ["learning_rate=2e-4"]).learning_rate
    0.0002
    """
    if name not in PRESETS:
        raise DataError(f"no preset is named {name!r}; {nearest(name, PRESETS)}")
    return changed(PRESETS[name], settings, **replaced)


def changed(config: Settings, settings: Sequence[str] = (), **replaced: Any) -> Settings:
    """A training's settings with those of ``KEY=VALUE`` that are text, numbers or truth values, and other values, replaced.

    Raises:
        DataError: an unknown key, or a value that is not of its key's kind.

    >>> changed(PRESETS["laptop"], ["rank=8"], full=True).rank
    8
    """
    kinds = typing.get_type_hints(type(config))
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or kinds.get(key) not in (bool, int, float, str):
            raise DataError(f"--set {setting!r}: expected KEY=VALUE; {nearest(key, kinds)}")
        replaced[key] = _value(kinds[key], value, setting)
    return dataclasses.replace(config, **replaced)


def _value(kind: type, text: str, setting: str) -> Any:
    if kind is bool:
        if text not in ("true", "false"):
            raise DataError(f"--set {setting!r}: expected true or false")
        return text == "true"
    try:
        return kind(text)
    except ValueError as error:
        raise DataError(f"--set {setting!r}: expected {'a whole number' if kind is int else 'a number'}") from error
