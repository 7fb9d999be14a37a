"""A reranker that names the worst of the passages shown: IRanker, which sorts by leaving out."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ponderank.contracts import Dialogue, Tokenizer
from ponderank.formats.choices import doc_part, numbered, query_part
from ponderank.formats.parts import filled, ours
from ponderank.formats.reading import answer_part, flaw_of, tagged, thought_part
from ponderank.formats.thoughts import END, START, was_cut
from ponderank.types import Call, Doc, Generate, Judgement, Part, Prompt, Query, Reply, text_of

_SYSTEM = (
    "You are a helpful assistant. You first thinks about the reasoning process in the mind and then provides the user with the "
    "answer."
)
_TASK = (
    "Please think step by step according to the content of each passage and how well it supports or relates to the query. "
    "Select the least likely passage from the candidate list. Only return the passage ID corresponding to the excluded passage "
    '(e.g., "passage {example}"). You MUST choose one passage from the candidate list. You can not generate content that is not '
    "in the given candidate list."
)
_SHOWN = " Show your work in <think> </think> tags. And return the final answer in <answer> </answer> tags."
_WORDINGS = {
    "run": (
        " Here is a query: {query}.\nAnd here are the candidate passages:\n",
        "\n\n" + _TASK.format(example="x") + _SHOWN,
    ),
    "training": (
        " ## Here is a query: {query} and candidate passages:\n",
        "\n\n" + _TASK.format(example="3") + "\n    " + _SHOWN,
    ),
}
_BEGUN = "Let me solve this step by step.\n" + START
_FORM = r"passages? ?#?\[?(\d+)\]?"


@dataclass(frozen=True, slots=True)
class IRanker:
    """Think, then name the least likely of the passages shown: ``<answer> passage 3 </answer>``.

    It scores 0, the others 1. An answer that names none, or several, scores all alike (flaw ``unparsed``).

    Args:
        max_tokens: the longest text.
        wording: ``"run"`` as the authors evaluate, ``"training"`` as their training data ask.

    As many passages as the context holds may be shown; theirs were nine at most. In a chat template such as Qwen's the turns are
    the authors' raw prompt, the begun answer and its ``<think>`` included.

    Source: IRanker (arXiv 2506.21638); repository IRanker ``eval/eval_passage.py`` (prompt, 1,024 tokens, temperature 0), training
    prompts ``examples/data_preprocess/dataset/data_ms_marco/process_passage.py`` and ``iterative_data_generation.py``.
    Differs: passages are numbered from 0 in the order shown, every time; there each keeps its number of the first round. There
    an answer in other words counts as the id that contains it, or is contained in it (``passage 12.`` is read as passage 1),
    or the nearest by shared letters or by TF-IDF, which over ids is a guess; without an answer, the last 40 characters.
    Here the one number that it gives counts (flaw ``incomplete``), and else nothing. The answer is read behind the
    thought only.

    >>> dialogue = IRanker().judge(Query("q", "who"), [Doc("a", "me"), Doc("b", "you")], None)
    >>> "passage 0: me\\npassage 1: you\\n\\nPlease think" in text_of(next(dialogue)[0].prompt)
    True
    """

    max_tokens: int = 1024
    wording: Literal["run", "training"] = "run"

    widest = sys.maxsize
    absolute = False
    needs: frozenset[type[Call]] = field(default=frozenset({Generate}), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.wording not in _WORDINGS or self.max_tokens < 1:
            raise ValueError(
                f"wording {self.wording!r}, max_tokens {self.max_tokens}: need 'run' or 'training', 1 or more"
            )

    def prompt(self, query: Query, docs: Sequence[Doc]) -> Prompt:
        """A system and a user turn, and the beginning of the answer."""
        before, after = _WORDINGS[self.wording]
        parts: list[Part] = []
        for at, doc in enumerate(docs):
            parts += [ours("\n" * (at > 0) + f"passage {at}: ", "user"), doc_part(doc, "user")]
        head = filled(before, {"query": query_part(query).text}, role="user")
        return (ours(_SYSTEM, "system"), *head, *parts, ours(after, "user"), ours(_BEGUN, "assistant"))

    def judge(self, query: Query, docs: Sequence[Doc], tokenizer: Tokenizer) -> Dialogue:
        """One call; none where there is but one passage."""
        count = len(docs)
        if count < 2:
            return Judgement((0.0,) * count)
        prompt = self.prompt(query, docs)
        (reply,) = yield [Generate(prompt, self.max_tokens)]
        found = excluded(reply, count)
        place = -1 if found is None else found[0]
        return Judgement(
            (0.0,) * count if found is None else tuple(float(at != place) for at in range(count)),
            reasoning=thought_part(reply.text).strip().removeprefix(START).strip(),
            flaw=flaw_of([reply], forced=found is not None and not found[1], unread=found is None),
            prompt=text_of(prompt),
            verdict="" if found is None else f"passage {place}",
        )

    def example(self, query: Query, docs: Sequence[Doc], judgement: Judgement) -> tuple[str, str]:
        """A training row: the prompt, and the rest of the thought with the worst passage's id as the completion."""
        place = min(range(len(docs)), key=lambda at: judgement.scores[at])
        completion = f"\n{judgement.reasoning.strip()}\n{END}\n<answer>\npassage {place}\n</answer>"
        return text_of(self.prompt(query, docs)), completion


def excluded(reply: Reply, count: int) -> tuple[int, bool] | None:
    """The passage that a reply leaves out, and whether it does so in the form asked for; None where that is not clear.

    The thought was begun in the prompt, so that a text without its end has no answer.

    >>> excluded(Reply("passage 0 or 1? </think><answer> passage 1 </answer>"), 2), excluded(Reply("passage 1"), 2)
    ((1, True), None)
    """
    if was_cut(reply) or END not in reply.text:
        return None
    answer = re.sub(r"(?i)<(/?)answer>", r"<\1answer>", answer_part(reply.text))
    inside = tagged(answer, "answer")
    found = numbered(answer if inside is None else inside.strip("\"'`*. \n\t"), _FORM, 0, count - 1)
    return found if found is None or inside is not None else (found[0], False)
