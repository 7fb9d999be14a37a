"""The robustness suite: a recipe on a collection under every disturbance, into a folder, going on after a kill.

The folder holds ``results.json`` (every figure, what was done, the manifest), ``robustness.md``, with matplotlib
``robustness.svg``, and ``manifest.json``; of a recipe that answers alike twice these are the same bytes for two runs, killed in
between or not. ``rankings.jsonl`` has every ranking and only grows, ``cache.sqlite`` the replies, ``timing.json`` the times.
A later command may ask for other tests: what was ranked already is taken from there.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.contracts import Backend
from ponderank.engine import Progress
from ponderank.reranker import Reranker
from ponderank.robustness import trials
from ponderank.robustness.counting import Distinct
from ponderank.robustness.kept import Ranked, Rankings, key_of
from ponderank.robustness.laid import Laid, Suite, lay_out
from ponderank.robustness.position import Together
from ponderank.robustness.trials import Subject, Trial
from ponderank.run import Experiment, reranker_for
from ponderank.types import Usage

_CACHE, _RANKINGS = "cache.sqlite", "rankings.jsonl"
_FILES = (
    "results.json", "robustness.md", "robustness.svg", "manifest.json", "timing.json", _RANKINGS,
    *(_CACHE + end for end in ("", "-wal", "-shm")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a suite: the folder, what ``results.json`` holds, calls made now, seconds, whether there is a picture."""

    folder: Path
    results: dict[str, Any]
    calls: int
    seconds: float
    drawn: bool


def perform(
    suite: Suite,
    out: str | Path,
    *,
    fresh: bool = False,
    backend: Backend | Sequence[Backend] | None = None,
    threads: int | None = None,
    on_progress: Callable[[Progress, int], None] | None = None,
) -> Outcome:
    """Run a suite into the folder ``out``; where it was begun, go on: what was ranked is not ranked again.

    ``fresh`` forgets what the folder holds. ``backend`` stands in for the model, or one for each judge's. ``on_progress`` is told
    the progress and the number of rankings.

    Raises:
        DataError: bad input, or ``out`` is about another recipe or collection; the message names what differs.
        KeyboardInterrupt: interrupted; what was ranked is kept.
    """
    from ponderank.robustness.report import write
    from ponderank.robustness.summary import summarised

    out, start = Path(out), time.perf_counter()
    laid = lay_out(suite)
    out.mkdir(parents=True, exist_ok=True)
    if fresh:
        for name in _FILES:
            (out / name).unlink(missing_ok=True)
    with (
        reranker_for(suite.experiment, backend=backend, threads=threads) as anew,
        Reranker(
            anew.recipe, backend=anew.backends, cache=out / _CACHE, query_tokens=suite.experiment.query_tokens
        ) as reranker,
    ):
        manifest = manifests.claimed(out, _manifest(suite, laid, anew), what="suite", free="asked")
        with closing(Rankings(out / _RANKINGS)) as kept:
            told = _Told(laid.every, on_progress)
            for trial in laid.every:
                _rank(trial, anew if trial.anew else _asking(reranker, trial), kept, told)
            found = {(str(trial.test), trial.name): _collected(trial, kept) for trial in laid.every}
    results = summarised(suite, laid, found, widest=anew.recipe.strategy.widest) | {"manifest": manifest}
    drawn = write(results, out)
    outcome = Outcome(out, results, told.calls, time.perf_counter() - start, drawn)
    manifests.write_whole(
        out / "timing.json", manifests.dumped({"seconds": outcome.seconds, "calls": outcome.calls, "ranked": told.now})
    )
    return outcome


def dry_run(suite: Suite, **given: Any) -> Usage:
    """What a suite would ask of a model, equal calls once but those that are asked anew; nothing is asked.

    Exact for recipes whose calls do not depend on the answers. ``given`` are further arguments of ``Reranker``.

    Raises:
        DataError: bad input, as in ``perform``.
    """
    laid = lay_out(suite)
    with reranker_for(suite.experiment, **given) as reranker:
        tokens = suite.experiment.query_tokens
        once, every = (_counting(reranker.backends, equal_once=equal) for equal in (True, False))
        cached, anew = (Reranker(reranker.recipe, backend=counts, query_tokens=tokens) for counts in (once, every))
        for trial in laid.every:
            for _ in (anew if trial.anew else _asking(cached, trial)).rank_many(trial.many):
                pass
        return sum((counts.usage for counts in {*once, *every}), Usage())


def _counting(backends: Sequence[Backend], *, equal_once: bool) -> list[Distinct]:
    """What counts in place of each backend; in place of one that several judges share, one."""
    counts = {id(one): Distinct(one.tokenizer, one.can, equal_once=equal_once) for one in backends}
    return [counts[id(one)] for one in backends]


def _asking(reranker: Reranker, trial: Trial) -> Reranker:
    """The reranker itself; of a trial for one judge alone, that judge, shown all candidates together."""
    if trial.judge is None:
        return reranker
    alone = reranker.recipe.apart()[trial.judge]
    width = max((len(one.docs) for one in trial.many), default=1)
    return Reranker(
        replace(alone, strategy=Together(width)),
        backend=reranker.backends[trial.judge],
        query_tokens=reranker.query_tokens,
    )


class _Told:
    """Sums the progress of all trials up and passes it on."""

    def __init__(self, every: Sequence[Trial], tell: Callable[[Progress, int], None] | None) -> None:
        self.total, self.tell = sum(len(trial.many) for trial in every), tell
        self.done = self.calls = self.flaws = self.now = 0

    def __call__(self, progress: Progress) -> None:
        if self.tell is not None:
            told = Progress(self.done + progress.done, self.calls + progress.calls, self.flaws + progress.flaws)
            self.tell(told, self.total)


def _rank(trial: Trial, reranker: Reranker, kept: Rankings, told: _Told) -> None:
    """Rank what is not kept yet, and keep it ranking by ranking."""
    left = [one for one in trial.many if kept.get(trial, one) is None]
    told.done += len(trial.many) - len(left)
    for some in [[one] for one in left] if trial.alone else [left]:
        last = Progress(0, 0, 0)

        def note(progress: Progress) -> None:
            nonlocal last
            last = progress
            told(progress)

        try:
            for one, ranking in zip(some, reranker.rank_many(some, on_progress=note), strict=True):
                kept.add(trial, one, ranking)
        except KeyboardInterrupt as stop:
            done = f"{told.done} rankings of {told.total} and some of {trial.test}/{trial.name} are kept"
            raise KeyboardInterrupt(f"{done}; the same command goes on from here") from stop
        told.done, told.calls, told.flaws = told.done + len(some), told.calls + last.calls, told.flaws + last.flaws
        told.now += len(some)


def _collected(trial: Trial, kept: Rankings) -> dict[str, Ranked]:
    found = {one.query.id: kept.get(trial, one) for one in trial.many}
    return {query: ranked for query, ranked in found.items() if ranked is not None}


def _manifest(suite: Suite, laid: Laid, reranker: Reranker) -> dict[str, Any]:
    """What the rankings depend on, and under ``asked`` what may differ in a folder that is gone on with."""
    recipe = reranker.recipe.to_dict()
    model = recipe.pop("model")
    experiment = suite.experiment
    options = {"query_tokens": experiment.query_tokens, "k": experiment.k, "limit": experiment.limit}
    return {
        "versions": manifests.versions(),
        "recipe": recipe,
        "model": {"path": model, "fingerprint": reranker.fingerprint},
        "collection": _told_of(laid.main, experiment),
        "options": {**options, "split": experiment.split, "drop_self": experiment.drop_self},
        "asked": {
            "measure": suite.measure, "tests": list(suite.tests), "variations": list(suite.variations), "seed": suite.seed,
            "shuffles": suite.shuffles, "repeats": suite.repeats, "others": [_told_of(one, None) for one in laid.others],
            "attacks": None if suite.attacks is None else manifests.file_hash(Path(suite.attacks)),
            **({"position": [suite.position_queries, suite.position_groups, suite.position_shuffles]} if laid.shown else {}),
        },
    }  # fmt: skip


def _told_of(subject: Subject, experiment: Experiment | None) -> dict[str, Any]:
    """A collection by what of it is ranked."""
    inputs = "".join(key_of(trials.base(subject), one) for one in subject.many)
    judged = json.dumps({query: dict(grades) for query, grades in subject.qrels.items()}, sort_keys=True)
    told: dict[str, Any] = {"path": subject.name, "queries": len(subject.many)}
    told |= {"inputs": _hash(inputs), "judgements": _hash(judged)}
    if experiment is not None and experiment.run_file is not None:
        told["run"] = {"path": str(experiment.run_file), "sha256": manifests.file_hash(Path(experiment.run_file))}
    return told


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
