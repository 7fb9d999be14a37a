"""Rank1 against the rules of its authors' code (``rank1.py``), written out here as they are read there.

Where the two differ, the difference is one that `Differs:` in formats/rank1.py names, and a test says so.
"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.formats.rank1 import Rank1, forced
from ponderank.types import Doc, Part, Query, Reply, text_of

TEMPLATE = (
    "Determine if the following passage is relevant to the query. Answer only with 'true' or 'false'.\n"
    "Query: {query}\nPassage: {doc}\n<think>"
)


def published_prompt(query, doc, instruction=None, dataset_prompt=None):
    """``predict`` and ``return_prompt``."""
    if instruction is not None:
        query = f"{query} {instruction}".strip() if query.strip() != instruction.strip() else query.strip()
    text = f"{doc['title']} {doc['text']}" if "title" in doc else doc["text"]
    query = dataset_prompt.replace("FILL_QUERY_HERE", query) if dataset_prompt else query
    return TEMPLATE.format(query=query, doc=text)


def published_forced(prompt, text):
    """``_fix_incomplete_responses``."""
    text = text.rstrip()
    if not text.endswith((".", "!", "?")):
        last = max(text.rfind("."), text.rfind("!"), text.rfind("?"))
        if last != -1:
            text = text[: last + 1]
    return f"{prompt}\n{text.strip()}\n</think>"


def published_score(true, false):
    return math.exp(true) / (math.exp(true) + math.exp(false))


texts = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="{}"), max_size=40)


@given(query=texts, title=texts, text=texts)
def test_the_prompt_is_the_same_byte_for_byte(query, title, text):
    ours = text_of(Rank1().prompt(Query("q", query), Doc("d", text, title)))
    assert ours == published_prompt(query, {"title": title, "text": text} if title else {"text": text})


@pytest.mark.parametrize(("query", "instruction"), [("who", "Only books."), ("who", "who"), ("who", "")])
def test_an_instruction_is_joined_the_same_way(query, instruction):
    ours = text_of(Rank1().prompt(Query("q", query, instruction), Doc("d", "x")))
    assert ours == published_prompt(query, {"text": "x"}, instruction)


@pytest.mark.parametrize(
    "dataset", ["SciFact", "ClimateFEVER", "NFCorpus", "BrightRetrieval_aops", "BrightRetrieval_pony"]
)
def test_a_dataset_prompt_is_filled_the_same_way(dataset):
    from ponderank.formats.rank1_prompts import CODE

    ours = text_of(Rank1(dataset=dataset).prompt(Query("q", "who"), Doc("d", "x")))
    assert ours == published_prompt("who", {"text": "x"}, dataset_prompt=CODE[dataset])


def test_the_dataset_prompts_have_the_bytes_of_the_authors_file():
    """SHA-256 of each text in ``prompts.py``, computed from the authors' repository (commit 30585c2)."""
    import hashlib

    from ponderank.formats.rank1_prompts import CODE

    joined = "\x00".join(f"{name}\x01{CODE[name]}" for name in sorted(CODE))
    assert (
        hashlib.sha256(joined.encode()).hexdigest()
        == "0335bb1b0374051aa03a5c5332c22e68c8fadba6e0070bf022d6c82ecbcbb6ba"
    )


@given(thought=st.text(alphabet="ab .!?\n\t\u00a0é", max_size=40))
def test_a_forced_verdict_is_asked_for_with_the_same_text(thought):
    start = (Part("p", True),)
    assert text_of(forced(start, thought)) == published_forced("p", thought)


RECORDED = [(-0.0001, -9.2), (-3.1, -0.05), (-0.7, -0.7), (-12.5, -0.00001), (-25.0, -0.3)]
"""Log-probabilities of ` true` and ` false` at the verdict."""


@pytest.mark.parametrize(("true", "false"), RECORDED)
def test_the_score_of_a_verdict_is_the_same_probability(true, false):
    dialogue = Rank1().judge(Query("q", "who"), [Doc("d", "x")], None)
    next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([Reply(" ", stop="</think> true", scores=(true, false))])
    assert stop.value.value.probs[0] == pytest.approx(published_score(true, false), abs=1e-6)


def test_log_odds_still_order_what_the_published_score_cannot_tell_apart():
    """Two sure verdicts: their probabilities are the same double, so the authors' run file ties them."""
    sure, surer = (-1e-18, -41.0), (-1e-20, -45.0)
    assert published_score(*sure) == published_score(*surer)
    assert surer[0] - surer[1] > sure[0] - sure[1]
