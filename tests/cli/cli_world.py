"""A tiny ONNX model whose score is the sum of its words' weights, a tiny collection, and how to call the command."""

import json
import os
import sys

import pytest

WEIGHTS = {"[UNK]": 0.0, "[PAD]": 0.0, "best": 9.0, "good": 5.0, "fair": 3.0, "bad": -4.0}


def command(*words):
    return [sys.executable, "-m", "ponderank.cli.main", *map(str, words)]


def environment(tmp_path, **more):
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1", **more}


def write_collection(folder, queries):
    (folder / "qrels").mkdir(parents=True)
    docs = [{"_id": f"d-{word}", "title": "", "text": f"a {word} answer"} for word in ("fair", "bad", "best", "good")]
    _jsonl(folder / "corpus.jsonl", docs)
    _jsonl(folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"question {n} answer"} for n in range(queries)])
    rows = "".join(f"q{n}\td-best\t1\n" for n in range(queries))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
    ranks = [(doc["_id"], rank) for rank, doc in enumerate(docs, 1)]
    lines = [f"q{n} Q0 {doc} {rank} {10 - rank} first\n" for n in range(queries) for doc, rank in ranks]
    (folder / "first.trec").write_text("".join(lines))
    return folder


def _jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_model(folder, work):
    onnx = pytest.importorskip("onnx")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WEIGHTS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "max_position_embeddings": 128}))
    onnx.save(_graph(onnx.helper, onnx.TensorProto, work), folder / "model.onnx")
    return folder


def _graph(helper, kind, work):
    node, tensor = helper.make_node, helper.make_tensor
    constants = [
        tensor("weights", kind.FLOAT, [len(WEIGHTS)], list(WEIGHTS.values())),
        tensor("axis", kind.INT64, [1], [1]),
    ]
    nodes = [
        node("Gather", ["weights", "input_ids"], ["each"]),
        node("ReduceSum", ["each", "axis"], ["sum"], keepdims=1),
    ]
    last = "sum"
    if work:  # products that depend on the input, so that no optimiser folds them away, and add nothing
        constants += [tensor("shape", kind.INT64, [2], [work, work]), tensor("zero", kind.FLOAT, [1], [0.0])]
        nodes += [
            node("Expand", ["sum", "shape"], ["m0"]),
            node("MatMul", ["m0", "m0"], ["m1"]),
            node("ReduceMean", ["m1"], ["mean"], keepdims=1),
            node("Mul", ["mean", "zero"], ["nothing"]),
            node("Add", ["sum", "nothing"], ["total"]),
        ]
        last = "total"
    nodes.append(node("Identity", [last], ["logits"]))
    inputs = [helper.make_tensor_value_info(name, kind.INT64, [1, "T"]) for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("logits", kind.FLOAT, [1, 1])
    graph = helper.make_graph(nodes, "sum-of-words", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
