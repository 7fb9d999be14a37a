"""Make a trained model smaller: int8 and int4 ONNX for cross-encoders; GGUF, AWQ and GPTQ for models that write.

One entry, ``quantise``, and a table of targets. What is made stands beside the model or where ``out`` says, whole or not at
all: it is written under another name and renamed. It holds a note of what it was made of (``quantise.json``, or keys in the GGUF
file), so that the same command again does nothing, and something else is not overwritten.

``gguf-q4`` is Q4_K_M, llama.cpp's own, where llama-cpp-python is installed and the model's rows divide by that type's blocks of
256; otherwise Q4_0, which the package ``gguf`` writes. (With other rows llama.cpp puts Q5_0 and Q8_0 in place of Q4_K: a file a quarter
larger than its name says; Qwen2.5-0.5B's have 896 numbers.) Which one it was stands in the file's name, in its note and in the
report; ``gguf-q4_k_m`` and ``gguf-q4_0`` ask for one of them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.errors import DataError
from ponderank.recipe import nearest

WRITES, SCORES = "language model", "cross-encoder"
Rows = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Target:
    """What can be made: of which kind of model, and which engine runs it.

    ``fixed`` is the scheme where the name says it all, and ``suffix`` what is added to the model's name.
    """

    name: str
    reads: str
    engine: str
    fixed: str
    suffix: str = ""

    @property
    def is_file(self) -> bool:
        """Whether one file comes out, not a folder."""
        return self.name.startswith("gguf-")


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("int8-onnx", SCORES, "onnx", "int8 weights and activations", "-int8-onnx"),
        Target("int4-onnx", SCORES, "onnx", "int4 weights, blocks of 32", "-int4-onnx"),
        Target("awq-int4", WRITES, "transformers", "AWQ int4", "-awq-int4"),
        Target("gptq-int4", WRITES, "transformers", "GPTQ int4", "-gptq-int4"),
        Target("gguf-q4", WRITES, "llamacpp", ""),
        Target("gguf-q4_k_m", WRITES, "llamacpp", "Q4_K_M"),
        Target("gguf-q4_0", WRITES, "llamacpp", "Q4_0"),
        Target("gguf-q8", WRITES, "llamacpp", "Q8_0"),
        Target("gguf-f16", WRITES, "llamacpp", "F16"),
    )
}


@dataclass(frozen=True, slots=True)
class Job:
    """A quantisation that was looked through: ``scheme`` in words, ``why`` it was chosen where there was a choice.

    ``source`` is a fingerprint of the model's files.
    """

    model: Path
    target: Target
    scheme: str
    why: str
    out: Path
    source: str

    @property
    def about(self) -> dict[str, str]:
        """What the result notes of itself."""
        return {"source": self.source, "target": self.target.name, "scheme": self.scheme}


def prepare(model: str | Path, to: str, out: str | Path | None = None, *, fresh: bool = False) -> Job:
    """Look whether ``model`` can be made into ``to``, and where it goes; nothing is written.

    Raises:
        DataError: no such target or model, one that does not fit the other, or an ``out`` that holds something else.
        MissingExtra: what makes it is not installed.

    >>> prepare("embedded", "int9-onnx")
    Traceback (most recent call last):
    ponderank.errors.DataError: no target is named 'int9-onnx'; did you mean int8-onnx or int4-onnx?
    """
    if to not in TARGETS:
        raise DataError(f"no target is named {to!r}; {nearest(to, TARGETS)}")
    target, folder = TARGETS[to], Path(model)
    kind = kind_of(folder)
    if kind != target.reads:
        fit = ", ".join(name for name, one in TARGETS.items() if one.reads == kind)
        raise DataError(f"this is a {kind}, and {to} is for a {target.reads}; --to takes {fit} here", path=folder)
    _check_installed(target)
    scheme, why = (target.fixed, "") if target.fixed else _four_bits(folder)
    suffix = target.suffix or f"-{scheme}.gguf"
    folder_name = folder.resolve()
    place = Path(out) if out is not None else folder_name.with_name(folder_name.name + suffix)
    if target.is_file and place.suffix != ".gguf":
        raise DataError(
            "a GGUF file's name ends in .gguf, by which it is told from a folder; give another --out", path=place
        )
    job = Job(folder, target, scheme, why, place, _fingerprint(folder))
    if place.exists() and not is_done(job):
        noted = _noted(job)
        if noted is None or not fresh:
            held = (
                f"holds {noted['target']} of another model or made otherwise"
                if noted
                else "is there and was not made here"
            )
            raise DataError(f"this {held}; give another --out{', or --fresh' if noted else ''}", path=place)
    return job


def quantise(job: Job, rows: Callable[[], Rows] | None = None, *, fresh: bool = False) -> dict[str, Any]:
    """Do it; returns what was made, as its note has it. What is done already is left alone, unless ``fresh``.

    ``rows`` gives prompts and completions to calibrate on, for AWQ and GPTQ.

    Raises:
        DataError: the model cannot be carried over, or there is nothing to calibrate on.
        MissingExtra: what makes it is not installed.
        BackendError: llama.cpp or llm-compressor fails.
    """
    if not fresh and is_done(job):
        return _noted(job) or {}
    made = job.out.with_name(job.out.name + (".partial" if job.target.is_file else ".partial.d"))
    _remove(made)
    made.parent.mkdir(parents=True, exist_ok=True)
    try:
        more = _make(job, made, rows)
        if not job.target.is_file:
            manifests.write_whole(
                made / "quantise.json", manifests.dumped({**job.about, **more, "versions": manifests.versions()})
            )
        _publish(made, job.out)
    finally:
        _remove(made)
    return _noted(job) or {}


def is_done(job: Job) -> bool:
    """Whether ``out`` holds what the job would make."""
    noted = _noted(job)
    return noted is not None and all(noted.get(key) == value for key, value in job.about.items())


def kind_of(model: Path) -> str:
    """``"cross-encoder"`` or ``"language model"``, by the model's files.

    Raises:
        DataError: neither, or weights that are quantised already.
    """
    if model.suffix == ".gguf" or not model.is_dir():
        given = "this is a GGUF file" if model.suffix == ".gguf" else "no such folder"
        raise DataError(f"{given}; give a checkpoint's folder, or one with ONNX graphs in full precision", path=model)
    if (model / "model.onnx").is_file() or (model / "graphs.json").is_file():
        return SCORES
    path = model / "config.json"
    if not path.is_file() or not any(model.glob("*.safetensors")):
        raise DataError("no model here: expected config.json with *.safetensors, or model.onnx", path=model)
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"not a JSON object: {error}", path=path) from error
    if config.get("quantization_config"):
        raise DataError("these weights are quantised already; give the checkpoint that they were made of", path=path)
    named = (config.get("architectures") or [""])[0]
    if named.endswith("ForSequenceClassification"):
        return SCORES
    if named.endswith("ForCausalLM"):
        return WRITES
    raise DataError(f"{named or 'a model without a named architecture'} is neither a cross-encoder nor a causal "
                    "language model; no target fits it", path=path)  # fmt: skip


def _check_installed(target: Target) -> None:
    if target.is_file:
        from ponderank.train.gguf import installed

        installed()
        if target.fixed == "Q4_K_M":
            from ponderank.backends.llamacpp_library import library

            library()
    elif target.reads == WRITES:
        from ponderank.train.quantise_gpu import installed as compressor

        compressor()
    else:
        from ponderank.train.quantise_onnx import installed as onnx

        onnx()


def _four_bits(folder: Path) -> tuple[str, str]:
    """Which four bits a GGUF file gets, and why."""
    import importlib.util

    from ponderank.train.gguf import config_of, divides

    if importlib.util.find_spec("llama_cpp") is None:
        return "Q4_0", "llama-cpp-python, which makes Q4_K_M, is not installed"
    if not divides(config_of(folder)):
        return "Q4_0", "the rows do not divide by 256, Q4_K_M's blocks"
    return "Q4_K_M", "llama-cpp-python makes it"


def _make(job: Job, made: Path, rows: Callable[[], Rows] | None) -> dict[str, Any]:
    if job.target.is_file:
        from ponderank.train.gguf import write_gguf

        write_gguf(job.model, made, job.scheme, about=job.about)
        return {}
    if job.target.reads == SCORES:
        from ponderank.train.quantise_onnx import write_onnx

        return write_onnx(job.model, made, 8 if job.target.name == "int8-onnx" else 4)
    from ponderank.train.quantise_gpu import write_compressed

    return write_compressed(job.model, made, job.target.name, rows() if rows else [])


def _noted(job: Job) -> dict[str, Any] | None:
    """What ``out`` says of itself, None where it was not made here."""
    if job.target.is_file:
        from ponderank.train.gguf import about, types_in

        noted = about(job.out) if job.out.is_file() else {}
        return {**noted, "types": types_in(job.out)} if noted else None
    path = job.out / "quantise.json"
    return manifests.read(path) if path.is_file() else None


def _fingerprint(folder: Path) -> str:
    from ponderank.backends.weights import fingerprint

    names = ("*.onnx", "weights.bin") if any(folder.glob("*.onnx")) else ("*.safetensors", "config.json")
    files = sorted(path for name in (*names, "tokenizer.json") for path in folder.glob(name))
    return fingerprint(files, {})


def _publish(made: Path, out: Path) -> None:
    """Rename, so that ``out`` is there whole or not at all."""
    if made.is_file():
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(out)
        return
    old = out.with_name(out.name + ".old")
    _remove(old)
    if out.exists():
        out.rename(old)
    made.rename(out)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
