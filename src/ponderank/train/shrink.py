"""Make graphs small: embedding tables in int8 with a scale a row, and one ``weights.bin`` that all graphs point into."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SMALL = 1024
"""Bytes under which a tensor stays in its graph."""


def left_out(path: Path) -> list[str]:
    """Products that int8 does not suit: a single column, or a matrix a head; ONNX Runtime refuses their zero points."""
    graph = onnx.load(str(path), load_external_data=False).graph
    dims = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in dims]
    return [node.name for node in products if len(dims[node.input[1]]) != 2 or dims[node.input[1]][-1] == 1]


def quantise_tables(path: Path) -> Path:
    """Rewrite every large embedding table of the graph to int8 with one scale a row; returns ``path``.

    ONNX Runtime's own tool has one scale for the whole table, which its few long rows (rare words) decide for all.
    """
    model = onnx.load(str(path), load_external_data=True)
    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        table = held.get(node.input[0]) if node.op_type == "Gather" else None
        wide = (
            table is not None and table.data_type == TensorProto.FLOAT and len(table.dims) == 2 and table.dims[1] >= 64
        )
        if table is None or not wide:
            nodes.append(node)
            continue
        name, ids, out = node.output[0], node.input[1], node.output[0]
        parts = [f"{table.name}_int8", f"{table.name}_scale"]
        if parts[0] not in held:
            rows = numpy_helper.to_array(table)
            scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12) / np.float32(127)
            for part, values in zip(parts, (np.rint(rows / scale).astype(np.int8), scale), strict=True):
                held[part] = numpy_helper.from_array(values, part)
        nodes += [
            helper.make_node("Gather", [parts[0], ids], [f"{name}_rows"], axis=0),
            helper.make_node("Cast", [f"{name}_rows"], [f"{name}_cast"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [parts[1], ids], [f"{name}_scale"], axis=0),
            helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [out]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    del graph.initializer[:]
    graph.initializer.extend(tensor for name, tensor in held.items() if name in used)
    path.write_bytes(model.SerializeToString())
    return path


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
