"""Make a split model's graphs small: int8 weights, and one ``weights.bin`` that all graphs point into."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic

_SMALL = 1024
"""Bytes under which a tensor stays in its graph."""


def quantise(paths: list[Path], *, reduce_range: bool = True, embeddings: bool = True) -> None:
    """Replace each graph by its dynamic int8 version: s8 weights per channel, u8 activations per run.

    ``reduce_range`` keeps weights to 7 bits, so that processors without VNNI do not saturate.
    """
    import logging

    for path in paths:
        level = logging.root.level
        logging.root.setLevel(logging.ERROR)  # it advises pre-processing that the exporter has done already
        try:
            quantize_dynamic(
                path, path, per_channel=True, reduce_range=reduce_range, weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gather"] if embeddings else ["MatMul"], nodes_to_exclude=_vectors(path),
                extra_options={"MatMulConstBOnly": True},
            )  # fmt: skip
        finally:
            logging.root.setLevel(level)


def _vectors(path: Path) -> list[str]:
    """Products with a single column: nothing to gain, and ONNX Runtime refuses a zero point for them."""
    graph = onnx.load(str(path)).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    return [n.name for n in graph.node if n.op_type == "MatMul" and min(shapes.get(n.input[1], [2, 2])[-1:] + [len(shapes.get(n.input[1], [2, 2]))]) == 1]


def share_weights(paths: list[Path]) -> Path:
    """Move every large tensor of the graphs into ``weights.bin`` beside them, each content once; returns its path."""
    store = paths[0].parent / "weights.bin"
    offsets: dict[str, tuple[int, int]] = {}
    with store.open("wb") as file:
        for path in paths:
            model = onnx.load(str(path), load_external_data=True)
            for tensor in model.graph.initializer:
                raw = tensor.raw_data or onnx.numpy_helper.to_array(tensor).tobytes()
                if len(raw) < _SMALL:
                    continue
                key = hashlib.sha256(raw).hexdigest()
                if key not in offsets:
                    file.write(b"\0" * (-file.tell() % 64))
                    offsets[key] = (file.tell(), len(raw))
                    file.write(raw)
                _point(tensor, store.name, *offsets[key])
            path.write_bytes(model.SerializeToString())
    return store


def _point(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
