"""What every backend for language models owes: one suite, run against each."""

import math
import shutil
import time
from contextlib import closing
from pathlib import Path

import pytest

import tiny_lm
from ponderank.types import Choose, Generate, Likelihood, Part

pytestmark = pytest.mark.torch
HEAD = (
    Part("Determine if the following passage is relevant to the query.\nQuery: ", True),
    Part("who wrote it", False),
)


def prompt(i, extra=""):
    doc = "nobody " * (i % 7 + 1) + f"knows {i}{extra}"
    return (*HEAD, Part("\nPassage: ", True), Part(doc, False, may_shorten=True), Part("\n<think>", True))


def answers(backend, calls):
    """Each call's reply, in order."""
    tickets = [backend.add(call) for call in calls]
    found, until = {}, time.monotonic() + 60
    while len(found) < len(tickets) and time.monotonic() < until:
        found.update(backend.step())
    assert sorted(found) == sorted(tickets)
    return [found[ticket] for ticket in tickets]


REASONER = Path(__file__).parent.parent / "reasoner" / "thinking"


@pytest.fixture(scope="module", params=["qwen3", "llama", "mistral", "reasoner"])
def checkpoint(request, tmp_path_factory):
    """Random models of three kinds, and the tiny reasoner (``examples/tiny_reasoner.py``)."""
    pytest.importorskip("transformers")
    if request.param == "reasoner":
        return Path(shutil.copytree(REASONER, tmp_path_factory.mktemp("lm") / "reasoner"))
    return tiny_lm.model(tmp_path_factory.mktemp("lm") / request.param, kind=request.param, sliding=24)


@pytest.fixture(params=["transformers", "llamacpp", "http"])
def backend(request, checkpoint):
    with closing(MAKERS[request.param](checkpoint, request)) as made:
        yield made


def in_torch(checkpoint, request):
    from ponderank.backends.transformers_lm import TorchGenerator

    return TorchGenerator(checkpoint, slots=4, device="cpu")


def in_llamacpp(checkpoint, request):
    pytest.importorskip("llama_cpp")
    if checkpoint.name == "mistral":
        pytest.skip("llama.cpp reads no sliding window from a file of this kind")
    import tiny_gguf
    from ponderank.backends.llamacpp import GgufModel

    file = checkpoint / "m.gguf"
    if not file.exists():
        tiny_gguf.write(checkpoint, file)
    return GgufModel(file, slots=4, context=512, memory_precision="float32")


def over_http(checkpoint, request):
    """Text only, as most servers: what they need not do is to share beginnings."""
    pytest.importorskip("aiohttp")
    if checkpoint.name not in ("qwen3", "reasoner"):
        pytest.skip("the server is the same whatever it serves")
    from ponderank.backends.http import HttpModel

    url, _ = request.getfixturevalue("served")
    return HttpModel(url, stream=True, watch_logprobs=1000)  # usually a few, and what is not among them is asked for


MAKERS = {"transformers": in_torch, "llamacpp": in_llamacpp, "http": over_http}


@pytest.fixture(scope="module")
def served(checkpoint):
    import lm_server

    with lm_server.serving(checkpoint) as place:
        yield place


@pytest.fixture(scope="module")
def reference(checkpoint):
    """The model itself, and its tokenizer, used in the plainest way."""
    import torch
    import transformers
    from tokenizers import Tokenizer

    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))

    def greedy(text, n):
        ids = tokenizer.encode(text).ids
        out = model.generate(torch.tensor([ids]), max_new_tokens=n, do_sample=False, pad_token_id=0)[
            0, len(ids) :
        ].tolist()
        end = model.generation_config.eos_token_id
        return tokenizer.decode(out[: out.index(end)] if end in out else out, skip_special_tokens=False)

    def logprob(text, label):
        before, after = tokenizer.encode(text).ids, tokenizer.encode(label).ids
        with torch.inference_mode():
            rows = model(torch.tensor([before + after])).logits[0].double().log_softmax(-1)
        return sum(float(rows[len(before) - 1 + i, id_]) for i, id_ in enumerate(after))

    return greedy, logprob


def joined(parts):
    return "".join(part.text for part in parts)


def test_texts_written_together_are_those_written_alone(backend, reference):
    greedy, _ = reference
    calls = [Generate(prompt(i), max_tokens=3 + 5 * (i % 4)) for i in range(11)]
    for call, reply in zip(calls, answers(backend, calls), strict=True):
        # a character cut in two at the end is left out
        assert greedy(joined(call.prompt), call.max_tokens).startswith(reply.text.rstrip("\ufffd"))
        assert reply.usage.output_tokens == call.max_tokens or reply.finish == "end"


def test_labels_have_their_own_log_probabilities_however_many_tokens(backend, reference):
    _, logprob = reference
    calls = [Choose(prompt(i), (" true", " false", " relevant to")) for i in range(9)]
    for call, reply in zip(calls, answers(backend, calls), strict=True):
        expected = [logprob(joined(call.prompt), label) for label in call.labels]
        assert reply.scores == pytest.approx(expected, abs=1e-4)


def test_a_choice_among_texts_being_written_disturbs_neither(backend, reference):
    greedy, logprob = reference
    calls = [call for i in range(6) for call in (Generate(prompt(i), max_tokens=12), Choose(prompt(i), (" true",)))]
    for call, reply in zip(calls, answers(backend, calls), strict=True):
        if isinstance(call, Choose):
            assert reply.scores[0] == pytest.approx(logprob(joined(call.prompt), " true"), abs=1e-4)
        else:
            assert greedy(joined(call.prompt), 12).startswith(reply.text.rstrip("\ufffd"))


def test_a_target_is_scored_whole(backend, reference):
    _, logprob = reference
    (reply,) = answers(backend, [Likelihood(prompt(1), " nobody knows")])
    assert reply.scores[0] == pytest.approx(logprob(joined(prompt(1)), " nobody knows"), abs=1e-4)


def test_a_stop_string_ends_the_text_and_is_not_in_it(backend, reference):
    greedy, _ = reference
    texts = {i: greedy(joined(prompt(i)), 24) for i in range(20)}
    i, text = next((i, text) for i, text in texts.items() if len(text) > 6 and "<" not in text and "\ufffd" not in text)
    middle = text[len(text) // 2 :][:2]
    (reply,) = answers(backend, [Generate(prompt(i), max_tokens=24, stop=("never to be seen", middle))])
    assert (reply.stop, reply.finish) == (middle, "stop")
    assert reply.text == text[: text.index(middle)]


def test_watched_labels_are_scored_where_the_stop_string_ended(backend, reference):
    """The random model never says ` true`; so let it stop at whatever token it says first, and watch that."""
    greedy, logprob = reference
    firsts = {i: greedy(joined(prompt(i)), 1) for i in range(40)}
    i, first = next((i, text) for i, text in firsts.items() if len(text) > 1 and logprob(joined(prompt(i)), text) > -4)
    (reply,) = answers(backend, [Generate(prompt(i), max_tokens=5, stop=(first,), watch=(first, " true"))])
    assert reply.text == ""
    assert reply.scores == pytest.approx([logprob(joined(prompt(i)), label) for label in (first, " true")], abs=1e-4)


def test_an_interrupted_text_is_answered_with_what_there_is(backend):
    tickets = [backend.add(Generate(prompt(i), max_tokens=400)) for i in range(6)]
    replies = dict(backend.step())
    backend.interrupt(tickets)
    until = time.monotonic() + 10
    while len(replies) < 6 and time.monotonic() < until:
        replies.update(backend.step())
    assert len(replies) == 6
    assert {reply.finish for reply in replies.values()} <= {"interrupted", "end", "length"}
    assert not backend.step()


def test_a_cancelled_call_is_not_answered_and_disturbs_nobody(backend, reference):
    greedy, _ = reference
    tickets = [backend.add(Generate(prompt(i), max_tokens=10)) for i in range(4)]
    backend.cancel(tickets[:2])
    found, until = {}, time.monotonic() + 20
    while not set(tickets[2:]) <= found.keys() and time.monotonic() < until:
        found.update(backend.step())
    found.update(backend.step())
    assert sorted(found) == tickets[2:]
    assert greedy(joined(prompt(3)), 10).startswith(found[tickets[3]].text.rstrip("\ufffd"))


def test_what_is_written_is_told_piece_by_piece(backend):
    tickets = [backend.add(Generate(prompt(i), max_tokens=20)) for i in range(6)]
    pieces, replies = {ticket: [] for ticket in tickets}, {}
    while len(replies) < len(tickets):
        replies.update(backend.step())
        for ticket, text in backend.written():
            pieces[ticket].append(text)
    assert {ticket: "".join(told) for ticket, told in pieces.items()} == {t: reply.text for t, reply in replies.items()}
    assert max(map(len, pieces.values())) > 2


def test_a_document_too_long_is_cut_and_said(backend):
    (reply,) = answers(backend, [Choose(prompt(1, " and so on" * 400), (" true", " false"))])
    assert reply.cut_tokens > 0
    assert all(math.isfinite(score) for score in reply.scores)


def test_a_query_too_long_is_refused_and_others_go_on(backend):
    long = (Part("who " * 3000, False), Part("doc", False, may_shorten=True))
    refused, fine = answers(backend, [Choose(long, (" true",)), Choose(prompt(1), (" true",))])
    assert refused.finish == "refused"
    assert len(fine.scores) == 1


def test_a_seed_decides_what_is_sampled_whatever_shares_the_batch(backend):
    call = Generate(prompt(3), max_tokens=12, temperature=1.0, seed=5)
    (alone,) = answers(backend, [call])
    among = answers(backend, [Generate(prompt(1), max_tokens=9), call, Generate(prompt(2), max_tokens=20)])[1]
    other = answers(backend, [Generate(prompt(3), max_tokens=12, temperature=1.0, seed=6)])[0]
    assert alone.text == among.text
    assert alone.text != other.text


def test_what_prompts_share_is_read_once(backend):
    if getattr(backend, "_sliding", False) or not hasattr(backend, "slots"):
        pytest.skip("a sliding window forgets beginnings, and a server need not keep any")
    replies = answers(backend, [Generate(prompt(i), max_tokens=2) for i in range(4)])
    assert sum(reply.usage.cached_tokens > 10 for reply in replies) >= 3  # one of them may have read it for the others


def test_a_forced_verdict_reads_only_what_is_new(backend, reference):
    if getattr(backend, "_sliding", False) or not hasattr(backend, "slots"):
        pytest.skip("a sliding window forgets beginnings, and a server need not keep any")
    _, logprob = reference
    (thought,) = answers(backend, [Generate(prompt(5), max_tokens=30)])
    place = (*prompt(5), Part(thought.text, False), Part("\n</think>", True))
    (reply,) = answers(backend, [Choose(place, (" true",))])
    assert reply.scores[0] == pytest.approx(logprob(joined(place), " true"), abs=1e-4)
    if "\ufffd" not in thought.text and thought.finish == "length":
        assert reply.usage.cached_tokens > len("".join(p.text for p in prompt(5))) // 8


def test_adding_does_no_work_and_an_idle_step_gives_nothing(backend):
    assert backend.step() == []
    ticket = backend.add(Choose(prompt(1), (" true",)))
    backend.cancel([ticket])
    assert backend.step() == []
