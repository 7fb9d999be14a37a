"""Checkpoints on vLLM, in this process: for a GPU and thousands of calls.

Written against the interfaces of vLLM 0.32 and 0.33 and tested against a stand-in for them: **it has not been run on vLLM
itself.** vLLM pins its own torch and transformers and cannot share an environment with the newest of them; where that is in
the way, run ``vllm serve`` elsewhere and give its URL as the engine.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ponderank.backends.adapters import interrupted
from ponderank.backends.prompts import PromptTokenizer
from ponderank.backends.vllm_calls import Running
from ponderank.backends.weights import fingerprint, weights
from ponderank.errors import BackendError, MissingExtra, RecipeError
from ponderank.types import Call, Choose, Generate, Likelihood, Reply, Usage, text_of

_HELD_S = 0.1
"""How long a step works before it returns, finished or not."""
_CHANGES_ANSWERS = ("dtype", "quantization", "kv_cache_dtype", "hf_overrides", "revision")
"""The options of vLLM that name another model, and so belong to the fingerprint."""
_MOST_LABELS = 128
"""As many ids vLLM takes as ``logprob_token_ids``."""


class VllmModel:
    """A causal language model on vLLM; answers ``Generate``, ``Choose`` and ``Likelihood``.

    Args:
        model: a Hugging Face checkpoint folder with ``tokenizer.json``.
        slots: calls handed to vLLM at once; its own ``max_num_seqs`` decides how many of them run side by side.
        library: the module ``vllm``, or what stands for it in a test.
        options: for ``vllm.LLM``, such as ``tensor_parallel_size``, ``gpu_memory_utilization``, ``max_model_len``.

    Raises:
        MissingExtra: vLLM is not installed.
        DataError: the folder is not such a checkpoint.
        BackendError: vLLM fails.
        RecipeError: a recipe asks for logits, which vLLM does not give.

    Prompts are given to vLLM as token ids, so that nothing in a document is read as a special token. Watched labels are exact
    where vLLM can be asked for single ids (``logprob_token_ids``); an older one gives its twenty likeliest, and no scores
    if a label is not among them.
    """

    can: frozenset[type[Call]] = frozenset({Generate, Choose, Likelihood})

    def __init__(self, model: str | Path, *, slots: int = 1024, library: Any = None, **options: Any) -> None:
        folder = Path(model)
        self.tokenizer = PromptTokenizer(folder)
        files = [*weights(folder), folder / "tokenizer.json"]
        self._library = library if library is not None else _library()
        self._by_id = hasattr(self._library.SamplingParams, "logprob_token_ids")
        try:
            self._engine: Any = self._library.LLM(model=str(folder), **options).llm_engine
        except Exception as error:  # whatever CUDA, torch or vLLM raise
            raise BackendError(f"vLLM cannot load {folder}: {error}") from error
        self.context = int(self._engine.model_config.max_model_len)
        self.slots = slots
        settings = {name: str(options[name]) for name in _CHANGES_ANSWERS if name in options}
        self.fingerprint = "vllm:" + fingerprint(files, {"context": self.context, **settings})
        self._waiting: deque[tuple[int, Call]] = deque()
        self._running: dict[int, Running] = {}
        self._ready: list[tuple[int, Reply]] = []
        self._written: list[tuple[int, str]] = []
        self._tickets = 0

    def add(self, call: Call) -> int:
        """Queue a call; returns its ticket."""
        if type(call) not in self.can:
            raise TypeError(f"VllmModel answers Generate, Choose and Likelihood, not {type(call).__name__}")
        if isinstance(call, Choose) and call.scale == "logit":
            raise RecipeError(
                "this recipe asks for logits and vLLM gives log-probabilities; use the engine transformers or llamacpp"
            )
        self._tickets += 1
        self._waiting.append((self._tickets, call))
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """Hand waiting calls to vLLM and let it work until something is finished, for a tenth of a second or so."""
        until = time.perf_counter() + _HELD_S
        while self._waiting and len(self._running) < self.slots and time.perf_counter() < until:
            self._hand_over(*self._waiting.popleft())
        while self._running and not self._ready:
            try:
                outputs = self._engine.step()
            except Exception as error:  # whatever CUDA, torch or vLLM raise; nothing of it can go on
                self._running.clear()
                raise BackendError(f"vLLM failed: {error}") from error
            for output in outputs:
                self._take(output)
            if time.perf_counter() > until:
                break
        ready, self._ready = self._ready, []
        return ready

    def written(self) -> list[tuple[int, str]]:
        """What was written since the last time."""
        written, self._written = self._written, []
        return written

    def interrupt(self, tickets: Collection[int]) -> None:
        """Answer these with what they have."""
        gone = set(tickets)
        for ticket in [ticket for ticket in self._running if ticket in gone]:
            if isinstance(self._running[ticket].call, Generate):
                self._ready.append((ticket, self._abort(ticket).written("interrupted")))
        self._ready += interrupted(self._waiting, gone)

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        gone = set(tickets)
        self._waiting = deque(item for item in self._waiting if item[0] not in gone)
        self._ready = [item for item in self._ready if item[0] not in gone]
        for ticket in gone & self._running.keys():
            self._abort(ticket)

    def close(self) -> None:
        """Drop all calls and let go of vLLM, which ends its own processes then."""
        self._waiting.clear()
        for ticket in list(self._running):
            self._abort(ticket)
        self._engine = None

    def _abort(self, ticket: int) -> Running:
        running = self._running.pop(ticket)
        self._engine.abort_request([_name(ticket, part) for part in running.unanswered])
        return running

    # -- asking ---------------------------------------------------------------------------------------------------

    def _hand_over(self, ticket: int, call: Call) -> None:
        """Make one or more of vLLM's requests of a call."""
        running = Running(call, time.perf_counter())
        asked = self._text(running) if isinstance(call, Generate) else self._labels(running)
        if not asked:
            self._ready.append((ticket, Reply(finish="refused", usage=Usage(1, len(running.fitted.ids)))))
            return
        running.unanswered = set(range(len(asked)))
        self._running[ticket] = running
        for part, (ids, params) in enumerate(asked):
            try:
                self._engine.add_request(_name(ticket, part), {"prompt_token_ids": ids}, params)
            except ValueError as error:
                self._abort(ticket)
                raise BackendError(f"vLLM refuses a prompt of {len(ids)} tokens: {error}") from error

    def _text(self, running: Running) -> list[tuple[list[int], Any]]:
        call = running.call
        assert isinstance(call, Generate)
        fitted = self.tokenizer.fit(call.prompt, max(self.context - call.max_tokens, self.context // 2))
        running.fitted = fitted
        if fitted.too_long or not fitted.ids:
            return []
        for label in call.watch:
            before = _verdict_place(call.stop)
            running.watched.append(self.tokenizer.label(label, before))
        more: dict[str, Any] = {}
        if running.watched and all(len(ids) == 1 for ids in running.watched):
            ids = list(dict.fromkeys(one[0] for one in running.watched))
            more = {"logprob_token_ids": ids} if self._by_id and len(ids) <= _MOST_LABELS else {"logprobs": 20}
        if call.temperature > 0:
            more["seed"] = call.seed if call.seed is not None else self._tickets
            more |= {"top_p": call.top_p} if call.top_p < 1 else {}
            more |= {"top_k": call.top_k} if call.top_k else {}
        most = min(call.max_tokens, self.context - len(fitted.ids))
        params = self._params(temperature=call.temperature, max_tokens=most, stop=list(call.stop) or None, **more)
        return [(fitted.ids, params)]

    def _labels(self, running: Running) -> list[tuple[list[int], Any]]:
        """One request for all labels of one token, one for each other label; all by the prompt where ids cannot be asked for."""
        call = running.call
        texts = call.labels if isinstance(call, Choose) else (call.target,)  # type: ignore[union-attr]
        tail = text_of(call.prompt[-1:])  # type: ignore[union-attr]
        running.targets = [self.tokenizer.label(text, tail) for text in texts]
        room = self.context - max(map(len, running.targets), default=1) - 1
        running.fitted = fitted = self.tokenizer.fit(call.prompt, max(room, 1))  # type: ignore[union-attr]
        if fitted.too_long or not fitted.ids:
            return []
        single = [at for at, ids in enumerate(running.targets) if len(ids) == 1]
        ids = list(dict.fromkeys(running.targets[at][0] for at in single))
        together = self._by_id and isinstance(call, Choose) and 0 < len(ids) <= _MOST_LABELS
        running.parts = [single] if together else []
        running.parts += [[at] for at in range(len(texts)) if not (together and at in single)]
        asked = [(fitted.ids, self._params(max_tokens=1, logprob_token_ids=ids))] if together else []
        behind = self._params(max_tokens=1, prompt_logprobs=0)
        asked += [([*fitted.ids, *running.targets[at]], behind) for (at,) in running.parts[together:]]
        return asked

    def _params(self, *, temperature: float = 0.0, **more: Any) -> Any:
        deltas = self._library.sampling_params.RequestOutputKind.DELTA
        return self._library.SamplingParams(
            temperature=temperature, skip_special_tokens=False, spaces_between_special_tokens=False, output_kind=deltas, **more
        )  # fmt: skip

    # -- answers --------------------------------------------------------------------------------------------------

    def _take(self, output: Any) -> None:
        """Note what vLLM says of one request."""
        ticket, part = map(int, output.request_id.split("."))
        running = self._running.get(ticket)
        if running is None:  # cancelled
            return
        new = output.outputs[0]
        running.cached = max(running.cached, getattr(output, "num_cached_tokens", 0) or 0)
        if isinstance(running.call, Generate):
            running.text += new.text
            running.tokens += len(new.token_ids)
            if new.text:
                self._written.append((ticket, new.text))
        else:
            running.note(part, output)
        if not output.finished:
            return
        running.unanswered.discard(part)
        if not running.unanswered:
            del self._running[ticket]
            is_text = isinstance(running.call, Generate)
            self._ready.append((ticket, running.ended(new) if is_text else running.chosen()))


def _name(ticket: int, part: int) -> str:
    return f"{ticket}.{part}"


def _verdict_place(stops: Sequence[str]) -> str:
    """What stands before the last word of the first stop string, where watched labels are expected.

    >>> _verdict_place(("</think> true", "</think> false"))
    '</think>'
    """
    stop = stops[0] if stops else ""
    return stop[: -len(stop.split()[-1]) - 1] if " " in stop else stop


def _library() -> Any:
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")  # it is read when vLLM is imported, and the terminal is ours
    try:
        import vllm
    except ImportError as error:
        raise MissingExtra("vllm", "running a language model on vLLM") from error
    return vllm
