"""Fusion-in-Decoder against transformers, on small random T5s."""

import functools
import random
import re
import shutil

import pytest

from ponderank import DataError
from ponderank.types import Choose, Fused, Part

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WORDS = ["the", "cat", "dog", "query", "passage", "says", "true", "about", "who", "wrote", "it"]


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def folder(request, tmp_path_factory):
    """Weights so large that what is written depends on what was read."""
    import tiny_t5

    folder = tiny_t5.model(tmp_path_factory.mktemp("t5"), tied=request.param)
    model = transformers.T5ForConditionalGeneration.from_pretrained(folder)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.6 if "decoder" in name else 0.2)
    with torch.no_grad():
        model.shared.weight[0] = 0.0  # nor does a text go on as it began
    model.generation_config.eos_token_id = end_of(folder)
    model.save_pretrained(folder)
    return folder


def end_of(folder):
    """The id that ends a text: one that these models write now and then."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id("<extra_id_0>")


def backend(folder, **options):
    from ponderank.backends.transformers_t5 import TorchSeq2Seq

    return TorchSeq2Seq(folder, device="cpu", **options)


def ask(backend, calls):
    tickets = [backend.add(call) for call in calls]
    found = {}
    while len(found) < len(tickets):
        found.update(backend.step())
    return [found[ticket] for ticket in tickets]


def prompt(text):
    return (Part("Query: ", True), Part(text, False, may_shorten=True))


def texts(seed, n, longest=25):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, longest))) for _ in range(n)]


def fused(seed, n, max_tokens=8):
    return Fused(tuple(prompt(text) for text in texts(seed, n)), max_tokens)


@functools.cache
def loaded(folder):
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    return tokenizer, transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()


def encodings(folder, call):
    """Each prompt's states from transformers' encoder, one prompt at a time, joined."""
    tokenizer, model = loaded(folder)
    states = []
    for one in call.prompts:
        ids = tokenizer("".join(part.text for part in one), return_tensors="pt").input_ids
        states.append(model.encoder(input_ids=ids).last_hidden_state)
    return torch.cat(states, 1)


def reference(folder, call):
    """What transformers writes greedily over the joined states, by its own ``generate``."""
    tokenizer, model = loaded(folder)
    with torch.inference_mode():
        states = encodings(folder, call)
        out = model.generate(
            encoder_outputs=transformers.modeling_outputs.BaseModelOutput(last_hidden_state=states),
            attention_mask=torch.ones(states.shape[:2], dtype=torch.long), max_new_tokens=call.max_tokens,
            do_sample=False, num_beams=1,
        )[0].tolist()[1:]  # fmt: skip
    end = end_of(folder)
    return tokenizer.decode(out[: out.index(end)] if end in out else out), "end" if end in out else "length"


def test_the_text_is_that_of_transformers_over_the_joined_encodings(folder):
    calls = [fused(seed, 1 + seed % 5, max_tokens=1 + seed % 7) for seed in range(16)]
    replies = ask(backend(folder, batch_tokens=300), calls)
    for call, reply in zip(calls, replies, strict=True):
        assert (reply.text, reply.finish) == reference(folder, call)
    assert {reply.finish for reply in replies} == {"end", "length"}
    assert len({reply.text for reply in replies}) > 3


def test_the_states_are_those_of_transformers_encoder_joined(folder):
    from ponderank.backends import transformers_fused as module

    seen = []

    class Watching(type(backend(folder))):
        def _fuse(self, batch):
            seen.append(
                module.joined(
                    [
                        [
                            self.model.get_encoder()(input_ids=torch.tensor([one.ids])).last_hidden_state[0]
                            for one in read.fitted
                        ]
                        for read in batch
                    ]
                )
            )
            super()._fuse(batch)

    model = Watching(folder, device="cpu")
    calls = [fused(1, 5), fused(2, 3)]
    ask(model, calls)
    states, mask = seen[0]
    for row, call in enumerate(calls):
        expected = encodings(folder, call)[0]
        assert int(mask[row].sum()) == len(expected)
        assert torch.allclose(states[row, : len(expected)], expected, atol=1e-5)


def test_one_prompt_alone_is_plain_generation(folder):
    tokenizer, model = loaded(folder)
    call = fused(5, 1, max_tokens=12)
    ids = tokenizer("".join(part.text for part in call.prompts[0]), return_tensors="pt").input_ids
    out = model.generate(input_ids=ids, max_new_tokens=12, do_sample=False)[0].tolist()[1:]
    written = out[: out.index(end_of(folder))] if end_of(folder) in out else out
    (reply,) = ask(backend(folder), [call])
    assert reply.text == tokenizer.decode(written)
    assert reply.usage.output_tokens == len(written)


def test_a_text_does_not_depend_on_what_else_is_asked(folder):
    calls = [fused(seed, 5) for seed in range(10)]
    labels = [Choose(prompt(text), ("true", "false")) for text in texts(0, 6)]
    together = ask(backend(folder, batch_tokens=400), [*calls, *labels])
    for call, reply in zip(calls, together[:10], strict=True):
        (alone,) = ask(backend(folder, batch_tokens=1), [call])
        assert reply.text == alone.text
    for call, reply in zip(labels, together[10:], strict=True):
        assert reply.scores == pytest.approx(ask(backend(folder), [call])[0].scores, abs=1e-4)


def test_each_prompt_has_the_whole_context_and_its_document_is_cut_to_it(folder):
    long = prompt("the dog says so " * 80)
    short = prompt("dog")
    model = backend(folder, context=40)
    (reply,) = ask(model, [Fused((long, short, long), 4)])
    fitted = model.tokenizer.fit(long, 40)
    assert reply.cut_tokens == 2 * fitted.cut_tokens > 0
    assert reply.usage.prompt_tokens == 2 * len(fitted.ids) + len(model.tokenizer.encode(short))


def test_a_call_with_one_prompt_too_long_is_refused(folder):
    long = (Part("who wrote it " * 200, False),)
    refused, answered = ask(backend(folder), [Fused((prompt("dog"), long), 4), fused(1, 2)])
    assert refused.finish == "refused"
    assert answered.finish in ("end", "length")


def test_cancelled_calls_are_not_answered(folder):
    model = backend(folder, batch_tokens=1)
    tickets = [model.add(fused(seed, 2)) for seed in range(3)]
    done = dict(model.step())
    model.cancel(tickets)
    assert model.step() == []
    assert len(done) == 1


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_a_checkpoint_with_its_encoder_in_a_wrapper_is_the_same_model(folder, tmp_path, kind):
    """As ListT5's ``FiDT5`` saves it: ``encoder.encoder.block.0.module.…``."""
    from safetensors.torch import load_file, save_file

    wrapped = {
        re.sub(
            r"^encoder\.(block\.\d+\.)?", lambda m: f"encoder.encoder.{m[1] + 'module.' if m[1] else ''}", name
        ): tensor
        for name, tensor in load_file(folder / "model.safetensors").items()
    }
    assert "encoder.encoder.block.1.module.layer.0.layer_norm.weight" in wrapped
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").unlink()
    if kind == "bin":
        torch.save(wrapped, tmp_path / "pytorch_model.bin")
    else:
        save_file(wrapped, tmp_path / "model.safetensors", metadata={"format": "pt"})
    calls = [fused(seed, 3) for seed in range(6)]
    assert [r.text for r in ask(backend(tmp_path), calls)] == [r.text for r in ask(backend(folder), calls)]


def test_a_wrapper_that_lacks_weights_is_named(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    held = load_file(folder / "model.safetensors")
    held["encoder.encoder.final_layer_norm.weight"] = held.pop("encoder.final_layer_norm.weight")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    save_file(held, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"the encoder's wrapper has no encoder\.block\.0"):
        backend(tmp_path)


def test_passages_are_ranked_by_it(folder):
    from ponderank import Reranker
    from ponderank.formats.list_t5 import ListT5
    from ponderank.recipe import Recipe
    from ponderank.strategies.tournament import TournamentSort

    recipe = Recipe("list-t5", "none", ListT5(), TournamentSort(group=5, keep=2, k=3))
    passages = texts(0, 12)
    with Reranker(recipe, backend=backend(folder)) as reranker:
        ranking = reranker.rank("who wrote it", passages)
    assert sorted(doc.text for doc in ranking.docs) == sorted(passages)
    assert ranking.flaws() == {"unparsed": len(ranking.trace)}  # this model writes no numbers
    assert list(ranking.order) == list(range(12))
