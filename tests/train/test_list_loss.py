import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from ponderank import DataError  # noqa: E402
from ponderank.train.list_loss import ListLoss  # noqa: E402
from ponderank.train.losses import LOSSES  # noqa: E402

QUERIES = ["cat", "dog"]
DOCS = [["cat the", "zebra", "lion quick"], ["dog", "bird fish"]]
LABELS = [torch.tensor([2.0, 0.0, 1.0]), torch.tensor([1, 0])]

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def encoder(tiny_bert):
    from sentence_transformers import CrossEncoder

    return CrossEncoder(str(tiny_bert(1)), device="cpu", activation_fn=torch.nn.Identity()).eval()


@pytest.mark.parametrize("size", [None, 1, 2])
def test_lists_of_different_lengths_give_the_loss_of_the_models_scores(encoder, size):
    found = ListLoss(encoder, "kl_distillation", mini_batch_size=size, temperature=1.5)([QUERIES, DOCS], LABELS)
    rows = [
        encoder.predict([(q, d) for d in docs], convert_to_tensor=True)[None]
        for q, docs in zip(QUERIES, DOCS, strict=True)
    ]
    alone = [LOSSES["kl_distillation"](s, y[None], temperature=1.5) for s, y in zip(rows, LABELS, strict=True)]
    assert found.item() == pytest.approx(torch.stack(alone).mean().item(), abs=1e-5)


def test_whole_numbers_in_the_first_list_do_not_round_the_others(encoder):
    lists = [torch.tensor([2, 0, 1]), torch.tensor([0.75, 0.25])]
    found = ListLoss(encoder, "ranknet_soft")([QUERIES, DOCS], lists)
    floats = ListLoss(encoder, "ranknet_soft")([QUERIES, DOCS], [x.float() for x in lists])
    assert found.item() == floats.item()


def test_dear_reads_a_label_and_the_teachers_score_of_each_document(encoder):
    both = [torch.tensor([[1.0, 7.0], [0.0, 2.0], [0.0, 4.0]]), torch.tensor([[1.0, 3.0], [0.0, 1.0]])]
    found = ListLoss(encoder, "dear", alpha=0.4)([QUERIES, DOCS], both)
    rows = [
        encoder.predict([(q, d) for d in docs], convert_to_tensor=True)[None]
        for q, docs in zip(QUERIES, DOCS, strict=True)
    ]
    alone = [LOSSES["dear"](s, y[None, :, 0], y[None, :, 1], alpha=0.4) for s, y in zip(rows, both, strict=True)]
    assert found.item() == pytest.approx(torch.stack(alone).mean().item(), abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_every_list_loss_trains_a_cross_encoder(tmp_path, tiny_bert, name):
    from datasets import Dataset
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments

    model = CrossEncoder(str(tiny_bert(1)), device="cpu", activation_fn=torch.nn.Identity())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    labels = [[[float(y), 3.0 * y] for y in x] if name == "dear" else x.tolist() for x in LABELS]
    rows = Dataset.from_dict({"query": QUERIES, "docs": DOCS, "labels": labels})
    args = CrossEncoderTrainingArguments(
        str(tmp_path), max_steps=2, per_device_train_batch_size=2, learning_rate=1e-2, report_to="none", use_cpu=True
    )
    CrossEncoderTrainer(model=model, args=args, train_dataset=rows, loss=ListLoss(model, name)).train()
    after = model.state_dict()
    assert all(value.isfinite().all() for value in after.values() if value.is_floating_point())
    assert any((after[key] != before[key]).any() for key in before)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("softmax_crossentropy", {}, "no list loss 'softmax_crossentropy'; did you mean softmax_cross_entropy"),
        ("kl_distillation", {"temprature": 1.0}, "no option 'temprature'; did you mean temperature"),
        ("margin_mse", {"weights": 1}, "margin_mse has no option 'weights'"),
        ("margin_mse", {"mini_batch_size": 0}, "mini_batch_size is 0; give 1 or more"),
    ],
)
def test_unknown_losses_and_options_are_refused_with_the_nearest_name(encoder, name, options, message):
    with pytest.raises(DataError, match=message):
        ListLoss(encoder, name, **options)


def test_a_model_of_two_labels_is_refused(tiny_bert):
    from sentence_transformers import CrossEncoder

    with pytest.raises(DataError, match="needs a model with 1 label, this one has 2"):
        ListLoss(CrossEncoder(str(tiny_bert(2)), device="cpu"), "margin_mse")


@pytest.mark.parametrize("labels", [LABELS[:1], [LABELS[0], LABELS[0]], torch.ones(2, 3)])
def test_labels_that_do_not_fit_the_documents_are_refused(encoder, labels):
    with pytest.raises(DataError, match="one \\['labels'\\] for each document"):
        ListLoss(encoder, "weighted_ranknet")([QUERIES, DOCS], labels)


def test_a_model_card_can_say_what_was_used(encoder):
    assert ListLoss(encoder, "dear", alpha=0.2).get_config_dict() == {
        "loss": "dear",
        "mini_batch_size": None,
        "alpha": 0.2,
    }
