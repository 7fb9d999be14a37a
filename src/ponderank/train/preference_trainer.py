"""TRL's DPO trainer on rows that are ids already, and one for lists of completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trl import DPOTrainer
from trl.trainer.utils import use_adapter

from ponderank.train.losses_text import irpo
from ponderank.train.reasoner_watch import Judged


class FromIds(DPOTrainer):  # type: ignore[misc]
    """TRL's trainer whose rows are ids (``prompt_ids``, ``chosen_ids``, ``rejected_ids``): documents stay plain text."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


class Lists(FromIds):
    """The same for lists of graded completions (``prompt_ids``, ``answers``, ``grades``): IRPO in place of TRL's losses."""

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["prompt_ids", "answers", "grades"]

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: Any) -> Any:
        import torch

        shape, order = inputs["grades"].shape, inputs["order"]

        def spread(sums: Any) -> Any:
            return sums.new_zeros(shape).masked_scatter(inputs["mask"], sums)

        logps = spread(_sums(model, inputs))
        with torch.no_grad():
            if self.ref_model is not None:
                reference = spread(_sums(self.ref_model, inputs))
            else:
                with use_adapter(self.accelerator.unwrap_model(self.model), adapter_name=None):
                    reference = spread(_sums(self.model, inputs))
        better = (logps - reference).detach().masked_fill(~inputs["mask"], float("-inf")).argmax(-1)
        right = inputs["grades"].gather(1, better[:, None]) == inputs["grades"].max(-1, keepdim=True).values
        self._metrics["train"]["rewards/accuracies"].append(right.float().mean().item())
        loss = irpo(logps, reference, inputs["grades"], inputs["mask"], beta=self.beta, ranks=order)
        return (loss, None) if return_outputs else loss


def _sums(model: Any, inputs: dict[str, Any]) -> Any:
    """Summed log-probability of each completion ``[R]``."""
    labels = inputs["input_ids"].masked_fill(~inputs["said"], -100)
    out = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        labels=labels,
        use_cache=False,
        fused_lm_head=True,
    )
    return out.log_probs[:, -(labels.shape[1] - 1) :].sum(-1)


def gathered(pad: int) -> Any:
    """Rows of lists to tensors: all completions ``[R, T]`` with their masks; ``grades``, ``mask``, ``order`` ``[Q, N]``."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def padded(rows: Sequence[Sequence[Any]], value: Any, kind: Any) -> Any:
        return pad_sequence([torch.tensor(row, dtype=kind) for row in rows], batch_first=True, padding_value=value)

    def collate(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        whole = [(row["prompt_ids"], answer) for row in rows for answer in row["answers"]]
        ids = padded([[*prompt, *answer] for prompt, answer in whole], pad, torch.long)
        grades = [row["grades"] for row in rows]
        return {
            "input_ids": ids,
            "attention_mask": padded([[1] * (len(prompt) + len(answer)) for prompt, answer in whole], 0, torch.long),
            "said": padded(
                [[False] * len(prompt) + [True] * len(answer) for prompt, answer in whole], False, torch.bool
            ),
            "grades": padded(grades, 0.0, torch.float32),
            "mask": padded([[True] * len(row) for row in grades], False, torch.bool),
            "order": padded([range(1, len(row) + 1) for row in grades], 1, torch.long),
        }

    return collate


class JudgedFromIds(Judged, FromIds):
    """Pairs, judged by the reranker itself."""


class JudgedLists(Judged, Lists):
    """Lists, judged by the reranker itself."""
