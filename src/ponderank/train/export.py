"""ONNX out of a trained cross-encoder, in fp32 and int8, with a report of how close they are to torch."""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ponderank.errors import DataError
from ponderank.train.config import Config
from ponderank.train.pairs import Group, read_groups
from ponderank.types import Classify

_COPIED = ("tokenizer.json", "tokenizer_config.json", "config.json", "special_tokens_map.json")

_HEADS_AT_ONCE = 3
"""Attention weights of a few heads fit a core's cache where those of all do not, and need a fraction of the memory."""


class FirstRow(nn.Module):  # type: ignore[misc]
    """A BERT classifier whose last layer computes the ``[CLS]`` row only: exact, a sixth fewer operations in six layers.

    Nothing but that row reaches the head, so its query, feed-forward and norms are all that is needed of the last layer.
    Its keys and values are not computed either: ``q (h K)' = (q K') h'`` and ``w (h V) = (w h) V``, and for one row the
    right-hand sides cost a product of a head with the tokens instead of one of the whole layer. A key's bias adds the same
    to every token, which softmax takes away; a value's bias is left as it is, for the weights add up to 1.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Ids, mask and types ``[B, T]`` → logits ``[B, labels]``."""
        bert = self.model.bert
        hidden = bert.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        mask = (1.0 - attention_mask[:, None, None, :].to(hidden.dtype)) * torch.finfo(hidden.dtype).min
        *layers, last = bert.encoder.layer
        for layer in layers:
            hidden = self._finish(layer, self._context(layer.attention.self, hidden, mask), hidden)
        first = self._finish(last, self._first_context(last.attention.self, hidden, mask), hidden[:, :1])
        return self.model.classifier(bert.pooler(first))

    def _context(self, attention: Any, hidden: Tensor, mask: Tensor) -> Tensor:
        heads, size = attention.num_attention_heads, attention.attention_head_size

        def split(values: Tensor) -> Tensor:
            return values.view(values.shape[0], values.shape[1], heads, size).transpose(1, 2)

        query, key, value = split(attention.query(hidden)), split(attention.key(hidden)), split(attention.value(hidden))
        parts = [
            (q @ k.transpose(-1, -2) * size**-0.5 + mask).softmax(-1) @ v
            for q, k, v in zip(*(states.split(_HEADS_AT_ONCE, 1) for states in (query, key, value)), strict=True)
        ]
        return torch.cat(parts, 1).transpose(1, 2).flatten(2)

    def _first_context(self, attention: Any, hidden: Tensor, mask: Tensor) -> Tensor:
        """What the first row reads ``[B, 1, H]``."""
        heads, size = attention.num_attention_heads, attention.attention_head_size
        query = attention.query(hidden[:, :1]).view(-1, heads, 1, size) * size**-0.5
        keys = attention.key.weight.view(heads, size, -1)
        weights = ((query @ keys)[:, :, 0] @ hidden.transpose(1, 2) + mask[:, 0]).softmax(-1)  # [B, heads, T]
        values = attention.value.weight.view(heads, size, -1).transpose(1, 2)
        read = ((weights @ hidden)[:, :, None] @ values).flatten(1)
        return (read + attention.value.bias)[:, None]

    def _finish(self, layer: Any, context: Tensor, rows: Tensor) -> Tensor:
        attended = layer.attention.output(context, rows)
        return layer.output(layer.intermediate(attended), attended)


class Whole(nn.Module):  # type: ignore[misc]
    """Any classifier as it is."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs: Tensor) -> Tensor:
        """The inputs in the order of ``names`` → logits ``[B, labels]``."""
        return self.model(**dict(zip(self.names, inputs, strict=True))).logits


def export_onnx(folder: str | Path, out: str | Path, *, cls_only: bool = True) -> Path:
    """Write ``out/model.onnx`` (fp32, batch and length free) with tokenizer and configuration; returns its path.

    ``cls_only`` uses ``FirstRow`` where the model is a BERT classifier; others are exported whole.

    Raises:
        DataError: the folder is no sequence classifier.
    """
    from transformers import AutoModelForSequenceClassification

    folder, out = Path(folder), Path(out)
    try:
        model = AutoModelForSequenceClassification.from_pretrained(str(folder), attn_implementation="eager").eval()
    except (OSError, ValueError) as error:
        raise DataError(f"not a sequence classifier: {error}", path=folder) from error
    out.mkdir(parents=True, exist_ok=True)
    first = cls_only and model.config.model_type == "bert"
    names = ["input_ids", "attention_mask"]
    if first or getattr(model.config, "type_vocab_size", 0) > 1:
        names.append("token_type_ids")
    example = torch.tensor([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]])
    inputs = {
        "input_ids": example,
        "attention_mask": torch.ones_like(example),
        "token_type_ids": torch.zeros_like(example),
    }
    with torch.no_grad():
        torch.onnx.export(
            FirstRow(model) if first else Whole(model, names), tuple(inputs[n] for n in names), str(out / "model.onnx"),
            input_names=names, output_names=["logits"], opset_version=17, dynamo=False, do_constant_folding=True,
            dynamic_axes={**{n: {0: "batch", 1: "tokens"} for n in names}, "logits": {0: "batch"}},
        )  # fmt: skip
    copy_tokenizer(folder, out)
    return out / "model.onnx"


def copy_tokenizer(folder: Path, out: Path) -> None:
    """Copy the tokenizer's and the configuration's files."""
    for name in _COPIED:
        if (folder / name).is_file():
            shutil.copy(folder / name, out / name)


def quantise_int8(source: str | Path, target: str | Path, *, reduce_range: bool = True) -> Path:
    """Dynamic int8: s8 weights per channel, u8 activations, embeddings per row; returns ``target``.

    ``reduce_range`` keeps weights to 7 bits, so that processors without VNNI do not saturate.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from ponderank.train.shrink import left_out, quantise_tables

    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it advises pre-processing that the exporter has done already
    try:
        quantize_dynamic(
            source, target, per_channel=True, reduce_range=reduce_range, weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"], nodes_to_exclude=left_out(Path(source)),
            extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
    finally:
        logging.root.setLevel(level)
    return quantise_tables(Path(target))


def export_all(model: Path, out: Path, config: Config, *, int8: bool = True) -> dict[str, Any]:
    """Export to ``out/onnx`` and ``out/onnx-int8`` and write ``out/parity.json``; returns the report."""
    from ponderank.data.lines import records, written

    pairs = []
    for _, group in records(out / "pairs.jsonl"):
        pairs += [(group["query"], text) for text in group["docs"]]
        if len(pairs) >= 400:
            break
    folders = {"fp32": out / "onnx"}
    if config.model.architecture == "split-bert":
        from ponderank.train import exits
        from ponderank.train.export_split import export
        from ponderank.train.shrink import share_weights
        from ponderank.train.smooth import smooth

        groups = read_groups(out / "pairs.jsonl")
        margins = exits.fit(model, [(group.query, group.docs) for group in groups])
        share_weights(export(model, folders["fp32"]))
        if int8:
            folders["int8"] = out / "onnx-int8"
            texts = _calibration(model, groups)
            paths = export(model, folders["int8"], lambda it: smooth(it, texts))
            for path in paths:
                quantise_int8(path, path)
            share_weights(paths)
    else:
        margins = {}
        export_onnx(model, folders["fp32"])
        if int8:
            folders["int8"] = out / "onnx-int8"
            folders["int8"].mkdir(exist_ok=True)
            quantise_int8(folders["fp32"] / "model.onnx", folders["int8"] / "model.onnx")
            copy_tokenizer(model, folders["int8"])
    report: dict[str, Any] = parity(model, folders, pairs) | margins
    with written(out / "parity.json") as file:
        json.dump(report, file, indent=1)
    return report


def _calibration(model: Path, groups: Sequence[Group], size: int = 40) -> list[dict[str, Tensor]]:
    """Batches of pairs out of all parts of the training data, for ``smooth``."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model))
    limit = min(256, tokenizer.model_max_length)
    chosen = groups[:: max(1, len(groups) // size)][:size]
    return [
        dict(tokenizer([g.query] * len(g.docs), list(g.docs), truncation=True, max_length=limit, padding=True, return_tensors="pt"))
        for g in chosen
    ]  # fmt: skip


def parity(model: Path, folders: dict[str, Path], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """How far each export is from torch on ``pairs``: largest and mean difference, rank agreement, megabytes.

    Pairs that one side shortens are left out: the two count a pair's tokens differently where segments are split.
    """
    import numpy as np

    from ponderank.backends.onnx import OnnxClassifier
    from ponderank.backends.transformers import TorchClassifier

    found = {name: np.array(_scores(OnnxClassifier(folder), pairs)) for name, folder in folders.items()}
    reference = np.array(_scores(TorchClassifier(model, device="cpu"), pairs))
    whole = np.isfinite(np.stack([reference, *found.values()])).all(0)
    reference = reference[whole]
    report: dict[str, Any] = {"pairs": int(whole.sum())}
    for name, folder in folders.items():
        scores = found[name][whole]
        off = np.abs(scores - reference)
        ranks = [values.argsort().argsort().astype(float) for values in (scores, reference)]
        report[name] = {
            "largest_difference": float(off.max()),
            "mean_difference": float(off.mean()),
            "spearman": float(np.corrcoef(np.stack(ranks))[0, 1]),
            "megabytes": round(sum(p.stat().st_size for p in folder.iterdir()) / 1e6, 2),
        }
    return report


def _scores(backend: Any, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """The last logit of each pair, not-a-number where the pair was shortened."""
    tickets = [backend.add(Classify(query, text)) for query, text in pairs]
    found: dict[int, float] = {}
    while len(found) < len(tickets):
        for ticket, reply in backend.step():
            found[ticket] = math.nan if reply.finish == "truncated" else reply.scores[-1]
    backend.close()
    return [found[ticket] for ticket in tickets]
