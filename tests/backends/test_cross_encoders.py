"""ONNX and torch against transformers, on small random models."""

import math
import random

import pytest

from ponderank import DataError, Reranker
from ponderank.formats.classify import CrossEncoder
from ponderank.recipe import Recipe
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Classify

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnxscript")

ALONE = Recipe("alone", "none", CrossEncoder(), Pointwise())


def texts(n, longest=60):
    rng = random.Random(0)
    words = ["the", "cat", "dog", "what", "is", "zebra", "quick", "3.5", "end."]
    return [
        (" ".join(rng.choices(words, k=3)), " ".join(rng.choices(words, k=rng.randint(1, longest)))) for _ in range(n)
    ]


def ask(backend, calls):
    tickets = [backend.add(call) for call in calls]
    found = {}
    while len(found) < len(tickets):
        found.update(backend.step())
    return [found[ticket] for ticket in tickets]


def reference(folder, pairs):
    """What transformers itself says, one pair at a time."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rows = []
    for query, text in pairs:
        with torch.inference_mode():
            inputs = tokenizer(query, text, truncation="only_second", max_length=96, return_tensors="pt")
            rows.append(model(**inputs).logits[0].tolist())
    return rows


@pytest.mark.parametrize("labels", [1, 2])
@pytest.mark.parametrize("cls_only", [True, False])
def test_onnx_gives_the_logits_of_transformers(tiny_bert, tmp_path, labels, cls_only):
    from ponderank.backends.onnx import OnnxClassifier
    from ponderank.train.export import export_onnx

    folder = tiny_bert(labels)
    export_onnx(folder, tmp_path, cls_only=cls_only)
    pairs = texts(20)
    replies = ask(OnnxClassifier(tmp_path), [Classify(*pair) for pair in pairs])
    for reply, row in zip(replies, reference(folder, pairs), strict=True):
        assert reply.scores == pytest.approx(row, abs=1e-4)


@pytest.mark.parametrize("labels", [1, 2])
def test_torch_in_batches_gives_the_logits_of_transformers(tiny_bert, labels):
    from ponderank.backends.transformers import TorchClassifier

    folder = tiny_bert(labels)
    pairs = texts(30)
    replies = ask(TorchClassifier(folder, device="cpu", batch_tokens=200), [Classify(*pair) for pair in pairs])
    for reply, row in zip(replies, reference(folder, pairs), strict=True):
        assert reply.scores == pytest.approx(row, abs=1e-4)


def test_two_logits_score_as_the_log_probability_of_relevance(tiny_bert):
    from ponderank.backends.transformers import TorchClassifier

    folder = tiny_bert(2)
    pairs = texts(5)
    with Reranker(ALONE, backend=TorchClassifier(folder, device="cpu")) as reranker:
        for (query, text), row in zip(pairs, reference(folder, pairs), strict=True):
            ranking = reranker.rank(query, [text])
            expected = torch.tensor(row, dtype=torch.float64).log_softmax(-1)[1].item()
            assert ranking.scores[0] == pytest.approx(expected, abs=1e-4)
            assert ranking.probs[0] == pytest.approx(math.exp(expected), abs=1e-4)


def test_only_the_document_is_cut_and_it_is_said(tiny_bert, tmp_path):
    from ponderank.backends.onnx import OnnxClassifier
    from ponderank.train.export import export_onnx

    export_onnx(tiny_bert(1), tmp_path)
    short, long = ask(OnnxClassifier(tmp_path), [Classify("the cat", "dog"), Classify("the cat", "dog " * 500)])
    assert (short.finish, long.finish) == ("stop", "truncated")
    assert long.usage.prompt_tokens == 96


def test_special_tokens_in_a_document_are_plain_text(tiny_bert):
    from ponderank.backends.pairs import PairTokenizer

    tokenizer = PairTokenizer.load(tiny_bert(1))
    ids, _, _ = tokenizer.pair("the cat", "dog [SEP] [CLS] dog")
    assert ids.count(3) == 2
    assert ids.count(2) == 1


def test_ids_of_benign_text_are_those_of_transformers(tiny_bert):
    from ponderank.backends.pairs import PairTokenizer

    folder = tiny_bert(1)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ours = PairTokenizer.load(folder)
    for query, text in texts(50, longest=200):
        expected = theirs(query, text, truncation="only_second", max_length=96)
        assert ours.pair(query, text)[:2] == (expected["input_ids"], expected["token_type_ids"])


def test_a_score_does_not_depend_on_what_else_is_asked(tiny_bert, tmp_path):
    from ponderank.backends.onnx import OnnxClassifier
    from ponderank.train.export import export_onnx, quantise_int8

    export_onnx(tiny_bert(1), tmp_path)
    quantise_int8(tmp_path / "model.onnx", tmp_path / "model.int8.onnx")
    calls = [Classify(*pair) for pair in texts(40)]
    together = [r.scores for r in ask(OnnxClassifier(tmp_path, file="model.int8.onnx"), calls)]
    alone = [ask(OnnxClassifier(tmp_path, file="model.int8.onnx", threads=1), [call])[0].scores for call in calls[:5]]
    assert together[:5] == alone


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    from ponderank.backends.onnx import OnnxClassifier

    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(DataError, match=r"no tokenizer\.json in this model folder; save it with"):
        OnnxClassifier(tmp_path)


def test_a_file_that_is_no_graph_is_named(tiny_bert, tmp_path):
    import shutil

    from ponderank.backends.onnx import OnnxClassifier

    shutil.copy(tiny_bert(1) / "tokenizer.json", tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(DataError, match=r"model\.onnx: .*ONNX"):
        OnnxClassifier(tmp_path)
