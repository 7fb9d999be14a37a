"""Asking a chat model for an order, in one call; in a second, short one where its thought was cut off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ponderank.contracts import Dialogue
from ponderank.formats.order_reading import Order, order_judgement
from ponderank.formats.parts import ours
from ponderank.formats.reading import settled, thought_part
from ponderank.formats.thoughts import END, START, ended
from ponderank.types import Generate, Prompt, Reply, Role

Read: TypeAlias = Callable[[str, int], Order | None]
"""Reads the order of so many passages from an answer."""


def ask_for_order(
    call: Generate, n: int, read: Read, *, answer_tokens: int, opened: bool = False, begin: str = ""
) -> Dialogue:
    """Ask ``call``, read its answer's order; what stands in a thought is never read.

    A thought that was cut off is ended at its last whole sentence, ``begin`` put behind it, and at most ``answer_tokens`` asked
    for: the judgement is then ``incomplete``. ``opened``: the chat template begins the thought, so its mark is not in the text.

    >>> from ponderank.formats.order_reading import read_order
    >>> dialogue = ask_for_order(Generate((ours("p", "user"),), 9), 2, read_order, answer_tokens=5)
    >>> next(dialogue)[0].max_tokens
    9
    >>> [call] = dialogue.send([Reply("<think>It says [2] > [1]. And", "length")])
    >>> "".join(part.text for part in call.prompt)
    'p<think>It says [2] > [1].\\n</think>\\n\\n'
    """
    (reply,) = yield [call]
    if reply.finish in ("late", "refused"):
        return order_judgement(None, n, call.prompt, [reply])
    answer = _answer(reply, opened)
    thought = _thought(reply.text) if answer is None or END in reply.text else ""
    if answer is not None:
        return order_judgement(read(answer, n), n, call.prompt, [reply], thought=thought, answer=answer)
    role: Role = "assistant" if call.prompt[-1].role else ""
    place: Prompt = (*call.prompt, *ended(reply.text, opened=opened, role=role))
    place = (*place, ours(begin, role)) if begin else place
    (short,) = yield [Generate(place, answer_tokens, stop=(f"</{begin[1:]}",) if begin else ())]
    order = read(f"{begin}{short.text}", n)
    return order_judgement(
        order, n, call.prompt, [reply, short], forced=True, thought=thought, answer=f"{begin}{short.text}"
    )


def _answer(reply: Reply, opened: bool) -> str | None:
    """What stands behind the thought; None where the thought never ended."""
    if opened and END not in reply.text:
        return None
    return settled(reply.text)


def _thought(text: str) -> str:
    return thought_part(text).strip().removeprefix(START).strip()
