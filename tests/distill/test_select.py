import json
from collections import Counter

import pytest
from distill_world import row

from ponderank.distill.report import card, draw, funnel_dict, funnel_table, lengths
from ponderank.distill.rows import read_rows, row_of, write_rows
from ponderank.distill.select import PRESETS, Selection, select
from ponderank.errors import DataError
from ponderank.formats.rank1 import Rank1
from ponderank.types import text_of

MANY = [
    *(row(i) for i in range(30)),
    *(row(100 + i, "negatives", 0, verdict=False) for i in range(30)),
    *(row(200 + i, "hard 1-5", 0, verdict=i % 5 > 0) for i in range(30)),
    *(row(300 + i, "hard 5-10", 0, verdict=False) for i in range(30)),
]


def reasons(found):
    return {fallen.reason.split(" of ")[0]: fallen.count for fallen in found.funnel if fallen.count}


def agreeing(rows):
    return [one.trace.verdict for one in rows]


def test_what_contradicts_its_implied_label_falls():
    found = select(MANY, Selection())
    assert reasons(found) == {"the verdict contradicts the implied label": 24}
    assert len(found.rows) == 96


def test_only_trusted_parts_are_held_to_their_labels_if_asked():
    rows = [row(1, verdict=False), row(2, "hard 1-5", 0, verdict=True), row(3)]
    assert {one.pair.query.id for one in select(rows, Selection(agree="trusted")).rows} == {"q2", "q3"}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(9, verdict=None), "no verdict"),
        (row(9, finish="length"), "cut off or refused"),
        (row(9, finish="refused", verdict=None), "cut off or refused"),
        (row(9, thought="yes"), "a thought"),
        (row(9, thought="so " * 5000), "a thought"),
        (row(1), "the same answer twice"),
    ],
)
def test_a_row_falls_for_the_first_thing_that_is_wrong_with_it(bad, reason):
    found = select([row(1), bad], Selection())
    assert len(found.rows) == 1
    ((said, count),) = reasons(found).items()
    assert said.startswith(reason)
    assert count == 1


def test_what_the_student_disagrees_with_falls_in_the_parts_that_are_filtered():
    found = select(MANY, Selection(self_filter=("negatives",)), lambda rows: [i % 3 == 0 for i in range(len(rows))])
    assert Counter(one.pair.part for one in found.rows) == {
        "positives": 30,
        "negatives": 20,
        "hard 1-5": 6,
        "hard 5-10": 30,
    }


def test_a_student_without_an_opinion_does_not_agree():
    found = select(
        [row(1), row(2, "negatives", 0, verdict=False)], Selection(self_filter=("negatives",)), lambda rows: [None]
    )
    assert [one.pair.part for one in found.rows] == ["positives"]


def test_a_preset_that_wants_a_student_says_so():
    with pytest.raises(DataError, match="--student"):
        select(MANY, PRESETS["rank1"])


def test_the_final_mix_has_the_papers_shares_with_both_hard_parts_as_one():
    many = [row(i) for i in range(500)] + [row(1000 + i, "negatives", 0, verdict=False) for i in range(154)]
    many += [row(2000 + i, "hard 1-5", 0, verdict=False) for i in range(60)]
    many += [row(3000 + i, "hard 5-10", 0, verdict=False) for i in range(60)]
    found = select(many, PRESETS["rank1"], agreeing)
    parts = Counter(one.pair.part for one in found.rows)
    assert parts["positives"] == 136
    assert parts["negatives"] == 154
    assert parts["hard 1-5"] + parts["hard 5-10"] == 96


def test_samples_have_to_agree_and_one_of_median_length_stays():
    words = ("one two three", "one two three four", "one two three four five")
    agreed = [row(1, sample=i, thought=words[i]) for i in range(3)]
    split = [row(2, sample=i, verdict=i % 2 == 0) for i in range(4)]
    found = select([*agreed, *split], Selection(agree="none"))
    assert [(one.pair.query.id, one.sample) for one in found.rows] == [("q1", 1)]
    assert reasons(found) == {"the samples disagree": 4, "another sample": 2}


def test_a_higher_consensus_asks_more_of_the_samples():
    rows = [row(1, sample=i, verdict=i < 2) for i in range(3)] + [row(2)]
    assert len(select(rows, Selection(agree="none")).rows) == 2
    assert len(select(rows, Selection(agree="none", consensus=0.7)).rows) == 1


def test_the_same_seed_selects_the_same_rows_in_the_same_order():
    mix = {"positives": 1.0, "negatives": 0.5}
    assert select(MANY, Selection(mix=mix)).rows == select(MANY, Selection(mix=mix)).rows
    assert select(MANY, Selection(mix=mix)).rows != select(MANY, Selection(mix=mix, seed=1)).rows


def test_a_mix_of_what_is_not_there_and_an_empty_result_are_errors():
    with pytest.raises(DataError, match=r"'easy'.*positives 30"):
        select(MANY, Selection(mix={"easy": 1.0}))
    with pytest.raises(DataError, match=r"no verdict \(1\)"):
        select([row(verdict=None)], Selection())


def test_the_funnel_adds_up_and_has_examples():
    found = select(MANY, Selection(mix={"positives": 1, "negatives": 1}))
    told = funnel_dict(found)
    assert told["read"] - sum(step["fell"] for step in told["funnel"]) == told["kept"] == 60
    fell = next(step for step in told["funnel"] if step["reason"].startswith("the verdict contradicts"))
    assert len(fell["examples"]) == 3
    assert all(example["pair"]["part"] == "hard 1-5" for example in fell["examples"])
    assert "(hard 1-5 24)" in funnel_table(found)
    assert "| positives | 30 |" in card(found, {"preset": "x"}, None)


@pytest.mark.parametrize("think", [True, False])
def test_a_rows_prompt_is_what_the_recipe_asks_byte_for_byte(think, tmp_path):
    one, form = row(1), Rank1(think=think)
    dialogue = form.judge(one.pair.query, [one.pair.doc], None)
    (call,) = next(dialogue)
    write_rows([one], form, tmp_path / "train.jsonl")
    ((prompt, completion),) = read_rows(tmp_path / "train.jsonl")
    assert prompt == text_of(call.prompt)
    assert completion == ("\nit is as it is, so it is\n</think> true" if think else " true")
    assert completion.endswith(tuple(getattr(call, "stop", ()) or call.labels))


def test_a_row_can_be_read_back_as_the_verdict_it_teaches():
    for verdict in (True, False):
        completion = row_of(row(1, verdict=verdict), Rank1())["completion"]
        assert completion.endswith(f"</think> {str(verdict).lower()}")


def test_lengths_are_counted_by_verdict_and_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    found = lengths([row(1), row(2, verdict=False, thought="a " * 50), row(3, verdict=None)])
    assert found.to_dict()["words"]["false"] == {"rows": 1, "mean": 50.0, "quartiles": [50.0, 50.0, 50.0]}
    draw(found, tmp_path / "a.svg")
    draw(found, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert json.dumps(found.to_dict())
