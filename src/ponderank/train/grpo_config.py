"""The settings of reinforcement learning, and a preset for each published system whose sizes are known."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ponderank.errors import DataError
from ponderank.recipe import nearest
from ponderank.train.reasoner_config import Reasoner, changed


@dataclass(frozen=True, slots=True)
class Reinforce:
    """Everything that decides what comes out, beside the collection.

    Args:
        base: the supervised model that learning begins with: a checkpoint's folder, or its name on the Hugging Face Hub.
        recipe: how it is asked and read; one document at a time.
        reward: a name of ``train.rewards_named.FITS``; ``constants`` are the values its paper does not give, or others.
        full: learn all weights; otherwise LoRA of ``rank`` and ``alpha`` on all linear modules.
        learning_rate: at its highest; constant behind a warm-up of ``warmup`` of all steps.
        kl: what the distance from the base costs (TRL's beta); 0 needs no reference and measures none.
        clip: the largest change of a token's probability ratio that still counts (epsilon).
        loss: TRL's ``loss_type``.
        samples: rollouts of one prompt (G), from which its advantages are reckoned; drawn at ``temperature``.
        queries: queries of which rollouts are drawn at once, ``documents`` of each, ``relevant`` of those relevant at most.
        updates: optimiser steps made of those rollouts; the steps that are counted, saved and logged.
        batch: rollouts a process reads at once.
        epochs: how often the queries are seen; ``steps`` > 0 replaces it.
        prompt_tokens: longer prompts lose their document's end; ``tokens``: the longest rollout.
        mask_cut: rollouts that were cut off are left out of the loss; otherwise they learn from their reward, as others do.
        vllm: draw rollouts with vLLM, in this process, where it is installed.
        save_every, patience, dev, dev_queries, dev_depth, dev_tokens: as ``Reasoner`` has them.

    >>> one = PRESETS["retro-star"]
    >>> one.rollouts, one.accumulation(processes=8)
    (2048, 64)
    """

    base: str = ""
    recipe: str = "rank1"
    reward: str = "exact-match"
    constants: tuple[tuple[str, Any], ...] = ()
    full: bool = False
    rank: int = 32
    alpha: int = 64
    learning_rate: float = 1e-6
    warmup: float = 0.0
    kl: float = 0.0
    clip: float = 0.2
    loss: str = "dapo"
    samples: int = 8
    temperature: float = 1.0
    queries: int = 16
    documents: int = 4
    relevant: int = 1
    updates: int = 1
    batch: int = 4
    epochs: float = 1.0
    steps: int = 0
    prompt_tokens: int = 1024
    tokens: int = 1024
    mask_cut: bool = False
    vllm: bool = False
    seed: int = 0
    save_every: int = 50
    patience: int = 10
    dev: tuple[str, ...] = ()
    dev_queries: int = 50
    dev_depth: int = 20
    dev_tokens: int = 1024
    threads: int = 0

    def __post_init__(self) -> None:
        counts = ("rank", "alpha", "queries", "documents", "updates", "batch", "prompt_tokens", "tokens", "save_every")
        for name in (*counts, "patience", "dev_queries", "dev_depth", "dev_tokens"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}; give 1 or more")
        if self.samples < 2:
            raise DataError(f"samples is {self.samples}; advantages compare rollouts of one prompt, give 2 or more")
        if not 0 < self.relevant <= self.documents:
            raise DataError(
                f"relevant is {self.relevant} of {self.documents} documents; give 1 or more, no more than those"
            )
        if self.learning_rate <= 0 or self.temperature <= 0 or self.epochs <= 0 or self.steps < 0 or self.kl < 0:
            raise DataError(
                f"learning_rate {self.learning_rate}, temperature {self.temperature}, epochs {self.epochs}, steps {self.steps}, "
                f"kl {self.kl}: need the first three above 0 and none negative"
            )
        if not 0 <= self.warmup <= 1:
            raise DataError(f"warmup is {self.warmup}; give a share of the steps, 0 to 1")

    @property
    def rollouts(self) -> int:
        """Rollouts that are drawn at once, over all processes."""
        return self.queries * self.documents * self.samples

    def accumulation(self, processes: int) -> int:
        """Batches that a process adds up to one step.

        Raises:
            DataError: the rollouts cannot be divided among updates, processes and batches, or a query's would be torn apart.
        """
        if self.queries % processes:
            raise DataError(
                f"queries {self.queries} is no multiple of {processes} processes; the rollouts of a query stay together"
            )
        together = self.updates * self.batch * processes
        if self.rollouts % together:
            raise DataError(
                f"{self.rollouts} rollouts ({self.queries} queries x {self.documents} documents x {self.samples} samples) are no "
                f"multiple of {self.updates} updates x batch {self.batch} x {processes} processes; change one with --set"
            )
        return self.rollouts // together

    def learner(self) -> Reasoner:
        """The part of the settings that all trainings of reasoners share."""
        names = (
            "full",
            "rank",
            "alpha",
            "learning_rate",
            "warmup",
            "batch",
            "seed",
            "save_every",
            "patience",
            "threads",
        )
        shared = {name: getattr(self, name) for name in (*names, "dev", "dev_queries", "dev_depth", "dev_tokens")}
        return Reasoner(self.base, dev_recipe=self.recipe, cutoff=self.prompt_tokens + self.tokens, **shared)

    def to_dict(self) -> dict[str, Any]:
        """Every setting, defaults included."""
        return dataclasses.asdict(self)


PRESETS: Mapping[str, Reinforce] = {
    "rank-r1": Reinforce(reward="exact-match", rank=16, alpha=32, learning_rate=1e-5, samples=8, queries=4, documents=20,
                         relevant=1, batch=16, prompt_tokens=4096, tokens=2048),
    "retro-star": Reinforce(recipe="retro-star-7b", reward="retro-star", full=True, learning_rate=1e-6, kl=0.005, samples=8,
                            queries=128, documents=2, relevant=1),
    "erank": Reinforce(recipe="erank-4b", reward="erank", full=True, learning_rate=1e-6, kl=0.001, clip=0.2, samples=5,
                       queries=64, documents=20, updates=4, epochs=10.0),
    "tfrank": Reinforce(recipe="tfrank", reward="tfrank-pointwise", full=True, learning_rate=1e-6, samples=4, temperature=0.9,
                        queries=16, documents=4, relevant=1, tokens=4096),
    "laptop": Reinforce(learning_rate=2e-5, rank=16, alpha=32, samples=4, queries=4, documents=4, relevant=2, batch=4,
                        tokens=512, kl=0.001, save_every=10, dev_queries=20, dev_depth=10, dev_tokens=384),
}  # fmt: skip
"""What was published, and what is ours.

``rank-r1`` (arXiv 2503.06034, its v0.1 script): LoRA 16/32, 1e-5, G 8, prompts of 4,096 and rollouts of 2,048 tokens, one relevant
document and 19 others, 16 rollouts a GPU. Ours: each document by itself and not as a set, hence the reward; no LoRA dropout (.05
there); 4 queries; no KL (there TRL's default of the day, which could not be seen; today's is 0).
``retro-star`` (2509.24869, section 4): all weights, 1e-6, G 8, 256 prompts a step in one update, KL .005, T 1, one relevant and one
irrelevant document of a query, alpha .75 and threshold 20, one epoch. Ours: lengths; a rollout without a score has no published
worth, say ``--constant unread=…``.
``erank`` (2509.00520, section 4): all weights, 1e-6, G 5, 64 queries x 20 documents, 4 updates of a quarter each, KL .001, epsilon .2,
1,024 + 1,024 tokens, ten epochs. Ours: at most one relevant document of the 20; the reward's constants have to be given.
``tfrank`` (2508.09539, its script): all weights, 1e-6, G 4, T .9, 4,096 tokens, one epoch, 256 rollouts a step (4 x 8 on 8 GPUs).
Ours: 16 queries x 4 documents of them; no KL (there ms-swift's default).
``laptop`` is all ours. Everywhere: TRL's loss of today (``dapo``) and its advantages; there, GRPO as the libraries of the day had it."""


def preset(name: str, settings: Sequence[str] = (), constants: Sequence[str] = (), **replaced: Any) -> Reinforce:
    """A preset with ``KEY=VALUE`` settings, constants of the reward and other values replaced.

    Raises:
        DataError: an unknown preset or key, or a value that is not of its key's kind.

    >>> preset("laptop", ["samples=8"], ["unread=-1"]).constants
    (('unread', -1),)
    """
    if name not in PRESETS:
        raise DataError(f"no preset is named {name!r}; {nearest(name, PRESETS)}")
    if constants:
        replaced["constants"] = tuple(map(_constant, constants))
    return changed(PRESETS[name], settings, **replaced)


def _constant(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise DataError(f"--constant {text!r}: expected KEY=VALUE, such as unread=-1")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
