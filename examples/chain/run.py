"""The whole way from a collection to a reasoner, and what each part of it is worth, in one command.

    pip install 'ponderank[train,http]' fastapi uvicorn
    python examples/chain/run.py --source SQUAD --source MEDQUAD --out chain       # two hours on 2 cores
    python examples/chain/run.py --source SQUAD --out chain --kill-teacher 2000    # the teacher dies and comes back

``--source`` is a folder in BEIR layout with annotations (see ``collection.py``). The steps are the commands of ``docs/distill.md``, and
are shown before they run: sample pairs, ask a teacher behind a server (``teacher.py``; careless in one answer of five), select,
fine-tune a tiny base model (``base.py``), filter the negatives by that student, fine-tune again, rerank with the recipe ``rank1``. Three
models learn from the same traces for the same number of steps: from the filtered rows with their thoughts, from the same rows
without, and from all answers as the teacher gave them. The same command goes on wherever it was stopped.

``OUT/report.md`` and ``OUT/report.svg`` have the funnel, the losses, the measure on the dev set during training and on the test set.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from base import make_base
from collection import prepare

from report import write_report

HERE = Path(__file__).parent
THINK_TOKENS = 48
"""The longest thought: a tiny model that does not come to an end is told to judge."""


@dataclass(frozen=True)
class Chain:
    """The folder, and how much of everything."""

    out: Path
    pairs: int
    steps: int
    base_steps: int
    depth: int
    errors: float
    kill_after: int | None
    threads: int
    models: tuple[str, ...] = ("thinking", "direct", "noisy")

    @property
    def collection(self) -> Path:
        return self.out / "collection"

    def ponderank(self, *words: Any, check: bool = True) -> int:
        """Run a command as a reader would, and show it."""
        print("\n$ ponderank", shlex.join(str(word) for word in words), flush=True)
        command = [sys.executable, "-m", "ponderank.cli.main", *map(str, words)]
        code = subprocess.run(command, env=self.environment()).returncode
        if check and code:
            raise SystemExit(f"that command ended with exit code {code}; mended, the same chain goes on from here")
        return code

    def environment(self) -> dict[str, str]:
        return {**os.environ, "OMP_NUM_THREADS": str(self.threads), "TOKENIZERS_PARALLELISM": "false"}

    def sampled(self) -> Path:
        pairs = self.out / "pairs.jsonl"
        if not pairs.is_file():
            self.ponderank(
                "distill", "sample", "--collection", self.collection, "--preset", "rank1", "--count", self.pairs,
                "-k", 20, "--out", pairs,
            )  # fmt: skip
        return pairs

    def collected(self, pairs: Path) -> Path:
        """Ask the teacher; with ``kill_after`` it is killed after so many answers, and started again."""
        traces = self.out / "traces"
        done = self.out / "collected"
        port = free_port()
        while not done.is_file():
            command = [
                "distill", "collect", pairs, "--engine", f"http://127.0.0.1:{port}/v1", "--model", "teacher", "--out", traces,
            ]  # fmt: skip
            with serving(self, port) as teacher:
                if self.kill_after is None or answers(traces) >= self.kill_after:
                    code = self.ponderank(*command, check=False)
                else:
                    code = self.collected_in_spite(command, traces, teacher, port)
            if code == 0:
                done.touch()
            elif code != 4:  # 4: the teacher was not there any more; the same command goes on
                raise SystemExit(f"collecting ended with exit code {code}")
        return traces

    def collected_in_spite(self, command: list[Any], traces: Path, teacher: subprocess.Popen[bytes], port: int) -> int:
        print("\n$ ponderank", shlex.join(map(str, command)), flush=True)
        running = subprocess.Popen(
            [sys.executable, "-m", "ponderank.cli.main", *map(str, command)], env=self.environment()
        )
        while running.poll() is None and answers(traces) < (self.kill_after or 0):
            time.sleep(0.02)
        teacher.send_signal(signal.SIGKILL)
        teacher.wait()
        print(
            f"the teacher was killed with {answers(traces):,} answers given; it comes back in two seconds", flush=True
        )
        time.sleep(2)
        with serving(self, port):
            return running.wait()

    def selected(self, name: str, *options: Any) -> Path:
        rows = self.out / "rows" / name
        if not (rows / "funnel.json").is_file():
            self.ponderank("distill", "select", self.out / "traces", *options, "--out", rows)
        return rows

    def trained(self, name: str, rows: Path, recipe: str) -> Path:
        model = self.out / "models" / name
        small = {
            "steps": self.steps, "batch": 16, "effective_batch": 16, "learning_rate": 0.0015, "cutoff": 384,
            "save_every": max(1, self.steps // 4), "patience": 100, "dev_recipe": recipe, "dev_queries": 60,
            "dev_depth": self.depth, "dev_tokens": THINK_TOKENS, "gradient_checkpointing": "false", "threads": self.threads,
        }  # fmt: skip
        settings = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
        if not (model / "config.json").is_file():
            self.ponderank(
                "train", "reasoner", "--base", self.out / "base", "--rows", rows, "--preset", "laptop", "--full",
                "--dev", self.collection, *settings, "--out", model,
            )  # fmt: skip
        return model

    def evaluated(self, name: str, model: Path, recipe: str) -> None:
        think = ("--think-tokens", THINK_TOKENS) if recipe == "rank1" else ()
        if not (self.out / "runs" / name / "metrics.json").is_file():
            self.ponderank(
                "run", "--collection", self.collection, "--split", "test", "-k", self.depth, "--recipe", recipe, "--model", model,
                *think, "--out", self.out / "runs" / name,
            )  # fmt: skip

    def run(self) -> None:
        """Every step; those whose results are there are passed over."""
        base = self.out / "base"
        if not (base / "config.json").is_file():
            print("\nA base model that can look words up, and no more", flush=True)
            make_base(self.collection, base, steps=self.base_steps, threads=self.threads)
        self.collected(self.sampled())
        student = self.trained("student", self.selected("first", "--preset", "rank1-first-mix"), "rank1")
        filtered = ("--preset", "rank1", "--student", student, "--think-tokens", THINK_TOKENS)
        taught = {
            "thinking": ("filtered", filtered, "rank1"),
            "direct": ("filtered-no-chain", (*filtered, "--no-chain"), "rank1-direct"),
            "noisy": ("everything", ("--preset", "everything"), "rank1"),
        }
        for name in self.models:
            rows, options, recipe = taught[name]
            self.trained(name, self.selected(rows, *options), recipe)
        self.evaluated("base", base, "rank1")
        self.evaluated("base-direct", base, "rank1-direct")
        for name, recipe in (("student", "rank1"), *((name, taught[name][2]) for name in self.models)):
            self.evaluated(name, self.out / "models" / name, recipe)


def answers(traces: Path) -> int:
    """How many answers the folder holds."""
    return sum(path.read_bytes().count(b"\n") for path in traces.glob("shard-*.jsonl"))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(chain: Chain, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The teacher behind a server of its own, until the block ends."""
    words = ["--collection", chain.collection, "--port", port, "--errors", chain.errors, "--delay-ms", 5]
    print(f"\n$ python {HERE / 'teacher.py'}", shlex.join(map(str, words)), "&", flush=True)
    server = subprocess.Popen([sys.executable, str(HERE / "teacher.py"), *map(str, words)])
    try:
        while server.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        else:
            raise SystemExit("the teacher did not start; fastapi and uvicorn are needed (pip install fastapi uvicorn)")
        yield server
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="From a collection to a reasoner, whole.")
    parser.add_argument("--source", type=Path, action="append", required=True, help="an annotated collection")
    parser.add_argument("--out", type=Path, default=Path("chain"))
    parser.add_argument("--questions", type=int, default=6000, help="of each source, to sample from")
    parser.add_argument("--held-out", type=int, default=100, help="questions of each source for dev, and for test")
    parser.add_argument("--pairs", type=int, default=24_000, help="what the teacher is asked about")
    parser.add_argument("--steps", type=int, default=3000, help="of each fine-tuning, 16 rows a step")
    parser.add_argument("--base-steps", type=int, default=500)
    parser.add_argument("-k", type=int, default=10, dest="depth", help="candidates a question, for dev and test")
    parser.add_argument("--errors", type=float, default=0.2, help="share of careless answers")
    parser.add_argument(
        "--kill-teacher", type=int, metavar="ANSWERS", help="kill -9 the teacher after so many answers, start it again"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--models", default="thinking,direct,noisy", help="which are taught, beside the student")
    args = parser.parse_args()
    chain = Chain(
        args.out, args.pairs, args.steps, args.base_steps, args.depth, args.errors, args.kill_teacher, args.threads,
        tuple(filter(None, args.models.split(","))),
    )  # fmt: skip
    if not (chain.collection / "made.json").is_file():
        counts = prepare(args.source, chain.collection, questions=args.questions, held_out=args.held_out)
        (chain.collection / "made.json").write_text(json.dumps({"questions": counts}) + "\n")
    chain.run()
    print(write_report(args.out))


if __name__ == "__main__":
    main()
