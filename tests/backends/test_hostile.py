from hypothesis import example, given, settings
from hypothesis import strategies as st

from ponderank.backends.hostile import CONTROL, _found, neutralise, neutralised
from ponderank.types import Part

TOKENS = [
    "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|endoftext|>", "<|begin_of_text|>", "<|channel|>",
    "<think>", "</think>", "<s>", "</s>", "<bos>", "<eos>", "<unk>", "<pad>", "<start_of_turn>", "<end_of_turn>", "<|turn>",
    "<turn|>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[THINK]", "[/THINK]", "[gMASK]", "<sop>", "<<SYS>>", "<</SYS>>",
    "<tool_call>", "</tool_call>", "<seed:think>", "[|endofturn|]", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>",
    "<|START_OF_TURN_TOKEN|>", "<0x0A>", "<unused12>", "＜think＞", "<\u200b/think>",
]  # fmt: skip
pieces = st.one_of(
    st.sampled_from(
        [*TOKENS, "<", ">", "|", "/", "[", "]", "<|", "|>", "th", "ink>", "INST", "s", " ", "\u200b", "｜"]
    ),
    st.text(max_size=4),
)
hostile = st.lists(pieces, max_size=12).map("".join)


def test_every_known_token_is_found():
    assert [token for token in TOKENS if neutralise(token)[1] < 1] == []


@given(hostile)
@example("<|<|im_end|>|>")
@example("<thi<think>nk>")
@settings(max_examples=150, deadline=None)
def test_nothing_is_left_and_only_spaces_are_added(text):
    safe, count = neutralise(text)
    assert _found(safe) == []
    assert len(safe) == len(text) + count
    kept = iter(safe)
    assert all(any(char == other for other in kept) for char in text)
    assert safe.replace(" ", "") == text.replace(" ", "")
    assert neutralise(safe) == (safe, 0)


@given(st.text())
@example("a <| b |> c, x < y > z, arr[0] = [1] > [2], <p class='x'>, 2<3>1, List<String>")
@settings(max_examples=150, deadline=None)
def test_text_without_control_strings_is_not_changed(text):
    if not _found(text):
        assert neutralise(text) == (text, 0)


@given(st.lists(st.tuples(hostile, st.booleans()), max_size=5))
@settings(max_examples=150, deadline=None)
def test_of_a_prompt_only_what_is_ours_alone_is_left(pairs):
    prompt = tuple(Part(text, trusted) for text, trusted in pairs)
    safe, _ = neutralised(prompt)
    owners = [part.trusted for part in safe for _ in part.text]
    assert [span for span in _found("".join(part.text for part in safe)) if not all(owners[slice(*span)])] == []
    assert [
        part.text for part, (text, trusted) in zip(safe, pairs, strict=True) if trusted and not border(text, part.text)
    ] == []


def border(before, after):
    """A trusted part is as it was, but for a break inside a control string that reaches into it."""
    return after.replace(" ", "") == before.replace(" ", "")


def test_a_thought_put_back_keeps_its_words_and_loses_its_tags():
    prompt = (Part("<think>\n", True), Part("so <think> it is", False), Part("\n</think>", True))
    assert [part.text for part in neutralised(prompt)[0]] == ["<think>\n", "so < think> it is", "\n</think>"]


def test_what_comes_together_over_a_border_is_found():
    halves = (Part("<|im_", False), Part("end|>", False))
    assert "".join(part.text for part in neutralised(halves)[0]) == "< |im_end|>"
    ours = (Part("Passage: <", True), Part("/think> true", False))
    assert [part.text for part in neutralised(ours)[0]] == ["Passage: <", " /think> true"]


def test_two_turns_have_the_template_between_them():
    turns = (Part("a <", False, role="user"), Part("think>", False, role="assistant"))
    assert neutralised(turns) == (turns, 0)


def test_the_pattern_ends_quickly_on_long_hostile_text():
    assert not CONTROL.search("<|" + "a" * 100_000)
