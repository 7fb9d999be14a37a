"""A hundred thousand teacher calls through `ponderank distill collect`, killed three times: rate, memory, and what is left.

    python bench/collecting.py            # writes bench/results/collecting.json and prints it

The teacher is a stub in a process of its own that answers at once with a thought of 280 tokens. The command is killed (-9)
three times on the way and started again; every key must then stand in the shards once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ponderank.distill.pairs import Pair, write_pairs
from ponderank.distill.shards import shard_files
from ponderank.types import Doc, Query

HERE = Path(__file__).parent
TEXT = "words of a passage that a teacher is asked about " * 12


def started(pairs: Path, traces: Path, url: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "ponderank.cli.main",
        "distill",
        "collect",
        str(pairs),
        "--engine",
        url,
        "--out",
        str(traces),
    ]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def rows(traces: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in shard_files(traces))


def peak(process: int) -> float:
    """The most memory a process ever had, MB."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    most, seconds, rates, killed_at = 0.0, 0.0, [], []
    with tempfile.TemporaryDirectory() as name:
        pairs, traces = Path(name) / "pairs.jsonl", Path(name) / "traces"
        made = (
            Pair(Query(f"q{i}", f"what is number {i}"), Doc(f"d{i}", f"{i} {TEXT}"), "negatives", 0)
            for i in range(options.calls)
        )
        write_pairs(made, pairs)
        stub = subprocess.Popen(
            [sys.executable, str(HERE.parent / "tests" / "stub_server.py"), "--seconds", "1800"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert stub.stdout is not None
            url = stub.stdout.readline().strip()
            for number in range(options.kills + 1):
                before, start = rows(traces) if traces.exists() else 0, time.perf_counter()
                process, first = started(pairs, traces, url), 0.0
                due = options.calls * (number + 1) // (options.kills + 1)
                while process.poll() is None:
                    time.sleep(2.0)
                    most = max(most, peak(process.pid))
                    there = rows(traces) if traces.exists() else 0
                    first = first or (time.perf_counter() if there > before else 0.0)
                    if number < options.kills and there >= due:
                        os.kill(process.pid, signal.SIGKILL)
                process.wait()
                rates.append(round((rows(traces) - before) / (time.perf_counter() - first), 1))
                seconds += time.perf_counter() - start
                killed_at.append(rows(traces))
        finally:
            stub.terminate()
            stub.wait()
        keys = [line[:50] for path in shard_files(traces) for line in path.open()]
        size = sum(path.stat().st_size for path in shard_files(traces)) / 1e6
    found: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "calls": options.calls, "whole_lines_after_each_start": killed_at, "rows": len(keys), "different": len(set(keys)),
        "answers_per_second": rates, "seconds": round(seconds, 1), "peak_mb": round(most, 1), "shards_mb": round(size, 1),
    }  # fmt: skip
    (HERE / "results" / "collecting.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    assert len(keys) == len(set(keys)) == options.calls


if __name__ == "__main__":
    main()
