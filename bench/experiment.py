"""A full experiment, from collections to a report: BM25, a bi-encoder, the default, and whatever thinks, side by side.

    python bench/experiment.py --base MINILM_FOLDER --reasoner MODEL --out experiment scifact:FOLDER cranfield:FOLDER pairs:condaqa:FOLDER

A collection is ``NAME:FOLDER`` or ``NAME:ID`` (``ponderank collections``). Everything ranks the same candidates: BM25's best ``-k``, or
those that the collection gives. All runs are folders of ``ponderank run``, the bi-encoder's (sentence-transformers, cosine) by a
backend that is one function; what is finished is not asked again. The report is ``OUT/report.html``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ponderank.backends.adapters import Batched
from ponderank.formats.classify import CrossEncoder
from ponderank.recipe import Recipe
from ponderank.run import Experiment, perform
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Call, Classify, Reply, Usage


def ponderank(*words: object) -> None:
    """Run a command as a reader would, and show it."""
    print("$ ponderank", *words, flush=True)
    code = subprocess.run([sys.executable, "-m", "ponderank.cli.main", *map(str, words)]).returncode
    if code:
        raise SystemExit(f"that command ended with exit code {code}; mended, the same experiment goes on from here")


class BiEncoder:
    """A bi-encoder as a function of calls: 20 times the cosine of query and text; texts are embedded once and kept."""

    def __init__(self, base: Path) -> None:
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(base), device="cpu")
        self.known: dict[str, Any] = {}

    def __call__(self, calls: Sequence[Call]) -> list[Reply]:
        pairs = [(call.query, call.text) for call in calls if isinstance(call, Classify)]
        new = list(dict.fromkeys(text for pair in pairs for text in pair if text not in self.known))
        if new:
            vectors = self.model.encode(new, normalize_embeddings=True, show_progress_bar=False)
            self.known |= dict(zip(new, vectors, strict=True))
        scores = [20 * float(self.known[query] @ self.known[text]) for query, text in pairs]
        return [Reply(scores=(score,), usage=Usage(calls=1)) for score in scores]


def bi_encoder(base: Path, experiment: Experiment, out: Path) -> None:
    """A run folder like any other, of a backend that is one function."""
    recipe = Recipe("bi-encoder", str(base), CrossEncoder(), Pointwise(), "all-MiniLM-L6-v2, cosine")
    backend = Batched(BiEncoder(base), 256, can=frozenset({Classify}), fingerprint=f"bi-encoder:{base.name}")
    print(f"bi-encoder on {experiment.collection}", flush=True)
    perform(replace(experiment, recipe=recipe), out, backend=backend)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collections", nargs="+", metavar="NAME:COLLECTION")
    parser.add_argument("--out", type=Path, default=Path("experiment"))
    parser.add_argument("--recipes", nargs="*", default=["default", "default-fast"])
    parser.add_argument("--base", type=Path, help="a sentence-transformers folder")
    parser.add_argument("--reasoner", type=Path, help="a model for the recipes rank1 and rank1-direct")
    parser.add_argument("--think-tokens", type=int, default=48)
    parser.add_argument("-k", type=int, default=20, dest="depth")
    parser.add_argument("--limit", type=int, help="queries of each collection")
    args = parser.parse_args()
    limit = [] if args.limit is None else ["--limit", args.limit]
    entered = []
    for told in args.collections:
        name, _, collection = told.partition(":")
        place = args.out / name
        common = ["--collection", collection, "-k", args.depth, *limit]
        for recipe in args.recipes:
            ponderank("run", *common, "--recipe", recipe, "--out", place / recipe)
        if args.reasoner:
            think = ["--think-tokens", args.think_tokens]
            ponderank("run", *common, "--recipe", "rank1", "--model", args.reasoner, *think, "--out", place / "rank1")
        if args.base:
            bi_encoder(args.base, Experiment(collection, k=args.depth, limit=args.limit), place / "bi-encoder")
            entered.append(place / "bi-encoder")
        entered += [place / recipe for recipe in args.recipes] + [place / "rank1"] * bool(args.reasoner)
    ponderank("report", *entered, "--out", args.out / "report.html")


if __name__ == "__main__":
    main()
