"""ListT5 against its authors' code: the same prompts, the same text over them, the same order.

``list_t5.json`` was recorded from ListT5's repository by ``record_list_t5.py`` on a small random model that both sides make.
"""

import json
from pathlib import Path

import pytest
from cases_attention import digest
from cases_list_t5 import CONTEXT, case, model, tokenizer

from ponderank.formats.list_t5 import ListT5, order
from ponderank.types import Doc, Query, Reply, text_of

RECORDED = json.loads((Path(__file__).parent / "list_t5.json").read_text())
CASES = list(enumerate(RECORDED["cases"]))
WHOLE = {text: theirs for text, theirs in RECORDED["readings"].items() if sorted(text.split()) == list("12345")}
OTHER = {text: theirs for text, theirs in RECORDED["readings"].items() if text not in WHOLE}


def asked(seed):
    """A case's dialogue and its call; none for a passage alone."""
    query, docs = case(seed)
    dialogue = ListT5().judge(
        Query("q", query), [Doc(str(at), text, title) for at, (title, text) in enumerate(docs)], None
    )
    return dialogue, (next(dialogue)[0] if len(docs) > 1 else None), len(docs)


def judged(dialogue, reply):
    with pytest.raises(StopIteration) as stop:
        dialogue.send([reply])
    return stop.value.value


def ranked(judgement):
    return sorted(range(len(judgement.scores)), key=lambda at: -judgement.scores[at])


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    """The recorded model, in our backend."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from ponderank.backends.transformers_t5 import TorchSeq2Seq

    folder = tmp_path_factory.mktemp("list-t5")
    return TorchSeq2Seq(model(tokenizer(folder), folder), device="cpu", context=CONTEXT)


def answered(backend, call):
    ticket, found = backend.add(call), []
    while not found:
        found = backend.step()
    assert found[0][0] == ticket
    return found[0][1]


@pytest.mark.parametrize(("seed", "theirs"), CASES)
def test_the_prompts_are_the_same_byte_for_byte_also_of_fewer_than_five(seed, theirs):
    _, call, n = asked(seed)
    if call is None:
        assert (theirs["prompts"], theirs["order"]) == ([], [0])
    else:
        assert [digest(text_of(prompt)) for prompt in call.prompts] == theirs["prompts"]
        assert len(call.prompts) == 5 >= n


@pytest.mark.parametrize(("seed", "theirs"), CASES)
def test_the_decoder_writes_the_same_and_it_is_read_the_same(seed, theirs, backend):
    dialogue, call, _ = asked(seed)
    if call is None:
        return
    reply = answered(backend, call)
    assert " ".join(word for word in reply.text.split() if word != "<pad>") == theirs["text"]  # they leave those out
    judgement = judged(dialogue, reply)
    named = ranked(judgement)[: len(theirs["order"])]
    assert named == theirs["order"]
    assert judgement.flaw in ("incomplete", None)


def test_long_passages_were_cut_alike_in_some_of_the_cases(backend):
    cut = [answered(backend, asked(seed)[1]).cut_tokens > 0 for seed, _ in CASES if asked(seed)[1]]
    assert 10 < sum(cut) < len(cut)


@pytest.mark.parametrize("text", WHOLE)
def test_a_whole_order_is_read_the_same(text):
    dialogue, _, _ = asked(1)
    judgement = judged(dialogue, Reply(text, "end"))
    assert ranked(judgement) == WHOLE[text]
    assert judgement.flaw is None


@pytest.mark.parametrize("text", [text for text in OTHER if text.split() and set(text) <= set("12345 ")])
def test_of_an_order_with_slips_what_was_named_stands_as_theirs_does(text):
    dialogue, _, _ = asked(1)
    judgement = judged(dialogue, Reply(text, "end"))
    assert ranked(judgement)[: len(OTHER[text])] == OTHER[text]
    assert judgement.flaw == "incomplete"


def test_where_theirs_takes_the_first_passage_for_the_best_ours_keeps_the_order():
    """They read ``1 1 1 1 1`` in whatever is no list of numbers, and nothing tells that it was not the model's word."""
    assert [OTHER[text] for text in ("", "none", "[1] > [2]")] == [[0]] * 3
    for text in ("", "none"):
        judgement = judged(asked(1)[0], Reply(text, "end"))
        assert (judgement.scores, judgement.flaw) == ((0.0,) * 5, "unparsed")


def test_where_theirs_reads_a_nought_as_the_last_passage_ours_does_not():
    assert OTHER["5 4 3 2 0"] == [4, 1, 2, 3]
    assert order("5 4 3 2 0", 5) == ([1, 2, 3, 4], False)


def test_where_theirs_stops_with_an_error_at_a_six_ours_goes_on():
    assert OTHER["5 4 3 2 6"] == "NameError"
    assert order("5 4 3 2 6", 5) == ([1, 2, 3, 4], False)


def test_the_names_in_their_wrapper_are_mapped_to_those_of_a_t5(backend):
    from ponderank.backends.transformers_fused import plain_name

    names = {name for name in backend.model.state_dict() if name.startswith("encoder.")}
    assert {plain_name(name) for name in RECORDED["names"]} | {"encoder.embed_tokens.weight"} == names
