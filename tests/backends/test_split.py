"""The split cross-encoder: its warm start, its graphs, its exits."""

import pytest

from ponderank.types import Classify

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnxscript")

PAIRS = [("the cat", "what is the dog"), ("zebra", "a quick cat. the end"), ("what is the cat", "x"), ("the cat", "")]


@pytest.fixture(scope="module")
def bi_encoder(tiny_bert, tmp_path_factory):
    folder = tiny_bert(1)
    out = tmp_path_factory.mktemp("bi")
    transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(out)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(out)
    return out


@pytest.fixture(scope="module")
def model(bi_encoder):
    from ponderank.models.split_bert import SplitBertForSequenceClassification

    model, tokenizer = SplitBertForSequenceClassification.from_bi_encoder(
        bi_encoder, join_layer=1, exits=(0, 1, 2), sketch=8
    )
    return model.eval(), tokenizer


@pytest.fixture(scope="module")
def trained(model, tmp_path_factory):
    """The model with every weight that training moves, moved; as a folder of torch weights and one of graphs."""
    import copy

    from ponderank.train.export_split import export
    from ponderank.train.shrink import share_weights

    network, tokenizer = copy.deepcopy(model[0]), model[1]
    torch.manual_seed(1)
    network.gates.data.normal_(0, 0.5)
    for part in network.exits:
        for weights in (part.cosine, part.early, part.token_weight.weight):
            weights.data.normal_(0, 0.3)
        part.maxsim.data.fill_(0.4)
        part.words.data.fill_(0.3)
        part.early_bias.data.fill_(0.2)
    for weights in network.sketch.parameters():
        weights.data.normal_(1, 0.5)
    folder, graphs = tmp_path_factory.mktemp("split"), tmp_path_factory.mktemp("graphs")
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    share_weights(export(folder, graphs))
    return folder, graphs


def ask(backend, calls):
    tickets = [backend.add(call) for call in calls]
    found = {}
    while len(found) < len(tickets):
        found.update(backend.step())
    return [found[ticket].scores[0] for ticket in tickets]


def test_before_training_the_score_is_the_bi_encoders_cosine(model, bi_encoder):
    network, tokenizer = model
    encoder = transformers.BertModel.from_pretrained(bi_encoder, add_pooling_layer=False).eval()
    single = transformers.AutoTokenizer.from_pretrained(bi_encoder)

    def embed(text):
        hidden = encoder(**single(text, return_tensors="pt")).last_hidden_state[0]
        return torch.nn.functional.normalize(hidden.mean(0), dim=0)

    with torch.inference_mode():
        queries, texts = zip(*PAIRS, strict=True)
        scores = network(**tokenizer(list(queries), list(texts), padding=True, return_tensors="pt")).logits[:, 0]
        expected = [20.0 * float(embed(q) @ embed(d)) for q, d in PAIRS]
    assert scores.tolist() == pytest.approx(expected, abs=1e-4)


def test_late_interaction_counts_every_word_once_and_again_as_the_sketch_says(bi_encoder):
    from ponderank.models.split_bert import SplitBertForSequenceClassification

    network, tokenizer = SplitBertForSequenceClassification.from_bi_encoder(
        bi_encoder, join_layer=1, exits=(0, 1, 2), sketch=8, late_interaction=6.0
    )
    network.sketch.weight.weight.data.uniform_(-2, 2)
    encoder = transformers.BertModel.from_pretrained(bi_encoder, add_pooling_layer=False).eval()
    single = transformers.AutoTokenizer.from_pretrained(bi_encoder)
    unit = torch.nn.functional.normalize

    def expected(query, text):
        ids = single(query, return_tensors="pt")["input_ids"]
        q, d = (encoder(**single(t, return_tensors="pt")).last_hidden_state[0] for t in (query, text))
        best = (unit(q, dim=-1) @ unit(d, dim=-1).T).amax(1)[1:-1]
        words = torch.nn.functional.softplus(network.sketch.weight(ids[0])[1:-1, 0])
        cosine = unit(q.mean(0), dim=0) @ unit(d.mean(0), dim=0)
        return float(20.0 * cosine + 6.0 * best.mean() + 6.0 * (words @ best) / words.sum())

    with torch.inference_mode():
        queries, texts = zip(*PAIRS, strict=True)
        batch = tokenizer(list(queries), list(texts), padding=True, return_tensors="pt")
        scores = network.eval()(**batch).logits[:, 0]
        assert scores.tolist() == pytest.approx([expected(*pair) for pair in PAIRS], abs=1e-4)


def test_the_graphs_give_torchs_scores_at_every_level(trained):
    from ponderank.backends.onnx import OnnxClassifier
    from ponderank.backends.transformers import TorchClassifier

    folder, graphs = trained
    for level in (0, 1, 2):
        calls = [Classify(*pair, level) for pair in PAIRS]
        ours, theirs = OnnxClassifier(graphs), TorchClassifier(folder, device="cpu")
        assert ask(ours, calls) == pytest.approx(ask(theirs, calls), abs=1e-4)


def test_going_on_from_an_exit_gives_the_full_score(trained):
    from ponderank.backends.onnx import OnnxClassifier

    straight, climbing = OnnxClassifier(trained[1]), OnnxClassifier(trained[1])
    full = [Classify(*pair) for pair in PAIRS]
    ask(climbing, [Classify(*pair, 1) for pair in PAIRS])
    assert ask(climbing, full) == pytest.approx(ask(straight, full), abs=1e-5)


def test_every_weight_is_stored_once(trained):
    graphs = trained[1]
    import onnx

    weights = (graphs / "weights.bin").stat().st_size
    named = sum(
        int(next(e.value for e in t.external_data if e.key == "length"))
        for path in graphs.glob("*.onnx")
        for t in onnx.load(str(path), load_external_data=False).graph.initializer
        if t.external_data
    )
    assert weights < 0.7 * named


def test_an_unknown_level_is_refused(trained):
    from ponderank.backends.onnx import OnnxClassifier

    with pytest.raises(ValueError, match="levels 0 to 2"):
        ask(OnnxClassifier(trained[1]), [Classify("q", "d", 3)])


def test_the_sketch_knows_no_word_order(trained):
    from ponderank.backends.onnx import OnnxClassifier

    calls = [Classify("the cat", text, 2) for text in ("what is the dog", "dog the is what", "a quick cat")]
    there, back, other = ask(OnnxClassifier(trained[1]), calls)
    assert there == pytest.approx(back, abs=1e-4)
    assert abs(there - other) > 1e-3


def test_after_a_sketch_the_full_score_is_the_full_score(trained):
    from ponderank.backends.onnx import OnnxClassifier

    straight, after = OnnxClassifier(trained[1]), OnnxClassifier(trained[1])
    ask(after, [Classify(*pair, 2) for pair in PAIRS])
    full = [Classify(*pair) for pair in PAIRS]
    assert ask(after, full) == ask(straight, full)


def test_frozen_states_kept_in_memory_give_the_same_scores(model):
    import copy

    from ponderank.train.frozen import FrozenStates

    network, tokenizer = copy.deepcopy(model[0]), model[1]
    network.gates.data.normal_(0, 0.5)
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    queries, texts = zip(*PAIRS, strict=True)
    batch = tokenizer(list(queries), list(texts), padding=True, return_tensors="pt")
    expected = network.scores(**batch)
    kept = FrozenStates(network)
    network.joinable = kept
    network.train()
    for _ in range(2):  # computed, then from memory
        scores = network.scores(**batch)
        assert scores[:, -1].tolist() == pytest.approx(expected[:, -1].tolist(), abs=5e-3)
    assert len(kept._kept) == len({*queries}) + len({*texts})
    scores[:, -1].sum().backward()
    assert network.gates.grad.abs().sum() > 0
