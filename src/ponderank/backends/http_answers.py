"""Answering calls on a server that speaks OpenAI's API; choices among labels are in ``http_choices``."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from itertools import groupby
from typing import Any

from ponderank.backends.hostile import neutralised
from ponderank.backends.http_choices import Choices
from ponderank.backends.http_client import GaveUp, Refused
from ponderank.backends.http_logprobs import positions, watched
from ponderank.backends.http_replies import Unreadable, choice_of, stopped, text_of_choice, too_long, usage_of
from ponderank.backends.http_server import COMPLETIONS, Asked, Server, Wanted
from ponderank.backends.http_stream import Gathered
from ponderank.backends.pairs import clean
from ponderank.backends.prompts import PromptTokenizer, levelled
from ponderank.errors import BackendError
from ponderank.types import Call, Choose, Generate, Likelihood, Prompt, Reply, Usage


class Answers:
    """Answers calls, one coroutine each.

    Args:
        chat: None sends raw prompts to /completions where there is one, and chats to /chat/completions; True sends all to
            /chat/completions, False all to /completions.
        context: tokens of prompt and answer together; by default what the server says.
        watch: log-probabilities a token asked for while a verdict is watched for; 0 leaves it to a choice afterwards.
        samples: sampled votes.
    """

    def __init__(
        self, server: Server, *, tokenizer: PromptTokenizer | None, chat: bool | None, context: int | None, watch: int, samples: int
    ) -> None:  # fmt: skip
        self.server, self.tokenizer, self.chat = server, tokenizer, chat
        self.watch, self._context = watch, context
        self.answered = self.refused = 0
        self.choices = Choices(server, tokenizer, samples)

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer together, if known."""
        return self._context or self.server.context

    async def answer(self, ticket: int, call: Call, gathered: Gathered | None) -> Reply:
        """The reply to a call; what the server refuses or garbles is one too.

        Raises:
            BackendError: the server refuses everything, or is gone.
        """
        start, seed = time.perf_counter(), f"{ticket}"
        try:
            reply = await self._answer(call, seed, gathered)
        except Refused as refused:
            self._count(refused)
            reply = Reply(finish="refused")
        except Unreadable:
            reply = Reply(finish="failed")
        except GaveUp as error:
            late = math.nan
            wanted = 0 if isinstance(call, Generate) else len(call.labels) if isinstance(call, Choose) else 1
            reply = Reply(finish="late", scores=(late,) * wanted) if error.late else Reply(finish="failed")
        return replace(reply, usage=replace(reply.usage, calls=1, seconds=time.perf_counter() - start))

    async def _answer(self, call: Call, seed: str, gathered: Gathered | None) -> Reply:
        """The same; a prompt that is too long is asked again with its documents shortened."""
        prompt: Prompt = call.prompt  # type: ignore[union-attr]
        cut, tokens = 0, call.max_tokens if isinstance(call, Generate) else 16
        for _ in range(8):
            asked = self._asked(prompt, tokens)
            if asked is None:
                return Reply(finish="refused")
            if cut:
                asked = replace(asked, cut_tokens=asked.cut_tokens + cut)
            try:
                if isinstance(call, Generate):
                    shorter_call = call if tokens == call.max_tokens else replace(call, max_tokens=tokens)
                    return await self._generate(asked, shorter_call, seed, gathered)
                if isinstance(call, Choose):
                    reply = await self.choices.scores(asked, call.labels, seed)
                    self.answered += 1
                    return reply
                return await self._likelihood(asked, call, seed)  # type: ignore[arg-type]
            except Refused as refused:
                if refused.status in (404, 405, 501) and asked.path == COMPLETIONS and self.chat is not False:
                    self.server.completions = False
                    continue
                if refused.status in (404, 405):
                    raise BackendError(
                        f"{self.server.client.url} has no {asked.path} ({refused.status}: {refused.message}); give the address "
                        "as far as /v1, and a model that it serves"
                    ) from None
                told = too_long(refused.raw)
                if told is None:
                    raise
                read = told[1] or max(1, self._count_tokens(prompt))
                tokens, excess = self._room(told[0], told[1], read, tokens)
                if excess:
                    whole = sum(len(part.text) for part in prompt)
                    shorter = shortened(prompt, math.ceil(excess * whole / read))
                    if shorter is None:
                        return Reply(finish="refused", usage=Usage(1, read))
                    cut += max(1, round((whole - sum(len(part.text) for part in shorter)) * read / whole))
                    prompt = shorter
        return Reply(finish="refused")

    def _room(self, limit: int | None, said: int | None, read: int, tokens: int) -> tuple[int, int]:
        """How many tokens may be written, and how many of the prompt's ``read`` have to go, when the server says "too long"."""
        limit = limit or self.context
        if limit is None or (said is None and read + tokens <= limit):  # it counts otherwise: a quarter less, and again
            return tokens, max(1, read // 4)
        room = max(limit - tokens, limit // 2)
        tokens = max(1, min(tokens, limit - min(read, room) - 8))
        return tokens, max(0, read - (limit - tokens - 8))

    # -- prompts --------------------------------------------------------------------------------------------------

    def _asked(self, prompt: Prompt, max_tokens: int) -> Asked | None:
        """The prompt as this server takes it; None if it is too long even without its documents."""
        chat = any(part.role for part in prompt)
        limit, cut = self.context, 0
        room = max(limit - max_tokens, limit // 2) if limit else None
        known = self.tokenizer
        raw = self.server.completions and self.chat is not True
        if known is not None and raw and self.server.dialect.takes_ids and (not chat or known.chat.source):
            fitted = known.fit(prompt, room)
            if fitted.too_long:
                return None
            tail = "".join(part.text for part in prompt[-2:])
            return Asked(text=tail, ids=tuple(fitted.ids), cut_tokens=fitted.cut_tokens)
        if known is not None and room is not None and (not chat or known.chat.source):
            whole = known.count(prompt)
            for _ in range(8):
                count = known.count(prompt)
                if count <= room:
                    break
                characters = sum(len(part.text) for part in prompt)
                shorter = shortened(prompt, math.ceil((count - room + 1) * characters / count))
                if shorter is None:
                    return None
                prompt = shorter
            cut = whole - known.count(prompt)
        texts = [clean(part.text) for part in prompt]
        readable = (p if t == p.text else replace(p, text=t) for p, t in zip(prompt, texts, strict=True))
        safe, _ = neutralised(tuple(readable))
        if chat:
            if self.chat is False:
                raise BackendError(
                    "the recipe asks in a chat and chat=False forbids it; leave chat at 'auto', or give the model's "
                    "tokenizer folder, whose template is then used (tokenizer=FOLDER)"
                )
            turns = groupby(safe, key=lambda part: part.role)
            messages = tuple({"role": role, "content": "".join(part.text for part in parts)} for role, parts in turns)
            return Asked(messages=messages, cut_tokens=cut)
        text = "".join(part.text for part in safe)
        if raw:
            return Asked(text=text, cut_tokens=cut)
        return Asked(messages=({"role": "user", "content": text},), borrowed=True, cut_tokens=cut)

    def _count_tokens(self, prompt: Prompt) -> int:
        return self.tokenizer.count(prompt) if self.tokenizer else sum(len(part.text) for part in prompt) // 4

    def _count(self, refused: Refused) -> None:
        """Count a refusal; when the first calls are all refused, so will be the others."""
        self.refused += 1
        if self.refused >= 8 and not self.answered:
            raise BackendError(
                f"{self.server.client.url} refused the first {self.refused} calls ({refused.status}: {refused.message}); "
                "see what the server takes, or name another model or engine"
            )

    # -- texts ----------------------------------------------------------------------------------------------------

    async def _generate(self, asked: Asked, call: Generate, seed: str, gathered: Gathered | None) -> Reply:
        tokens = call.max_tokens
        if asked.ids is not None and self.context:
            tokens = max(1, min(tokens, self.context - len(asked.ids)))
        top = self.watch if call.watch else 0
        wanted = Wanted(tokens, call.temperature, call.stop, call.seed, top, nucleus=call.top_p, likeliest=call.top_k)
        latest: list[Reply] = []
        if gathered is not None:
            gathered.opened = asked.opened

        def read(body: Any) -> Reply:
            choice = choice_of(body)
            found = positions(choice)
            text, stop, finish = stopped(choice, text_of_choice(choice, opened=asked.opened), found, call.stop)
            scores = watched(found, stop, call.watch)
            note = self.choices.note(asked) if scores else ""
            reply = Reply(text, finish, scores, usage_of(body, 0.0), stop, asked.cut_tokens, note)
            latest[:] = [reply]
            if not text and not stop and finish in ("stop", "end"):
                raise Unreadable("an empty answer")
            return reply

        try:
            reply = await self.server.send(asked, wanted, read, seed, gathered)
        except Unreadable:
            if not latest:
                raise
            (reply,) = latest
        self.answered += 1
        return reply

    # -- scores ------------------------------------------------------------------------------------------------------

    async def _likelihood(self, asked: Asked, call: Likelihood, seed: str) -> Reply:
        exact, usage = (
            await self.choices.echoed(asked, [call.target], seed)
            if asked.messages is None and self.server.echoes
            else ([], Usage())
        )
        if not exact:
            raise BackendError(
                f"{self.server.client.url} does not score prompts, which the recipe asks for; vLLM's and SGLang's "
                "/completions do, and so do the engines transformers and llamacpp"
            )
        self.answered += 1
        return Reply(scores=tuple(exact), usage=usage, cut_tokens=asked.cut_tokens)


def shortened(prompt: Prompt, characters: int) -> Prompt | None:
    """The prompt with so many characters cut from the ends of its documents, the longest first; None if none are left.

    >>> from ponderank.types import Part
    >>> shortened((Part("ours", True), Part("a document", False, may_shorten=True)), 9)[1].text
    'a'
    """
    lengths = [len(part.text) if part.may_shorten else 0 for part in prompt]
    if not any(lengths):
        return None
    kept = levelled(lengths, characters)
    return tuple(
        replace(part, text=part.text[:keep]) if part.may_shorten else part
        for part, keep in zip(prompt, kept, strict=True)
    )
