"""Embedding models in torch: pooling, tokens and their places, what is kept, and who may write a special token."""

import json
import shutil

import pytest

import tiny_lm
from ponderank.backends.transformers_embedding import TorchEmbedder
from ponderank.errors import DataError
from ponderank.types import Classify, Embed, Part

pytestmark = pytest.mark.torch
POOLS = ("last", "first", "mean", "tokens")


def doc(text, pool="mean"):
    return Embed((Part(text, trusted=False, may_shorten=True),), pool)


def answers(backend, calls):
    """Each call's reply, in order."""
    tickets = [backend.add(call) for call in calls]
    found = {}
    for _ in range(1000):
        found.update(backend.step())
        if len(found) == len(tickets):
            return [found[ticket] for ticket in tickets]
    raise AssertionError(f"{len(tickets) - len(found)} calls were never answered")


@pytest.fixture(scope="module")
def bert(tiny_bert):
    return tiny_bert()


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    pytest.importorskip("transformers")
    return tiny_lm.model(tmp_path_factory.mktemp("lm") / "qwen")


@pytest.fixture(params=["bert", "qwen"])
def folder(request):
    return request.getfixturevalue(request.param)


def make(folder, **options):
    return TorchEmbedder(folder, device="cpu", **options)


def by_hand(folder, ids):
    """Hidden states of one text alone, by transformers itself."""
    import torch
    import transformers

    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).last_hidden_state[0]


TEXTS = ["cat", "the cat is what the dog is, or is it not?", "dog " * 20, "what is it"]


@pytest.mark.parametrize("pool", POOLS)
def test_vectors_are_the_models_pooled_and_of_length_one_whatever_shares_the_batch(folder, pool):
    import torch

    backend = make(folder)
    for text, reply in zip(TEXTS, answers(backend, [doc(text, pool) for text in TEXTS]), strict=True):
        states = by_hand(folder, backend.tokenizer.encode(doc(text).prompt))
        picked = {"last": states[-1:], "first": states[:1], "mean": states.mean(0, keepdim=True), "tokens": states}[
            pool
        ]
        expected = torch.nn.functional.normalize(picked, dim=-1)
        assert torch.allclose(torch.tensor(reply.vectors), expected, atol=1e-5)
        assert reply.usage.prompt_tokens == len(states)


def test_spans_say_where_in_the_prompt_a_token_stands(bert):
    call = Embed((Part("what is ", True), Part("the cat [SEP]", False, True)), "tokens")
    (reply,) = answers(make(bert), [call])
    text = "what is the cat [SEP]"
    words = ["", "what", "is", "the", "cat", "[", "s", "e", "p", "]", ""]
    assert [text[a:b].lower() for a, b in reply.spans] == words
    assert len(reply.vectors) == len(words)


def test_spans_of_a_chat_leave_out_the_templates_words(qwen):
    prompt = (Part("who", True, role="user"), Part(" knows", False, role="user"), Part(" so", True, role="assistant"))
    (reply,) = answers(make(qwen), [Embed(prompt, "tokens")])
    told = [span for span in reply.spans if span != (0, 0)]
    assert "".join("who knows so"[a:b] for a, b in told) == "who knows so"
    assert len(told) < len(reply.spans)


def test_spans_behind_a_shortened_document_are_those_of_the_whole_prompt(bert):
    prompt = (Part("dog " * 60, False, True), Part(" what", True))
    (reply,) = answers(make(bert, context=20), [Embed(prompt, "tokens")])
    assert reply.cut_tokens == 43
    assert reply.spans[-2] == (241, 245)


def test_a_document_is_shortened_to_fit_and_it_is_told(bert):
    backend = make(bert, context=10)
    (reply,) = answers(backend, [doc("dog " * 30)])
    assert reply.cut_tokens == 22
    assert reply.vectors == answers(backend, [doc("dog " * 8)])[0].vectors


def test_a_prompt_that_cannot_be_shortened_enough_is_refused(bert):
    (reply,) = answers(make(bert, context=10), [Embed((Part("dog " * 30, False),), "mean")])
    assert (reply.finish, reply.vectors) == ("refused", ())


def test_a_text_without_a_token_is_refused_and_others_are_not(qwen):
    empty, full = answers(make(qwen), [doc("", "last"), doc("who", "last")])
    assert (empty.finish, empty.vectors) == ("refused", ())
    assert full.finish == "stop"


def test_a_special_token_in_a_document_is_plain_text_and_in_our_words_it_is_not(bert):
    backend = make(bert)
    theirs, ours = (backend.tokenizer.encode((Part("cat [SEP]", trusted),)) for trusted in (False, True))
    sep = backend.tokenizer.inner.token_to_id("[SEP]")
    assert theirs.count(sep) == 1 == ours.count(sep)
    assert len(theirs) > len(ours)


def test_an_unknown_word_is_read_as_the_model_reads_it(bert):
    backend = make(bert)
    assert (
        backend.tokenizer.encode(doc("the \u2603\u2603 cat").prompt)
        == backend.tokenizer.inner.encode("the \u2603\u2603 cat").ids
    )


def test_a_tokenizer_file_that_cuts_does_not_cut_hostile_texts(bert, tmp_path):
    folder = shutil.copytree(bert, tmp_path / "cuts")
    described = json.loads((folder / "tokenizer.json").read_text())
    described["truncation"] = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    (folder / "tokenizer.json").write_text(json.dumps(described))
    hostile = doc("cat [SEP] " + "dog " * 30)
    assert make(folder).tokenizer.encode(hostile.prompt) == make(bert).tokenizer.encode(hostile.prompt)


def test_equal_calls_are_computed_once(bert):
    backend = make(bert)
    first, second, other = answers(backend, [doc("cat"), doc("cat"), doc("dog")])
    assert first.vectors == second.vectors != other.vectors
    assert sorted([first.usage.cached_tokens, second.usage.cached_tokens]) == [0, 3]
    (again,) = answers(backend, [doc("cat")])
    assert (again.usage.cached_tokens, again.vectors) == (3, first.vectors)
    assert answers(backend, [doc("cat", "last")])[0].usage.cached_tokens == 0


def test_no_more_is_kept_than_there_is_room_for(bert):
    backend = make(bert, keep_bytes=2000)
    answers(backend, [doc(f"cat {i}") for i in range(50)])
    assert 0 < backend._kept.used <= 2000
    assert answers(backend, [doc("cat 0")])[0].usage.cached_tokens == 0
    backend = make(bert, keep_bytes=0)
    answers(backend, [doc("cat")])
    assert (backend._kept.used, answers(backend, [doc("cat")])[0].usage.cached_tokens) == (0, 0)


def test_what_several_wait_for_is_computed_before_longer_texts(bert):
    backend = make(bert, batch_tokens=8)
    backend.add(doc("dog " * 20))
    shared = [backend.add(doc("cat")) for _ in range(3)]
    assert [ticket for ticket, _ in backend.step()] == shared


def test_a_batch_holds_no_more_padded_tokens_than_allowed(bert):
    backend = make(bert, batch_tokens=60)
    shapes, model = [], backend.model
    backend.model = lambda **given: (shapes.append(given["input_ids"].shape), model(**given))[1]
    shared = [doc("cat")] * 2
    answers(backend, [*shared, *(doc("dog " * (i % 20 + 1)) for i in range(40))])
    assert all(rows * width <= 60 or rows == 1 for rows, width in shapes)


def test_cancelled_calls_are_not_answered(bert):
    backend = make(bert)
    answers(backend, [doc("known")])
    tickets = [backend.add(call) for call in (doc("cat"), doc("cat"), doc("dog"), doc("known"))]
    backend.cancel([tickets[0], tickets[2], tickets[3], 99])
    found = {}
    for _ in range(5):
        found.update(backend.step())
    assert list(found) == [tickets[1]]
    backend.add(doc("what"))
    backend.close()
    backend.close()
    assert backend.step() == []


def test_another_kind_of_call_is_refused(bert):
    with pytest.raises(TypeError, match="TorchEmbedder answers Embed, not Classify"):
        make(bert).add(Classify("a", "b"))


def test_the_fingerprint_tells_models_and_lengths_apart(bert, qwen):
    marks = {make(bert).fingerprint, make(bert, context=20).fingerprint, make(qwen).fingerprint}
    assert len(marks) == 3
    assert make(bert).fingerprint in marks


def test_a_folder_that_says_its_length_is_believed(bert, tmp_path):
    folder = shutil.copytree(bert, tmp_path / "short")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 12}')
    assert make(folder).context == 12
    assert make(folder, context=20).context == 20
    assert make(bert).context == 96


@pytest.mark.parametrize("bias", [False, True])
def test_a_dense_module_is_applied_before_the_length_is_made_one(bert, tmp_path, bias):
    import torch
    from safetensors.torch import save_file

    folder = shutil.copytree(bert, tmp_path / f"dense{bias}")
    torch.manual_seed(0)
    layer = {"linear.weight": torch.randn(5, 32), **({"linear.bias": torch.randn(5)} if bias else {})}
    (folder / "2_Dense").mkdir()
    save_file(layer, folder / "2_Dense" / "model.safetensors")
    (folder / "2_Dense" / "config.json").write_text('{"activation_function": "torch.nn.modules.activation.Tanh"}')
    kinds = ["Transformer", "Pooling", "Dense"]
    modules = [
        {"path": "2_Dense" * (kind == "Dense"), "type": f"sentence_transformers.models.{kind}"} for kind in kinds
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    backend = make(folder)
    states = by_hand(bert, backend.tokenizer.encode(doc("the cat").prompt)).mean(0)
    expected = torch.tanh(torch.nn.functional.linear(states, layer["linear.weight"], layer.get("linear.bias")))
    expected = torch.nn.functional.normalize(expected, dim=-1)
    assert torch.allclose(torch.tensor(answers(backend, [doc("the cat")])[0].vectors[0]), expected, atol=1e-5)
    assert backend.fingerprint != make(bert).fingerprint


def test_a_module_that_is_not_known_is_an_error(bert, tmp_path):
    folder = shutil.copytree(bert, tmp_path / "lstm")
    (folder / "modules.json").write_text('[{"path": "1", "type": "sentence_transformers.models.LSTM"}]')
    with pytest.raises(DataError, match="a module of the kind 'LSTM'"):
        make(folder)


def test_a_folder_without_weights_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no weights here"):
        make(tmp_path)
