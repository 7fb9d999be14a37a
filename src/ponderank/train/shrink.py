"""Make several graphs of one model small: one ``weights.bin`` that all of them point into."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
from onnx import TensorProto

_SMALL = 1024
"""Bytes under which a tensor stays in its graph."""


def vectors(path: Path) -> list[str]:
    """The products with a single column: nothing to gain in int8, and ONNX Runtime refuses a zero point for them."""
    graph = onnx.load(str(path), load_external_data=False).graph
    dims = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in dims]
    return [node.name for node in products if len(dims[node.input[1]]) == 1 or dims[node.input[1]][-1] == 1]


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
