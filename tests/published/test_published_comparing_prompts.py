"""Prompts that compare passages, byte for byte those of the authors' code, and well-formed answers read as it reads them.

``comparing_prompts.json`` was made by ``record_comparing_prompts.py``, which runs that code.
"""

import json
from itertools import groupby
from pathlib import Path

import pytest
from cases_comparing_prompts import CASES, EXAMPLES, case, digest

from ponderank.backends.chat import ChatTemplate
from ponderank.formats.choices import letter_in
from ponderank.formats.exclusion import IRanker, excluded
from ponderank.formats.group_rank import GroupRank, grades_in
from ponderank.formats.pair import PRP, DuoT5
from ponderank.formats.selection import Selection, picked_in
from ponderank.formats.setwise import RankR1, Setwise, number_of
from ponderank.types import Doc, Query, Reply, text_of

RECORDED = json.loads((Path(__file__).parent / "comparing_prompts.json").read_text("utf-8"))
ONE_EXAMPLE = EXAMPLES[:1]

FORMS = {
    "setwise raw": Setwise("likelihood", "raw"),
    "setwise begun": Setwise(style="begun"),
    "setwise chat": Setwise(),
    "rank-r1 0.1": RankR1(),
    "rank-r1 0.2": RankR1(version="0.2"),
    "rank-r1 direct": RankR1(think=False),
    "prp raw": PRP("scoring", "raw"),
    "prp begun": PRP(style="begun"),
    "prp chat": PRP(),
    "rankfusion begun": PRP("scoring", "begun", examples=ONE_EXAMPLE),
    "rankfusion raw": PRP("scoring", "raw", examples=ONE_EXAMPLE),
    "duot5": DuoT5(),
    "duot5 of llm-rankers": DuoT5(),
    "group-rank": GroupRank(),
    "selection": Selection(),
}
PAIRS = ("prp", "rankfusion", "duot5")


def turns(prompt):
    """Role and text of each turn."""
    return [(role, "".join(part.text for part in parts)) for role, parts in groupby(prompt, key=lambda part: part.role)]


def asked(form, name, seed):
    query, texts = case(seed)
    texts = texts[:2] if name.startswith(PAIRS) else texts
    return form.prompt(Query("q", query), [Doc(str(at), text) for at, text in enumerate(texts)])


@pytest.mark.parametrize("seed", range(CASES))
@pytest.mark.parametrize("name", FORMS)
def test_the_prompt_is_the_published_one_byte_for_byte(name, seed):
    assert digest(turns(asked(FORMS[name], name, seed))) == RECORDED["prompts"][name][seed]


def test_every_recorded_prompt_is_compared():
    elsewhere = {"prp raw turned", "rankfusion letter", "iranker run", "iranker training"}
    assert set(RECORDED["prompts"]) == {*FORMS, *elsewhere}


@pytest.mark.parametrize("seed", range(CASES))
def test_both_orders_ask_the_published_prompts_of_both(seed):
    query, texts = case(seed)
    docs = [Doc(str(at), text) for at, text in enumerate(texts[:2])]
    calls = next(PRP("scoring", "raw", both_orders=True).judge(Query("q", query), docs, None))
    digests = [digest(turns(call.prompt)) for call in calls]
    assert digests == [RECORDED["prompts"][name][seed] for name in ("prp raw", "prp raw turned")]


@pytest.mark.parametrize("seed", range(CASES))
def test_by_letter_only_the_answers_of_the_examples_differ(seed):
    """There they are ``Passage: A``, and the letter is looked for among the first tokens; here it is the first."""
    form = PRP("scoring", "letter", examples=ONE_EXAMPLE)
    ours = turns(asked(form, "rankfusion letter", seed))
    assert [text for role, text in ours if role == "assistant"] == ["A", "B"]
    theirs = [(role, f"Passage: {text}" if role == "assistant" else text) for role, text in ours]
    assert digest(theirs) == RECORDED["prompts"]["rankfusion letter"][seed]


CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""What the chat template of Qwen2.5 makes of a conversation with a system turn."""


@pytest.mark.parametrize("seed", range(CASES))
@pytest.mark.parametrize("wording", ["run", "training"])
def test_iranker_in_the_chat_template_is_the_published_text_byte_for_byte(wording, seed):
    prompt = asked(IRanker(wording=wording), "iranker", seed)
    text = text_of(tuple(ChatTemplate(CHATML).render(prompt)))
    assert digest([("", text)]) == RECORDED["prompts"][f"iranker {wording}"][seed]


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "theirs"), RECORDED["answers"]["group-rank"])
def test_grades_are_read_as_there(answer, theirs):
    grades, whole = grades_in(answer, 3)
    assert [grades[at] for at in range(3)] == theirs
    assert whole == ("]]" not in answer)


@pytest.mark.parametrize(("answer", "theirs"), RECORDED["answers"]["iranker"])
def test_the_passage_left_out_is_read_as_there(answer, theirs):
    found = excluded(Reply(answer), 4)
    assert (f"passage {found[0]}", found[1]) == (theirs, True)


@pytest.mark.parametrize(("answer", "theirs"), RECORDED["answers"]["selection"])
def test_documents_picked_are_read_as_there(answer, theirs):
    assert picked_in(Reply(answer), 4)[0] == theirs


LETTERS = {"A": 0, "B": 1, "C": 2}
GUESSED = {"Passage B is better than Passage A", "none", "neither", "b"}
"""There the first passage named counts, and the first of all where none is; ours takes ``b`` for a label and guesses nothing."""


@pytest.mark.parametrize("name", ["setwise", "prp"])
def test_letters_are_read_as_there_where_they_are_clear(name):
    for answer, theirs in RECORDED["answers"][name]:
        found = letter_in(answer, 3)
        if answer not in GUESSED:
            assert (answer, found[0]) == (answer, LETTERS[theirs[-1]])
        else:
            assert (answer, found) == (answer, (1, True) if answer == "b" else None)


def test_numbers_are_read_as_there_where_they_are_in_the_form_asked_for():
    """Not there: a number without brackets, one behind a thought that quotes an answer, one that was not shown."""
    recorded = [(answer, theirs, number_of(Reply(answer), 3)) for answer, theirs in RECORDED["answers"]["rank-r1"]]
    assert [(theirs, ours) for _, theirs, ours in recorded] == [
        ("[2]", (2, True)), ("[3]", (3, True)), ("Unexpected voting.", (2, False)), ("[1]", (2, True)), ("Unexpected voting.", None)
    ]  # fmt: skip
