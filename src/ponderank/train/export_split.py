"""Export a split cross-encoder (``models.split_bert``) as the graphs that ``backends.onnx_split`` runs.

Why several graphs: the layers below ``join_layer`` read one segment at a time, so a query is encoded once for all its
documents, and a shallow exit stops after the layers it needs. Every graph points into one ``weights.bin``; nothing is
stored twice.

    query.onnx         ids [1, Tq]                        → states of the query, one per exit up to join_layer
    full.onnx          query states, query, ids [1, Td]   → score [1]: all layers in one run
    exit0.onnx         query states, query, ids [1, Td]   → score [1], carry…
    exit1.onnx …       query states, query, carry…        → score [1], carry…    the last one equals full.onnx
    words.onnx         ids [1, T]                         → the sketch's states [1, T, S] and weights [1, T]

``query``, the query's ids, is there for the sketch: only models that have one take it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ponderank.models.split_bert import Exit, SplitBertForSequenceClassification


class Query(nn.Module):  # type: ignore[misc]
    """``ids [1, T]`` → the segment's states at each exit up to ``join_layer``, each ``[1, T, H]``."""

    def __init__(self, model: SplitBertForSequenceClassification) -> None:
        super().__init__()
        self.model = model
        self.local = [layer for layer in model.config.exits if layer <= model.config.join_layer]

    def forward(self, ids: Tensor) -> tuple[Tensor, ...]:
        """Run the split layers on one segment."""
        return tuple(_segment(self.model, ids, self.local))


def _segment(model: SplitBertForSequenceClassification, ids: Tensor, stops: list[int]) -> list[Tensor]:
    """States of one segment after each of the layers in ``stops``, and after ``join_layer`` last."""
    zeros = torch.zeros_like(ids)
    hidden = model.embed(ids, zeros, torch.ones_like(ids))
    states = []
    for index in range(model.config.join_layer + 1):
        if index in stops:
            states.append(hidden)
        if index < model.config.join_layer:
            hidden = _layer(model, index, hidden, None)
    return [*states, hidden] if model.config.join_layer not in stops else states


def _layer(model: SplitBertForSequenceClassification, index: int, hidden: Tensor, query_length: int | None) -> Tensor:
    """One layer without padding; two segments attend as four blocks, so nothing is computed only to be masked."""
    heads, length = model.config.num_attention_heads, hidden.shape[1]
    block = model.bert.encoder.layer[index]
    this = block.attention.self
    size = hidden.shape[-1] // heads
    # scaled here, on [T, H], and not on the larger [heads, T, T]
    query = (this.query(hidden) * size**-0.5).view(1, length, heads, size).transpose(1, 2)
    key = this.key(hidden).view(1, length, heads, size).permute(0, 2, 3, 1)
    value = this.value(hidden).view(1, length, heads, size).transpose(1, 2)

    def read(rows: slice, columns: slice) -> Tensor:
        return (query[:, :, rows] @ key[..., columns]).softmax(-1) @ value[:, :, columns]

    if query_length is None:
        context = read(slice(None), slice(None))
    else:
        left, right = slice(None, query_length), slice(query_length, None)
        gate = model.gates[index - model.config.join_layer].view(1, heads, 1, 1)
        own = [read(left, left), read(right, right)]
        if gate.any().item():  # closed gates, those of an untrained model, need nothing from across
            own = [own[0] + gate * read(left, right), own[1] + gate * read(right, left)]
        context = torch.cat(own, 2)
    context = context.transpose(1, 2).reshape(1, length, heads * size)
    out = block.attention.output
    hidden = out.LayerNorm(hidden + out.dense(context))
    wide = block.intermediate.intermediate_act_fn(block.intermediate.dense(hidden))
    return block.output.LayerNorm(hidden + block.output.dense(wide))


class Piece(nn.Module):  # type: ignore[misc]
    """The part of the model between two exits; ``start`` 0 takes document ids, later ones what the last piece carried."""

    def __init__(self, model: SplitBertForSequenceClassification, start: int, stop: int) -> None:
        super().__init__()
        self.model, self.start, self.stop = model, start, stop
        config = model.config
        self.local = [layer for layer in config.exits if layer <= config.join_layer]
        self.exits = [layer for layer in config.exits if (layer > start or start == 0) and layer <= stop]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """``query states…, [query,] ids`` (start 0) or ``query states…, [query,] hidden, total`` → ``score [1]``,
        ``hidden``, ``total``."""
        model, config = self.model, self.model.config
        states, rest = inputs[: len(self.local)], inputs[len(self.local) :]
        query_length = states[0].shape[1]
        importance = None
        if model.sketch is not None:
            importance, rest = model.importance(rest[0], torch.ones_like(rest[0], dtype=torch.float32)), rest[1:]
        if self.start == 0:
            ids = rest[-1]
            hidden = model.embed(ids, torch.zeros_like(ids), torch.ones_like(ids))
            total = self._matched(inputs[-2], ids) if model.sketch is not None else hidden.new_zeros(1)
        else:
            hidden, total = rest
        joined = self.start > config.join_layer
        product: Tensor | None = None
        for index in range(self.start, self.stop + 1):
            if index in self.exits:
                added, product = self._exit(index, states, hidden, joined, query_length, importance)
                total = total + config.scale * added
            if index == self.stop:
                break
            if index == config.join_layer:
                hidden, joined = torch.cat([states[-1], hidden], dim=1), True
            hidden = _layer(model, index, hidden, query_length if joined else None)
        assert product is not None
        return self.model.stopped(self.stop, total, product), hidden, total

    def _matched(self, query: Tensor, ids: Tensor) -> Tensor:
        """What the sketch adds to the score ``[1]``."""
        sketch, ones = self.model.sketch, [torch.ones_like(side, dtype=torch.float32) for side in (query, ids)]
        assert sketch is not None
        left, right = (sketch.read(self.model.words(x), x, one) for x, one in zip((query, ids), ones, strict=True))
        return sketch.share * sketch.matched(left, right, ones[1])

    def _exit(
        self,
        index: int,
        states: tuple[Tensor, ...],
        hidden: Tensor,
        joined: bool,
        query_length: int,
        importance: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        query = hidden[:, :query_length] if joined else states[self.local.index(index)]
        doc = hidden[:, query_length:] if joined else hidden
        part: Exit = self.model.exits[self.model.config.exits.index(index)]
        return part.segments(query, doc, importance)


def export(
    folder: str | Path, out: str | Path, prepare: Callable[[SplitBertForSequenceClassification], object] | None = None
) -> list[Path]:
    """Write the graphs in fp32, the tokenizer and ``config.json`` to ``out``; returns the graphs' paths.

    ``prepare`` may rewrite the model in place first (``train.smooth``).
    """
    model = SplitBertForSequenceClassification.from_pretrained(str(folder)).eval()
    if prepare is not None:
        prepare(model)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    config = model.config
    local = [layer for layer in config.exits if layer <= config.join_layer]
    if config.join_layer not in local:
        raise ValueError(f"join_layer {config.join_layer} must be one of the exits {list(config.exits)} to be exported")
    hidden, ids = (
        torch.zeros(1, 9, config.hidden_size),
        torch.tensor([[101, 7592, 2088, 2003, 102]]) % config.vocab_size,
    )
    names = [f"q{layer}" for layer in local]
    queries, axes = [hidden] * len(local), {name: {1: "tq"} for name in names}
    stops = [layer for layer in config.exits if layer > 0]
    paths = [_write(Query(model), (ids,), ["ids"], names, {"ids": {1: "tq"}, **axes}, out / "query.onnx")]
    full_axes = {**axes, "query": {1: "tq"}, "ids": {1: "td"}}
    whole = Scored(Piece(model, 0, config.num_hidden_layers))
    read, read_names = (
        ((ids.repeat(1, 2)[:, :9], ids), ["query", "ids"]) if model.sketch is not None else ((ids,), ["ids"])
    )
    paths.append(_write(whole, (*queries, *read), [*names, *read_names], ["score"], full_axes, out / "full.onnx"))
    if model.sketch is not None:
        words = {"ids": {1: "t"}, "states": {1: "t"}, "weights": {1: "t"}}
        paths.append(_write(Words(model), (ids,), ["ids"], ["states", "weights"], words, out / "words.onnx"))
    for number, stop in enumerate(stops):
        start = 0 if number == 0 else stops[number - 1]
        left = (torch.zeros(1, 14 if start > config.join_layer else 5, config.hidden_size), torch.zeros(1))
        carry = read if start == 0 else (*read[:-1], *left)
        inputs = [*names, *read_names] if start == 0 else [*names, *read_names[:-1], "hidden", "total"]
        dynamic = {**full_axes, "hidden": {1: "t"}, "hidden_out": {1: "u"}}
        outputs = ["score", "hidden_out", "total_out"]
        path = out / f"exit{number}.onnx"
        paths.append(_write(Piece(model, start, stop), (*queries, *carry), inputs, outputs, dynamic, path))
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        shutil.copy(Path(folder) / name, out / name)
    (out / "graphs.json").write_text(
        json.dumps(
            {
                "states": names,
                "exits": len(stops),
                "layers": stops,
                "sketch": model.sketch and {n: getattr(model.sketch, n).item() for n in ("cosine", "maxsim", "bias")},
                "vocabulary": config.vocab_size,
                "max_length": min(256, config.max_position_embeddings),
            },
            indent=1,
        )
    )
    return paths


class Scored(nn.Module):  # type: ignore[misc]
    """A piece that gives its score alone."""

    def __init__(self, piece: Piece) -> None:
        super().__init__()
        self.piece = piece

    def forward(self, *inputs: Tensor) -> Tensor:
        """The piece's score ``[1]``."""
        return self.piece(*inputs)[0]


class Words(nn.Module):  # type: ignore[misc]
    """What the sketch makes of words, ``ids [1, T]`` → states ``[1, T, S]``, weights ``[1, T]``."""

    def __init__(self, model: SplitBertForSequenceClassification) -> None:
        super().__init__()
        assert model.sketch is not None
        self.model, self.sketch = model, model.sketch

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Project and weigh each word."""
        words = self.model.words(ids)
        return self.sketch.project(words), self.sketch.weights(ids, torch.ones_like(ids, dtype=torch.float32))


def _write(
    module: nn.Module,
    args: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
    path: Path,
) -> Path:
    with torch.no_grad():
        torch.onnx.export(
            module, args, str(path), input_names=inputs, output_names=outputs, opset_version=17, dynamo=False,
            do_constant_folding=True, dynamic_axes={k: v for k, v in axes.items() if k in inputs or k in outputs},
        )  # fmt: skip
    return path
