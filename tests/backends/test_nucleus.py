"""Drawing from the likeliest tokens only."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.backends.cache import call_key
from ponderank.backends.http_batches import request_line
from ponderank.backends.nucleus import likeliest
from ponderank.types import Generate, Part

CHAT = (Part("hello", True, role="user"),)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=30), st.integers(0, 40), st.floats(0.01, 1))
def test_what_is_kept_is_the_head_and_no_more_than_is_needed(weights, top_k, top_p):
    chances = np.array(weights) / sum(weights)
    kept = likeliest(chances, top_k, top_p)
    inside = kept > 0
    assert inside.any()
    assert (kept[inside] == chances[inside]).all()
    if not inside.all():
        assert chances[inside].min() >= chances[~inside].max()
    head = np.sort(chances)[::-1][: top_k or None]
    assert inside.sum() <= len(head)
    share = chances[inside].sum() / head.sum()
    assert share >= top_p - 1e-9
    if inside.sum() > 1:
        assert share - chances[inside].min() / head.sum() < top_p + 1e-9


def test_everything_is_kept_unless_something_is_asked_for():
    chances = np.array([0.2, 0.5, 0.3])
    assert likeliest(chances, 0, 1.0).tolist() == chances.tolist()


def test_equal_to_transformers_own_cuts():
    torch = pytest.importorskip("torch")
    logits_process = pytest.importorskip("transformers.generation.logits_process")
    dice = np.random.default_rng(0)
    for top_k, top_p in ((20, 0.95), (40, 1.0), (0, 0.8), (3, 0.5)):
        logits = torch.tensor(dice.normal(size=(1, 200)))
        cut = logits_process.TopKLogitsWarper(top_k)(None, logits) if top_k else logits
        cut = logits_process.TopPLogitsWarper(top_p)(None, cut) if top_p < 1 else cut
        ours = likeliest(logits.softmax(-1)[0].numpy(), top_k, top_p)
        assert ((ours > 0) == torch.isfinite(cut)[0].numpy()).all()


def test_a_call_without_them_has_the_key_it_had_before():
    plain = Generate(CHAT, 5, temperature=0.6, seed=1)
    assert call_key("m", plain) == call_key("m", Generate(CHAT, 5, temperature=0.6, seed=1, top_p=1.0, top_k=0))
    assert call_key("m", plain) != call_key("m", Generate(CHAT, 5, temperature=0.6, seed=1, top_p=0.9))
    assert call_key("m", plain) != call_key("m", Generate(CHAT, 5, temperature=0.6, seed=1, top_k=9))


def test_a_batch_files_request_names_the_share_only_where_it_is_asked_for():
    assert "top_p" not in json.loads(request_line("a", Generate(CHAT, 5), "m"))["body"]
    assert json.loads(request_line("a", Generate(CHAT, 5, top_p=0.8), "m"))["body"]["top_p"] == 0.8


@pytest.mark.parametrize(("owner", "sent"), [("vllm", 20), ("llamacpp", 20), ("openai", None)])
def test_a_server_is_sent_what_it_takes(owner, sent):
    pytest.importorskip("aiohttp")
    from ponderank.backends.http import HttpModel
    from stub_server import Habits, Stub

    stub = Stub(Habits(owner=owner)).start()
    backend = HttpModel(stub.url, "rank1")
    try:
        backend.add(Generate(CHAT, 5, temperature=0.6, seed=1, top_p=0.95, top_k=20))
        while not backend.step():
            pass
        body = stub.posts("chat")[-1]
        assert body["top_p"] == 0.95
        assert body.get("top_k") == sent
    finally:
        backend.close()
        stub.stop()


def test_a_torch_model_draws_the_likeliest_alone_with_one_to_choose_from(tmp_path):
    pytest.importorskip("transformers")
    import tiny_lm
    from ponderank.backends.transformers_lm import TorchGenerator

    tiny_lm.model(tmp_path / "lm")
    backend = TorchGenerator(tmp_path / "lm")
    raw = (Part("who wrote it", True),)
    calls = [Generate(raw, 8), *(Generate(raw, 8, temperature=1.5, seed=seed, top_k=1) for seed in range(3))]
    tickets = [backend.add(call) for call in calls]
    found = {}
    while len(found) < len(tickets):
        found |= dict(backend.step())
    backend.close()
    assert len({found[ticket].text for ticket in tickets}) == 1
