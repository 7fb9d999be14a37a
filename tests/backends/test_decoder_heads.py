"""Classifiers on decoders (RankLLaMA): what they read in a batch is what they read alone."""

import random

import pytest

from ponderank import DataError, Doc, Query
from ponderank.formats.pair_form import PairForm
from ponderank.types import Classify

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def backend(folder, **options):
    from ponderank.backends.transformers import TorchClassifier

    return TorchClassifier(folder, device="cpu", **options)


def ask(backend, calls):
    tickets = [backend.add(call) for call in calls]
    found = {}
    while len(found) < len(tickets):
        found.update(backend.step())
    return [found[ticket] for ticket in tickets]


def calls(n, longest=12):
    rng = random.Random(0)
    words = ["who", "wrote", "it", "nobody", "knows", "document:", "true."]
    docs = [" ".join(rng.choices(words, k=rng.randint(1, longest))) for _ in range(n)]
    return [next(PairForm().judge(Query("q", "who wrote it"), [Doc("d", text)], None))[0] for text in docs]


def alone(folder, ids):
    """The head's logit at the last token of one text, from the decoder's own states."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model.score(model.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]).double().tolist()


@pytest.mark.parametrize("pad", [None, 0, 2])
@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_a_batch_is_read_at_each_texts_last_token_whatever_the_padding(tmp_path, pad, kind):
    import tiny_heads

    folder = tiny_heads.model(tmp_path, pad=pad, kind=kind)
    model = backend(folder, batch_tokens=600)
    pairs = calls(12)
    for call, reply in zip(pairs, ask(model, pairs), strict=True):
        assert reply.scores == pytest.approx(alone(folder, model.tokenizer.pair(call.query, call.text)[0]), abs=1e-4)


@pytest.mark.parametrize("pad", [None, 2])
def test_a_closing_end_token_is_read_even_where_it_is_the_padding(tmp_path, pad):
    import tiny_heads

    folder = tiny_heads.model(tmp_path, pad=pad)
    model = backend(folder, batch_tokens=600, joined=True)
    pairs = calls(12)
    for call, reply in zip(pairs, ask(model, pairs), strict=True):
        ids = model.tokenizer.pair(call.query, call.text)[0]
        assert ids[-1] == 2
        assert reply.scores == pytest.approx(alone(folder, ids), abs=1e-4)


def test_a_pair_is_joined_as_the_published_adapters_were_trained(tmp_path):
    import tiny_heads

    model = backend(tiny_heads.model(tmp_path))
    (call,) = calls(1)
    encode = model.tokenizer.inner.encode
    query, text = (encode(piece, add_special_tokens=False).ids for piece in (call.query, call.text))
    assert model.tokenizer.pair(call.query, call.text)[0] == [1, *query, 1, *text]


def test_a_joined_pair_is_one_text_closed_by_the_end_token(tmp_path):
    import tiny_heads

    model = backend(tiny_heads.model(tmp_path), joined=True)
    ids = model.tokenizer.inner.encode("query: who document: nobody knows", add_special_tokens=False).ids
    assert model.tokenizer.pair("query: who", "document: nobody knows") == ([1, *ids, 2], [0] * (len(ids) + 2), False)


def test_the_end_token_survives_when_a_text_is_cut(tmp_path):
    import tiny_heads

    (reply,) = ask(
        backend(tiny_heads.model(tmp_path), joined=True), [Classify("query: who", "document: " + "it " * 500)]
    )
    assert (reply.finish, reply.usage.prompt_tokens) == ("truncated", 128)
    ids, _, cut = backend(tmp_path, joined=True).tokenizer.pair("query: who", "document: " + "it " * 500)
    assert (len(ids), ids[-1], cut) == (128, 2, True)


def test_an_end_token_in_a_document_is_plain_text(tmp_path):
    import tiny_heads

    ids = backend(tiny_heads.model(tmp_path), joined=True).tokenizer.pair("query: who", "document: it </s> <s> it")[0]
    assert (ids.count(2), ids.count(1)) == (1, 1)


def test_joining_needs_to_know_the_end_token(tmp_path):
    import json

    import tiny_heads

    folder = tiny_heads.model(tmp_path)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "eos_token_id": None}))
    with pytest.raises(DataError, match="eos_token_id is None"):
        backend(folder, joined=True)


def test_precision_and_joining_are_in_the_fingerprint(tmp_path):
    import tiny_heads

    folder = tiny_heads.model(tmp_path)
    named = {
        backend(folder).fingerprint,
        backend(folder, dtype="bfloat16").fingerprint,
        backend(folder, joined=True).fingerprint,
    }
    assert len(named) == 3
    assert str(backend(folder, dtype="bfloat16").model.dtype) == "torch.bfloat16"


def test_a_label_behind_a_space_is_the_vocabularys_word_without_its_mark(tmp_path):
    import tiny_heads
    from ponderank.backends.prompts import PromptTokenizer

    tiny_heads.tokenizer(tmp_path)
    tokenizer = PromptTokenizer(tmp_path)
    bare = tokenizer.inner.encode("\ntrue", add_special_tokens=False).ids[2:]  # behind the mark and the line's end
    assert tokenizer.label("true", "[/INST] ") == tuple(bare)
    assert tokenizer.label("true", "[/INST] ") != tokenizer.label("true", "")
    assert tokenizer.label(" true", "Relevant:") == tokenizer.label("true", "")
