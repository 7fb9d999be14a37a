"""Which queries, with which of their negatives, a step of training learns from: curricula as a sampler.

A step's draw is a function of the step, the seed and the groups, so that a training that was killed goes on with what it
would have drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ponderank.train.columns import columns, rows, usable
from ponderank.train.config import Config
from ponderank.train.curriculum import draw_negatives, pair_easiness, temperature, weight
from ponderank.train.pairs import Group


@dataclass(frozen=True, slots=True)
class Draws:
    """Batches of ``config.training.batch_queries`` groups for each step; ``groups`` have ``first_stage`` scores.

    Groups are drawn in proportion to their curriculum weights, none twice in a batch unless there are too few. A group's
    easiness is that of its positive and the hardest of all its negatives. With a ``pool``, the drawn groups keep
    ``negatives.per_query`` negatives each, drawn at the step's temperature.

    Source: training curricula (arXiv 2004.14269), the weight ``W`` of OpenNIR's trainers; annealed negatives of CoRNStack
    (arXiv 2412.01007).
    Differs: the published curriculum draws evenly and multiplies the loss by ``W``; here ``W`` decides what is drawn, which
    is the expected gradient of per-sample weights divided by the mean of ``W`` (but for no group standing twice in a
    batch): every loss can be used as it is, and early steps are not smaller ones. Batches are drawn independently, where
    epochs show every query once. CoRNStack's similarities are an embedding model's cosines, here first-stage scores in
    [0, 1], and only what is judged relevant is kept out beforehand.
    """

    groups: Sequence[Group]
    config: Config
    easiness: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = [easiness(group) for group in self.groups] if self.config.curriculum.kind != "none" else []
        object.__setattr__(self, "easiness", np.array(found))

    def __call__(self, step: int) -> list[Group]:
        """The groups of a step, counted from 0."""
        spec, count = self.config.training, self.config.training.batch_queries
        weights = self.weights(step)
        rng = np.random.default_rng([spec.seed, step])
        found = rng.choice(len(weights), count, replace=count > len(weights), p=weights / weights.sum())
        return [self._narrow(self.groups[i], step, f"{i}") for i in found]

    def weights(self, step: int) -> Any:
        """How much each group weighs at a step, ``[groups]``."""
        spec = self.config.curriculum
        if spec.kind == "none":
            return np.ones(len(self.groups))
        end = max(1, round(spec.share * self.config.training.steps)) if spec.share else 0
        found = weight(self.easiness, step, end=end, hardest_first=spec.kind == "hard-to-easy")
        return np.broadcast_to(found, len(self.groups))

    def _narrow(self, group: Group, step: int, key: str) -> Group:
        spec = self.config.curriculum
        if not spec.pool:
            return group
        start, end = spec.temperatures
        heat = temperature(step, steps=self.config.training.steps, start=start, end=end)
        drawn = draw_negatives(
            group.first_stage[1:], self.config.negatives.per_query, temperature=heat, step=step,
            seed=self.config.training.seed, key=key,
        )  # fmt: skip
        kept = (0, *(i + 1 for i in drawn))
        of_docs = {name: getattr(group, name) for name in ("docs", "labels", "bm25", "teacher", "first_stage")}
        narrowed: dict[str, Any] = {name: tuple(values[i] for i in kept) for name, values in of_docs.items() if values}
        return replace(group, **narrowed)


def easiness(group: Group) -> float:
    """How easy a group is, in [0, 1], by its first-stage scores.

    >>> easiness(Group("", "q", ("a", "b"), (1.0, 0.0), (3.0, 2.0), first_stage=(1.0, 0.5)))
    0.75
    """
    return pair_easiness(group.first_stage[0], group.first_stage[1:])


@dataclass(frozen=True, slots=True)
class DrawnRows:
    """The loss's rows by their place in the training: ``size`` a step, made when they are asked for."""

    draws: Draws
    size: int

    def __call__(self, asked: dict[str, list[int]]) -> dict[str, list[Any]]:
        """``{"place": [...]}`` as the columns that the loss reads."""
        config, places = self.draws.config, asked["place"]
        steps = {
            step: [row for group in self.draws(step) for row in rows(group, config)]
            for step in {place // self.size for place in places}
        }
        return columns([steps[place // self.size][place % self.size] for place in places])


def drawn_dataset(groups: Sequence[Group], config: Config) -> tuple[Any, int]:
    """All rows of all steps in the order of the steps, and how many rows make a step."""
    from datasets import Dataset

    draws = Draws(usable(groups, config), config)
    size = sum(len(rows(group, config)) for group in draws(0))
    places = Dataset.from_dict({"place": range(config.training.steps * size)})
    return places.with_transform(DrawnRows(draws, size)), size


def in_order(dataset: Any, **options: Any) -> Any:
    """A batch sampler that takes the rows as they come, for sentence-transformers' trainer."""
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from torch.utils.data import SequentialSampler

    return DefaultBatchSampler(SequentialSampler(dataset), **options)
