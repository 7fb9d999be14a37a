"""Size against quality before and after a quantisation, on the same evaluation: a table, its numbers, a picture.

Source: Rank1 (arXiv 2502.18418), Table 7: size and measures, the quantised model under the full one.
Differs: also how far single judgements moved (share of verdicts that changed, rank correlation and largest difference of the
scores), speed, and flaws; on sets given here.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ponderank import manifest as manifests
from ponderank.train.quantise_sets import Subject
from ponderank.types import Ranking

Key = tuple[str, str, str]
"""Set, query and document."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model did on a subject: ``values`` by set and measure, scores and probabilities by pair."""

    name: str
    engine: str
    size: int
    values: Mapping[str, float]
    flaws: Mapping[str, int]
    seconds: float
    scores: Mapping[Key, float] = field(repr=False)
    probs: Mapping[Key, float] = field(repr=False)

    @property
    def pairs_a_second(self) -> float:
        """Judged pairs a second of wall time, the model loaded."""
        return len(self.scores) / self.seconds


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two models' judgements of the same pairs are apart.

    ``verdicts_changed``: the share whose probability crossed a half, None where there are no probabilities; ``largest`` and
    ``mean``: of the differences of scores; ``spearman`` over all pairs.
    """

    pairs: int
    verdicts_changed: float | None
    spearman: float
    largest: float
    mean: float


def measure(model: Path, subject: Subject, recipe: str, **options: Any) -> Measured:
    """Rank the subject with ``model``; ``options`` are ``Reranker``'s."""
    from ponderank.reranker import Reranker

    values: dict[str, float] = {}
    scores: dict[Key, float] = {}
    probs: dict[Key, float] = {}
    flaws: dict[str, int] = {}
    seconds = 0.0
    with Reranker(recipe, model=model, **options) as reranker:
        engine = type(reranker.backend).__name__
        for one in subject.sets:
            start = time.perf_counter()
            rankings = list(reranker.rank_many(one.many))
            seconds += time.perf_counter() - start
            found = one.measured(rankings)
            values |= {f"{one.name} {found[0]}": found[1]} if found else {}
            for ranking in rankings:
                _note(one.name, ranking, scores, probs)
                for flaw, count in ranking.flaws().items():
                    flaws[flaw] = flaws.get(flaw, 0) + count
    return Measured(model.name, _ENGINES.get(engine, engine), size_of(model), values, flaws, seconds, scores, probs)


_ENGINES = {"TorchGenerator": "transformers", "TorchClassifier": "transformers", "OnnxClassifier": "onnx", "GgufModel": "llamacpp",
            "VllmModel": "vllm"}  # fmt: skip


def _note(name: str, ranking: Ranking, scores: dict[Key, float], probs: dict[Key, float]) -> None:
    for at, doc in enumerate(ranking.docs):
        key = (name, ranking.query.id, doc.id)
        scores[key] = ranking.scores[at]
        prob = ranking.probs[at] if ranking.probs else None
        if prob is not None:
            probs[key] = prob


def size_of(model: Path) -> int:
    """Bytes of a model's file, or of the weights in its folder."""
    if model.is_file():
        return model.stat().st_size
    kinds = (".onnx", ".bin") if any(model.glob("*.onnx")) else (".safetensors",)
    return sum(path.stat().st_size for path in model.iterdir() if path.suffix in kinds or ".onnx_data" in path.name)


def agreement(before: Measured, after: Measured) -> Agreement:
    """Compare the judgements of two models, over pairs that both could score.

    >>> one, other = ({("s", "q", "a"): 1.0, ("s", "q", "b"): 0.0}, {("s", "q", "a"): 0.5, ("s", "q", "b"): 0.0})
    >>> made = [Measured("m", "onnx", 1, {}, {}, 1.0, scores, {}) for scores in (one, other)]
    >>> agreement(*made).largest
    0.5
    """
    import numpy as np

    finite = math.isfinite
    keys = [k for k, score in before.scores.items() if finite(score) and finite(after.scores.get(k, math.nan))]
    old, new = (np.array([one.scores[key] for key in keys]) for one in (before, after))
    verdicts = [key for key in before.probs if key in after.probs]
    changed = sum((before.probs[key] > 0.5) != (after.probs[key] > 0.5) for key in verdicts)
    off = np.abs(old - new)
    return Agreement(
        len(keys), changed / len(verdicts) if verdicts else None, _spearman(old, new),
        float(off.max()) if keys else math.nan, float(off.mean()) if keys else math.nan,
    )  # fmt: skip


def _spearman(old: Any, new: Any) -> float:
    """Correlation of ranks, ties at their mean; not a number where all scores of one side are equal."""
    import numpy as np

    if len(old) < 2 or np.ptp(old) == 0 or np.ptp(new) == 0:
        return math.nan
    ranks = []
    for values in (old, new):
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        last = np.cumsum(counts)
        ranks.append((last - (counts - 1) / 2)[place])
    return float(np.corrcoef(ranks[0], ranks[1]).ravel()[1])


@dataclass(frozen=True, slots=True)
class Report:
    """Both models, how far apart they are, and what they were measured on; ``made`` is the result's own note."""

    before: Measured
    after: Measured
    agreement: Agreement
    subject: str
    recipe: str
    made: Mapping[str, Any]

    def table(self) -> str:
        """As the paper's Table 7: the quantised model under the full one. Markdown."""
        names = list(self.before.values)
        head = ["model", "size", *names, "verdicts changed", "Spearman", "largest change", "pairs/s", "flaws"]
        found = self.agreement
        changed = "" if found.verdicts_changed is None else f"{found.verdicts_changed:.1%}"
        moved = (changed, f"{found.spearman:.4f}", f"{found.largest:.3g}")
        rows = [
            [
                f"{one.name} ({one.engine})", _bytes(one.size), *(f"{one.values[name]:.4f}" for name in names), *far,
                f"{one.pairs_a_second:.3g}", str(sum(one.flaws.values())),
            ]
            for one, far in ((self.before, ("", "", "")), (self.after, moved))
        ]  # fmt: skip
        rule = ["---", *["---:"] * (len(head) - 1)]
        return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])

    def text(self) -> str:
        """The table, and what it was measured on."""
        share = self.after.size / self.before.size
        return (
            f"# {self.before.name}: {self.made.get('scheme', self.made.get('target', ''))}\n\n{self.table()}\n\n"
            f"Recipe `{self.recipe}`, {len(self.before.scores):,} pairs. Measured on {self.subject}.\n"
            f"{share:.0%} of the size. Changes are of scores, the model behind against the model before; speeds are of two engines "
            f"where two are named.\n{_kept(self.made)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """All numbers but the single scores, ready for JSON."""

        def told(one: Measured) -> dict[str, Any]:
            return {
                "model": one.name, "engine": one.engine, "bytes": one.size, "values": dict(one.values),
                "flaws": dict(one.flaws), "seconds": round(one.seconds, 3), "pairs_a_second": round(one.pairs_a_second, 3),
            }  # fmt: skip

        spread = {name: _ready(value) for name, value in asdict(self.agreement).items()}
        return {
            "before": told(self.before), "after": told(self.after), "agreement": spread, "measured_on": self.subject,
            "recipe": self.recipe, "made": dict(self.made), "versions": manifests.versions(),
        }  # fmt: skip


def compare(before: Measured, after: Measured, subject: Subject, recipe: str, made: Mapping[str, Any]) -> Report:
    """The report on two models that were measured on one subject."""
    return Report(before, after, agreement(before, after), subject.words, recipe, made)


def write(report: Report, out: Path) -> Path:
    """Write ``report.json``, ``report.md`` and, where there is a measure and matplotlib, ``report.svg``; returns the second.

    In ``out`` if that is a folder, otherwise beside the file with its name before theirs.
    """
    place = out / "report" if out.is_dir() else out.with_name(out.name.removesuffix(".gguf") + ".report")
    paths = {kind: place.with_name(f"{place.name}.{kind}") for kind in ("json", "md", "svg")}
    manifests.write_whole(paths["json"], json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n")
    drawn = report.before.values and draw(report, paths["svg"])
    picture = f"\n![size against quality]({paths['svg'].name})\n" if drawn else ""
    manifests.write_whole(paths["md"], report.text() + picture)
    return paths["md"]


def draw(report: Report, path: Path) -> bool:
    """Draw size against each measure, before and after, as SVG; False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(6, 3.5), layout="tight")
    axes = figure.subplots()
    models = (report.before, report.after)
    for name in report.before.values:
        axes.plot([one.size / 1e6 for one in models], [one.values[name] for one in models], marker="o", label=name)
    for one in models:
        axes.annotate(one.name, (one.size / 1e6, max(one.values.values())), xytext=(0, 6), textcoords="offset points", fontsize=7,
                      ha="center")  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("megabytes")
    axes.margins(0.15)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    return True


def _kept(made: Mapping[str, Any]) -> str:
    """Which types the result holds, for people; empty where its note does not say."""
    types = made.get("types") or made.get("products")
    return f"It holds {', '.join(f'{count} {name}' for name, count in types.items())}.\n" if types else ""


def _bytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def _ready(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
