"""Our listwise prompts against what the published code made of the same cases (``record_permutation_prompts.py``).

Where they differ, the case is named here with the reason, and a test says what ours has in its place.
"""

import json
from itertools import groupby
from pathlib import Path

import pytest
from cases_permutation_prompts import BLOCKS, answer, cases, digest, pieces

from ponderank.formats.first import First
from ponderank.formats.order_reading import read_order, read_tied
from ponderank.formats.permutation import RankGPT, RankLLM
from ponderank.formats.permutation_prompts import AROUND
from ponderank.formats.rank_k import RankK
from ponderank.formats.reason_rank import ReasonRank
from ponderank.types import Doc, Query

RECORDED = json.loads(Path(__file__).with_name("permutation_prompts.json").read_text("utf-8"))
CASES = cases()


class Pieces:
    """Counts as the recording's tokenizer cuts."""

    def count(self, prompt):
        return len(pieces(prompt))


FORMS = {
    "rankgpt": RankGPT(widest=100),
    "dear": RankGPT("dear", widest=100),
    "zephyr": RankLLM(widest=100),
    "zephyr-letters": First("zephyr-letters"),
    "vicuna": RankLLM("vicuna", around=AROUND["vicuna"], widest=100),
    "full": RankLLM("full", words=100, around=AROUND["mistral"], widest=100),
    "first": First(),
    "rank-k": RankK(widest=100),
    "reason-rank": ReasonRank(widest=100),
    "reason-rank-qwen3": ReasonRank(qwen3=True, widest=100),
}
OUR_OWN = {
    ("rankgpt", "citations"), ("dear", "citations"), ("rank-k", "citations"), ("rank-k", "marks"), ("rankgpt", "marks"),
    ("dear", "marks"),  # [12] is not rewritten there
    ("zephyr-letters", "letters in brackets"),  # only numbers are rewritten there
    ("reason-rank", "white space"), ("reason-rank-qwen3", "white space"),  # ftfy makes one kind of line end there
}  # fmt: skip
"""What ours words differently on purpose."""


def rendered(form, case):
    query, docs = CASES[case]
    asked = Query("q", query), [Doc(str(i), text, title) for i, (title, text) in enumerate(docs)]
    prompt = form.prompt(*asked, Pieces()) if isinstance(form, RankK | ReasonRank) else form.prompt(*asked)
    if not prompt[0].role:
        return "".join(part.text for part in prompt)
    return [[role, "".join(part.text for part in parts)] for role, parts in groupby(prompt, key=lambda part: part.role)]


@pytest.mark.parametrize(("name", "case"), [(name, case) for name in FORMS for case in RECORDED[name]])
def test_a_prompt_has_the_published_bytes(name, case):
    same = digest(rendered(FORMS[name], case)) == RECORDED[name][case]
    assert same == ((name, case) not in OUR_OWN)


def test_every_case_is_recorded():
    for name in FORMS:
        lettered = name in ("first", "zephyr-letters")
        assert set(RECORDED[name]) == {case for case, (_, docs) in CASES.items() if not lettered or len(docs) <= 20}


@pytest.mark.parametrize("name", ["rankgpt", "dear", "rank-k"])
def test_a_number_in_brackets_never_looks_like_a_passage(name):
    text = json.dumps(rendered(FORMS[name], "citations"))
    assert "as shown in (12) and (3) > (1), [ 4 ], [a1]" in text
    assert "[12]" not in text


def test_a_letter_in_brackets_never_looks_like_a_passage():
    text = json.dumps(rendered(FORMS["zephyr-letters"], "letters in brackets"))
    assert "as shown in (B) > (A) and [sic]" in text


@pytest.mark.parametrize("name", ["reason-rank", "reason-rank-qwen3"])
def test_but_for_the_kind_of_line_ends_white_space_stays_as_it_is(name):
    system, (role, text) = rendered(FORMS[name], "white space")
    assert digest([system, [role, text.replace("\r\n", "\n")]]) == RECORDED[name]["white space"]


def test_full_ranking_words_its_prompt_as_rank_llm_did_when_it_was_released():
    """But for the number of words of each passage, and Zephyr's own chat template around it."""
    form = RankLLM("full", around="<|system|>\n{system}</s>\n<|user|>\n{user}</s>\n<|assistant|>\n", widest=100)
    for case, recorded in RECORDED["zephyr release"].items():
        assert digest(rendered(form, case)) == recorded


def test_the_port_of_reason_rank_in_rank_llm_words_its_prompt_otherwise():
    """No empty line before the passages, which are cut at 300 words: so the authors' own is followed."""
    for case in CASES:
        assert RECORDED["reason-rank in rank_llm"][case] != RECORDED["reason-rank"][case]
    (system, (_, user)) = rendered(FORMS["reason-rank"], "five")
    ported = [list(system), ["user", user.replace(".\n\n[1]", ".\n[1]")]]
    assert digest(ported) == RECORDED["reason-rank in rank_llm"]["five"]


def read(kind, n, seed):
    """Ids (from 1) as ours has them, missing ones last."""
    text = answer(n, seed, kind)
    order = read_tied(text, n) if kind == "tied" else read_order(text, n, letters=kind == "letters")
    if order is None:  # nothing but unknown ids
        return [[i] for i in range(1, n + 1)] if kind == "tied" else list(range(1, n + 1))
    whole = [place + 1 for place in order.whole(n)]
    if kind != "tied":
        return whole
    groups = [[place + 1 for place in group] for group in order.groups]
    return groups + [[i] for i in whole[sum(map(len, groups)) :]]


READINGS = RECORDED["readings"]


@pytest.mark.parametrize(("kind", "n"), [(kind, n) for kind in READINGS for n in READINGS[kind]])
def test_answers_in_form_are_repaired_as_published(kind, n):
    """RankGPT's ``receive_permutation``, rank_llm's ``clean_ranking_response`` (letters), Rank-K's ``parse_ranking_more``."""
    for start, recorded in zip(BLOCKS, READINGS[kind][n], strict=True):
        assert digest([read(kind, int(n), seed) for seed in range(start, start + 50)]) == recorded
