"""``ponderank doctor``: does this installation work, and what would an extra add."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from ponderank.errors import PonderankError

_CORE = ("numpy", "onnxruntime", "tokenizers", "bm25s", "typer", "rich", "ir-measures")
_EXTRAS = {
    "torch": (("torch", "transformers"), "checkpoints in this process, language models too, and CUDA"),
    "http": (("aiohttp",), "OpenAI-compatible servers"),
    "llamacpp": (("llama_cpp",), "GGUF files"),
    "vllm": (("vllm",), "vLLM in this process (an environment of its own)"),
    "train": (("sentence_transformers", "datasets", "onnx"), "`ponderank train`"),
    "numba": (("numba",), "faster BM25"),
}
_QUERY, _ANSWER = "How long do cats sleep?", "Cats sleep for twelve to sixteen hours a day."
_OTHER = "The bridge was opened to trains in 1883."


def doctor() -> None:
    """Check this installation: versions, extras, and whether the embedded model loads and ranks. Exit code 1 if not."""
    print(
        f"ponderank {version('ponderank')}, Python {platform.python_version()}, {platform.platform()}, {_cores()} cores"
    )
    broken = not _packages()
    for extra, (modules, gives) in _EXTRAS.items():
        absent = [module for module in modules if find_spec(module) is None]
        state = "yes" if not absent else f"no   pip install 'ponderank[{extra}]' (lacks {', '.join(absent)})"
        print(f"  extra [{extra}]: {gives}: {state}")
    if broken or not _ranks():
        sys.exit(1)
    print("all is well")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _packages() -> bool:
    """Print the core's packages; whether all are there."""
    whole = True
    for package in _CORE:
        try:
            print(f"  {package} {version(package)}")
        except PackageNotFoundError:
            whole = False
            print(f"  {package} MISSING: pip install {package}")
    return whole


def _ranks() -> bool:
    """Load the embedded model and rank two texts; whether the right one comes first."""
    start = time.perf_counter()
    try:
        from ponderank.reranker import Reranker

        with Reranker() as reranker:
            ranking = reranker.rank(_QUERY, [_OTHER, _ANSWER])
    except (PonderankError, ImportError) as error:
        print(f"  embedded model: BROKEN: {' '.join(str(error).split())}")
        return False
    right = ranking.docs[0].text == _ANSWER
    verdict = "loads and ranks" if right else "BROKEN: it ranks an unrelated text first; install Ponderank again"
    print(f"  embedded model: {verdict} ({time.perf_counter() - start:.2f} s)")
    return right
