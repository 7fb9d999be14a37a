"""A learning model's answers: what it is asked, id for id as a recipe asks, and what it said, read as the recipe reads it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ponderank.contracts import Format
from ponderank.errors import RecipeError
from ponderank.train.rewards_rollouts import Rollout
from ponderank.types import Call, Choose, Doc, Generate, Judgement, Query, Reply

if TYPE_CHECKING:
    from ponderank.backends.prompts import PromptTokenizer

_OPENED = re.compile(r"<think>\s*(?:</think>\s*)?$")
_UNREAD = Judgement((math.nan,), flaw="unparsed")


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as a model reads it: its ids ``[T]``, what of the answer it begins with, tokens cut from the document."""

    ids: list[int]
    opening: str
    cut_tokens: int = 0
    too_long: bool = False


def first_call(form: Format, query: Query, doc: Doc) -> Generate | Choose:
    """What a pointwise format asks first.

    Raises:
        RecipeError: it shows several documents, or asks for something that no text answers.

    >>> from ponderank.formats.rank1 import Rank1
    >>> first_call(Rank1(), Query("q", "who"), Doc("d", "me")).stop
    ('</think> true', '</think> false')
    """
    name = type(form).__name__
    if form.widest != 1:
        raise RecipeError(
            f"{name} shows several documents at once; rollouts of one document are all that is learned from"
        )
    asked = next(form.judge(query, [doc], None))  # type: ignore[arg-type]
    if isinstance(asked[0], Generate | Choose):
        return asked[0]
    raise RecipeError(f"{name} is not answered in words; take a recipe of a language model, such as rank1 or erank")


def ask(form: Format, query: Query, doc: Doc, tokenizer: PromptTokenizer, room: int | None = None) -> Asked:
    """The prompt of a pair within ``room`` tokens; documents lose their ends, as in serving.

    ``opening`` is the beginning of the assistant's turn that stands in the prompt already, such as ``<think>``: by the
    format or by the model's chat template. Rewards read it as the model's own.
    """
    prompt = first_call(form, query, doc).prompt
    fitted = tokenizer.fit(prompt, room)
    parts = tokenizer.chat.render(prompt) if any(part.role for part in prompt) else prompt
    tail = ""
    for part in reversed(parts):
        if not part.trusted:
            break
        tail = part.text + tail
    found = _OPENED.search(tail)
    return Asked(fitted.ids, found.group() if found else "", fitted.cut_tokens, fitted.too_long)


def read(form: Format, query: Query, doc: Doc, opening: str, text: str, *, ended: bool) -> Rollout:
    """A rollout from what a model wrote, judged by the format's own parser as a backend's answers are.

    The only answers that the parser gets are what stands in the text: a verdict that the rollout did not give itself is not
    asked for, and the judgement is flawed. Its score is a grade as written; of a format with a probability, 1 or 0.
    ``ended``: the model ended its text, it was not cut off.

    >>> from ponderank.formats.rank1 import Rank1
    >>> said = read(Rank1(), Query("q", "who"), Doc("d", "me"), "<think>", " It is.</think> true", ended=True)
    >>> said.text, said.judgement.scores, said.judgement.flaw
    ('<think> It is.</think> true', (1.0,), None)
    >>> read(Rank1(), Query("q", "who"), Doc("d", "me"), "<think>", " It is. Or", ended=False).scores is None
    True
    """
    return Rollout(opening + text, _judged(form, query, doc, text, ended=ended))


def _judged(form: Format, query: Query, doc: Doc, text: str, *, ended: bool) -> Judgement:
    dialogue = form.judge(query, [doc], None)  # type: ignore[arg-type]
    calls = next(dialogue)
    asked, forced = _text(calls[0]), False
    for _ in range(16):  # a format that goes on and on has nothing more to read
        replies = [_reply(call, asked, text, ended=ended) for call in calls]
        forced = forced or any(reply is None for reply in replies)
        try:
            calls = dialogue.send([reply or Reply(finish="refused") for reply in replies])
        except StopIteration as stop:
            return _settled(stop.value, forced=forced, ended=ended)
    return _UNREAD


def _settled(found: Judgement, *, forced: bool, ended: bool) -> Judgement:
    if forced or found.flaw == "unparsed":
        found = replace(found, flaw="unparsed" if ended else "incomplete")
    scores: Sequence[float | None] = found.probs or found.scores
    return replace(found, scores=tuple(math.nan if score is None else score for score in scores))


def _text(call: Call) -> str:
    """What a call's prompt says, roles left out."""
    return "".join(part.text for part in call.prompt) if isinstance(call, Generate | Choose) else ""


def _reply(call: Call, asked: str, text: str, *, ended: bool) -> Reply | None:
    """What the text answers to a call; None where it does not say."""
    given = _text(call).removeprefix(asked)
    if not isinstance(call, Generate | Choose) or not text.startswith(given):
        return None
    rest = text[len(given) :]
    if isinstance(call, Choose):
        longest = max((label for label in call.labels if rest.startswith(label)), key=len, default=None)
        return None if longest is None else Reply(scores=_certain(call.labels, longest))
    if given:
        return None  # a second thought, which no rollout has
    found = [(rest.index(stop), stop) for stop in call.stop if stop in rest]
    if not found:
        return Reply(rest, "end" if ended else "length")
    at, stop = min(found)
    watched = next((label for label in call.watch if stop.endswith(label)), None)
    return Reply(rest[:at], "stop", _certain(call.watch, watched) if watched else (), stop=stop)


def _certain(labels: Sequence[str], said: str) -> tuple[float, ...]:
    return tuple(0.0 if label == said else -math.inf for label in labels)
