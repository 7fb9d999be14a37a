"""Real questions against real passages: BM25 first, then the default reranker, with the sentence that carries each answer.

Run by `make demo`.
"""

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ponderank import Reranker
from ponderank.data.beir import Collection
from ponderank.metrics.ranked import evaluate
from ponderank.retrieval.bm25 import BM25Index
from ponderank.show import plain

SHOWN = 3


def main() -> None:
    """Retrieve, rerank, show the questions whose answer moved most, and measure all of them."""
    console = Console(width=110, highlight=False)
    collection = Collection.open(Path(__file__).parent / "excerpt")
    queries, qrels = collection.judged_queries("test"), collection.qrels("test")
    first = BM25Index.build(collection.corpus()).search(queries, k=20)
    start = time.perf_counter()
    with Reranker("default") as reranker:
        ready = time.perf_counter()
        rankings = list(reranker.rank_many(first))
        seconds = time.perf_counter() - ready
        moved = sorted(zip(first, rankings, strict=True), key=lambda pair: -gain(*pair, qrels))
        for candidates, ranking in moved[:SHOWN]:
            show(console, candidates, reranker.explain(ranking, 2), qrels)
    runs = {
        "BM25": {c.query.id: [(d.id, s) for d, s in zip(c.docs, c.scores, strict=True)] for c in first},
        "BM25, then Ponderank": {
            r.query.id: [(d.id, s) for d, s in zip(r.docs, r.scores, strict=True)] for r in rankings
        },
    }
    table = Table("", "nDCG@10", "RR@10", title=f"{len(queries)} questions, {len(collection.docs)} passages")
    for name, values in evaluate(qrels, runs, ["nDCG@10", "RR@10"]).items():
        table.add_row(name, *(f"{value:.3f}" for value in values.values()))
    console.print(table)
    pairs = sum(len(c.docs) for c in first)
    console.print(
        f"model loaded in {ready - start:.2f} s; {pairs} pairs in {seconds:.1f} s, {pairs / seconds:.0f} a second"
    )


def gain(candidates, ranking, qrels) -> int:
    """How many places the answer rose."""
    relevant = qrels[candidates.query.id]
    before = next((i for i, doc in enumerate(candidates.docs) if doc.id in relevant), 99)
    after = next((i for i, doc in enumerate(ranking.docs) if doc.id in relevant), 99)
    return before - after


def show(console, candidates, ranking, qrels) -> None:
    """The top three before and after, the judged answer starred, its evidence underlined."""
    relevant = qrels[ranking.query.id]
    table = Table(
        "BM25", "then Ponderank", title=f"“{plain(ranking.query.text)}”", show_lines=True, title_justify="left"
    )
    for before, after in zip(candidates.docs[:3], ranking.rows()[:3], strict=False):
        left = Text(("★ " if before.id in relevant else "") + plain(before.text)[:160] + " …", style="dim")
        table.add_row(left, highlighted(after, after["id"] in relevant))
    console.print(table)


def highlighted(row, answers: bool) -> Text:
    """The text from its best sentence on, that sentence underlined."""
    spans = row.get("evidence", [])
    start, end = (spans[0]["start"], spans[0]["end"]) if spans else (0, 0)
    text = Text("★ " if answers else "", style="bold" if answers else "")
    if start:
        text.append("… ")
    text.append(plain(row["text"][start:end]), style="underline")
    text.append(plain(row["text"][end:])[: max(0, 160 - (end - start))] + " …")
    return text


if __name__ == "__main__":
    main()
