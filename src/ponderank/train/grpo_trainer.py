"""TRL's GRPO trainer on prompts that are ids already, and a reward of ours as the function that it calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from trl import GRPOTrainer

from ponderank.backends.prompts import PromptTokenizer
from ponderank.contracts import Format
from ponderank.train.grpo_config import Reinforce
from ponderank.train.grpo_rows import pair_of
from ponderank.train.reasoner_watch import Judged
from ponderank.train.rewards_named import Fit, Said, rewarded
from ponderank.train.rollouts import read

_COLUMNS = (
    "query_id",
    "query",
    "instruction",
    "doc_id",
    "title",
    "text",
    "opening",
    "grade",
    "teacher",
    "group",
    "place",
)


class FromIds(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer whose column ``prompt`` holds ids: a document's special tokens are plain text, as in serving.

    TRL would tokenise prompts as one text each, in which a document could say ``<think>`` or end its turn.
    """

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [list(ids) for ids in prompts], None, {}


class JudgedFromIds(Judged, FromIds):
    """The same, judged by the reranker itself."""


def reward_function(
    config: Reinforce, fit: Fit, form: Format, tokenizer: PromptTokenizer, ends: Collection[int]
) -> Callable[..., list[float]]:
    """The function that TRL calls with a batch of rollouts; it logs the share of flawed ones as ``flaws``.

    Only the rollouts' ids are read: TRL's own text has lost what is special. ``ends``: ids that end a text.
    """
    constants = dict(config.constants)

    def reward(
        *,
        completion_ids: Sequence[Sequence[int]],
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float]:
        said = []
        for at, ids in enumerate(completion_ids):
            row = {name: columns[name][at] for name in _COLUMNS}
            ended = bool(ids) and ids[-1] in ends
            text = tokenizer.decode(ids[:-1] if ended else ids)
            rollout = read(form, *pair_of(row), row["opening"], text, ended=ended)
            said.append(Said(row["group"], row["place"], rollout, row["grade"], row["teacher"]))
        if log_metric is not None:
            log_metric("flaws", sum(one.rollout.judgement.flaw is not None for one in said) / max(len(said), 1))
        return rewarded(fit, constants, said, documents=config.documents, samples=config.samples)

    reward.__name__ = config.reward
    return reward
