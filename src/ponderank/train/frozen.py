"""The states that frozen layers give, computed once for each text and kept.

A split cross-encoder's lower layers read the query and the document apart. Frozen, they say the same of a passage each
time it is met, and training meets a passage a dozen times: keeping what they said leaves only the joint layers to run.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ponderank.models.split_bert import SplitBertForSequenceClassification


class FrozenStates:
    """States ``[B, T, H]`` at ``join_layer`` of pairs ``[CLS] q [SEP] [CLS] d [SEP]``; one copy of each text in memory.

    Kept in half precision, without dropout: 768 bytes a token for 384 dimensions, about 80 kB for an 80-word passage.
    """

    def __init__(self, model: SplitBertForSequenceClassification) -> None:
        self.model = model
        self._kept: dict[bytes, Tensor] = {}

    def __call__(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """All three ``[B, T]``, padded on the right; padding gets zeros."""
        lengths = attention_mask.sum(1).tolist()
        cuts = ((1 - token_type_ids) * attention_mask).sum(1).tolist()
        rows = input_ids.to("cpu", torch.int32)
        segments = [[row[:cut], row[cut:length]] for row, cut, length in zip(rows, cuts, lengths, strict=True)]
        names = [[part.numpy().tobytes() for part in pair] for pair in segments]
        missing = {n: p for pair, parts in zip(names, segments, strict=True) for n, p in zip(pair, parts, strict=True)}
        self._compute([(n, p) for n, p in missing.items() if n not in self._kept], input_ids.device)
        out = torch.zeros(*input_ids.shape, self.model.config.hidden_size, dtype=torch.float16)
        for row, pair, length in zip(out, names, lengths, strict=True):
            row[:length] = torch.cat([self._kept[name] for name in pair])
        return out.to(input_ids.device, torch.float32)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _compute(self, todo: list[tuple[bytes, Tensor]], device: Any, batch: int = 16) -> None:
        was, todo = self.model.training, sorted(todo, key=lambda item: len(item[1]))
        self.model.eval()
        for start in range(0, len(todo), batch):
            part = todo[start : start + batch]
            width = len(part[-1][1])
            ids = torch.stack([torch.nn.functional.pad(p.long(), (0, width - len(p))) for _, p in part]).to(device)
            valid = torch.tensor([[i < len(p) for i in range(width)] for _, p in part], device=device)
            zeros = torch.zeros_like(ids)
            hidden = self.model.embed(ids, zeros, valid.long())
            own = ((valid.to(hidden.dtype) - 1.0) * 1e4)[:, None, None, :]
            for index in range(self.model.config.join_layer):
                hidden = self.model.layer(index, hidden, own, None)
            for (name, ids_of_one), states in zip(part, hidden, strict=True):
                self._kept[name] = states[: len(ids_of_one)].to("cpu", torch.float16, copy=True)
        self.model.train(was)
