"""A query and two texts as three segments (duoBERT) against transformers, on a small random BERT."""

import functools
import random
import shutil

import pytest

from ponderank import RecipeError
from ponderank.backends.pairs import PairTokenizer
from ponderank.types import Classify

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def duo(tiny_bert, tmp_path_factory):
    """A folder with a random two-layer BERT that knows three segments: ``duo(labels=2)``."""
    made, tokenizer = {}, tiny_bert() / "tokenizer.json"

    def make(labels=2, segments=3):
        if (labels, segments) not in made:
            folder = tmp_path_factory.mktemp(f"duo{labels}{segments}")
            torch.manual_seed(labels)
            config = transformers.BertConfig(
                vocab_size=pieces(tokenizer).get_vocab_size(), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                intermediate_size=64, max_position_embeddings=160, num_labels=labels, type_vocab_size=segments,
            )  # fmt: skip
            model = transformers.BertForSequenceClassification(config)
            for parameter in model.parameters():
                torch.nn.init.normal_(parameter, std=0.3)
            model.save_pretrained(folder)
            shutil.copy(tokenizer, folder)
            made[labels, segments] = folder
        return made[labels, segments]

    return make


def backend(folder, **options):
    from ponderank.backends.transformers import TorchClassifier

    return TorchClassifier(folder, device="cpu", **options)


def ask(backend, calls):
    tickets = [backend.add(call) for call in calls]
    found = {}
    while len(found) < len(tickets):
        found.update(backend.step())
    return [found[ticket] for ticket in tickets]


def text(rng, most):
    return " ".join(rng.choices(["the", "cat", "dog", "what", "is", "zebra", "3.5"], k=rng.randint(1, most)))


def calls(n, most=12):
    rng = random.Random(0)
    return [Classify(text(rng, 4), text(rng, most), other=text(rng, most)) for _ in range(n)]


@functools.cache
def pieces(path):
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))


def words(folder, text):
    return pieces(folder / "tokenizer.json").encode(text, add_special_tokens=False).ids


def published(folder, query, first, second, length=160):
    """Ids and segments as ``convert_dataset`` of castorini/duobert makes them, written out here as they are read there."""

    def bert_input(text, most, cls):
        ids = words(folder, text)[: most - cls - 1]
        return [*([CLS] if cls else []), *ids, SEP]

    query_ids = bert_input(query, 64, True)
    texts = [bert_input(one, (length - len(query_ids)) // 2, False) for one in (first, second)]
    segments = [0] * len(query_ids) + [1] * len(texts[0]) + [2] * len(texts[1])
    return query_ids + texts[0] + texts[1], segments


@pytest.mark.parametrize("most", [5, 12, 60, 200])
def test_ids_and_segments_are_the_published_ones(duo, most):
    tokenizer = PairTokenizer.load(duo())
    for call in calls(30, most):
        ids, types, cut = tokenizer.triple(call.query, call.text, call.other)
        assert (ids, types) == published(duo(), call.query, call.text, call.other)
        assert len(ids) <= 160
        assert cut == (len(ids) < sum(len(words(duo(), one)) for one in (call.query, call.text, call.other)) + 4)


def test_of_512_tokens_two_long_texts_have_223_each_beside_a_query_of_62(duo):
    tokenizer = PairTokenizer.load(duo())
    tokenizer.max_length = 512
    ids, types, cut = tokenizer.triple("dog " * 62, "cat " * 400, "the " * 400)
    assert (len(ids), cut) == (512, True)
    assert [types.count(segment) for segment in (0, 1, 2)] == [64, 224, 224]


@pytest.mark.parametrize("labels", [1, 2])
def test_three_segments_give_the_logits_of_transformers(duo, labels):
    folder, asked = duo(labels), calls(20)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    for call, reply in zip(asked, ask(backend(folder, batch_tokens=150), asked), strict=True):
        ids, segments = published(folder, call.query, call.text, call.other)
        with torch.inference_mode():
            row = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([segments])).logits[0].tolist()
        assert reply.scores == pytest.approx(row, abs=1e-4)
        assert (reply.finish, reply.usage.prompt_tokens) == ("stop", len(ids))


def test_pairs_and_triples_share_a_batch_and_a_pair_is_as_ever(duo):
    pairs = [Classify(call.query, call.text) for call in calls(6)]
    together = ask(backend(duo()), [*calls(6), *pairs])
    alone = ask(backend(duo()), pairs)
    for one, other in zip(together[6:], alone, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
        assert one.usage.prompt_tokens == other.usage.prompt_tokens


def test_the_order_of_the_two_texts_counts(duo):
    (call,) = calls(1)
    first, second = ask(backend(duo()), [call, Classify(call.query, call.other, other=call.text)])
    assert first.scores != pytest.approx(second.scores, abs=1e-3)


def test_only_the_texts_are_cut_and_it_is_said(duo):
    short, long = ask(backend(duo()), [Classify("cat", "dog", other="the"), Classify("cat", "dog " * 500, other="the")])
    assert (short.finish, long.finish) == ("stop", "truncated")


def test_special_tokens_in_the_texts_are_plain_text(duo):
    ids, types, _ = PairTokenizer.load(duo()).triple("cat [SEP]", "dog [SEP]", "[CLS] the")
    assert ids.count(SEP) == 3
    assert ids.count(CLS) == 1
    assert [types[at] for at, id_ in enumerate(ids) if id_ == SEP] == [0, 1, 2]


def test_a_query_that_fills_the_model_leaves_room_for_both_texts(duo):
    ids, types, cut = PairTokenizer.load(duo()).triple("cat " * 400, "dog " * 90, "the " * 90)
    assert len(ids) <= 160
    assert cut
    assert min(types.count(1), types.count(2)) > 32


def test_a_model_with_two_segments_refuses_two_texts(duo):
    with pytest.raises(RecipeError, match="are three segments, and this model's type_vocab_size is 2; give a model"):
        backend(duo(segments=2)).add(calls(1)[0])


def test_an_onnx_graph_refuses_two_texts():
    from ponderank.backends.onnx import OnnxClassifier
    from ponderank.models import default_folder

    with pytest.raises(RecipeError, match="reads one text beside the query, not two"):
        OnnxClassifier(default_folder(), threads=1).add(calls(1)[0])


def test_a_dry_run_counts_three_segments_as_the_model_reads_them(duo):
    from ponderank.backends.testing import Counting

    tokenizer = PairTokenizer.load(duo())
    (call,) = calls(1)
    (reply,) = ask(Counting(tokenizer), [call])
    assert reply.usage.prompt_tokens == len(tokenizer.triple(call.query, call.text, call.other)[0])
