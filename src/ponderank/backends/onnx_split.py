"""Run a split cross-encoder's graphs (``train.export_split``): the query once, then as many layers as were asked for.

``Classify.level`` 0 is the full model in one run; level ``l`` stops at the ``l``-th exit from the end, the one before
the first being the sketch, if the model has one: a score from the words before any layer. A pair that was
scored at a shallow exit and is asked again deeper goes on from what it left behind, if that is still kept.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from ponderank.backends.pairs import PairTokenizer
from ponderank.backends.words import WordTable
from ponderank.errors import DataError
from ponderank.types import Classify, Reply, Usage


class Kept:
    """The latest values under a limit of bytes; safe between threads."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self._values: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> Any | None:
        """The value under ``key``, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def take(self, key: Any) -> Any | None:
        """The value under ``key``, no longer kept, or None."""
        with self._lock:
            value, size = self._values.pop(key, (None, 0))
            self.size -= size
            return value

    def put(self, key: Any, value: Any, size: int) -> None:
        """Keep ``value`` of ``size`` bytes; the oldest go first."""
        with self._lock:
            self.size += size - self._values.pop(key, (None, 0))[1]
            self._values[key] = (value, size)
            while self.size > self.limit and len(self._values) > 1:
                self.size -= self._values.popitem(last=False)[1][1]


class SplitRunner:
    """Scores pairs at any exit. Called from several threads; each run is one pair on one core.

    Args:
        folder: ``graphs.json``, the graphs, ``tokenizer.json``, ``config.json``.
        max_length: most tokens of the query and of the document, each on its own (a split model numbers the positions
            of each from 0); by default the ``max_length`` of ``graphs.json``.
    """

    def __init__(self, folder: Path, max_length: int | None = None) -> None:
        from ponderank.backends.onnx import session

        try:
            self.graphs: dict[str, Any] = json.loads((folder / "graphs.json").read_text("utf-8"))
        except ValueError as error:
            raise DataError(
                f"not a JSON object: {error}; export the model again", path=folder / "graphs.json"
            ) from error
        self.exits: int = int(self.graphs["exits"])
        self.sketch: dict[str, float] | None = self.graphs.get("sketch")
        self.levels = self.exits + (self.sketch is not None)
        self.tokenizer = PairTokenizer.load(folder, max_length or int(self.graphs.get("max_length", 256)))
        names = ["query", "full", *(f"exit{number}" for number in range(self.exits))]
        names += ["words"] if self.sketch is not None else []
        for name in names:
            if not (folder / f"{name}.onnx").is_file():
                raise DataError(f"no {name}.onnx, which graphs.json promises; export the model again", path=folder)
        self.files = [folder / "graphs.json", *(folder / f"{name}.onnx" for name in names)]
        self.files += [p for p in (folder / "weights.bin",) if p.is_file()]
        self._session, self._folder = session, folder
        self._sessions: dict[str, tuple[Any, list[str]]] = {}
        self._opening = threading.Lock()
        self._words: WordTable | None = None
        self._ids, self._queries, self._pairs = Kept(4 << 20), Kept(32 << 20), Kept(96 << 20)

    def __call__(self, call: Classify) -> Reply:
        """One score, in logits, at the call's level."""
        start = time.perf_counter()
        if not 0 <= call.level < self.levels:
            raise DataError(f"level {call.level} of a model with levels 0 to {self.levels - 1}")
        query, query_cut = self._query(call.query)
        ids, cut = self.tokenizer.one(call.text, self.tokenizer.max_length)
        if call.level == self.exits:
            score = self._word_table().score(query[0], ids)
            return self._reply(score, query.size + len(ids), cut or query_cut, start)
        states = {**self._states(call.query, query), "query": query}
        if call.level == 0 and self._pairs.get((call.query, call.text)) is None:
            found = self._run("full", {**states, "ids": _row(ids)})[0]
        else:
            found = self._climb(call, states, ids)
        return self._reply(float(found.reshape(-1)[0]), query.size + len(ids), cut or query_cut, start)

    def _reply(self, score: float, tokens: int, cut: bool, start: float) -> Reply:
        usage = Usage(calls=1, prompt_tokens=tokens, seconds=time.perf_counter() - start)
        return Reply(scores=(score,), finish="truncated" if cut else "stop", usage=usage)

    def _climb(self, call: Classify, states: dict[str, Any], ids: list[int]) -> Any:
        """Run exit after exit up to the call's, from where the pair was left."""
        key, last = (call.query, call.text), self.exits - 1 - call.level
        done, carry = self._pairs.take(key) or (-1, {"ids": _row(ids)})
        if done >= last:  # asked again at a level already passed: start over, its score was not kept
            done, carry = -1, {"ids": _row(ids)}
        score = None
        for number in range(done + 1, last + 1):
            score, hidden, total = self._run(f"exit{number}", {**states, **carry})
            carry = {"hidden": hidden, "total": total}
        if call.level > 0:
            self._pairs.put(key, (last, carry), carry["hidden"].nbytes + len(call.text))
        return score

    def _query(self, text: str) -> tuple[Any, bool]:
        """The query's ids ``[1, Tq]``, and whether it was cut."""
        kept = self._ids.get(text)
        if kept is None:
            ids, cut = self.tokenizer.one(text, self.tokenizer.max_length)
            kept = (_row(ids), cut)
            self._ids.put(text, kept, kept[0].nbytes + len(text))
        return kept

    def _states(self, text: str, ids: Any) -> dict[str, Any]:
        """The query's states at the exits up to the join."""
        states: dict[str, Any] | None = self._queries.get(text)
        if states is None:
            states = dict(zip(self.graphs["states"], self._run("query", {"ids": ids}), strict=True))
            self._queries.put(text, states, sum(s.nbytes for s in states.values()))
        return states

    def _word_table(self) -> WordTable:
        if self._words is None:
            with self._opening:
                if self._words is None:
                    assert self.sketch is not None
                    graph = self._session(self._folder / "words.onnx")
                    vocabulary = int(self.graphs["vocabulary"])
                    self._words = WordTable(lambda ids: graph.run(None, {"ids": ids}), vocabulary, self.sketch)
        return self._words

    def _run(self, name: str, inputs: dict[str, Any]) -> list[Any]:
        opened = self._sessions.get(name)
        if opened is None:
            with self._opening:  # opened when first needed: a full run never loads the exits
                opened = self._sessions.get(name)
                if opened is None:
                    graph = self._session(self._folder / f"{name}.onnx")
                    opened = self._sessions[name] = (graph, [i.name for i in graph.get_inputs()])
        graph, wanted = opened
        return graph.run(None, {key: inputs[key] for key in wanted})  # type: ignore[no-any-return]


def _row(ids: list[int]) -> Any:
    import numpy as np

    return np.array([ids], dtype=np.int64)
