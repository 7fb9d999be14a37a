"""Cross-encoders on ONNX Runtime: one unpadded pair a run, one single-threaded run a core.

Why not padded batches: measured on 2 cores (LOG.md, bench/), pairs alone on single-threaded runs beat every padded
batch: nothing is padded, cores never wait for each other, memory stays at one pair a core, and an int8 score (whose
activation scale is taken over the whole run) does not depend on which other texts shared its batch. So a result is the
same bytes in any order, batch or restart.

Two kinds of folder load: a standard cross-encoder (``model.onnx``, ``tokenizer.json``, ``config.json``) and a split one
(``graphs.json``; see ``ponderank.models.split_bert``).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from ponderank.backends.adapters import Threaded
from ponderank.backends.pairs import PairTokenizer
from ponderank.errors import DataError, RecipeError
from ponderank.types import Call, Classify, Reply, Usage


class Runner(Protocol):
    """Runs one pair; called from several threads at once."""

    def __call__(self, call: Classify) -> Reply:
        """Score one pair."""
        ...


class OnnxClassifier:
    """A cross-encoder on the CPU; answers ``Classify``.

    Args:
        folder: holds ``model.onnx`` (or the file named by ``file``), ``tokenizer.json`` and ``config.json``; or a split
            model's ``graphs.json`` with its graphs.
        threads: pairs run at once, each on one core; all cores by default.
        max_length: tokens of query and document together; by default what ``config.json`` and the tokenizer allow.
        file: the graph's file name, when not ``model.onnx``.

    Raises:
        DataError: the folder lacks one of its files; the message names it.

    A document too long is shortened (``Reply.finish == "truncated"``); a query only when it alone would fill the
    model, to half of it. Special tokens written in a text are read as plain text.
    """

    can: frozenset[type[Call]] = frozenset({Classify})

    def __init__(
        self, folder: str | Path, *, threads: int | None = None, max_length: int | None = None, file: str = "model.onnx"
    ) -> None:
        folder = Path(folder)
        self.threads = threads or len(
            os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        )
        if (folder / "graphs.json").is_file():
            from ponderank.backends.onnx_split import SplitRunner

            split = SplitRunner(folder, max_length)
            self.tokenizer, files = split.tokenizer, split.files
            self._run: Runner = split
            self.levels = split.levels
        else:
            self.tokenizer = PairTokenizer.load(folder, max_length)
            path = _existing(folder, file)
            self._run, files = PairRunner(path, self.tokenizer), [path]
            self.levels = 1
        self.fingerprint = fingerprint([*files, folder / "tokenizer.json"], {"max_length": self.tokenizer.max_length})
        self._work = Threaded(self._answer, self.threads)

    def _answer(self, call: Call) -> Reply:
        if not isinstance(call, Classify):
            raise TypeError(f"OnnxClassifier answers Classify, not {type(call).__name__}")
        return self._run(call)

    def add(self, call: Call) -> int:
        """Queue a pair; returns its ticket.

        Raises:
            RecipeError: two texts (duoBERT), which need a third segment.
        """
        if isinstance(call, Classify) and call.other:
            raise RecipeError(
                "an ONNX cross-encoder reads one text beside the query, not two; run this recipe's checkpoint with the engine "
                "transformers"
            )
        return self._work.add(call)

    def step(self) -> list[tuple[int, Reply]]:
        """Keep every core busy and return what has finished; empty when nothing is queued."""
        return self._work.step()

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls."""
        self._work.cancel(tickets)

    def close(self) -> None:
        """Stop the threads; pairs not yet started are dropped."""
        self._work.close()


class PairRunner:
    """A standard cross-encoder graph: ``input_ids``, ``attention_mask``, maybe ``token_type_ids`` → logits ``[1, 1 or 2]``."""

    def __init__(self, path: Path, tokenizer: PairTokenizer) -> None:
        self.session, self.tokenizer = session(path), tokenizer
        self.inputs = [i.name for i in self.session.get_inputs()]
        unknown = set(self.inputs) - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown:
            raise DataError(
                f"the graph wants the inputs {sorted(unknown)}, which no cross-encoder has; "
                "export it with input_ids, attention_mask and, if the model has them, token_type_ids",
                path=path,
            )

    def __call__(self, call: Classify) -> Reply:
        """Score one pair: ``Reply.scores`` are the logits, one or two."""
        import numpy as np

        start = time.perf_counter()
        ids, types, truncated = self.tokenizer.pair(call.query, call.text)
        arrays = {"input_ids": ids, "token_type_ids": types, "attention_mask": [1] * len(ids)}
        logits = self.session.run(None, {name: np.array([arrays[name]], dtype=np.int64) for name in self.inputs})[0]
        usage = Usage(calls=1, prompt_tokens=len(ids), seconds=time.perf_counter() - start)
        return Reply(
            scores=tuple(float(x) for x in logits.reshape(-1)), finish="truncated" if truncated else "stop", usage=usage
        )


def session(path: Path) -> Any:
    """A single-threaded ONNX Runtime session that keeps little memory; errors name the file."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError) as error:
        raise DataError(f"ONNX Runtime cannot load this graph: {error}", path=path) from error
    except ort.capi.onnxruntime_pybind11_state.InvalidProtobuf as error:
        raise DataError(f"not an ONNX file: {error}; export it again", path=path) from error


def fingerprint(files: list[Path], settings: dict[str, Any]) -> str:
    """Names a model by the bytes of its files and its settings."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"onnx:{digest.hexdigest()[:32]}"


def _existing(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        found = sorted(p.name for p in folder.glob("*.onnx"))
        remedy = (
            f"found {', '.join(found)}; name it with file="
            if found
            else "export one with `ponderank train cross-encoder`"
        )
        raise DataError(f"no {name} in this model folder; {remedy}", path=folder)
    return path
