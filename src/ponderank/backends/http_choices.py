"""The log-probabilities of labels from a server, in the exactest way that it allows.

Choices, in this order, what a server cannot do being remembered:

1. One token with the likeliest listed: exact if every label is among them. One request, and the prompt's beginning may be
   cached, unlike with 2. If one is missing, once more with a thousand listed, where the server lists so many.
2. The prompt with a label behind it, echoed with its log-probabilities: exact, for labels of several tokens too.
3. vLLM's ``logprob_token_ids``: exact for labels of one token.
4. As 1, a missing label bounded; ``Reply.estimate`` says so.
5. Sampled votes; ``Reply.estimate`` says so.

vLLM's ``/generative_scoring`` is not used: it gives the labels' shares of each other, not their log-probabilities, and a share
near 1 is rounded so that its log-odds are lost. ``logit_bias`` and ``allowed_token_ids`` change what is to be measured.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ponderank.backends.http_client import GaveUp, Refused
from ponderank.backends.http_logprobs import Position, chosen, positions, scored
from ponderank.backends.http_replies import Unreadable, choice_of, text_of_choice, too_long, usage_of, votes
from ponderank.backends.http_server import Asked, Server, Wanted
from ponderank.backends.prompts import PromptTokenizer
from ponderank.types import Reply, Usage

T = TypeVar("T")
_NO_ANSWER = (Unreadable, GaveUp)
_MANY = 1000
"""Log-probabilities asked for where the usual number does not hold every label; llama-cpp-python's server knows no limit."""


class Choices:
    """Asks one server; ``samples``: sampled votes where it gives no log-probabilities."""

    def __init__(self, server: Server, tokenizer: PromptTokenizer | None, samples: int) -> None:
        self.server, self.tokenizer, self.samples = server, tokenizer, samples
        self._vote_tokens = 16

    def note(self, asked: Asked) -> str:
        """What a prompt's form does to its scores; empty if nothing."""
        if asked.borrowed:
            return "asked in a chat: the server takes no raw prompts"
        if asked.begun and self.server.dialect.begun is None:
            return "this server is not known to go on with a begun answer"
        return ""

    async def scores(self, asked: Asked, labels: tuple[str, ...], seed: str) -> Reply:
        """A reply with the labels' log-probabilities, in the exactest way there is."""
        usage, notes = Usage(), [note] if (note := self.note(asked)) else []

        def found(scores: Sequence[float], note: str = "") -> Reply:
            estimate = "; ".join([*notes, *([note] if note else [])])
            return Reply(scores=tuple(scores), usage=usage, cut_tokens=asked.cut_tokens, estimate=estimate)

        listed: tuple[tuple[float, ...], str] | None = None
        if self.server.tops[asked.path] and self.server.gives.get(asked.path, True):
            position, cost = await self._likeliest(asked, seed)
            usage += cost
            if position is not None:
                scores, missing, bound = chosen(position, labels, loose=asked.messages is not None and not asked.begun)
                if scores and not missing:
                    return found(scores)
                listed = scores, bound or f"no label among the {len(position.top)} likeliest"
                if self.server.lists_many:
                    many, cost = await self._many(asked, seed)
                    usage += cost
                    self.server.lists_many = many is not None and len(many.top) > len(position.top)
                    scores, missing, bound = chosen(
                        many or position, labels, loose=asked.messages is not None and not asked.begun
                    )
                    if scores and not missing:
                        return found(scores)
        if asked.messages is None and self.server.echoes:
            exact, cost = await self.echoed(asked, labels, seed)
            usage += cost
            if exact:
                return found(exact)
        if listed is not None and self.server.picks and (picked := await self._picked(asked, labels, seed)):
            return found(picked)
        if listed is not None and (listed[0] or asked.messages is None):
            return found(*listed)
        voted, cost = await self._votes(asked, labels, seed)
        usage += cost
        return found(voted.scores, voted.estimate)

    async def _likeliest(self, asked: Asked, seed: str, top: int = 0) -> tuple[Position | None, Usage]:
        """The first token's likeliest, ``top`` of them or as many as usual.

        None where the server gives no log-probabilities, which is remembered.
        """
        path = asked.path

        def read(body: Any) -> tuple[Position | None, Usage]:
            choice = choice_of(body)
            tokens = positions(choice)
            if not tokens or not (tokens[0].top or tokens[0].logprob is not None):
                text_of_choice(choice)
                self.server.blanks += not self.server.gives.get(path)
                if self.server.tops[path] and self.server.blanks < 3:
                    raise Unreadable("no log-probabilities")
                self.server.gives.setdefault(path, False)
                if not self.server.gives[path]:
                    return None, usage_of(body, 0.0)
                raise Unreadable("no log-probabilities")
            self.server.gives[path] = True
            return tokens[0], usage_of(body, 0.0)

        try:
            wanted = Wanted(1, 1.0, top=top or self.server.tops[path])
            return await self.server.send(asked, wanted, read, seed)
        except Unreadable as error:
            if self.server.gives.get(path) or "log-prob" not in str(error):
                raise
            self.server.gives[path] = False
            return None, Usage()

    async def _many(self, asked: Asked, seed: str) -> tuple[Position | None, Usage]:
        """Many more of the likeliest; None where the server refuses."""
        try:
            return await self._likeliest(asked, seed, _MANY)
        except (Refused, *_NO_ANSWER):
            return None, Usage()

    async def echoed(self, asked: Asked, labels: Sequence[str], seed: str) -> tuple[list[float], Usage]:
        """The labels' log-probabilities as ends of the prompt; none where that is not exact."""
        done = await _together([self._echo(asked, label, seed) for label in labels])
        errors = [one for one in done if isinstance(one, Exception)]
        if errors:
            error = errors[0]
            if not isinstance(error, (Refused, *_NO_ANSWER)):
                raise error
            if isinstance(error, Refused) and (error.status in (404, 405, 501) or too_long(error.raw)):
                raise error
            self.server.echoes = not isinstance(error, Refused) and self.server.echoes
            return [], Usage()
        answers = [one for one in done if not isinstance(one, Exception)]
        usage = sum((cost for _, cost in answers), Usage())
        exact = [score for score, _ in answers if score is not None]
        alike = len(exact) == len(labels) and len({before for _, before in exact}) == 1
        return [score for score, _ in exact] if alike else [], usage

    async def _echo(self, asked: Asked, label: str, seed: str) -> tuple[tuple[float, int] | None, Usage]:
        ids: tuple[int, ...] = ()
        if asked.ids is not None and self.tokenizer is not None:
            ids = self.tokenizer.label(label, asked.text)
            whole = replace(asked, ids=(*asked.ids, *ids))
        else:
            whole = replace(asked, text=asked.text + label)

        def read(body: Any) -> tuple[tuple[float, int] | None, Usage]:
            tokens, cost = positions(choice_of(body)), usage_of(body, 0.0)
            written = cost.output_tokens or 1
            if len(tokens) <= written:
                self.server.echoes = False
                return None, cost
            if whole.ids is None:
                return scored(tokens, asked.text, label, written), cost
            last = tokens[len(tokens) - written - len(ids) : len(tokens) - written]
            values = [token.logprob for token in last if token.logprob is not None]
            fits = len(tokens) - written == len(whole.ids) and len(values) == len(ids)
            return ((math.fsum(values), len(whole.ids) - len(ids)) if fits else None), cost

        return await self.server.send(whole, Wanted(1, echo=True), read, f"{seed}{label}")

    async def _picked(self, asked: Asked, labels: Sequence[str], seed: str) -> list[float] | None:
        """The labels' log-probabilities by their ids (vLLM), if each is one token."""
        if self.tokenizer is not None:
            split = [self.tokenizer.label(label, asked.text) for label in labels]
            ids = tuple(one[0] for one in split) if all(len(one) == 1 for one in split) else None
        else:
            ids = await self.server.ids_of(labels)
        if not ids:
            return None

        def read(body: Any) -> Position:
            tokens = positions(choice_of(body))
            if not tokens:
                raise Unreadable("no log-probabilities")
            return tokens[0]

        try:
            position = await self.server.send(asked, Wanted(1, 1.0, top=len(ids), picked=ids), read, seed)
        except (Refused, *_NO_ANSWER):
            self.server.picks = False
            return None
        scores, missing, _ = chosen(position, labels)
        self.server.picks = not missing
        return list(scores) if scores and not missing else None

    async def _votes(self, asked: Asked, labels: Sequence[str], seed: str) -> tuple[Reply, Usage]:
        """Answers sampled at temperature 1, as votes."""

        def read(body: Any) -> tuple[str, bool, Usage]:
            choice = choice_of(body)
            cut_off = choice.get("finish_reason") == "length"
            return text_of_choice(choice, opened=asked.opened), cut_off, usage_of(body, 0.0)

        async def once(number: int) -> tuple[str, bool, Usage]:
            wanted = Wanted(self._vote_tokens, 1.0, seed=number)
            return await self.server.send(asked, wanted, read, f"{seed}:{number}")

        answers = await _together([once(number) for number in range(self.samples)])
        done = [one for one in answers if not isinstance(one, Exception)]
        if len(done) < len(answers):
            raise next(one for one in answers if isinstance(one, Exception))
        reply = votes([text for text, _, _ in done], labels)
        if not reply.scores and all(cut_off for _, cut_off, _ in done) and self._vote_tokens < 4096:
            self._vote_tokens = 4096  # it thinks first
            return await self._votes(asked, labels, seed)
        return reply, sum((cost for _, _, cost in done), Usage())


async def _together(jobs: Sequence[Coroutine[Any, Any, T]]) -> list[T | Exception]:
    """The jobs' results in order, errors among them; all are cancelled if this is."""
    done = await asyncio.gather(*jobs, return_exceptions=True)
    return [
        one if not isinstance(one, BaseException) or isinstance(one, Exception) else RuntimeError(repr(one))
        for one in done
    ]
