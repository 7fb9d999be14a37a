"""The settings of preference learning, and its presets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ponderank.errors import DataError
from ponderank.recipe import nearest
from ponderank.train.reasoner_config import Reasoner, changed

LOSSES: Mapping[str, str] = {
    "dpo": "sigmoid", "ipo": "ipo", "hinge": "hinge", "robust": "robust", "sppo": "sppo_hard", "apo-zero": "apo_zero", "irpo": "",
}  # fmt: skip
"""Losses by name: of pairs as TRL calls them; ``irpo`` is ours, of lists (``losses_text.irpo``)."""


@dataclass(frozen=True, slots=True)
class Preference:
    """Everything that decides what comes out, beside the rows.

    Args:
        base: the supervised model that learning begins with, and is compared with: a folder, or its name on the Hub.
        loss: a name of ``LOSSES``; ``beta`` is its strength.
        sft: the weight of the chosen completion's own loss beside it (mean over its tokens); losses of pairs only.
        smoothing: the share of pairs taken to be the wrong way round; ``dpo`` has none in TRL, ``robust`` has.
        recipe: that checkpoints are judged by.
        full, rank, alpha, learning_rate, warmup, batch, effective_batch, epochs, steps, cutoff, end_token, seed, save_every,
            patience, dev, dev_queries, dev_depth, dev_tokens, threads: as ``Reasoner`` has them; a row's longest completion
            counts for the cutoff.

    >>> preset("dpo").beta
    0.1
    """

    base: str = ""
    loss: str = "dpo"
    beta: float = 0.1
    sft: float = 0.0
    smoothing: float = 0.0
    recipe: str = "rank1"
    full: bool = False
    rank: int = 32
    alpha: int = 64
    learning_rate: float = 1e-6
    warmup: float = 0.0
    batch: int = 2
    effective_batch: int = 64
    epochs: float = 1.0
    steps: int = 0
    cutoff: int = 2500
    end_token: bool = True
    seed: int = 0
    save_every: int = 50
    patience: int = 10
    dev: tuple[str, ...] = ()
    dev_queries: int = 50
    dev_depth: int = 20
    dev_tokens: int = 1024
    threads: int = 0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise DataError(f"no loss is named {self.loss!r}; {nearest(self.loss, LOSSES)}")
        if self.beta <= 0 or self.sft < 0 or not 0 <= self.smoothing < 0.5:
            raise DataError(
                f"beta {self.beta}, sft {self.sft}, smoothing {self.smoothing}: need one above 0, none negative, a smoothing below .5"
            )
        if self.sft and self.loss == "irpo":
            raise DataError("sft is of pairs, and irpo is a loss of lists; set sft=0, or take another loss")
        if self.smoothing and self.loss != "robust":
            raise DataError(f"the loss {self.loss} has no smoothing; take robust, or set smoothing=0")
        self.learner()

    def learner(self) -> Reasoner:
        """The part of the settings that all trainings of reasoners share.

        Raises:
            DataError: one of them is out of its range.
        """
        own = {"loss", "beta", "sft", "smoothing", "recipe"}
        shared = {name: value for name, value in self.to_dict().items() if name not in own}
        return Reasoner(dev_recipe=self.recipe, **shared)

    def to_dict(self) -> dict[str, Any]:
        """Every setting, defaults included."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


PRESETS: Mapping[str, Preference] = {
    "dpo": Preference(),
    "irpo": Preference(loss="irpo", beta=1.0, learning_rate=1e-5, batch=32, effective_batch=256, epochs=3.0, cutoff=2048),
    "laptop": Preference(learning_rate=2e-5, rank=16, alpha=32, batch=2, effective_batch=16, cutoff=1024, save_every=10,
                         dev_queries=20, dev_depth=10, dev_tokens=384),
}  # fmt: skip
"""``dpo``: TRL's defaults for beta and the rate; the rest is ours. ``irpo`` (arXiv 2504.15477, its README and scripts): beta 1, 1e-5,
32 x 8 rows a step, three epochs, 2,048 tokens. Ours there: AdamW (RMSprop there), no warm-up (150 steps there), LoRA, the mean over
rows (their sum there). ``laptop`` is all ours. RaCT's RPO (arXiv 2412.14405) is missing: its equation could not be read."""


def preset(name: str, settings: Sequence[str] = (), **replaced: Any) -> Preference:
    """A preset with ``KEY=VALUE`` settings and other values replaced.

    Raises:
        DataError: an unknown preset or key, or a value that is not of its key's kind.

    >>> preset("laptop", ["beta=0.3"], loss="ipo").loss
    'ipo'
    """
    if name not in PRESETS:
        raise DataError(f"no preset is named {name!r}; {nearest(name, PRESETS)}")
    return changed(PRESETS[name], settings, **replaced)
