"""An OpenAI-compatible server over a checkpoint, in its plainest form: what a real server answers, on a tiny model.

Completions only, text in and out: greedy or seeded sampling, stop strings, ``logprobs`` without a limit, streaming, and
the usual refusal of a prompt that is too long.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager


class Model:
    """The checkpoint."""

    def __init__(self, folder):
        import torch
        import transformers
        from tokenizers import Tokenizer

        self.torch = torch
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.end = self.model.generation_config.eos_token_id
        self.context = self.model.config.max_position_embeddings
        self.lock = threading.Lock()

    def tokens(self, ids, body):
        """Each token as it comes: its id, its text, its row of log-probabilities; None in place of the id at the end."""
        torch = self.torch
        past, new = None, torch.tensor([ids])
        random = torch.Generator().manual_seed(body.get("seed") or 0)
        written = []
        for _ in range(body["max_tokens"]):
            with self.lock, torch.inference_mode():
                out = self.model(input_ids=new, past_key_values=past, use_cache=True)
            past, logits = out.past_key_values, out.logits[0, -1].double()
            if body.get("temperature", 0):
                chances = (logits / body["temperature"]).softmax(-1)
                chosen = int(torch.multinomial(chances, 1, generator=random))
            else:
                chosen = int(logits.argmax())
            before = self.text(written)
            written.append(chosen)
            yield chosen, self.text(written)[len(before) :], logits.log_softmax(-1)
            new = torch.tensor([[chosen]])

    def echoed(self, ids):
        """The prompt's tokens with the rows of log-probabilities they were foreseen with; the first was not foreseen."""
        with self.lock, self.torch.inference_mode():
            rows = self.model(input_ids=self.torch.tensor([ids])).logits[0].double().log_softmax(-1)
        return [(ids[0], None), *zip(ids[1:], rows[:-1], strict=True)]

    def text(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=False).rstrip("\ufffd")

    def piece(self, id_):
        return self.tokenizer.decode([id_], skip_special_tokens=False)


def shaped(model, listed, top):
    """OpenAI's ``logprobs`` of completions."""
    if not top:
        return None
    tops = [
        None
        if row is None
        else {model.piece(int(i)): float(row[i]) for i in row.topk(min(top, len(row))).indices.flip(0)}
        for _, row in listed
    ]
    return {
        "tokens": [model.piece(id_) for id_, _ in listed],
        "token_logprobs": [None if row is None else float(row[id_]) for id_, row in listed],
        "top_logprobs": tops,
        "text_offset": [0] * len(listed),
    }


def application(model, paths):
    from aiohttp import web

    async def models(request):
        return web.json_response({"data": [{"id": "tiny", "owned_by": "tests", "max_model_len": model.context}]})

    async def completions(request):
        body = await request.json()
        paths.append(body)
        ids = model.tokenizer.encode(body["prompt"]).ids
        if len(ids) + 1 > model.context:
            said = f"This model's maximum context length is {model.context} tokens, however you requested {len(ids)} tokens."
            return web.json_response({"error": {"message": said, "type": "invalid_request_error"}}, status=400)
        body["max_tokens"] = min(body["max_tokens"], model.context - len(ids))
        stops, stream = body.get("stop") or [], None
        if body.get("stream"):
            stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await stream.prepare(request)
        text, listed, finish, stop, sent, told = "", [], "length", None, 0, 0
        longest = max(map(len, stops), default=0)
        steps = model.tokens(ids, body)
        while (step := await asyncio.to_thread(next, steps, None)) is not None:
            id_, piece, row = step
            if id_ == model.end:
                finish, stop = "stop", None
                break
            text += piece
            listed.append((id_, row))
            found = [(text.find(s), s) for s in stops if s in text]
            if found:
                at, stop = min(found)
                text, finish = text[:at], "stop"
                break
            if stream and len(text) - longest > sent:
                event = {
                    "choices": [
                        {
                            "index": 0,
                            "text": text[sent : len(text) - longest],
                            "logprobs": shaped(model, listed[told:], body.get("logprobs")),
                            "finish_reason": None,
                        }
                    ]
                }
                await stream.write(f"data: {json.dumps(event)}\n\n".encode())
                sent, told = len(text) - longest, len(listed)
        choice = {"index": 0, "text": text[sent:] if stream else text, "finish_reason": finish, "stop_reason": stop}
        before = model.echoed(ids) if body.get("echo") else []
        choice["text"] = (body["prompt"] if before else "") + choice["text"]
        choice["logprobs"] = shaped(model, before + listed[told:], body.get("logprobs"))
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(listed), "total_tokens": len(ids) + len(listed)}
        answer = {"id": "x", "object": "text_completion", "model": "tiny", "choices": [choice], "usage": usage}
        if stream is None:
            return web.json_response(answer)
        await stream.write(f"data: {json.dumps(answer)}\n\ndata: [DONE]\n\n".encode())
        return stream

    app = web.Application(client_max_size=2**26)
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/completions", completions)
    return app


@contextmanager
def serving(folder):
    """Serve a checkpoint on a free port of the loopback; gives the URL and the list of request bodies."""
    from aiohttp import web

    loop, ready, bodies = asyncio.new_event_loop(), threading.Event(), []
    place = []

    async def start():
        runner = web.AppRunner(application(Model(folder), bodies), shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        place.extend([runner, site._server.sockets[0].getsockname()[1]])
        ready.set()

    def work():
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield f"http://127.0.0.1:{place[1]}/v1", bodies
    finally:
        asyncio.run_coroutine_threadsafe(place[0].cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
