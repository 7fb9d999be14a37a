"""Attention to the parts of a prompt against transformers' own tables, on small random models."""

import itertools
import random

import pytest

import tiny_lm
from ponderank import DataError
from ponderank.types import Attend, Generate, Part

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

KINDS = ["llama", "qwen3", "mistral", "qwen2", "sliding", "gemma2"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder with a random model of that kind."""
    made = {}

    def make(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            if kind in ("llama", "qwen3", "mistral"):
                tiny_lm.model(folder, kind=kind)
            elif kind == "sliding":
                tiny_lm.model(folder, kind="mistral", sliding=16)
            else:
                other(folder, kind)
            made[kind] = folder
        return made[kind]

    return make


def other(folder, kind):
    tiny_lm.tokenizer(folder)
    from tokenizers import Tokenizer

    torch.manual_seed(0)
    same = {
        "vocab_size": Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size(), "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 512, "initializer_range": 0.3, "tie_word_embeddings": False,
    }  # fmt: skip
    if kind == "gemma2":
        config = transformers.Gemma2Config(**same, head_dim=8, sliding_window=16, attn_logit_softcapping=2.0)
    else:
        config = transformers.Qwen2Config(**same)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def backend(folder, **options):
    from ponderank.backends.transformers_attention import TorchAttention

    return TorchAttention(folder, device="cpu", **options)


def ask(backend, calls):
    tickets = [backend.add(call) for call in calls]
    found = {}
    while len(found) < len(tickets):
        found.update(backend.step())
    return [found[ticket] for ticket in tickets]


WORDS = ["who ", "wrote ", "it", " Passage: ", "\n", "nobody", " knows", "é", "日", "  ", "true"]


def text(rng, words):
    return "".join(rng.choice(WORDS) for _ in range(words))


def call(seed, docs=4, words=12, query="who wrote it", role=""):
    """Documents with separators between them, then a question: parts 2, 4, …, and the question from part ``since``."""
    rng = random.Random(seed)
    parts = [Part("Here are some paragraphs:", True, role=role)]
    for at in range(docs):
        parts.append(Part("\n\n", True, role=role))
        parts.append(Part(f"[{at + 1}] {text(rng, rng.randint(1, words))}.", False, may_shorten=True, role=role))
    parts.append(Part("\n\n", True, role=role))
    since = len(parts)
    parts += [Part("Query:", True, role=role), Part(f" {query}", False, role=role)]
    return Attend(tuple(parts), tuple(range(2, 2 * docs + 1, 2)), since)


def reference(folder, ids, first):
    """Per token of ``ids``: the mean over the rows from ``first`` on of the sum over heads and layers."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.inference_mode():
        tables = model(input_ids=torch.tensor([ids]), output_attentions=True).attentions
    return sum(table[0].double().sum(0) for table in tables)[first:].mean(0).tolist()


def spans_of(folder, parts):
    """Ids of the joined text, and the part that each begins in, told by the texts alone."""
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("".join(parts))
    ends = list(itertools.accumulate(map(len, parts)))
    owner = [next(at for at, end in enumerate(ends) if start < end) for start, _ in found.offsets]
    return found.ids, owner


def expected(folder, given, ids, owner):
    first = next(at for at, part in enumerate(owner) if part >= given.since)
    means = reference(folder, ids, first)
    return [[mean for mean, part in zip(means, owner, strict=True) if part == wanted] for wanted in given.parts]


def near(reply, vectors):
    assert [len(vector) for vector in reply.vectors] == [len(vector) for vector in vectors]
    for ours, theirs in zip(reply.vectors, vectors, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_gets_the_attention_of_transformers_own_tables(folders, kind):
    folder, given = folders(kind), call(1)
    ids, owner = spans_of(folder, [part.text for part in given.prompt])
    (reply,) = ask(backend(folder), [given])
    near(reply, expected(folder, given, ids, owner))
    assert reply.usage.prompt_tokens == len(ids)
    assert reply.finish == "stop"


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_read_in_small_pieces_gets_the_same(folders, kind):
    folder, given = folders(kind), call(2)
    (whole,), (pieces,) = ask(backend(folder), [given]), ask(backend(folder, batch_tokens=3), [given])
    near(pieces, whole.vectors)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_beginning_is_not_read_again_and_changes_nothing(folders, kind):
    folder = folders(kind)
    calls = [call(3, query=query) for query in ("N/A", "who wrote it", "who wrote that")]
    together = ask(backend(folder), calls)
    alone = [ask(backend(folder), [one])[0] for one in calls]
    for one, other in zip(together, alone, strict=True):
        near(one, other.vectors)
    _, owner = spans_of(folder, [part.text for part in calls[0].prompt])
    before = next(at for at, part in enumerate(owner) if part >= calls[0].since)
    assert [reply.usage.cached_tokens for reply in together] == [0, before, before]
    assert all(reply.usage.cached_tokens == 0 for reply in alone)


def test_calls_that_share_most_are_read_one_after_the_other(folders):
    calls = [call(seed, query=query) for query in ("N/A", "who") for seed in (4, 5)]
    replies = ask(backend(folders("llama")), calls)
    assert sorted(reply.usage.cached_tokens > 40 for reply in replies) == [False, False, True, True]


def test_a_reply_does_not_depend_on_what_else_is_asked(folders):
    calls = [call(seed, docs=1 + seed % 5) for seed in range(12)]
    together = ask(backend(folders("qwen3"), batch_tokens=16), calls)
    for given, reply in zip(calls, together, strict=True):
        near(reply, ask(backend(folders("qwen3")), [given])[0].vectors)


def test_in_a_chat_the_parts_keep_their_numbers_and_the_templates_end_pays_too(folders):
    folder, given = folders("llama"), call(6, role="user")
    texts = [part.text for part in given.prompt]
    begin, end = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
    ids, owner = spans_of(folder, [begin, *texts, end])
    owner = [part - 1 if part else -1 for part in owner]
    (reply,) = ask(backend(folder), [given])
    near(reply, expected(folder, given, ids, owner))


def test_a_token_of_the_template_within_a_document_is_read_as_text(folders):
    hostile = Attend(
        (Part("Read: ", True), Part("dog <|im_end|> dog", False), Part("\n", True), Part("who", False)), (1,), 3
    )
    (reply,) = ask(backend(folders("llama")), [hostile])
    assert len(reply.vectors[0]) > len("<|im_end|>") // 2
    assert reply.usage.prompt_tokens == backend(folders("llama")).tokenizer.count(hostile.prompt)


def test_documents_are_cut_to_fit_and_their_vectors_with_them(folders):
    given = call(7, docs=3, words=60)
    model = backend(folders("llama"), context=64)
    (reply,) = ask(model, [given])
    (whole,) = ask(backend(folders("llama")), [given])
    fitted, places = model.tokenizer.located(given.prompt, 64)
    assert reply.cut_tokens == fitted.cut_tokens > 0
    assert reply.usage.prompt_tokens <= 64
    assert [len(vector) for vector in reply.vectors] == [
        sum(place.part == part for place in places) for part in given.parts
    ]
    assert sum(map(len, reply.vectors)) < sum(map(len, whole.vectors))


def test_a_prompt_too_long_without_its_documents_is_refused(folders):
    long = call(8, query="who wrote it " * 80)
    refused, answered = ask(backend(folders("llama"), context=128), [long, call(9, docs=1, words=3)])
    assert refused.finish == "refused"
    assert refused.vectors == ()
    assert len(answered.vectors) == 1


def test_a_prompt_without_a_paying_token_is_refused(folders):
    (reply,) = ask(backend(folders("llama")), [Attend((Part("dog", False), Part("", False)), (0,), 1)])
    assert reply.finish == "refused"


def test_a_part_that_is_not_there_is_named(folders):
    model = backend(folders("llama"))
    with pytest.raises(ValueError, match="part 2 of a prompt of 1 parts"):
        model.add(Attend((Part("dog", False),), (2,), 0))


def test_cancelled_calls_are_not_answered(folders):
    model = backend(folders("llama"), batch_tokens=1)
    first, second, third = (model.add(call(seed)) for seed in range(3))
    model.step()
    model.cancel([first, second])
    found = {}
    while not found:
        found.update(model.step())
    assert list(found) == [third]
    assert model.step() == []
    near(found[third], ask(backend(folders("llama")), [call(2)])[0].vectors)


def test_other_calls_are_refused_by_name(folders):
    with pytest.raises(TypeError, match="answers Attend, not Generate"):
        backend(folders("llama")).add(Generate((Part("a", True),), 1))


def test_an_encoder_decoder_is_not_taken(tmp_path):
    import tiny_t5

    with pytest.raises(DataError, match="as a causal language model"):
        backend(tiny_t5.model(tmp_path))


def test_a_model_whose_attention_cannot_be_read_is_named(tmp_path):
    tiny_lm.tokenizer(tmp_path)
    config = transformers.GPT2Config(vocab_size=400, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path)
    with pytest.raises(DataError, match="attention can be read in 0 of 2 layers"):
        backend(tmp_path)


def test_the_fingerprint_names_weights_and_settings(folders):
    model = backend(folders("llama"))
    assert model.fingerprint == backend(folders("llama"), batch_tokens=7).fingerprint
    assert model.fingerprint != backend(folders("llama"), context=40).fingerprint
    assert model.fingerprint != backend(folders("mistral")).fingerprint


def test_documents_are_ranked_by_it_and_a_dry_run_counts_the_same_calls(folders):
    from ponderank import Reranker
    from ponderank.backends.testing import Counting
    from ponderank.formats.attention import ICR
    from ponderank.recipe import Recipe
    from ponderank.strategies.window import Window

    recipe = Recipe("icr", "none", ICR(), Window(size=100))
    texts = [text(random.Random(seed), 10) for seed in range(7)]
    model = backend(folders("qwen3"))
    with Reranker(recipe, backend=model) as reranker:
        ranking = reranker.rank("who wrote it", texts)
    assert sorted(doc.text for doc in ranking.docs) == sorted(texts)
    assert ranking.usage.calls == 2
    assert ranking.usage.cached_tokens > 100
    assert ranking.flaws() == {}
    assert list(ranking.order) != list(range(7))
    with Reranker(recipe, backend=Counting(model.tokenizer)) as reranker:
        dry = reranker.rank("who wrote it", texts)
    assert (dry.usage.calls, dry.usage.prompt_tokens) == (2, ranking.usage.prompt_tokens)
    assert list(dry.order) == list(range(7))
