"""ONNX graphs of a cross-encoder in int8 or int4, for ONNX Runtime on the CPU.

int8 is what ``train.export`` makes: weights a channel, activations by each run's range. int4 has weights alone in four bits, in
blocks of 32 numbers with a scale and a zero point each (ONNX Runtime's ``MatMulNBits``), activations in float32. Tables of
embeddings get int8 with a scale a row in both.

What stays in float32: norms and biases, products with a single column (the head) or one matrix a head.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ponderank.errors import DataError, MissingExtra

_BLOCK = 32
_QUANTISED = {"MatMulInteger", "DynamicQuantizeLinear", "QLinearMatMul", "MatMulNBits"}
_FURTHEST = 0.01
"""How far a logit of an export in float32 may be from torch's; more is no rounding."""


def installed() -> None:
    """Say what is missing before anything is done.

    Raises:
        MissingExtra: onnx, onnxscript or torch is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnx_ir  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtra("train", "quantising ONNX graphs") from error


def write_onnx(model: Path, out: Path, bits: int) -> dict[str, Any]:
    """Write ``model`` (a checkpoint, or graphs in float32) to the folder ``out`` in 8 or 4 ``bits``; returns what is in it.

    Raises:
        DataError: the graphs are quantised already, hold no product to quantise, or a checkpoint does not export faithfully.
    """
    installed()
    from ponderank.train.shrink import share_weights

    out.mkdir(parents=True, exist_ok=True)
    graphs = _graphs(model, out)
    for path in graphs:
        if _QUANTISED & set(_operations(path)):
            raise DataError("these graphs are quantised already; give those in full precision", path=model)
    make: Callable[[Path], None] = _eight if bits == 8 else _four
    kinds: Counter[str] = Counter()
    for path in graphs:
        make(path)
        kinds += Counter(_operations(path))
    small = sum(kinds[name] for name in _QUANTISED - {"DynamicQuantizeLinear"})
    if not small:
        raise DataError("no product of these graphs could be quantised; are its weights constants?", path=model)
    if (out / "graphs.json").is_file():
        share_weights(graphs)
    return {"products": {"quantised": small, "float32": kinds["MatMul"] + kinds["Gemm"]}}


def _graphs(model: Path, out: Path) -> list[Path]:
    """The graphs in float32 in ``out``, each with its weights inside."""
    import onnx

    if (model / "model.onnx").is_file() or (model / "graphs.json").is_file():
        for path in sorted(model.iterdir()):
            if path.suffix in (".json", ".txt") and path.is_file():
                shutil.copyfile(path, out / path.name)
        for path in sorted(model.glob("*.onnx")):
            onnx.save_model(onnx.load(str(path), load_external_data=True), str(out / path.name))
        return sorted(out.glob("*.onnx"))
    import json

    if json.loads((model / "config.json").read_text("utf-8")).get("model_type") == "split-bert":
        return _split(model, out)
    from ponderank.train.export import export_onnx

    try:
        path = export_onnx(model, out)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        if isinstance(error, DataError):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"this classifier does not export to ONNX: {reason}", path=model) from error
    _check(model, out)
    return [path]


def _split(model: Path, out: Path) -> list[Path]:
    """A split cross-encoder's graphs, outliers smoothed where its training's pairs are beside it, as its own export does."""
    from ponderank.train.export_split import export

    pairs = model.parent / "pairs.jsonl"
    if not pairs.is_file():
        return export(model, out)
    from ponderank.train.export import _calibration
    from ponderank.train.pairs import read_groups
    from ponderank.train.smooth import smooth

    texts = _calibration(model, read_groups(pairs))
    return export(model, out, lambda it: smooth(it, texts))


def _check(model: Path, out: Path) -> None:
    """Compare the export with torch on a few pairs.

    Raises:
        DataError: they are further apart than rounding explains.
    """
    from ponderank.train.export import parity
    from ponderank.train.quantise_sets import PROBE

    pairs = [(query, text) for query, texts in PROBE for text in texts][:16]
    found = parity(model, {"fp32": out}, pairs)["fp32"]
    if not found["largest_difference"] <= _FURTHEST:
        raise DataError(
            f"its export is up to {found['largest_difference']:.2g} from torch, which is no rounding; serve the checkpoint "
            "with the engine transformers",
            path=model,
        )


def _eight(path: Path) -> None:
    from ponderank.train.export import quantise_int8

    quantise_int8(path, path)


def _four(path: Path) -> None:
    """Rewrite a graph's products to int4 and its tables to int8."""
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    from ponderank.train.shrink import left_out, quantise_tables

    model = ONNXModel(onnx.load(str(path), load_external_data=True))
    model.replace_gemm_with_matmul()  # the quantiser knows MatMul only
    for number, node in enumerate(model.model.graph.node):
        node.name = node.name or f"node_{number}"  # what stays as it is is told by name
    onnx.save_model(model.model, str(path))
    quantiser = MatMulNBitsQuantizer(
        onnx.load(str(path)), bits=4, block_size=_BLOCK, is_symmetric=False, accuracy_level=1, nodes_to_exclude=left_out(path),
        op_types_to_quantize=("MatMul",),
    )  # fmt: skip
    log = logging.getLogger(MatMulNBitsQuantizer.__module__)
    level = log.level
    log.setLevel(logging.WARNING)  # it names every product
    try:
        quantiser.process()
    finally:
        log.setLevel(level)
    onnx.save_model(quantiser.model.model, str(path))
    quantise_tables(path)


def _operations(path: Path) -> list[str]:
    import onnx

    return [node.op_type for node in onnx.load(str(path), load_external_data=False).graph.node]
