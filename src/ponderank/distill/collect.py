"""Ask a teacher about pairs, through any backend, and keep what it says as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.contracts import Backend, Cancels, Tokenizer
from ponderank.distill.pairs import Pair
from ponderank.distill.shards import Collected, Shard
from ponderank.errors import DataError, RecipeError
from ponderank.formats.teacher import Trace, read_trace, teacher_prompt
from ponderank.types import Doc, Generate, Prompt, Query, Reply

UNANSWERED = ("late", "failed", "interrupted")
"""How a text ends that nobody answered; it is asked again the next time."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a pair, and how the answer is read; the ``name`` goes on record."""

    name: str
    prompt: Callable[[Query, Doc], Prompt]
    read: Callable[[str], Trace]


VERDICT = Question("verdict", teacher_prompt, read_trace)
"""Rank1's: think about the passage, then true or false."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How a teacher is asked.

    Args:
        max_tokens: the longest answer, thought included.
        temperature: of the sampling.
        samples: answers a pair.
        seed: another seed draws other answers.
        ahead: calls in flight.
        question: what is asked.

    Source: temperature .3 and 1,000 tokens, Rank1 (arXiv 2502.18418, section 2.1). Differs: nothing.
    """

    max_tokens: int = 1000
    temperature: float = 0.3
    samples: int = 1
    seed: int = 0
    ahead: int = 256
    question: Question = VERDICT

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.samples < 1 or self.ahead < 1 or self.temperature < 0:
            raise ValueError(
                f"max_tokens {self.max_tokens}, samples {self.samples}, ahead {self.ahead}, temperature {self.temperature}: "
                "need 1 or more of the first three, and no temperature below 0"
            )
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("several samples at temperature 0 are all the same; raise the temperature")

    def call(self, pair: Pair, sample: int) -> Generate:
        """The call for one answer; its seed follows from the pair, so that a repetition asks for the same."""
        seed = (int(pair.key[:12], 16) + 7919 * sample + self.seed) % 2**31
        prompt = self.question.prompt(pair.query, pair.doc)
        return Generate(prompt, self.max_tokens, temperature=self.temperature, seed=seed)


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost, read and written, in any currency."""

    prompt: float = 0.0
    output: float = 0.0

    def of(self, prompt_tokens: float, output_tokens: float) -> float:
        """The cost of so many tokens.

        >>> Prices(1.0, 2.0).of(500_000, 250_000)
        1.0
        """
        return (prompt_tokens * self.prompt + output_tokens * self.output) / 1e6


@dataclass(slots=True)
class Tally:
    """How far a collection is: answers there before, asked for, kept now, lost; what they took."""

    before: int = 0
    asked: int = 0
    kept: int = 0
    unanswered: int = 0
    verdicts: dict[str, int] = field(default_factory=lambda: {"true": 0, "false": 0, "none": 0})
    prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0

    def note(self, row: Collected) -> None:
        """Count a row that was kept."""
        self.kept += 1
        self.verdicts["none" if row.trace.verdict is None else str(row.trace.verdict).lower()] += 1
        self.prompt_tokens += row.prompt_tokens
        self.output_tokens += row.output_tokens


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a collection would cost: answers that are missing, tokens to be read, and at most to be written."""

    answers: int
    prompt_tokens: int
    output_tokens: int


def estimate(pairs: Iterable[Pair], tokenizer: Tokenizer, asking: Asking, shard: Shard) -> Estimate:
    """Count what is missing; nothing is asked. Prompt tokens are exact where the tokenizer is the teacher's."""
    answers = tokens = 0
    for pair, sample in missing(pairs, asking, shard, Tally()):
        answers += 1
        tokens += tokenizer.count(asking.call(pair, sample).prompt)
    return Estimate(answers, tokens, answers * asking.max_tokens)


def collect(
    pairs: Iterable[Pair], backend: Backend, asking: Asking, shard: Shard, *,
    on_progress: Callable[[Tally], None] | None = None,
) -> Tally:  # fmt: skip
    """Ask for every answer that the folder lacks, and append each to the shard as it comes.

    The pairs are read as there is room, so that any number of them takes little memory. After an error or a kill the
    same call goes on: what is in the file is not asked again.

    Raises:
        RecipeError: the backend writes no text.
        BackendError: the teacher is not there any more; what was answered is kept.
    """
    if Generate not in backend.can:
        raise RecipeError("this model writes no text; a teacher does: give a language model or a server")
    tally, start = Tally(), time.perf_counter()
    wanted = missing(pairs, asking, shard, tally)
    asked: dict[int, tuple[Pair, int]] = {}
    try:
        while True:
            while len(asked) < asking.ahead and (one := next(wanted, None)) is not None:
                asked[backend.add(asking.call(*one))] = one
                tally.asked += 1
            if not asked:
                return tally
            for ticket, reply in backend.step():
                _keep(asked.pop(ticket), reply, asking, shard, tally)
            tally.seconds = time.perf_counter() - start
            if on_progress:
                on_progress(tally)
    finally:
        if asked and isinstance(backend, Cancels):
            backend.cancel(list(asked))


def missing(pairs: Iterable[Pair], asking: Asking, shard: Shard, tally: Tally) -> Iterator[tuple[Pair, int]]:
    """Pairs of this shard and the numbers of their samples that no shard has; each once, however often it is given."""
    given: set[bytes] = set()
    for pair in pairs:
        key = bytes.fromhex(pair.key)
        if not shard.owns(pair) or key in given:
            continue
        given.add(key)
        for sample in range(asking.samples):
            if shard.has(pair, sample):
                tally.before += 1
            else:
                yield pair, sample


def _keep(one: tuple[Pair, int], reply: Reply, asking: Asking, shard: Shard, tally: Tally) -> None:
    if reply.finish in UNANSWERED:
        tally.unanswered += 1
        return
    used = reply.usage
    trace = asking.question.read(reply.text)
    row = Collected(*one, trace, reply.finish, used.prompt_tokens, used.output_tokens, used.seconds)
    if shard.append(row):
        tally.note(row)


def claim(folder: str | Path, teacher: str, asking: Asking) -> None:
    """Note in ``teacher.json`` who is asked and how; the same folder never holds the answers of two.

    Raises:
        DataError: the folder was begun with another teacher or other settings; the message names what differs.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {k: v for k, v in asdict(asking).items() if k not in ("samples", "ahead", "question")}
    if asking.question != VERDICT:
        settings["question"] = asking.question.name
    wanted = {"teacher": teacher, "asking": settings}
    there = manifests.read(folder / "teacher.json")
    if there is None:
        manifests.write_whole(folder / "teacher.json", manifests.dumped(wanted))
        return
    differing = list(manifests.differences(there, wanted))
    if differing:
        raise DataError(
            f"this folder holds another teacher's traces ({'; '.join(differing)}); give another --out", path=folder
        )
