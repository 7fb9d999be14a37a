"""The first stage against published figures: if BM25 is off, nothing that is said of a reranker behind it holds.

    python bench/first_stage.py --data FOLDER            # a folder of collections in BEIR layout

Every collection is searched to depth 1,000 over the whole corpus (k1 0.9, b 0.4), twice: with the words as Ponderank's default has them
(Snowball's English stemmer, words of two letters or more) and as Lucene has them (Porter's, one letter, too). The published figures
are of Lucene's words or of unknown ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ponderank.data.beir import Collection
from ponderank.metrics.ranked import per_query
from ponderank.retrieval.bm25 import BM25Index

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that somebody printed for BM25 on a collection."""

    collection: str
    split: str
    measure: str
    value: float
    source: str


WORDS: dict[str, dict[str, Any]] = {"ours": {}, "Lucene's words": {"stemmer": "porter", "shortest": 1}}


PUBLISHED = (
    Published("scifact", "test", "nDCG@10", 0.6789, "Anserini, BEIR flat index"),
    Published("scifact", "test", "R@100", 0.9253, "Anserini, BEIR flat index"),
    Published("cacm", "test", "AP", 0.3123, "Anserini, CACM"),
    Published("cranfield", "test", "AP", 0.289, "as handed down for BM25; settings not said"),
    Published("vaswani", "test", "AP", 0.285, "as handed down for BM25; settings not said"),
)


def measured(row: Published, data: Path, words: dict[str, Any]) -> float:
    """The mean over the judged queries with a relevant document."""
    collection = Collection.open(data / row.collection)
    split = row.split if row.split in collection.splits else collection.splits[0]
    qrels = collection.qrels(split)
    queries = [query for query in collection.judged_queries(split) if max(qrels[query.id].values(), default=0) > 0]
    found = BM25Index.build(collection.corpus(), **words).search(queries, 1000)
    run = {c.query.id: list(zip((doc.id for doc in c.docs), c.scores or (), strict=True)) for c in found}
    values = per_query({query.id: qrels[query.id] for query in queries}, run, [row.measure])[row.measure]
    return statistics.fmean(values.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "first-stage.json")
    args = parser.parse_args()
    rows = []
    print(f"| collection | measure | published | {' | '.join(WORDS)} | source |\n| {'--- | ' * (len(WORDS) + 4)}")
    for row in PUBLISHED:
        found = {name: round(measured(row, args.data, words), 4) for name, words in WORDS.items()}
        shown = " | ".join(f"{value:.4f} ({value - row.value:+.4f})" for value in found.values())
        print(f"| {row.collection} | {row.measure} | {row.value:.4f} | {shown} | {row.source} |", flush=True)
        rows.append({**asdict(row), **found})
    args.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
