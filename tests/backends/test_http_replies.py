import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponderank.backends.http_logprobs import Position, chosen, positions, scored, watched
from ponderank.backends.http_replies import (
    Unreadable,
    choice_of,
    error_text,
    retry_after,
    stopped,
    text_of_choice,
    too_long,
    usage_of,
)

STOPS = ("</think> true", "</think> false")
LABELS = (" true", " false")


def tokens(*texts, top=None):
    return [Position(text, -0.1, top or {}) for text in texts]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 9000 tokens (8000 in the messages, "
         "1000 in the completion). Please reduce the length", (4096, 8000)),
        ("this model's maximum context length is 4096 tokens, but the prompt contains 5000 input tokens", (4096, 5000)),
        ("'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context length is 4096 tokens and your "
         "request has 100 input tokens (9000 > 4096 - 100).", (4096, 100)),
        ('{"error":{"code":400,"message":"request (9412 tokens) exceeds the available context size (8192 tokens), try increasing '
         'it","type":"exceed_context_size_error","n_prompt_tokens":9412,"n_ctx":8192}}', (8192, 9412)),
        ("The input (9000 tokens) is longer than the model's context length (4096 tokens).", (4096, 9000)),
        ("Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 9100 tokens: "
         "100 tokens from the input messages and 9000 tokens for the completion.", (4096, 100)),
        ("prompt is too long: 210000 tokens > 200000 maximum", (200000, 210000)),
        ("the input is too long for the context", (None, None)),
        ("Requested logprobs of 20, which is greater than max allowed: 5", None),
        ("temperature must be at least 0", None),
    ],
)  # fmt: skip
def test_what_servers_say_about_length_is_understood(message, told):
    assert too_long(message) == told


def test_a_stop_string_is_known_from_the_text_the_servers_word_or_the_tokens():
    choice = {"finish_reason": "stop"}
    assert stopped(choice, "so </think> true", [], STOPS) == ("so ", "</think> true", "stop")
    assert stopped({**choice, "stop_reason": STOPS[1]}, "so ", [], STOPS) == ("so ", STOPS[1], "stop")
    assert stopped({**choice, "matched_stop": STOPS[1]}, "so ", [], STOPS) == ("so ", STOPS[1], "stop")
    assert stopped(choice, "so", tokens("so", "</think>", " true"), STOPS) == ("so", "</think> true", "stop")
    assert stopped(choice, "so", tokens("so"), STOPS) == ("so", "", "stop")


def test_the_models_own_end_is_told_from_an_unknown_stop():
    assert stopped({"finish_reason": "stop", "stop_reason": None}, "so", [], STOPS)[2] == "end"
    assert stopped({"finish_reason": "stop", "matched_stop": 151645}, "so", [], STOPS)[2] == "end"
    assert stopped({"finish_reason": "stop"}, "so", [], STOPS)[2] == "stop"
    assert stopped({"finish_reason": "length", "stop_reason": None}, "so", [], STOPS)[2] == "length"
    assert stopped({"finish_reason": "content_filter"}, "", [], STOPS)[2] == "refused"
    assert (
        stopped({"finish_reason": "stop", "message": {"refusal": "no", "content": None}}, "", [], STOPS)[2] == "refused"
    )


def test_a_verdict_is_read_only_where_the_stop_strings_last_token_stands():
    top = {" true": -0.1, " false": -2.0}
    assert watched(tokens(" so", "</think>", " true", top=top), STOPS[0], LABELS) == (-0.1, -2.0)
    # llama.cpp leaves the stop string's tokens out: what is last then was said inside the thought
    assert watched(tokens(" it", " is", " true", top=top), STOPS[0], LABELS) == ()
    assert watched(tokens("</think>", " true", top={" true": -0.1}), STOPS[0], LABELS) == ()
    assert watched(tokens("</think>", "true", top=top), "</think>true", LABELS) == ()


def test_both_shapes_of_log_probabilities_read_the_same():
    lists = {"tokens": ["Ġtrue"], "token_logprobs": [-0.5], "top_logprobs": [{"Ġtrue": -0.5, "▁false": -1.0}]}
    top = [{"token": " true", "logprob": -0.5}, {"token": "x", "bytes": list(b" false"), "logprob": -1.0}]
    content = [{"token": " true", "logprob": -0.5, "bytes": list(b" true"), "top_logprobs": top}]
    assert positions({"logprobs": lists}) == positions({"logprobs": {"content": content}})
    assert positions({"logprobs": None}) == []


def test_a_missing_label_is_bounded_by_the_mass_that_is_left():
    scores, missing, note = chosen(Position(" true", -0.01, {" true": math.log(0.9), "x": math.log(0.0999)}), LABELS)
    assert (missing, note) == ((" false",), "' false' not among the 2 likeliest: bounded")
    assert scores[1] == pytest.approx(math.log(0.0001), abs=1e-3)


def test_a_missing_label_that_a_listed_token_begins_is_bounded_by_that():
    scores, _, _ = chosen(Position(" no", -3.0, {" no": -3.0, " rele": -0.1, "x": -4.0}), (" relevant", " no"))
    assert scores == (-0.1, -3.0)


def test_an_echo_is_summed_over_the_labels_tokens_only_where_they_begin_at_the_border():
    read = [Position("x", None, {}), *(Position(text, -1.0, {}) for text in ("</think>", " tr", "ue", "!"))]
    assert scored(read, "x</think>", " true", 1) == (-2.0, 2)
    assert scored(read[:-1], "x</think>", " true", 1) == (-2.0, 2)  # the token that was written is not listed
    over = [
        Position("x", None, {}),
        Position("</think> t", -1.0, {}),
        Position("rue", -1.0, {}),
        Position("!", -1.0, {}),
    ]
    assert scored(over, "x</think>", " true", 1) is None
    assert scored(read, "something else</s>", " true", 1) is None


def test_a_vocabulary_that_loses_the_space_before_a_word_is_seen_through():
    read = [
        Position("x", None, {}),
        Position("</think>", -1.0, {}),
        Position("true", -0.5, {}),
        Position("!", -1.0, {}),
    ]
    assert scored(read, "x</think>", " true", 1) == (-0.5, 2)


@pytest.mark.parametrize(
    "body", [None, [], {}, {"choices": []}, {"choices": ["x"]}, {"choices": [{}]}, {"choices": [{"text": 3}]}]
)
def test_an_answer_that_says_nothing_is_unreadable(body):
    with pytest.raises(Unreadable):
        text_of_choice(choice_of(body))


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_a_thought_kept_apart_stands_in_the_text_once(name):
    assert text_of_choice({"message": {name: "hm", "content": "yes"}}) == "<think>hm</think>yes"
    assert text_of_choice({"message": {name: "hm", "content": "<think>hm</think>yes"}}) == "<think>hm</think>yes"
    assert text_of_choice({"message": {name: "hm", "content": "yes"}}, opened=True) == "hm</think>yes"
    assert text_of_choice({"message": {name: "hm", "content": None}, "finish_reason": "length"}) == "<think>hm"


def test_errors_of_every_shape_are_read():
    for raw in ('{"error": "no"}', '{"error": {"message": "no"}}', '{"detail": "no"}', '{"detail": [{"msg": "no"}]}', '{"message": "no"}',
                '[{"error": {"message": "no"}}]', "<html><b>no</b></html>", "no"):  # fmt: skip
        assert error_text(raw) == "no"


def test_retry_after_is_seconds_or_a_date():
    assert retry_after("7", 0.0) == 7.0
    assert retry_after("Thu, 01 Jan 1970 00:00:30 GMT", 10.0) == 20.0
    assert retry_after("Thu, 01 Jan 1970 00:00:30 GMT", 100.0) == 0.0
    assert retry_after("soon", 0.0) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "text", "message", "content", "logprobs", "tokens", "token_logprobs", "top_logprobs", "usage", "token", "logprob",
             "prompt_tokens", "finish_reason", "bytes"]), inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(json_values)
def test_reading_ends_on_any_json(body):
    try:
        choice = choice_of(body)
        stopped(choice, text_of_choice(choice), positions(choice), STOPS)
        usage_of(body, 0.0)
    except Unreadable:
        pass
