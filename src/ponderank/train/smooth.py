"""Smoothing before int8: activations' outliers move into the weights, where each has a scale of its own.

Dynamic int8 has one scale for all activations of a product, and a few channels of BERT's are ten times the others.
Each input channel is divided by ``s`` and its row of weights multiplied by it: exact in fp32, kinder to eight bits.

Source: SmoothQuant (arXiv 2211.10438), ``s = max|x|^alpha / max|w|^(1 - alpha)``. Weights are scaled per channel here, so
activations are what hurts, and a larger alpha than the paper's 0.5 is better (LOG.md).
Differs: division stays a step of its own instead of moving into the norm before it, which here also feeds the residual.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Smoothed(nn.Module):  # type: ignore[misc]
    """A linear layer whose input is divided by ``scale`` ``[in]`` first; same output."""

    def __init__(self, linear: nn.Linear, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("shrink", 1.0 / scale)
        self.weight = nn.Parameter(linear.weight.detach() * scale)
        self.bias = linear.bias

    def forward(self, states: Tensor) -> Tensor:
        """``[…, in]`` → ``[…, out]``."""
        return nn.functional.linear(states * self.shrink, self.weight, self.bias)


def smooth(model: nn.Module, batches: Sequence[dict[str, Tensor]], *, alpha: float = 0.8) -> None:
    """Replace in place every linear layer of ``model`` that ``batches`` reach and that has several outputs.

    Layers that read the same tensor (query, key, value) get the same scale, so that one division serves them all.
    """
    seen: dict[nn.Linear, Tensor] = {}
    readers: dict[tuple[int, int], list[nn.Linear]] = {}

    def note(module: nn.Linear, inputs: tuple[Tensor, ...]) -> None:
        (states,) = inputs
        largest = states.detach().abs().flatten(0, -2).amax(0)
        seen[module] = torch.maximum(seen[module], largest) if module in seen else largest
        kept.append(states)  # alive, so that an address names one tensor
        together = readers.setdefault((states.data_ptr(), states.shape[-1]), [])
        if module not in together:
            together.append(module)

    linears = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features > 1]
    hooks = [m.register_forward_pre_hook(note) for m in linears]
    groups: dict[frozenset[nn.Linear], None] = {}
    with torch.inference_mode():
        for batch in batches:
            kept: list[Tensor] = []
            readers.clear()
            model(**batch)
            groups |= {frozenset(group): None for group in readers.values()}
    for hook in hooks:
        hook.remove()
    scales: dict[nn.Module, Tensor] = {}
    for group in groups:
        activation = torch.stack([seen[m] for m in group]).amax(0).clamp_min(1e-5)
        weight = torch.cat([m.weight for m in group]).abs().amax(0).clamp_min(1e-5)
        scale = (activation**alpha / weight ** (1 - alpha)).detach()
        scales |= dict.fromkeys(group, scale / scale.mean())
    _replace(model, scales)


def _replace(parent: nn.Module, scales: dict[nn.Module, Tensor]) -> None:
    child: Any
    for name, child in list(parent.named_children()):
        if child in scales:
            setattr(parent, name, Smoothed(child, scales[child]))
        else:
            _replace(child, scales)
