"""What ``VllmModel`` uses of vLLM, on a bigram model: the next token depends on the last one alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np


class FakeVllm:
    """Stands for the module. ``logits`` is ``[V, V]``: what follows a token. ``old``: before ``logprob_token_ids``."""

    def __init__(self, logits, tokenizer, *, ends=(), context=512, old=False):
        self.logits, self.tokenizer, self.ends, self.context = logits, tokenizer, ends, context
        self.SamplingParams = OldParams if old else Params
        self.sampling_params = SimpleNamespace(RequestOutputKind=SimpleNamespace(DELTA="delta"))
        self.loaded: dict[str, Any] = {}

    def LLM(self, **options):
        self.loaded = options
        self.engine = FakeEngine(self)
        return SimpleNamespace(llm_engine=self.engine)

    def chances(self, id_):
        row = self.logits[id_].astype(float)
        return row - row.max() - np.log(np.exp(row - row.max()).sum())


@dataclass
class OldParams:
    output_kind: str
    temperature: float = 1.0
    max_tokens: int = 16
    stop: list[str] | None = None
    seed: int | None = None
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    skip_special_tokens: bool = True
    spaces_between_special_tokens: bool = True


@dataclass
class Params(OldParams):
    logprob_token_ids: list[int] | None = None


@dataclass
class Request:
    id: str
    ids: list[int]
    params: Any
    prompt: int = 0
    text: str = ""
    sent: int = 0
    rows: list[dict[int, Any]] = field(default_factory=list)


class FakeEngine:
    """One token more for every request in each step, as vLLM with room for all."""

    def __init__(self, library):
        self.library, self.requests, self.seen, self.aborted = library, {}, [], []
        self.model_config = SimpleNamespace(max_model_len=library.context)
        self.broken = False

    def add_request(self, request_id, prompt, params):
        ids = prompt["prompt_token_ids"]
        if len(ids) >= self.library.context:
            raise ValueError("longer than the maximum model length")
        self.seen.append((ids, params))
        self.requests[request_id] = Request(request_id, list(ids), params, len(ids))

    def abort_request(self, request_ids):
        self.aborted += request_ids
        for request_id in request_ids:
            self.requests.pop(request_id, None)

    def step(self):
        if self.broken:
            raise RuntimeError("CUDA error: device lost")
        return [self._one(request) for request in list(self.requests.values())]

    def _one(self, request):
        chances = self.library.chances(request.ids[-1])
        id_ = int(chances.argmax())
        wanted = getattr(request.params, "logprob_token_ids", None)
        likeliest = np.argsort(-chances)[: request.params.logprobs or 0].tolist()
        told = [*(wanted if wanted is not None else likeliest), id_]
        row = {i: SimpleNamespace(logprob=float(chances[i])) for i in told}
        before = None
        if request.params.prompt_logprobs is not None:
            before = [None] + [
                {b: SimpleNamespace(logprob=float(self.library.chances(a)[b]))}
                for a, b in zip(request.ids[:-1], request.ids[1:], strict=True)
            ]
        request.ids.append(id_)
        reason, stop = self._end(request, id_)
        if id_ not in self.library.ends:
            request.text = self.library.tokenizer.decode(request.ids[request.prompt :])
        shown = request.text[: request.text.find(stop)] if isinstance(stop, str) else request.text
        if reason is None:  # vLLM holds back what may become a stop string
            shown = shown[: max(len(shown) - max(map(len, request.params.stop or [""])) + 1, 0)]
        new = shown[request.sent :]
        request.sent = max(request.sent, len(shown))
        out = SimpleNamespace(text=new, token_ids=[id_], finish_reason=reason, stop_reason=stop, logprobs=[row])
        if reason:
            del self.requests[request.id]
        return SimpleNamespace(
            request_id=request.id, outputs=[out], prompt_logprobs=before, num_cached_tokens=0, finished=reason is not None
        )  # fmt: skip

    def _end(self, request, id_):
        if id_ in self.library.ends:
            return "stop", None
        text = self.library.tokenizer.decode(request.ids[request.prompt :])
        stop = next((stop for stop in request.params.stop or () if stop in text), None)
        if stop:
            return "stop", stop
        return ("length" if len(request.ids) - request.prompt >= request.params.max_tokens else None), None
