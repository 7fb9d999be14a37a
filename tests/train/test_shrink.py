import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from ponderank.train.shrink import quantise_tables, share_weights  # noqa: E402


def lookup(path, table):
    """A graph that gathers rows of ``table`` twice and adds them."""
    ids, out = (
        helper.make_tensor_value_info(n, t, [None, *s])
        for n, t, s in (("ids", TensorProto.INT64, []), ("out", TensorProto.FLOAT, [table.shape[1]]))
    )
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["a"]),
        helper.make_node("Gather", ["table", "ids"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["out"]),
    ]
    graph = helper.make_graph(nodes, "g", [ids], [out], [numpy_helper.from_array(table, "table")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_a_long_row_does_not_cost_the_short_ones_their_bits(tmp_path):
    table = np.random.default_rng(0).normal(size=(400, 128)).astype(np.float32)
    table[7] *= 1000
    table[9] = 0
    path = quantise_tables(lookup(tmp_path / "a.onnx", table))
    share_weights([path])
    found = ort.InferenceSession(str(path)).run(None, {"ids": np.arange(400)})[0]
    bound = np.abs(table).max(1) / 127  # twice half a step, for rows are added to themselves
    assert (np.abs(found - 2 * table).max(1) <= bound * 1.0001).all()
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < table.nbytes / 3


def test_a_narrow_table_stays_as_it_is(tmp_path):
    table = np.random.default_rng(0).normal(size=(400, 32)).astype(np.float32)
    path = quantise_tables(lookup(tmp_path / "a.onnx", table))
    found = ort.InferenceSession(str(path)).run(None, {"ids": np.arange(400)})[0]
    assert (found == 2 * table).all()
