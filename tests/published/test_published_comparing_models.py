"""Scores as llm-rankers computes them from a T5's logits, on a small random one: Setwise and PRP by likelihood, duoT5."""

import pytest

from ponderank import Doc, Query
from ponderank.formats.pair import PRP, DuoT5
from ponderank.formats.setwise import Setwise

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WORDS = ("Passage", "A", "B", "C", "D", "true", "false", "the", "cat", "dog", "query", "relevant", "Output", "which")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random T5 whose vocabulary has a token for each label, as T5's own has."""
    from tokenizers import Tokenizer, models

    import tiny_t5

    folder = tiny_t5.model(tmp_path_factory.mktemp("t5"))
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW0123456789?:,."▁'
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((f"▁{word}", -2.0) for word in WORDS)]
    made.model = models.Unigram([*vocabulary, *((letter, -8.0) for letter in letters)], unk_id=2)
    made.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    model = transformers.T5ForConditionalGeneration.from_pretrained(folder)
    model.resize_token_embeddings(made.get_vocab_size(), mean_resizing=False)
    model.save_pretrained(folder)
    return folder


def judged(folder, form, texts):
    """The judgement of the model in this process."""
    from ponderank.backends.transformers_t5 import TorchSeq2Seq

    backend = TorchSeq2Seq(folder, device="cpu")
    dialogue = form.judge(
        Query("q", "which cat"), [Doc(str(at), text) for at, text in enumerate(texts)], backend.tokenizer
    )
    calls, found = next(dialogue), {}
    tickets = [backend.add(call) for call in calls]
    while len(found) < len(tickets):
        found.update(backend.step())
    with pytest.raises(StopIteration) as stop:
        dialogue.send([found[ticket] for ticket in tickets])
    return "".join(part.text for part in calls[0].prompt), stop.value.value


def logits(folder, text, begun=""):
    """The model's logits behind ``<pad>`` and the beginning of the answer, and its tokenizer."""
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    model = transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()
    begun_ids = tokenizer(begun, add_special_tokens=False).input_ids
    with torch.inference_mode():
        out = model(
            input_ids=tokenizer(text, return_tensors="pt").input_ids, decoder_input_ids=torch.tensor([[0, *begun_ids]])
        )
    return out.logits[0].double(), tokenizer


@pytest.mark.parametrize("count", [2, 3, 4])
def test_setwise_likelihoods_are_theirs_up_to_what_all_have_in_common(folder, count):
    text, judgement = judged(
        folder, Setwise("likelihood", "raw"), ["the cat", "the dog", "query relevant", "which dog"][:count]
    )
    found, tokenizer = logits(folder, text, "Passage")
    ids = [tokenizer(f"Passage {letter}", add_special_tokens=False).input_ids for letter in "ABCD"[:count]]
    assert {len(one) for one in ids} == {2}
    theirs = torch.softmax(found[-1], 0)[[one[-1] for one in ids]]
    common = torch.log_softmax(found[0], 0)[ids[0][0]]
    assert judgement.scores == pytest.approx([float(score.log() + common) for score in theirs], abs=1e-5)
    assert max(range(count), key=lambda at: judgement.scores[at]) == int(theirs.argmax())


def test_prp_scores_are_the_labels_softmax(folder):
    text, judgement = judged(folder, PRP("scoring", "raw"), ["the cat", "the dog"])
    found, tokenizer = logits(folder, text, "Passage")
    ids = [tokenizer(f"Passage {letter}", add_special_tokens=False).input_ids[-1] for letter in "AB"]
    assert judgement.scores == pytest.approx(torch.softmax(found[-1][ids], 0).tolist(), abs=1e-6)


def test_duot5_scores_are_the_softmax_of_true_and_false(folder):
    text, judgement = judged(folder, DuoT5(), ["the cat", "the dog"])
    found, tokenizer = logits(folder, text)
    true, false = (tokenizer(word, add_special_tokens=False).input_ids[0] for word in ("true", "false"))
    theirs = torch.softmax(found[0][[false, true]], 0)[1]
    assert judgement.scores == pytest.approx((float(theirs), 1 - float(theirs)), abs=1e-6)
