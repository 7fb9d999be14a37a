"""What it takes to run a recipe's model: its size, and the engines that can."""

from __future__ import annotations

from dataclasses import dataclass

EVERY = ("transformers", "vllm", "llamacpp", "http")
HERE = ("transformers",)
SERVED = ("vllm", "http")

_FOUR_BIT = 4.25
"""Bits a weight at four bits: the weight, and a 16-bit scale and a zero point that each group of 128 shares, rounded up."""


@dataclass(frozen=True, slots=True)
class Needs:
    """A model's size and engines.

    Args:
        parameters: billions, as its authors state them.
        engines: the kinds of engine that give all its recipe asks for: ``transformers`` (in this process), ``vllm``,
            ``llamacpp``, ``http`` (a server).
        context_kb: kibibytes of keys and values a token at 16 bits: 2 (keys, values) x layers x key-value heads x head size
            x 2 bytes / 1024; 0 for models that keep none.
        bits: of a weight in the published checkpoint.

    Memory is estimated, not measured: ``weights + sequences x tokens x context_kb``, with a tenth more for activations and
    the engine itself.

    >>> Needs(7.6, EVERY, context_kb=56).memory_gb(tokens=4096, sequences=16)
    20.9
    """

    parameters: float
    engines: tuple[str, ...]
    context_kb: float = 0.0
    bits: int = 16

    def weights_gb(self, bits: int | None = None) -> float:
        """Gigabytes (10^9 bytes) of the weights at ``bits`` a weight, by default as published.

        >>> Needs(32.8, EVERY).weights_gb(), Needs(32.8, EVERY).weights_gb(4)
        (65.6, 17.4)
        """
        width = self.bits if bits is None else bits
        return round(self.parameters * (_FOUR_BIT if width == 4 else width) / 8, 1)

    def memory_gb(self, tokens: int = 4096, sequences: int = 1, bits: int | None = None) -> float:
        """Gigabytes to run it on ``sequences`` texts of ``tokens`` at once: an estimate, see above."""
        kept = sequences * tokens * self.context_kb * 1024 / 1e9
        return round(1.1 * (self.weights_gb(bits) + kept), 1)

    def __str__(self) -> str:
        four = f", {self.weights_gb(4):g} GB at 4 bits" if self.bits > 4 else ""
        size = f"{self.parameters:g}B parameters, {self.weights_gb():g} GB at {self.bits} bits{four}"
        return f"{size}; engines: {', '.join(self.engines)}"
