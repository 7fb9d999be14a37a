"""Graded verdicts, driven by hand with next and send."""

import math

import pytest

from ponderank.errors import RecipeError
from ponderank.formats.graded import ERank, RetroStar, TFRank
from ponderank.types import Choose, Doc, Generate, Judgement, Query, Reply, text_of

QUERY, DOC = Query("q", "who"), Doc("d", "me", "It")


def play(form, *rounds, query=QUERY, doc=DOC):
    """The calls of every round, and the judgement on these replies."""
    dialogue = form.judge(query, [doc], None)
    asked = [next(dialogue)]
    for at, replies in enumerate(rounds):
        try:
            asked.append(dialogue.send(list(replies)))
        except StopIteration as stop:
            assert at == len(rounds) - 1
            return asked, stop.value
    raise AssertionError("the dialogue goes on")


def prefill(call):
    return "".join(part.text for part in call.prompt if part.role == "assistant")


# -- ERank ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grade", "logprob"), [(7, -0.25), (10, -0.01), (1, -2.0)])
def test_erank_scores_the_integer_times_its_tokens_probability(grade, logprob):
    text = f"<think>so it is</think><answer>{grade}</answer>"
    asked, judgement = play(ERank(), [Reply(text)], [Reply(scores=(logprob,))])
    assert judgement.scores[0] == pytest.approx(grade * math.exp(logprob))
    assert (judgement.verdict, judgement.reasoning, judgement.flaw) == (str(grade), "so it is", None)
    assert asked[1][0].labels == (str(grade),)


def test_erank_reads_the_probability_behind_the_models_own_words():
    asked, _ = play(ERank(), [Reply("<think>a</think>\n<answer> 7 </answer>")], [Reply(scores=(-0.1,))])
    (call,) = asked[1]
    assert prefill(call) == "<think>a</think>\n<answer> "
    assert [(part.text, part.trusted) for part in call.prompt if part.role == "assistant"] == [
        ("<think>", True), ("a", False), ("</think>", True), ("\n<answer> ", False)
    ]  # fmt: skip
    assert call.prompt[: len(asked[0][0].prompt)] == asked[0][0].prompt


def test_erank_gives_nought_for_a_nought():
    assert play(ERank(), [Reply("<think>a</think><answer>0</answer>")], [Reply(scores=(-0.1,))])[1].scores == (0.0,)


def test_erank_takes_no_grade_that_its_thought_quotes():
    text = "<think>it says </think><answer>10</answer> but</think><answer>2</answer>"
    asked, judgement = play(ERank(), [Reply(text)], [Reply(scores=(0.0,))])
    assert asked[1][0].labels == ("2",)
    assert judgement.scores == (2.0,)


CLOSED = tuple(f"{i}</answer>" for i in range(11))
BARE = tuple(str(i) for i in range(11))


@pytest.mark.parametrize(
    ("text", "finish", "words"),
    [
        ("<think>It is. It says <answer>10</answer> and", "length", "<think>It is.\n</think>\n\n<answer>"),
        ("<think>It is.</think> I would say", "length", "<think>It is.</think>\n\n<answer>"),
        ("<think>It is.</think><answer>high</answer>", "end", "<think>It is.</think>\n\n<answer>"),
        ("<think>It is.</think><answer>11</answer>", "end", "<think>It is.</think>\n\n<answer>"),
        ("<think>It is.</think><answer>7 or 8</answer>", "end", "<think>It is.</think>\n\n<answer>"),
        ("<think>It is.</think>", "interrupted", "<think>It is.</think>\n\n<answer>"),
        ("", "length", "<answer>"),
    ],
)
def test_erank_forces_the_likeliest_grade_where_none_was_given(text, finish, words):
    closed = [-5.0] * 11
    closed[10] = -1.0
    bare = [-3.0] * 11
    bare[1], bare[10] = -0.1, -0.5  # 1 is also how 10 begins, so it must not win
    asked, judgement = play(ERank(), [Reply(text, finish)], [Reply(scores=(*closed, *bare))])
    (call,) = asked[1]
    assert call.labels == (*CLOSED, *BARE)
    assert prefill(call) == words
    assert judgement.scores[0] == pytest.approx(10 * math.exp(-0.5))
    assert (judgement.flaw, judgement.verdict) == ("incomplete", "10")


@pytest.mark.parametrize("finish", ["late", "refused"])
def test_erank_asks_no_more_of_who_did_not_answer(finish):
    asked, judgement = play(ERank(), [Reply(finish=finish)])
    assert len(asked) == 1
    assert (judgement.flaw, math.isnan(judgement.scores[0])) == (finish, True)


@pytest.mark.parametrize("scores", [(), (math.nan,)])
def test_erank_without_a_probability_is_unparsed(scores):
    _, judgement = play(ERank(), [Reply("<think>a</think><answer>3</answer>")], [Reply(scores=scores)])
    assert (judgement.flaw, judgement.verdict, math.isnan(judgement.scores[0])) == ("unparsed", "", True)


def test_erank_puts_the_instruction_where_its_goal_stands():
    prompt = ERank().prompt(Query("q", "who", "no fiction"), DOC)
    assert "definition is: no fiction\n" in text_of(prompt)
    assert [part.text for part in prompt if not part.trusted] == ["no fiction", "who", "It me"]


def test_erank_makes_the_row_it_would_read():
    text = "<think>so it is</think><answer>7</answer>"
    _, judgement = play(ERank(), [Reply(text)], [Reply(scores=(-0.1,))])
    assert ERank().example(QUERY, [DOC], judgement)[1] == text


def test_erank_quotes_are_evidence():
    doc = Doc("d", "Penguins live far south. They cannot fly.")
    reply = Reply("<think>it says penguins live far south</think><answer>7</answer>")
    _, judgement = play(ERank(), [reply], [Reply(scores=(-0.1,))], doc=doc)
    (span,) = judgement.evidence
    assert doc.text[span.start : span.end] == "Penguins live far south"


# -- TFRank -----------------------------------------------------------------------------------------------------------


def softmax(values):
    weights = [math.exp(value - max(values)) for value in values]
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize("verdict", [(-0.2, -1.9), (-2.5, -0.1)])
@pytest.mark.parametrize("grades", [(-3.0, -2.0, -1.0, -0.9, -4.0), (-0.1, -9.0, -9.0, -9.0, -700.0)])
def test_tfrank_scores_the_mean_of_the_expected_grade_and_yes(verdict, grades):
    asked, judgement = play(TFRank(), [Reply(scores=verdict)], [Reply(scores=grades)])
    expected = (sum(i * p for i, p in enumerate(softmax(grades))) / 4 + softmax(verdict)[0]) / 2
    assert judgement.scores[0] == pytest.approx(expected, abs=1e-12)
    assert judgement.probs[0] == pytest.approx(softmax(verdict)[0])
    assert asked[1][0].labels == ("0", "1", "2", "3", "4")


@pytest.mark.parametrize(("verdict", "words"), [((-0.2, -1.9), "yes("), ((-1.9, -0.2), "no(")])
def test_tfrank_reads_the_grade_behind_its_likelier_verdict(verdict, words):
    asked, judgement = play(TFRank(), [Reply(scores=verdict)], [Reply(scores=(-9.0, -9.0, -9.0, -0.1, -9.0))])
    assert asked[1] == [Choose((*asked[0][0].prompt, asked[1][0].prompt[-1]), ("0", "1", "2", "3", "4"))]
    assert (asked[1][0].prompt[-1].text, judgement.verdict) == (words, f"{words}3)")


def test_tfrank_asks_no_grade_without_a_verdict():
    asked, judgement = play(TFRank(), [Reply(finish="refused")])
    assert (len(asked), judgement.flaw) == (1, "refused")


@pytest.mark.parametrize("scores", [(), (math.nan,) * 5, (-math.inf,) * 5])
def test_tfrank_without_grades_is_unparsed(scores):
    _, judgement = play(TFRank(), [Reply(scores=(-0.2, -1.9))], [Reply(scores=scores)])
    assert (judgement.flaw, math.isnan(judgement.scores[0])) == ("unparsed", True)


@pytest.mark.parametrize(("score", "row"), [(0.0, "no(0)"), (0.3, "no(1)"), (0.5, "yes(2)"), (1.0, "yes(4)")])
def test_tfrank_makes_training_rows_of_its_form(score, row):
    assert TFRank().example(QUERY, [DOC], Judgement((score,)))[1] == row


# -- Retro* -----------------------------------------------------------------------------------------------------------


def sample(grade, finish="end"):
    return Reply(f"1. Query Analysis: …\n<score>\n{grade}\n</score>", finish)


def test_retro_star_means_its_samples():
    asked, judgement = play(RetroStar(samples=3), [sample(80), sample(70), sample(30)])
    assert judgement.scores == (60.0,)
    assert (judgement.flaw, judgement.verdict) == (None, "80, 70, 30")
    assert [(call.seed, call.temperature, call.max_tokens, call.stop) for call in asked[0]] == [
        (42, 0.6, 4096, ()), (43, 0.6, 4096, ()), (44, 0.6, 4096, ())
    ]  # fmt: skip
    assert len({call.prompt for call in asked[0]}) == 1
    assert all(isinstance(call, Generate) for call in asked[0])


def test_retro_star_leaves_a_failure_out_of_the_mean_and_counts_it():
    _, judgement = play(RetroStar(samples=3), [sample(80), Reply("no idea", "end"), sample(40)])
    assert judgement.scores == (60.0,)
    assert (judgement.flaw, judgement.verdict) == ("unparsed", "80, ?, 40")


def test_retro_star_tells_a_cut_sample_from_an_unreadable_one():
    _, judgement = play(RetroStar(samples=2), [sample(80), Reply("1. It says <score>100</score>", "length")])
    assert (judgement.scores, judgement.flaw) == ((80.0,), "incomplete")


def test_retro_star_without_any_grade_is_unparsed():
    _, judgement = play(RetroStar(samples=2), [Reply("a", "length"), Reply("b", "length")])
    assert (judgement.flaw, judgement.verdict, math.isnan(judgement.scores[0])) == ("unparsed", "?, ?", True)


@pytest.mark.parametrize(
    "text", ["<score>101</score>", "<score>high</score>", "<score>50.5</score>", "<score>5 or 6</score>", ""]
)
def test_retro_star_reads_whole_grades_up_to_a_hundred_only(text):
    assert play(RetroStar(), [Reply(text, "end")])[1].flaw == "unparsed"


def test_retro_star_reads_the_last_score_of_the_answer():
    text = "<think>it says <score>100</score></think> The document says <score>99</score>.\n<score>5</score>"
    assert play(RetroStar(), [Reply(text, "end")])[1].scores == (5.0,)


def test_retro_star_takes_the_instruction_for_its_definition():
    prompt = RetroStar(dataset="biology").prompt(Query("q", "who", "relevant if <|im_end|>"), DOC)
    assert text_of(prompt).startswith(
        "<user>\nHere is the **relevance definition** in a retrieval task: relevant if <|im_end|>\n\nNow"
    )
    assert "relevant if <|im_end|>" in [part.text for part in prompt if not part.trusted]


def test_retro_star_can_begin_the_answer():
    prompt = RetroStar(prefill="<think>\n\n</think>\n\n").prompt(QUERY, DOC)
    assert (prompt[-1].text, prompt[-1].role, prompt[-1].trusted) == ("<think>\n\n</think>\n\n", "assistant", True)


def test_retro_star_knows_its_datasets_only():
    with pytest.raises(RecipeError, match=r"no rubric is named 'botany'; known: biology, .*"):
        RetroStar(dataset="botany")


@pytest.mark.parametrize("fields", [{"samples": 0}, {"max_tokens": 0}, {"temperature": -1.0}])
def test_impossible_samples_are_refused(fields):
    with pytest.raises(ValueError, match="need 1, 1 and 0 or more"):
        RetroStar(**fields)
