"""ICR against its authors' code: the same prompts, the same tokens counted, the same scores.

``icr.json`` was recorded from In-Context-Reranking by ``record_icr.py`` on small random models that both sides make; see there.
"""

import json
from pathlib import Path

import pytest
from cases_attention import FAMILIES, TASKS, case, digest, make, recorded_vectors

from ponderank.formats.attention import ICR
from ponderank.strategies.window import Window
from ponderank.types import Doc, Query, Reply, text_of

RECORDED = json.loads((Path(__file__).parent / "icr.json").read_text())
CASES = RECORDED["cases"]
NAMED = pytest.mark.parametrize("name", CASES)


def parts_of(name):
    """The format, the query and the documents of a case."""
    family, task, seed = name.split(" ")
    query, docs = case(int(seed))
    docs = [Doc(str(at), text, title) for at, (title, text) in enumerate(docs)]
    return family, ICR(task=task, chat=family), Query("q", query), docs


def asked(form, query, docs):
    return next(form.judge(query, docs, None))


@pytest.fixture(scope="module")
def backends(tmp_path_factory):
    """The recorded models, in our backend."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from ponderank.backends.transformers_attention import TorchAttention

    return {
        family: TorchAttention(make(family, tmp_path_factory.mktemp(family)), device="cpu", context=4096)
        for family in FAMILIES
    }


def answered(backend, calls):
    tickets, found = [backend.add(call) for call in calls], {}
    while len(found) < len(tickets):
        found.update(backend.step())
    return [found[ticket] for ticket in tickets]


def test_every_family_and_task_was_recorded():
    assert {tuple(name.split(" ")[:2]) for name in CASES} == {(family, task) for family in FAMILIES for task in TASKS}


@NAMED
def test_the_prompts_are_the_same_byte_for_byte(name):
    _, form, query, docs = parts_of(name)
    nothing, real = asked(form, query, docs)
    assert digest(text_of(real.prompt)) == CASES[name]["prompt"]
    assert digest(text_of(nothing.prompt)) == CASES[name]["nothing"]


@NAMED
def test_the_same_tokens_are_a_documents_and_the_same_pay(name, backends):
    family, form, query, docs = parts_of(name)
    call = asked(form, query, docs)[1]
    fitted, places = backends[family].tokenizer.located(call.prompt, None)
    held = {part: [at for at, place in enumerate(places) if place.part == part] for part in call.parts}
    first = next(at for at, place in enumerate(places) if place.part >= call.since)
    assert [[held[part][0], held[part][-1] + 1] for part in call.parts] == CASES[name]["spans"]
    assert all(found == list(range(found[0], found[-1] + 1)) for found in held.values())
    assert [first, len(fitted.ids) - 1] == CASES[name]["query"]


@NAMED
def test_the_scores_and_the_order_are_the_same(name, backends):
    family, form, query, docs = parts_of(name)
    dialogue = form.judge(query, docs, None)
    replies = answered(backends[family], next(dialogue))
    with pytest.raises(StopIteration) as stop:
        dialogue.send(replies)
    scores = stop.value.value.scores
    assert scores == pytest.approx(CASES[name]["scores"], abs=2e-5)
    assert sorted(range(len(docs)), key=lambda at: -scores[at]) == CASES[name]["order"]
    assert replies[1].usage.cached_tokens == CASES[name]["query"][0]


@pytest.mark.parametrize("seed", range(len(RECORDED["vectors"])))
def test_recorded_attention_gives_the_same_scores(seed):
    paid, bias = recorded_vectors(seed)
    dialogue = ICR(best_last=False).judge(Query("q", "who"), [Doc(str(at), "x") for at in range(len(paid))], None)
    next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([Reply(vectors=tuple(map(tuple, rows))) for rows in (bias, paid)])
    assert stop.value.value.scores == pytest.approx(RECORDED["vectors"][seed], abs=2e-6)


def test_tokens_far_below_the_mean_are_left_out_in_some_recorded_cases():
    """Else the test above would not see them."""
    sums = [[sum(a) - sum(b) for a, b in zip(*recorded_vectors(seed), strict=True)] for seed in range(60)]
    assert sum(a != pytest.approx(b, abs=2e-6) for a, b in zip(sums, RECORDED["vectors"], strict=True)) > 20


def test_one_window_holds_all_hundred_documents_of_their_runs():
    (group,) = next(Window(size=100).plan(100))
    assert len(group) == 100 == ICR().widest
