"""A server that speaks OpenAI's API on loopback, with a model of a few rules, the habits of several servers, and faults.

Used in tests as ``Stub`` (a thread of its own), in benchmarks as a process that ends by itself:

    python tests/stub_server.py --port 8123 --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import random
import re
import threading
from collections import deque
from dataclasses import dataclass, field, replace

from aiohttp import web

SCRIPT = [" It", " is", " so", "."]
EOS = "<eos>"
CANNED = json.dumps({
    "choices": [{"index": 0, "text": " It is so.", "finish_reason": "stop", "stop_reason": "</think> true"}],
    "usage": {"prompt_tokens": 700, "completion_tokens": 6},
}).encode()  # fmt: skip
CANNED_CHAT = json.dumps({
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "true", "reasoning": "It is so, says the passage. " * 40},
                 "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 300, "completion_tokens": 280},
}).encode()  # fmt: skip


def tokens_of(text):
    return re.findall(r"</?think>| ?\w+|\s|[^\w\s]", text)


def odds(text):
    """The model's log-odds of true: good words minus bad ones in the passage."""
    passage = text.rpartition("Passage:")[2]
    return 2.0 * (len(re.findall(r"\bgood\b", passage)) - len(re.findall(r"\bbad\b", passage))) - 0.5


def likeliest(text, chat):
    """Log-probabilities of the next token: the thought's words, its end, then the verdict, then the end."""
    written = tokens_of(text.rpartition("<think>")[2]) if "<think>" in text else tokens_of(text)[-1:]
    if chat or written[-1:] == ["</think>"]:
        yes = 0.9 / (1.0 + math.exp(-odds(text)))
        found = {" true": yes, " false": 0.9 - yes, " maybe": 0.06, "\n": 0.03}
        found = {token.strip() or token: value for token, value in found.items()} if chat else found
    elif written and written[-1] in (" true", " false"):
        found = {EOS: 0.9, " and": 0.06, "\n": 0.03}
    else:
        due = SCRIPT[len(written)] if len(written) < len(SCRIPT) and written == SCRIPT[: len(written)] else "</think>"
        found = {due: 0.9, " and": 0.06, "\n": 0.03}
    return dict(sorted(((token, math.log(max(p, 1e-30))) for token, p in found.items()), key=lambda item: -item[1]))


@dataclass(frozen=True)
class Habits:
    """What a server does; ``form`` of log-probabilities: ``lists``, ``content`` or ``none``."""

    owner: str = "vllm"
    model: str = "rank1"
    root: str = "weights/rank1"
    created: int = 1
    others: tuple[str, ...] = ()
    completions: bool = True
    chats: bool = True
    echoes: bool = True
    form: str = "lists"
    top: int = 20
    told: bool = True
    drops_stop: bool = False  # llama.cpp leaves a stop string's tokens out of the log-probabilities
    reasons: bool = True
    context: int = 0
    tells_context: bool = False
    key: str = ""
    unfit: tuple[str, ...] = ()  # parameters that are refused
    think: str = "so it is"
    bury: tuple[str, ...] = ()  # tokens that are never among the likeliest
    bury_beyond: int = 10**6  # unless more than these are asked for
    pause: float = 0.0
    canned: bool = False  # always the same answer, for benchmarks


@dataclass
class Stub:
    """The server in a thread; ``faults`` are taken one a request, ``always`` is every request's."""

    habits: Habits = field(default_factory=Habits)
    faults: deque = field(default_factory=deque)
    always: str = ""
    poison: str = ""  # a word: prompts that hold it hang
    seen: list = field(default_factory=list)
    port: int = 0
    most: int = 0
    now: int = 0

    def start(self):
        ready = threading.Event()
        self.loop = asyncio.new_event_loop()

        def work():
            asyncio.set_event_loop(self.loop)
            self.loop.run_until_complete(self._open())
            ready.set()
            self.loop.run_forever()
            self.loop.run_until_complete(self.runner.cleanup())
            self.loop.close()

        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()
        assert ready.wait(5)
        return self

    def stop(self):
        if not self.thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def change(self, **habits):
        self.habits = replace(self.habits, **habits)

    def posts(self, path=""):
        return [body for where, body in self.seen if path in where]

    async def _open(self):
        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/completions", self.completions)
        app.router.add_post("/v1/chat/completions", self.chats)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def models(self, request):
        h = self.habits
        if h.key and request.headers.get("Authorization") != f"Bearer {h.key}":
            return failed(401, f"Incorrect API key provided: {request.headers.get('Authorization')}")
        entry = {"id": h.model, "owned_by": h.owner, "root": h.root, "created": h.created}
        if h.tells_context:
            entry["max_model_len"] = h.context
        return web.json_response({"data": [entry, *({"id": name, "owned_by": h.owner} for name in h.others)]})

    async def completions(self, request):
        return await self.answer(request, chat=False)

    async def chats(self, request):
        return await self.answer(request, chat=True)

    async def answer(self, request, *, chat):
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await self._answer(request, chat=chat)
        finally:
            self.now -= 1

    async def _answer(self, request, *, chat):
        h, body = self.habits, await request.json()
        if h.canned:
            await asyncio.sleep(h.pause)
            return web.Response(body=CANNED_CHAT if chat else CANNED, content_type="application/json")
        self.seen.append((request.path, body))
        fault = self.faults.popleft() if self.faults else self.always
        if h.pause:
            await asyncio.sleep(h.pause)
        refusal = self.refusal(request, body, chat, fault)
        if refusal is not None:
            return refusal
        text = "".join(m["content"] for m in body["messages"]) if chat else as_text(body["prompt"])
        if fault == "hang" or (self.poison and self.poison in text):
            await asyncio.sleep(30)
        if fault == "garbage":
            return web.Response(text='{"choices": [{"te', content_type="application/json")
        if fault == "empty":
            return web.json_response({"choices": []})
        size = len(tokens_of(text))
        if h.context and size + body["max_tokens"] > h.context:
            asked = size + body["max_tokens"]
            return failed(400, f"This model's maximum context length is {h.context} tokens. However, you requested {asked} tokens "
                               f"({size} in the messages, {body['max_tokens']} in the completion).")  # fmt: skip
        reply = self.write(text, body, chat)
        if fault == "nothing":
            reply["choices"][0] |= {"message": {"content": ""}} if chat else {"text": ""}
            reply["choices"][0] |= {"stop_reason": None, "logprobs": None}
        if fault == "nologprobs":
            reply["choices"][0]["logprobs"] = None
        if body.get("stream"):
            return await self.stream(request, reply, chat, fault)
        if fault == "cut":
            return await cut_off(request, json.dumps(reply))
        return web.json_response(reply)

    def refusal(self, request, body, chat, fault):
        h = self.habits
        if h.key and request.headers.get("Authorization") != f"Bearer {h.key}":
            return failed(401, f"Incorrect API key provided: {request.headers.get('Authorization')}")
        if fault and fault[0].isdigit():
            status, _, pause = fault.partition(":")
            return failed(int(status), "a fault", {"Retry-After": pause} if pause else None)
        if not (h.chats if chat else h.completions):
            return failed(404, "Not Found")
        if body["model"] != h.model:
            return failed(404, f"The model `{body['model']}` does not exist.")
        for name in h.unfit:
            if name in body:
                return failed(400, f"Unsupported parameter: '{name}' is not supported with this model.")
        top = body.get("top_logprobs") if chat else body.get("logprobs")
        if top and top > h.top:
            return failed(400, f"Requested logprobs of {top}, which is greater than max allowed: {h.top}")
        return None

    def write(self, text, body, chat):
        """The model's answer, with the habits' log-probabilities and ends."""
        h, stops = self.habits, body.get("stop") or []
        chance = random.Random(body.get("seed"))
        read = [(token, None) for token in tokens_of(text)]
        told, context, reason, stop = [], text, "length", None
        while len(told) < body["max_tokens"]:
            top = likeliest(context, chat and not told)
            best = max(top, key=top.get)
            token = (
                best if body["temperature"] == 0 else chance.choices(list(top), [math.exp(p) for p in top.values()])[0]
            )
            if chat and told:
                token = EOS
            if token == EOS:
                reason = "stop"
                break
            told.append((token, top))
            context += token
            written = "".join(token for token, _ in told)
            stop = next((s for s in stops if s in written), None)
            if stop:
                reason = "stop"
                break
        written = "".join(token for token, _ in told)
        shown = written.partition(stop)[0] if stop else written
        if stop and h.drops_stop:
            told = told[: len(told) - len(tokens_of(stop))]
        choice = {"index": 0, "finish_reason": reason}
        if h.told:
            choice["stop_reason"] = stop
        if chat:
            choice["message"] = {"role": "assistant", "content": shown} | ({"reasoning": h.think} if h.reasons else {})
        else:
            choice["text"] = text + shown if body.get("echo") and h.echoes else shown
        if body.get("logprobs") and h.form != "none":
            k = body.get("top_logprobs", 20) if chat else body["logprobs"]
            listed = self.echo(read) + told if body.get("echo") and h.echoes else told
            choice["logprobs"] = shaped(listed, k, "content" if chat else h.form, h.bury if k <= h.bury_beyond else ())
        usage = {
            "prompt_tokens": len(read),
            "completion_tokens": len(told),
            "prompt_tokens_details": {"cached_tokens": 3},
        }
        return {"id": "x", "model": h.model, "choices": [choice], "usage": usage}

    def echo(self, read):
        text, out = "", []
        for token, _ in read:
            top = likeliest(text, False) if text else {}
            out.append((token, {**top, token: top.get(token, -9.0)} if text else None))
            text += token
        return out

    async def stream(self, request, reply, chat, fault):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        (choice,) = reply["choices"]
        ends = {name: choice.pop(name) for name in ("finish_reason", "stop_reason") if name in choice}
        words = []
        if chat:
            words += [{"delta": {"reasoning": piece}} for piece in tokens_of(choice["message"].get("reasoning", ""))]
            words += [{"delta": {"content": piece}} for piece in tokens_of(choice["message"]["content"])]
        else:
            words += [{"text": piece} for piece in tokens_of(choice["text"])]
        if fault == "cut":
            words = words[: len(words) // 2]
        for word in words:
            await response.write(event({"choices": [{"index": 0, **word, "finish_reason": None}]}))
            if fault == "slow":
                await asyncio.sleep(0.05)
        if fault == "slow":
            await asyncio.sleep(30)
        if fault != "cut":
            last = {"delta": {}} if chat else {"text": ""}
            await response.write(event({"choices": [{"index": 0, **last, "logprobs": choice.get("logprobs"), **ends}]}))
            await response.write(event({"choices": [], "usage": reply["usage"]}))
            await response.write(b"data: [DONE]\n\n")
        return response


def as_text(prompt):
    return prompt if isinstance(prompt, str) else "".join(f" {id_}" for id_ in prompt)


def event(body):
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def failed(status, message, headers=None):
    return web.json_response({"error": {"message": message, "code": status}}, status=status, headers=headers)


async def cut_off(request, text):
    response = web.StreamResponse(headers={"Content-Length": str(len(text)), "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(text[: len(text) // 2].encode())
    request.transport.close()
    return response


def shaped(listed, k, form, bury):
    tops = [
        None if top is None else dict([item for item in top.items() if item[0] not in bury][:k]) for _, top in listed
    ]
    chosen = [None if top is None else top[token] for token, top in listed]
    if form == "lists":
        return {"tokens": [token for token, _ in listed], "token_logprobs": chosen, "top_logprobs": tops}
    return {
        "content": [
            {"token": token, "logprob": value, "bytes": list(token.encode()),
             "top_logprobs": [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in (top or {}).items()]}
            for (token, _), value, top in zip(listed, chosen, tops, strict=True)
        ]
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=0.0)
    options = parser.parse_args()

    async def serve():
        stub = Stub(Habits(pause=options.pause, canned=True), port=options.port)
        await stub._open()
        print(stub.url, flush=True)
        await asyncio.sleep(options.seconds)
        await stub.runner.cleanup()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
