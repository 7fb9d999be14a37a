"""The library in ten lines: rank texts, look at scores and evidence, get JSON."""

from ponderank import Reranker

with Reranker() as reranker:
    ranking = reranker.rank(
        "When was the telephone patented?",
        [
            "The telegraph sends coded pulses over a wire.",
            {
                "id": "bell",
                "text": "Bell worked in Boston. He patented the telephone in 1876. Calls were local at first.",
            },
            "A patent protects an invention for a time.",
        ],
        explain=True,
    )
print(ranking)
print(ranking.to_jsonl())
assert ranking.docs[0].id == "bell"
