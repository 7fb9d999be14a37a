"""Requests per second of the http backend, and what waiting calls cost: against a stub server in a process of its own.

    python bench/serving.py         # writes bench/results/http.json and prints it

The server answers at once (the client's and the stub's own cost) or after 20 ms (what concurrency is for). ``aiohttp`` and
``httpx`` are the bare clients with the same bodies, 64 in flight, for comparison. Memory is the growth of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ponderank.backends.http import HttpModel
from ponderank.types import Generate, Part, Prompt

HERE = Path(__file__).parent
STUB = HERE.parent / "tests" / "stub_server.py"
TEXT = "words of a passage that is judged " * 90


def prompt(number: int) -> Prompt:
    return (
        Part("Query: who\nPassage: ", True),
        Part(f"{number} {TEXT}", False, may_shorten=True),
        Part("\n<think>", True),
    )


@contextmanager
def stub(pause: float) -> Any:
    command = [sys.executable, str(STUB), "--pause", str(pause), "--seconds", "300"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def ours(url: str, calls: int, concurrency: int) -> float:
    model = HttpModel(url, concurrency=concurrency)
    _ = model.fingerprint
    start = time.perf_counter()
    for number in range(calls):
        model.add(Generate(prompt(number), 8, ("</think> true", "</think> false")))
    done = 0
    while done < calls:
        done += len(model.step())
    seconds = time.perf_counter() - start
    model.close()
    return calls / seconds


def body(number: int) -> dict[str, Any]:
    text = "".join(part.text for part in prompt(number))
    return {"model": "rank1", "prompt": text, "max_tokens": 8, "temperature": 0.0, "stop": ["</think> true"]}


def bare(ask: Callable[[int], Awaitable[Any]], calls: int, concurrency: int) -> Callable[[], Awaitable[float]]:
    async def run() -> float:
        waiting, start = iter(range(calls)), time.perf_counter()

        async def worker() -> None:
            for number in waiting:
                await ask(number)

        await asyncio.gather(*(worker() for _ in range(concurrency)))
        return calls / (time.perf_counter() - start)

    return run


async def with_aiohttp(url: str, calls: int, concurrency: int) -> float:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(number: int) -> Any:
            async with session.post(url + "/completions", json=body(number)) as response:
                return await response.json()

        return await bare(ask, calls, concurrency)()


async def with_httpx(url: str, calls: int, concurrency: int) -> float:
    import httpx

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=concurrency), timeout=60) as client:

        async def ask(number: int) -> Any:
            return (await client.post(url + "/completions", json=body(number))).json()

        return await bare(ask, calls, concurrency)()


def rss() -> float:
    """Megabytes in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def memory(url: str, calls: int) -> dict[str, float]:
    """Growth for the calls themselves, for queueing them, and at most while they are worked off."""
    model = HttpModel(url, concurrency=64)
    _ = model.fingerprint
    before = rss()
    made = [Generate(prompt(number), 8, ("</think> true",)) for number in range(calls)]
    held = rss()
    for call in made:
        model.add(call)
    queued = most = rss()
    done = 0
    while done < calls:
        done += len(model.step())
        most = max(most, rss())
    model.close()
    return {"calls_mb": held - before, "queue_mb": queued - held, "working_mb": most - queued}


def rates(rounds: int, calls: int) -> dict[str, dict[str, float]]:
    contestants: dict[str, Callable[[str, int], float]] = {
        "ours, 1 at once": lambda url, n: ours(url, n, 1),
        "ours, 64 at once": lambda url, n: ours(url, n, 64),
        "aiohttp alone, 64": lambda url, n: asyncio.run(with_aiohttp(url, n, 64)),
    }
    if importlib.util.find_spec("httpx"):
        contestants["httpx alone, 64"] = lambda url, n: asyncio.run(with_httpx(url, n, 64))
    found: dict[str, dict[str, float]] = {}
    for pause in (0.0, 0.02):
        with stub(pause) as url:
            seen: dict[str, list[float]] = {name: [] for name in contestants}
            for _ in range(rounds):  # interleaved, so that a busy machine slows all of them
                for name, run in contestants.items():
                    seen[name].append(run(url, calls if pause == 0.0 or "64" in name else calls // 10))
        found[f"server answers after {pause * 1000:g} ms"] = {
            name: round(statistics.median(v), 1) for name, v in seen.items()
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--queued", type=int, default=10_000)
    options = parser.parse_args()
    results: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "calls": options.calls, "rounds": options.rounds, "prompt_characters": len(TEXT),
        "requests_per_second": rates(options.rounds, options.calls),
    }  # fmt: skip
    with stub(0.0) as url:
        results["memory"] = {
            "queued": options.queued,
            **{k: round(v, 1) for k, v in memory(url, options.queued).items()},
        }
    (HERE / "results" / "http.json").write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
