"""E2Rank against its authors' code, by digests of what that code embeds and how it ranks (``record_e2rank.py``)."""

import json
from pathlib import Path

import pytest
from cases_e2rank import BLOCK, case, chat, digest, vector

from ponderank.formats.embedding import E2Rank
from ponderank.types import Doc, Query, Reply

RECORDED = json.loads((Path(__file__).parent / "e2rank.json").read_text())
THOUGHT = "<think>\n\n</think>\n\n"


def text_in_chat(prompt):
    """A prompt as the model reads it: Qwen3's template around a chat, nothing around the rest."""
    if not prompt[0].role:
        return "".join(part.text for part in prompt)
    assert [part.text for part in prompt if part.role == "assistant"] == [THOUGHT]
    return chat("".join(part.text for part in prompt if part.role == "user"))


def run(form, query, docs):
    """What is embedded, the documents first as there, and the order."""
    dialogue = form.judge(Query("q", query), [Doc(str(i), doc) for i, doc in enumerate(docs)], None)
    calls = next(dialogue)
    texts = [text_in_chat(call.prompt) for call in calls]
    try:
        dialogue.send([Reply(vectors=(tuple(vector(text)),)) for text in texts])
    except StopIteration as stop:
        scores = stop.value.scores
    return [*texts[1:], texts[0]], sorted(range(len(docs)), key=lambda i: -scores[i])


@pytest.mark.parametrize("block", RECORDED["evaluation"])
def test_what_is_embedded_and_the_order_are_those_of_the_evaluation(block):
    n, number = map(int, block.split("/"))
    seeds = range(number * BLOCK, (number + 1) * BLOCK)
    assert digest([[*run(E2Rank(), *case(n, seed))] for seed in seeds]) == RECORDED["evaluation"][block]


@pytest.mark.parametrize("block", RECORDED["card"])
def test_the_model_cards_prompt_is_the_same_byte_for_byte(block):
    n, number = map(int, block.split("/"))
    form = E2Rank(wording="card", words=None)
    prompts = []
    for seed in range(number * BLOCK, (number + 1) * BLOCK):
        query, docs = case(n, seed)
        prompts.append(text_in_chat(form.prompt(Query("q", query), [Doc(str(i), doc) for i, doc in enumerate(docs)])))
    assert digest(prompts) == RECORDED["card"][block]
